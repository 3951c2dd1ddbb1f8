from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data import resize
from omote.data.build import FaceBatch, Skipped, build_face_set
from omote.data.combine import combine_face_sets
from omote.data.face_set import About, FaceSet, open_face_set
from omote.errors import OmoteError
from omote.synthetic.prepare import prepare_drawn
from tests.data.test_prepare import counts_of

SKIPPED = Skipped(source="b.mp4", frame=2, reason="no face")


def _make_batch(job: dict[str, Any]) -> Iterator[FaceBatch]:
    faces = np.random.default_rng(job["seed"]).integers(
        0, 256, (3, job["size"], job["size"], 3), dtype=np.uint8
    )
    columns = {"subject": ["1", "1", "2"], "clip": "smile", "frame": [0, 1, 0], "dataset": job["dataset"]}
    frames = pd.DataFrame(columns | {"expression": [None, job["word"], job["word"]]} | job["further"])
    yield FaceBatch(faces, frames, [SKIPPED])


def make_face_set(
    to: Path,
    dataset: str,
    *,
    seed: int = 0,
    size: int = 64,
    word: str = "joy",
    further: dict[str, Any] | None = None,
    **about: Any,
) -> FaceSet:
    """Two people, "1" with two frames of a clip, "2" with one, and one skipped frame."""
    job = {"seed": seed, "size": size, "dataset": dataset, "word": word, "further": further or {}}
    described = About(**{"importer": "made", "options": {"seed": seed}, "align": "none", **about})
    return build_face_set(to, [job], _make_batch, size=size, about=described, workers=1)


def test_people_get_the_name_of_their_data_set_and_all_else_is_kept(tmp_path: Path) -> None:
    one, two = (
        make_face_set(tmp_path / "one", "CK+"),
        make_face_set(tmp_path / "two", "MUG", seed=1, word="happiness"),
    )
    both = combine_face_sets([tmp_path / "one", two], tmp_path / "both")
    assert both.frames["subject"].tolist() == ["CK+/1", "CK+/1", "CK+/2", "MUG/1", "MUG/1", "MUG/2"]
    assert both.frames["dataset"].tolist() == ["CK+"] * 3 + ["MUG"] * 3
    assert np.array_equal(both.faces, np.concatenate([one.faces, two.faces]))
    for i, source in enumerate((one, two)):
        frames = both.frames.iloc[3 * i : 3 * i + 3].reset_index(drop=True)
        pd.testing.assert_frame_equal(frames.drop(columns="subject"), source.frames.drop(columns="subject"))
    assert counts_of(both).clips == 4
    assert counts_of(both).expressions == {"happiness": 2, "joy": 2}
    pd.testing.assert_frame_equal(
        open_face_set(tmp_path / "one").frames, one.frames
    )  # the source is as it was


def test_what_was_skipped_is_listed_with_its_data_set(tmp_path: Path) -> None:
    sets = [make_face_set(tmp_path / name, name) for name in ("CK+", "MUG")]
    skipped = combine_face_sets(sets, tmp_path / "both").skipped()
    assert skipped.to_dict("records") == [
        {"source": f"{name}/b.mp4", "frame": 2, "reason": "no face"} for name in ("CK+", "MUG")
    ]


def test_about_keeps_licences_options_and_counts_of_every_source(tmp_path: Path) -> None:
    one = make_face_set(tmp_path / "one", "CK+", licence="Ask the authors.", seed=3)
    two = make_face_set(tmp_path / "two", "MUG", licence="CC BY 4.0", word="happiness")
    about = combine_face_sets([one, two], tmp_path / "both").about
    assert (about.importer, about.dataset, about.align) == ("combined", "CK+ and MUG", "none")
    assert about.licence == "CK+: Ask the authors.\nMUG: CC BY 4.0"
    assert [source.dataset for source in about.parts] == ["CK+", "MUG"]
    assert [source.options for source in about.parts] == [{"seed": 3}, {"seed": 0}]
    assert [source.counts for source in about.parts] == [one.about.counts, two.about.counts]
    assert str(tmp_path) not in (tmp_path / "both" / "about.json").read_text()


def test_further_columns_are_united(tmp_path: Path) -> None:
    one = make_face_set(
        tmp_path / "one", "one", further={"au_12": [0.1, 0.2, 0.3], "take": ["a", "b", None], "age": 30}
    )
    two = make_face_set(tmp_path / "two", "two", further={"age": [20.5, np.nan, 21], "take": [7, 8, 9]})
    three = make_face_set(tmp_path / "three", "three")
    frames = combine_face_sets([one, two, three], tmp_path / "all").frames
    assert frames["au_12"].tolist()[:3] == [0.1, 0.2, 0.3]
    assert frames["au_12"].isna().tolist() == [False] * 3 + [True] * 6
    assert frames["age"].fillna(-1).tolist() == [30, 30, 30, 20.5, -1, 21, -1, -1, -1]
    # Text and whole numbers in one column: text
    assert frames["take"].fillna("missing").tolist() == ["a", "b", "missing", "7", "8", "9"] + ["missing"] * 3


def test_true_factors_of_drawn_faces_survive_beside_a_set_without_them(tmp_path: Path) -> None:
    drawn = prepare_drawn(tmp_path / "drawn", subjects=2, clips=1, mixtures=0, frames=4, workers=1)
    both = combine_face_sets([make_face_set(tmp_path / "one", "one"), drawn], tmp_path / "both")
    pd.testing.assert_series_equal(
        both.frames["au_12"].iloc[3:].reset_index(drop=True), drawn.frames["au_12"], check_exact=True
    )


def test_a_combined_face_set_can_be_combined_again_and_its_people_keep_their_names(tmp_path: Path) -> None:
    one, two, three = (make_face_set(tmp_path / name, name, seed=i) for i, name in enumerate("abc"))
    pair = combine_face_sets([one, two], tmp_path / "pair")
    in_steps = combine_face_sets([pair, three], tmp_path / "steps")
    at_once = combine_face_sets([one, two, three], tmp_path / "once")
    pd.testing.assert_frame_equal(in_steps.frames, at_once.frames)
    pd.testing.assert_frame_equal(in_steps.skipped(), at_once.skipped())
    assert np.array_equal(in_steps.faces, at_once.faces)
    with pytest.raises(OmoteError, match="data sets called 'a'"):
        combine_face_sets([pair, one], tmp_path / "again")


def test_two_of_one_data_set_are_refused_until_they_are_named(tmp_path: Path) -> None:
    sets = [make_face_set(tmp_path / "one", "drawn"), make_face_set(tmp_path / "two", "drawn", seed=1)]
    with pytest.raises(OmoteError, match=r"one and .*two are of data sets called 'drawn'.*may be the same"):
        combine_face_sets(sets, tmp_path / "both")
    both = combine_face_sets(sets, tmp_path / "both", names=["first", "second"])
    assert both.subjects == ["first/1", "first/2", "second/1", "second/2"]
    assert set(both.frames["dataset"]) == {"first", "second"}


def test_faces_cut_out_in_different_ways_are_refused_with_what_differs(tmp_path: Path) -> None:
    one = make_face_set(tmp_path / "one", "one", margin=0.05, detector_sha256="8f")
    cases: list[tuple[str, dict[str, Any], str]] = [
        (
            "size",
            {"size": 128},
            r"size is 64 in .*one, 128 in .*size.*same size, or make the larger ones smaller",
        ),
        ("align", {"align": "eyes"}, r"align is none in .*one, eyes in .*same align"),
        (
            "margin",
            {"margin": 0.2, "detector_sha256": "8f"},
            r"margin is 0.05 in .*one, 0.2 in .*same margin",
        ),
    ]
    for name, changes, match in cases:
        other = make_face_set(tmp_path / name, name, **changes)
        with pytest.raises(OmoteError, match=match):
            combine_face_sets([one, other], tmp_path / "both")
    assert not list(tmp_path.glob("both*"))
    drawn = make_face_set(tmp_path / "drawn", "drawn", margin=0.0)  # no detector was used: nothing to choose
    assert combine_face_sets([one, drawn], tmp_path / "both").about.margin == 0.05


@pytest.mark.parametrize(
    ("count", "names", "match"),
    [
        (1, None, "1 face set was given"),
        (2, ["a"], r"Names \(a\) were given; expected one"),
        (2, ["a", ""], "expected one"),
        (2, ["a", "a"], "data sets called 'a'"),
    ],
)
def test_too_few_sets_or_names_are_refused(
    tmp_path: Path, count: int, names: list[str] | None, match: str
) -> None:
    sets = [make_face_set(tmp_path / str(i), str(i)) for i in range(count)]
    with pytest.raises(OmoteError, match=match):
        combine_face_sets(sets, tmp_path / "both", names=names)


def test_an_interrupted_combination_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resize, "FRAMES_PER_JOB", 2)
    sets = [make_face_set(tmp_path / "one", "one"), make_face_set(tmp_path / "two", "two", seed=1)]

    def stop(done: int, jobs: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        combine_face_sets(sets, tmp_path / "both", progress=stop)
    steps: list[tuple[int, int]] = []
    both = combine_face_sets(sets, tmp_path / "both", progress=lambda *step: steps.append(step))
    assert steps == [(3, 4), (4, 4)]
    whole = combine_face_sets(sets, tmp_path / "whole")
    pd.testing.assert_frame_equal(both.frames, whole.frames)
    assert np.array_equal(both.faces, whole.faces)
