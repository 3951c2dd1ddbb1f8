"""Features out: the same whether a face comes from a face set or from a picture file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.features.extract import extract_features
from omote.features.table import check_table_path, join_tables
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure

CODE = [f"z_e_{i:02d}" for i in range(8)]


def test_a_feature_is_the_posterior_mean_beside_its_deviation_and_the_frame_it_is_of(
    trained: Trained, faces: FaceSet
) -> None:
    table = extract_features(trained, faces)
    mean, logvar = trained.represent(faces.faces)
    np.testing.assert_array_equal(table[CODE].to_numpy(), mean)
    deviation = table[[f"z_e_deviation_{i:02d}" for i in range(8)]].to_numpy()
    np.testing.assert_allclose(deviation, np.exp(logvar / 2), rtol=1e-6)
    pd.testing.assert_frame_equal(table[faces.frames.columns], faces.frames)


def test_a_point_deviates_by_0(faces: FaceSet, run: Path, configure: Configure) -> None:
    trained = train(faces, run, configure(method="contrast", options__epochs=1))
    table = extract_features(trained, faces)
    assert (table[[f"z_e_deviation_{i:02d}" for i in range(8)]] == 0).all(axis=None)
    np.testing.assert_array_equal(table[CODE], trained.represent(faces.faces)[0])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_joined_from_parts_reads_back_as_it_was(
    suffix: str, trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    table = extract_features(trained, faces)
    parts = [tmp_path / "first.parquet", tmp_path / "second.parquet"]
    for part, rows in zip(parts, (table[:3], table[3:]), strict=True):
        rows.to_parquet(part, index=False)
    path = tmp_path / f"new/features{suffix}"
    path.parent.mkdir()
    join_tables(parts, path)
    again = pd.read_csv(path, dtype={"subject": str}) if suffix == ".csv" else pd.read_parquet(path)
    np.testing.assert_allclose(again[CODE], table[CODE], rtol=1e-6)
    assert again["subject"].tolist() == table["subject"].tolist()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"must end in .parquet or .csv"):
        check_table_path(tmp_path / "features.xlsx")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(OmoteError, match="it is a folder"):
        check_table_path(tmp_path / "folder.csv")
