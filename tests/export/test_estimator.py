"""The estimator's own tests, and scikit-learn's checks of estimators.

scikit-learn checks estimators on small tables of numbers. Here every row becomes a face, so that nothing has to be left
out: all its checks of a transformer run, those that ask for set_output, column names and NumPy's array API included.
"""

import copy
import doctest
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

from omote.data.arrays import prepare_arrays
from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.export import estimator
from omote.export.estimator import ExpressionFeatures
from omote.runs.trained import Trained, load
from omote.training.loop import train
from tests.conftest import Configure

SMALL = ExpressionFeatures("contrast", epochs=1, options={"width": 8, "latent_size": 8}, device="cpu")
ROOT = Path(__file__).parents[2]

# scikit-learn asks these of its own transformers only
FURTHER_CHECKS = (
    "check_dataframe_column_names_consistency",
    "check_get_feature_names_out_error",
    "check_global_output_transform_pandas",
    "check_inplace_ensure_writeable",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
)


def as_faces(_: object, X: Any, **__: object) -> np.ndarray:
    """Replace scikit-learn's adaptation of its data to an estimator: each row of numbers becomes a face, as a row.

    The first pixel is the row's first number, cut to a whole one: some checks take it for the subject.
    """
    X = np.asarray(X, float)
    waves = np.cos(np.outer(1 + np.arange(X.shape[1]), np.linspace(0, 9, 64 * 64 * 3)))
    faces: np.ndarray = np.rint(127.5 + 127.5 * np.sin(X @ waves))
    faces[:, 0] = np.clip(X[:, 0], 0, 255).astype(int)
    return faces


def _id(check: Any) -> str:
    return "-".join([check.func.__name__, *check.keywords])


CHECKS = [check for _, check in estimator_checks.estimator_checks_generator(SMALL)]
ARRAY_API = "check_array_api_input"  # needs an environment variable at the start of the process


@pytest.fixture
def tables_become_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimator_checks, "_enforce_estimator_tags_X", as_faces)


@pytest.mark.usefixtures("tables_become_faces")
@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix")  # the check's own
@pytest.mark.parametrize("check", [check for check in CHECKS if check.func.__name__ != ARRAY_API], ids=_id)
def test_it_passes_scikit_learns_check(check: Callable[[ExpressionFeatures], None]) -> None:
    check(SMALL)


@pytest.mark.usefixtures("tables_become_faces")
@pytest.mark.filterwarnings(
    "ignore:X (has|does not have valid) feature names"
)  # the checks mix both on purpose
@pytest.mark.parametrize("name", FURTHER_CHECKS)
def test_it_passes_the_checks_of_scikit_learns_own_transformers(name: str) -> None:
    getattr(estimator_checks, name)("ExpressionFeatures", SMALL)


def test_it_passes_scikit_learns_check_of_the_array_api() -> None:
    assert any(check.func.__name__ == ARRAY_API for check in CHECKS)
    code = (
        "from sklearn.utils import estimator_checks\n"
        "from tests.export import test_estimator\n"
        "estimator_checks._enforce_estimator_tags_X = test_estimator.as_faces\n"
        f"check = next(check for check in test_estimator.CHECKS if check.func.__name__ == {ARRAY_API!r})\n"
        "check(test_estimator.SMALL)"  # a SkipTest if the variable is missing
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, env={**os.environ, "SCIPY_ARRAY_API": "1"}
    )


@pytest.mark.parametrize("name", ["check_fit_idempotent", "check_transformer_general", "check_dtype_object"])
def test_the_checks_see_faces_only_because_rows_become_faces(name: str) -> None:
    with pytest.raises(OmoteError, match="numbers a row; expected RGB faces"):
        getattr(estimator_checks, name)("ExpressionFeatures", SMALL)


@pytest.fixture(scope="module")
def people(faces: FaceSet) -> list[str]:
    return faces.frames["subject"].tolist()


@pytest.fixture(scope="module")
def fitted(faces: FaceSet, people: list[str]) -> ExpressionFeatures:
    """The default method, small."""
    features: ExpressionFeatures = clone(SMALL).set_params(method="omote")
    return features.fit(faces.faces, people)


def test_fit_trains_as_omote_train_does(
    fitted: ExpressionFeatures,
    faces: FaceSet,
    people: list[str],
    run: Path,
    tmp_path: Path,
    configure: Configure,
) -> None:
    config = configure(method="omote", options__epochs=1, test_subjects=0, batch_size=64, precision="auto")
    alone = prepare_arrays(np.asarray(faces.faces), people, tmp_path / "faces")  # without clips, as in `fit`
    expected = train(alone, run, config).represent(faces.faces)[0]
    np.testing.assert_allclose(fitted.transform(faces.faces), expected, atol=1e-5)
    assert fitted.transform(faces.faces).dtype == np.float32


def test_the_default_is_the_method_with_its_own_settings(configure: Configure) -> None:
    config = ExpressionFeatures()._config()
    own = type(configure()).read()
    assert config == own


def test_the_docstrings_example_runs() -> None:
    (example,) = (test for test in doctest.DocTestFinder(recurse=False).find(ExpressionFeatures))
    assert len(example.examples) > 10
    assert doctest.DocTestRunner(optionflags=doctest.FAIL_FAST).run(example).failed == 0


def test_pictures_rows_and_other_numeric_types_give_the_same_features(
    fitted: ExpressionFeatures, faces: FaceSet
) -> None:
    expected = fitted.transform(faces.faces)
    rows = faces.faces.reshape(len(faces), -1)
    for X in (rows, rows.astype(float), rows.astype(np.int16), rows.tolist(), faces.faces.astype(np.float32)):
        assert np.array_equal(fitted.transform(X), expected)


def test_the_feature_of_a_face_does_not_depend_on_the_faces_beside_it(
    fitted: ExpressionFeatures, faces: FaceSet
) -> None:
    together = fitted.transform(faces.faces)
    assert np.array_equal([fitted.transform(face[None])[0] for face in faces.faces], together)
    assert np.array_equal(fitted.transform(faces.faces[::-1]), together[::-1])
    assert np.array_equal(fitted.transform(faces.faces[:32]), together[:32])


def test_a_table_has_the_names_of_the_features(faces: FaceSet, people: list[str]) -> None:
    features = clone(SMALL).set_output(transform="pandas").fit(faces.faces, people)
    table = features.transform(faces.faces)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == [f"z_e_0{i}" for i in range(8)] == features.get_feature_names_out().tolist()
    assert set(table.dtypes) == {np.dtype("float32")}


def test_subjects_may_be_of_any_type(faces: FaceSet, people: list[str]) -> None:
    expected = clone(SMALL).fit(faces.faces, people).transform(faces.faces)
    number = [int(person) for person in people]
    for y in (number, np.array(number), pd.Series(people), pd.Categorical(people), np.array(people, object)):
        assert np.array_equal(clone(SMALL).fit(faces.faces, y).transform(faces.faces), expected)


def test_the_seed_decides_the_features(faces: FaceSet, people: list[str]) -> None:
    def features(random_state: object) -> np.ndarray:
        small = clone(SMALL).set_params(random_state=random_state)
        return np.asarray(small.fit_transform(faces.faces, people))

    assert np.array_equal(features(0), features(np.int64(0)))
    assert not np.allclose(features(0), features(1))
    assert np.array_equal(features(np.random.RandomState(0)), features(np.random.RandomState(0)))
    assert not np.allclose(features(None), features(None))


def test_copies_and_pickles_keep_the_encoder_and_clones_do_not(
    fitted: ExpressionFeatures, faces: FaceSet
) -> None:
    expected = fitted.transform(faces.faces)
    for other in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(other.transform(faces.faces), expected)
        assert np.array_equal(other.trained_.represent(faces.faces)[0], expected)
    with pytest.raises(NotFittedError):
        clone(fitted).transform(faces.faces)


def test_a_training_leaves_no_file_behind(
    faces: FaceSet, people: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made: list[Path] = []

    def train_and_tell(face_set: FaceSet, *settings: Any) -> Trained:
        made.append(face_set.path)
        return train(face_set, *settings)

    monkeypatch.setattr(estimator, "train", train_and_tell)
    clone(SMALL).fit(faces.faces, people)
    with pytest.raises(OmoteError, match="one frame a person"):
        clone(SMALL).fit(faces.faces, np.arange(len(faces)))
    assert len(made) == 2
    assert all(tmp_path in path.parents for path in made)
    assert not list(tmp_path.iterdir())


def test_a_trained_encoder_gives_the_features_of_its_run(trained: Trained, faces: FaceSet) -> None:
    expected = trained.represent(faces.faces)[0]
    for run in (trained.path, str(trained.path), trained):
        features = ExpressionFeatures.from_run(run)
        np.testing.assert_allclose(features.transform(faces.faces), expected, atol=1e-4)
        assert features.get_feature_names_out().tolist() == [f"z_e_0{i}" for i in range(8)]
        assert features.n_features_in_ == 64 * 64 * 3


def test_a_trained_encoder_is_not_retrained_in_pipelines(trained: Trained, faces: FaceSet) -> None:
    expected = trained.represent(faces.faces)[0]
    labels = faces.frames["clip"].tolist()
    features = ExpressionFeatures.from_run(trained.path)
    pipeline = make_pipeline(features, LogisticRegression()).fit(faces.faces, labels)
    again = clone(pipeline).fit(faces.faces, labels)
    for each in (pipeline, again):
        np.testing.assert_allclose(each[0].transform(faces.faces), expected, atol=1e-4)
        assert each[0].trained_.model == load(trained.path).model
    without_labels = clone(features).fit(faces.faces.reshape(len(faces), -1))
    np.testing.assert_allclose(without_labels.transform(faces.faces), expected, atol=1e-4)


def test_a_fitted_estimator_can_be_saved_without_pickle(
    fitted: ExpressionFeatures, faces: FaceSet, tmp_path: Path
) -> None:
    folder = fitted.trained_.save_pretrained(tmp_path / "model")
    kept = ExpressionFeatures.from_run(folder)
    np.testing.assert_allclose(kept.transform(faces.faces), fitted.transform(faces.faces), atol=1e-4)


def test_subjects_by_name_leave_y_to_the_classifier(faces: FaceSet, people: list[str]) -> None:
    labels = faces.frames["clip"].tolist()
    expected = clone(SMALL).fit(faces.faces, people).transform(faces.faces)
    pipeline = make_pipeline(clone(SMALL), LogisticRegression())
    pipeline.fit(faces.faces, labels, expressionfeatures__subjects=people)
    assert np.array_equal(pipeline[0].transform(faces.faces), expected)
    assert set(pipeline.classes_) == set(labels)
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(clone(SMALL).set_fit_request(subjects=True), LogisticRegression())
        pipeline.fit(faces.faces, labels, subjects=people)
    assert np.array_equal(pipeline[0].transform(faces.faces), expected)


def test_a_search_over_settings_trains_on_the_people_of_each_fold(faces: FaceSet, people: list[str]) -> None:
    rows = faces.faces.reshape(len(faces), -1)
    pipeline = make_pipeline(clone(SMALL), LogisticRegression())
    folds = list(GroupKFold(2).split(rows, groups=people))
    search = GridSearchCV(pipeline, {"expressionfeatures__epochs": [1, 2]}, cv=folds, error_score="raise")
    search.fit(rows, faces.frames["clip"], expressionfeatures__subjects=people)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_[0].trained_.info
    assert best.train_subjects == sorted(set(people))
    assert best.config.options.epochs == search.best_params_["expressionfeatures__epochs"]


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({}, lambda X, y: (X, None), "requires y to be passed, but the target y is None"),
        ({}, lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        ({}, lambda X, y: (X, [None, *y[1:]]), "has nothing for 1 of 40 faces"),
        ({}, lambda X, y: (X, ["ann"] * len(y)), "all 40 faces are of one subject"),
        ({}, lambda X, y: (X, range(len(y))), "^X has one frame a person to train on, and contrast learns"),
        ({}, lambda X, y: (X[..., 0], y), r"X has the shape \(40, 64, 64\); expected RGB faces"),
        ({}, lambda X, y: (X.transpose(0, 3, 1, 2), y), r"X has the shape \(40, 3, 64, 64\); expected RGB"),
        (
            {},
            lambda X, y: (X[:, :32, :32], y),
            r"\(N, S, S, 3\) with S 64 or 128, or the same as rows of 12288",
        ),
        ({}, lambda X, y: (X.reshape(40, -1)[:, 1:], y), "X has 12287 numbers a row; expected RGB faces"),
        ({}, lambda X, y: (X / 255, y), r"expected whole numbers from 0 to 255.*numpy\.rint\(255 \* X\)"),
        ({}, lambda X, y: (X.astype(int) + 1, y), "expected whole numbers from 0 to 255"),
        ({}, lambda X, y: (-X.astype(int), y), "Negative values in data passed to ExpressionFeatures"),
        ({"method": "proposd"}, None, "method 'proposd' is not known; there are omote"),
        ({"method": "cvae"}, None, "cvae needs to know whose face it sees"),
        ({"options": {"widht": 8}}, None, '"widht" is not an option here'),
        ({"epochs": 0}, None, "epochs: .* greater than or equal to 1"),
        ({"random_state": -1}, None, "seed: .* greater than or equal to 0"),
        (
            {"run": "nowhere", "method": None, "epochs": None, "options": None},
            None,
            "nowhere is not a run",
        ),
        ({"run": "nowhere"}, None, "run was given with method and epochs and options"),
    ],
)
def test_bad_input_is_refused(
    settings: dict[str, Any],
    change: Callable[[np.ndarray, list[str]], tuple[Any, Any]] | None,
    message: str,
    faces: FaceSet,
    people: list[str],
) -> None:
    X, y = change(faces.faces, people) if change else (faces.faces, people)
    with pytest.raises(ValueError, match=message):
        clone(SMALL).set_params(**settings).fit(X, y)


def test_faces_of_another_size_are_refused(
    trained: Trained, fitted: ExpressionFeatures, faces: FaceSet
) -> None:
    large = np.zeros((2, 128, 128, 3), np.uint8)
    with pytest.raises(ValueError, match="X has 49152 features, but ExpressionFeatures is expecting 12288"):
        fitted.transform(large)
    with pytest.raises(OmoteError, match="X has 49152 numbers a face; the run reads faces of 64 x 64 x 3"):
        ExpressionFeatures.from_run(trained).fit(large)
    with pytest.raises(OmoteError, match="needs to know whose face"):
        ExpressionFeatures.from_run(_cvae(trained))


def _cvae(trained: Trained) -> Trained:
    config = trained.info.config.model_copy(update={"method": "cvae"})
    return Trained(trained.path, trained.info._replace(config=config), trained.method)
