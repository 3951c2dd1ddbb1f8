"""The whole audit, of runs and of tables, on codes whose content is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation import audit_scores
from omote.evaluation.audit import AUDIT_COLUMNS, Audit, audit
from omote.evaluation.audit_scores import NO_APEX
from omote.evaluation.representation import read_feature_table, represent_by_baselines
from omote.evaluation.swaps import NEEDS_SUBJECT, NO_DECODER, choose_swaps, score_swaps
from omote.features.extract import extract_features
from omote.metrics.posterior import POINT, POSTERIOR_SCORES
from omote.runs.info import read_run_info
from omote.runs.trained import Trained, load
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import train
from tests.conftest import Configure

PEOPLE, EXPRESSIONS, FRAMES = 10, 5, 6


def made(
    tmp_path: Path, *, person: float, expression: float, noise: float = 0.1, deviation: float | None = None
) -> Path:
    """Write a table of codes: a vector of the person plus one of the expression, which grows from 0 along a clip."""
    rng = np.random.default_rng(0)
    of_person, of_expression = rng.normal(size=(PEOPLE, 16)), rng.normal(size=(EXPRESSIONS, 16))
    rows = [
        (f"p{who:02d}", f"c{what}", frame, f"e{what}" if frame >= FRAMES - 3 else None)
        for who in range(PEOPLE)
        for what in range(EXPRESSIONS)
        for frame in range(FRAMES)
    ]
    table = pd.DataFrame(rows, columns=["subject", "clip", "frame", "expression"])
    who, what = (table[name].str[1:].astype(int) for name in ("subject", "clip"))
    strength = np.minimum(table["frame"].to_numpy() / (FRAMES - 3), 1)[:, None]
    codes = person * of_person[who] + expression * strength * of_expression[what]
    codes = codes + noise * rng.normal(size=codes.shape)
    for number, values in enumerate(codes.T):
        table[f"z_e_{number:02d}"] = values
        if deviation is not None:
            table[f"z_e_deviation_{number:02d}"] = deviation
    table["au_1"] = strength.ravel() * what / EXPRESSIONS
    table["use"] = np.where(table["frame"] >= FRAMES - 3, "both", "train")
    table.to_parquet(tmp_path / "code.parquet")
    return tmp_path / "code.parquet"


def scores_of(found: Audit, feature: str = "code z_e") -> dict[str, Any]:
    table = found.table
    rows = table[(table["feature"] == feature) & (table["reading"] == "mean")]
    return {str(row.score): row for row in rows.itertuples()}


def test_a_code_of_the_person_alone_gives_everybody_away_and_no_expression(tmp_path: Path) -> None:
    found = scores_of(audit([made(tmp_path, person=1, expression=0)], seeds=3, workers=1))
    for score in (
        "subject_nearest_neighbour",
        "subject_probe_linear",
        "subject_probe_mlp",
        "tar_at_far_1e-2",
    ):
        assert found[score].value > 0.99
    assert found["eer"].value < 0.01
    assert abs(found["precision_at_5"].value - found["precision_at_5"].chance) < 0.05
    assert abs(found["order"].value) < 0.15
    assert found["r2_au"].value < 0.1


def test_a_code_of_the_expression_alone_names_nobody_and_every_expression(tmp_path: Path) -> None:
    found = scores_of(audit([made(tmp_path, person=0, expression=1)], seeds=3, workers=1))
    for score in ("expression_probe", "precision_at_5"):
        assert found[score].value > 0.99
    for score in ("subject_nearest_neighbour", "subject_probe_linear", "subject_probe_mlp"):
        assert found[score].value < found[score].chance + 0.1
    assert found["order"].value > 0.9
    assert found["path_agreement"].value > 0.9 > 0.5 > found["path_agreement"].chance
    assert found["r2_au"].value > 0.9


def test_the_subject_mean_removed_takes_the_person_out_of_a_sum_of_both(tmp_path: Path) -> None:
    found = audit([made(tmp_path, person=3, expression=1)], seeds=3, workers=1)
    both, centred = scores_of(found), scores_of(found, "code z_e, subject mean removed")
    assert both["subject_nearest_neighbour_across_expressions"].value > 0.9
    assert centred["subject_nearest_neighbour_across_expressions"].value < 0.3
    assert centred["precision_at_1"].value > 0.99 > both["precision_at_1"].value


def test_every_score_has_a_chance_and_an_interval(tmp_path: Path) -> None:
    table = audit([made(tmp_path, person=1, expression=1, deviation=0.1)], seeds=3, workers=1).table
    assert list(table) == AUDIT_COLUMNS
    known = table[table["value"].notna()]
    assert known.loc[known["chance"].isna() & ~known["score"].str.startswith("dci"), "score"].tolist() == []
    assert (
        known.loc[known["high"].isna() & ~known["reason"].str.contains("no interval"), "score"].tolist() == []
    )
    assert (known["high"] > known["low"]).any()


def test_samples_of_a_wide_posterior_hide_the_person_that_its_mean_reveals(tmp_path: Path) -> None:
    table = audit([made(tmp_path, person=1, expression=0, deviation=100)], seeds=2, workers=1).table
    value = table.set_index(["feature", "reading", "score"])["value"]
    assert value["code z_e", "mean", "subject_probe_linear"] > 0.99
    assert value["code z_e", "sample", "subject_probe_linear"] < 0.3
    assert value["code z_e", "sample", "eer"] > 0.4


def test_a_point_has_no_sample_and_its_posterior_says_why(tmp_path: Path) -> None:
    path = made(tmp_path, person=1, expression=1, deviation=0)
    (point, _), frames = read_feature_table(path)
    found = audit_scores.score_representation(point, frames, None, k=9, seeds=2)
    plain = audit_scores.score_representation(point._replace(logvar=None), frames, None, k=9, seeds=2)
    (posterior,) = (part for part in found if part[0] == "posterior")
    assert set(posterior[2]) == set(POSTERIOR_SCORES)
    assert all(np.isnan(score.value) and score.reason == POINT for score in posterior[2].values())
    assert repr([part for part in found if part is not posterior]) == repr(plain)  # and no sample


def test_identity_and_expression_are_scored_on_evaluation_frames_only(tmp_path: Path) -> None:
    path = made(tmp_path, person=1, expression=1)
    before = scores_of(audit([path], seeds=2, workers=1))
    table = pd.read_parquet(path)
    others = table["use"] == "train"
    codes = [name for name in map(str, table) if name.startswith("z_e_")]
    table.loc[others, codes] = table.loc[others, codes].to_numpy()[::-1]  # someone else's
    table.to_parquet(path)
    after = scores_of(audit([path], seeds=2, workers=1))
    for score in ("subject_nearest_neighbour", "eer", "accuracy", "expression_probe", "precision_at_5"):
        assert repr(after[score]) == repr(before[score]._replace(Index=after[score].Index))  # nan is nan
    assert after["straightness"].value != before["straightness"].value


def test_the_scores_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    path = made(tmp_path, person=1, expression=1)
    pd.testing.assert_frame_equal(
        audit([path], seeds=2, workers=1).table, audit([path], seeds=2, workers=2).table
    )


def test_without_pictures_and_factors_the_apex_is_unknown_and_a_single_table_says_so(tmp_path: Path) -> None:
    path = made(tmp_path, person=1, expression=1)
    pd.read_parquet(path).drop(columns="au_1").to_parquet(path)
    found = audit([path], seeds=2, workers=1)
    order = scores_of(found)["order"]
    assert np.isnan(order.value)
    assert found.about["apex"] == NO_APEX


def test_a_run_is_audited_on_its_own_faces_beside_the_baselines(
    tmp_path: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = prepare_drawn(tmp_path / "faces", subjects=6, clips=3, mixtures=0, frames=5, workers=1)
    for name in ("mine", "other"):
        train(faces, tmp_path / name, configure(method="conventional", options__epochs=1, test_subjects=2))
    swapped: list[set[str]] = []

    def among(trained: Trained, judge: Trained, faces: FaceSet, rows: Any) -> Any:
        swapped.append(set(faces.frames["subject"].iloc[rows]))
        return score_swaps(trained, judge, faces, rows)

    monkeypatch.setattr(audit_scores, "score_swaps", among)
    steps: list[tuple[int, int]] = []
    found = audit(
        [tmp_path / "mine"],
        judge=tmp_path / "other",
        seeds=2,
        workers=1,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert set(found.table["feature"]) == {
        "mine z_e", "mine z_e, subject mean removed", "mine z_i", "random network", "pixels + PCA",
        "pixels + PCA, subject mean removed", "mine, read by itself", "mine, read by other",
    }  # fmt: skip
    info = read_run_info(tmp_path / "mine")
    assert found.about["people"] == {"test": 2, "train": 4}
    assert found.about["frames"] == {"test": 2 * 3 * 5, "train": 4 * 3 * 5}
    evaluated = faces.frames.loc[faces.frames["use"] != "train", "subject"].isin(info.test_subjects)
    assert found.about["frames_scored"] == {"test": evaluated.sum(), "train": (~evaluated).sum()}
    assert found.about["test_subjects"] == info.test_subjects
    assert swapped == [set(info.test_subjects)] * 2 + [set(info.train_subjects)] * 2
    expected = {feature.name: feature.mean for feature in represent_by_baselines(faces, info.train_subjects)}
    for feature in found.representations[-3:]:
        np.testing.assert_array_equal(feature.mean, expected[feature.name])
    assert {"evenness", "directness"} <= set(scores_of(found, "mine z_e").keys())
    assert steps == [(k + 1, 14) for k in range(14)]  # 6 features and the images, of two kinds of people

    found.save(tmp_path / "audit")
    saved = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert saved["about"] == found.about
    assert len(saved["scores"]) == len(found.table) == len(pd.read_csv(tmp_path / "audit" / "audit.csv"))


def test_an_interpolation_goes_from_a_persons_own_code_to_the_other_on_their_own_face(
    trained: Trained, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = faces.frames
    ends, begins = choose_swaps(frames, count=audit_scores.STRIPS)
    z_e, z_i = trained.represent(faces.faces)[0], trained.identify(faces.faces)[0]

    def decode(self: Trained, identity: Any, expression: Any) -> Any:
        steps = audit_scores.STEPS
        np.testing.assert_allclose(identity, np.repeat(z_i[begins], steps, axis=0), atol=1e-5)
        np.testing.assert_allclose(expression[::steps], z_e[begins], atol=1e-5)
        np.testing.assert_allclose(expression[steps - 1 :: steps], z_e[ends], atol=1e-5)
        return np.zeros((len(expression), 64, 64, 3), np.uint8)

    monkeypatch.setattr(Trained, "decode", decode)
    found = audit_scores._score_interpolations(trained, faces, np.arange(len(faces)))
    assert found["evenness"].reason == "no strip changes"


@pytest.mark.parametrize(("method", "reason"), [("contrast", NO_DECODER), ("cvae", NEEDS_SUBJECT)])
def test_a_method_that_decodes_no_images_has_no_interpolation_scores(
    method: str, reason: str, faces: FaceSet, run: Path, configure: Configure
) -> None:
    asked = train(faces, run, configure(method=method, options__epochs=1))
    found = audit_scores._score_interpolations(asked, faces, np.arange(len(faces)))
    assert {(np.isnan(score.value), score.reason) for score in found.values()} == {(np.True_, reason)}


def test_what_cannot_be_audited_together_is_refused(
    faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    train(faces, tmp_path / "a", configure(method="vae", options__epochs=1))
    train(faces, tmp_path / "b", configure(method="vae", options__epochs=1, test_subjects=2))
    table = made(tmp_path, person=1, expression=1)
    copy = tmp_path / "a.parquet"
    extract_features(load(tmp_path / "a"), faces).to_parquet(copy)
    for inputs, message in (
        ([], "nothing to audit was given"),
        ([tmp_path / "a", tmp_path / "b"], "different people"),
        ([table, table], "--faces"),
        ([tmp_path / "a", table], "lacks 40 of the 40 frames"),
        ([tmp_path], "not a run"),
        ([tmp_path / "a", copy], "two representations are called"),
    ):
        with pytest.raises(OmoteError, match=message):
            audit(inputs, seeds=2, workers=1)
    with pytest.raises(OmoteError, match="these test subjects are not in the faces or the table: ann"):
        audit([table], test_subjects=["ann"], seeds=2, workers=1)
    others = prepare_drawn(tmp_path / "others", subjects=5, clips=1, mixtures=0, frames=4, seed=1, workers=1)
    with pytest.raises(OmoteError, match="another face set"):
        audit([tmp_path / "a"], others, seeds=2, workers=1)
    with pytest.raises(OmoteError, match="who cannot be test subjects"):
        audit([tmp_path / "a"], faces, test_subjects=faces.subjects, seeds=2, workers=1)
    (tmp_path / "a" / "training.json").write_text('{"seconds": 1}')
    with pytest.raises(OmoteError, match="--faces"):
        audit([tmp_path / "a"], seeds=2, workers=1)
