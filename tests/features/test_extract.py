"""Features of a face set."""

from pathlib import Path

import numpy as np
import pandas as pd

from omote.data.face_set import FaceSet
from omote.features.extract import extract_features
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure

CODE = [f"z_e_{i:02d}" for i in range(8)]


def test_a_row_has_the_frame_the_posterior_mean_and_its_deviation(trained: Trained, faces: FaceSet) -> None:
    table = extract_features(trained, faces)
    mean, logvar = trained.represent(faces.faces)
    np.testing.assert_array_equal(table[CODE].to_numpy(), mean)
    deviation = table[[f"z_e_deviation_{i:02d}" for i in range(8)]].to_numpy()
    np.testing.assert_allclose(deviation, np.exp(logvar / 2), rtol=1e-6)
    pd.testing.assert_frame_equal(table[faces.frames.columns], faces.frames)


def test_the_deviation_of_a_point_code_is_0(faces: FaceSet, run: Path, configure: Configure) -> None:
    trained = train(faces, run, configure(method="contrast", options__epochs=1))
    table = extract_features(trained, faces)
    assert (table[[f"z_e_deviation_{i:02d}" for i in range(8)]] == 0).all(axis=None)
    np.testing.assert_array_equal(table[CODE], trained.represent(faces.faces)[0])
