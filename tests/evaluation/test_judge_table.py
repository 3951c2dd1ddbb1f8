"""Swaps read by a table of answers: a judge that answers truly, one that is a run, and one that leaves gaps."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.evaluation.audit import audit, write_audit_swaps
from omote.evaluation.judge_table import (
    INDEX,
    JudgeTable,
    read_judge_table,
    score_swaps_by_table,
    write_swaps,
)
from omote.evaluation.swaps import SWAP_SCORES, choose_swaps, score_swaps
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure


class Written(NamedTuple):
    """A run, and its images of everybody on disk."""

    trained: Trained
    folder: Path
    rows: np.ndarray  # of the face set, that were chosen from
    listed: pd.DataFrame  # its index

    def answer(self, path: Path, **columns: Any) -> JudgeTable:
        """Write a table of answers to all images, and read it."""
        table = self.listed[["image"]].assign(**columns)
        if path.suffix == ".csv":
            table.to_csv(path, index=False)
        else:
            table.to_parquet(path)
        return read_judge_table(path)


@pytest.fixture(scope="module")
def written(faces: FaceSet, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("judged")
    trained = train(faces, folder / "run", configure(method="conventional", options__epochs=1))
    rows = np.flatnonzero(faces.frames["use"] != "train")
    count = write_swaps([trained], faces, [rows], folder / "swaps")
    index = pd.read_csv(folder / "swaps" / INDEX, dtype=str)
    assert len(index) == count
    return Written(trained, folder / "swaps", rows, index)


def test_the_images_are_the_real_ones_and_the_swaps_with_what_they_should_show(
    written: Written, faces: FaceSet, tmp_path: Path
) -> None:
    trained, folder, rows, index = written
    sources, targets = (rows[chosen] for chosen in choose_swaps(faces.frames.iloc[rows]))
    made = trained.decode(
        trained.identify(faces.faces[targets])[0], trained.represent(faces.faces[sources])[0]
    )
    expected = np.concatenate([faces.faces[rows], made])
    for name, face in zip(index["image"], expected, strict=True):
        with Image.open(folder / name) as image:
            np.testing.assert_array_equal(np.asarray(image), face)
    frames = faces.frames
    assert index["subject"].tolist() == frames["subject"].iloc[[*rows, *targets]].tolist()
    assert index["expression"].tolist() == frames["expression"].iloc[[*rows, *sources]].tolist()


def test_a_judge_that_names_what_the_images_should_show_reads_all_back(
    written: Written, faces: FaceSet, tmp_path: Path
) -> None:
    trained, _, rows, index = written
    # other words than the face set's, as a judge has its own
    own = {"identity": "person " + index["subject"], "expression": index["expression"].str.upper()}
    scores, people = score_swaps_by_table(
        trained, written.answer(tmp_path / "answers.csv", **own), faces, rows
    )
    assert people.shape == (len(index) - len(rows), 2)
    for name in SWAP_SCORES:
        values = scores[name].values[np.isfinite(scores[name].values)]
        assert len(values)
        assert (values == (name not in ("expression_kept_from_target", "identity_of_source"))).all(), name


def test_the_codes_of_a_run_in_a_table_give_the_scores_of_that_run(
    written: Written, faces: FaceSet, tmp_path: Path
) -> None:
    trained, folder, rows, index = written
    seen = np.stack([np.asarray(Image.open(folder / name)) for name in index["image"]])
    codes = {"identity": trained.identify(seen)[0], "expression": trained.represent(seen)[0]}
    columns = {f"{code}_{k}": column for code, each in codes.items() for k, column in enumerate(each.T)}
    scores, _ = score_swaps_by_table(
        trained, written.answer(tmp_path / "codes.parquet", **columns), faces, rows
    )
    expected, _ = score_swaps(trained, trained, faces, rows)
    for name in SWAP_SCORES:
        np.testing.assert_array_equal(scores[name].values, expected[name].values)
        assert scores[name].chance == expected[name].chance


def test_a_swap_without_an_answer_is_not_read_back_and_a_real_image_without_one_is_not_asked(
    written: Written, faces: FaceSet, tmp_path: Path
) -> None:
    trained, _, rows, index = written
    frames = faces.frames.iloc[rows]
    sources, targets = choose_swaps(frames)
    seen = index["subject"].copy()
    seen.iloc[0] = None  # the first real image
    first_swap = len(rows) + int(np.flatnonzero((sources != 0) & (targets != 0))[0])
    seen.iloc[first_swap] = None
    scores, _ = score_swaps_by_table(
        trained, written.answer(tmp_path / "answers.csv", identity=seen), faces, rows
    )
    read = scores["identity_read_back"]
    left_out = (sources == 0) | (targets == 0)
    expected = np.where(left_out, np.nan, 1.0)
    expected[first_swap - len(rows)] = 0
    np.testing.assert_array_equal(read.values, expected)
    assert scores["identity_read_back_ceiling"].values[first_swap - len(rows)] == 1
    assert f"no answer to 1 of {int((~left_out).sum())} swapped images" in read.reason
    assert f"{int(left_out.sum())} swaps are left out" in read.reason
    assert np.isnan(scores["expression_read_back"].values).all()
    assert scores["expression_read_back"].reason == "answers.csv has no answers of expression"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,identity\na,b\n", "needs a column image without gaps"),
        ("image,identity\na,b\n,c\n", "needs a column image without gaps"),
        ("image,identity\na,b\na,c\n", "has the image a twice"),
        ("image,person\na,b\n", "needs a column identity or expression"),
        ("image,identity_0,identity_1\na,1,b\n", "column identity_1 is not of numbers"),
        ("image,identity_0,identity\na,1,b\n", "give names or numbers, not both"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(OmoteError, match=message):
        read_judge_table(tmp_path / "answers.csv")


def test_answers_to_the_swaps_of_another_run_are_refused(
    written: Written, faces: FaceSet, tmp_path: Path
) -> None:
    trained, _, rows, index = written
    table = written.answer(tmp_path / "answers.csv", identity=index["subject"])
    other = replace(trained, model="conventional-00000000")
    with pytest.raises(OmoteError, match=r"lacks \d+ of \d+ images, such as conventional-00000000/"):
        score_swaps_by_table(other, table, faces, rows)


def test_runs_that_cannot_swap_write_no_images_and_no_folder_is_overwritten(
    written: Written, faces: FaceSet, tmp_path: Path, configure: Configure
) -> None:
    vae = train(faces, tmp_path / "vae", configure(method="vae", options__epochs=1))
    with pytest.raises(OmoteError, match="makes no swapped images: this method has no identity code"):
        write_audit_swaps([vae.path], tmp_path / "swaps", faces)
    assert not (tmp_path / "swaps").exists()
    with pytest.raises(OmoteError, match="is not empty"):
        write_audit_swaps([written.trained.path], vae.path, faces)
    (tmp_path / "table.csv").write_text("subject,x\na,1\n")
    with pytest.raises(OmoteError, match="makes no images; name runs only"):
        write_audit_swaps([tmp_path / "table.csv"], tmp_path / "swaps")
    (tmp_path / "answers.csv").write_text("image,identity\na,b\n")
    with pytest.raises(OmoteError, match="name the run that made them"):
        audit([tmp_path / "table.csv"], judge_table=tmp_path / "answers.csv")
