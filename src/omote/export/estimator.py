"""omote as a scikit-learn transformer: faces in, expression features out.

It passes scikit-learn's own estimator checks; see `tests/export/test_estimator.py`.
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from omote.data.arrays import prepare_arrays
from omote.data.cut import SIZES
from omote.data.outputs import Faces, Floats, code_columns
from omote.errors import OmoteError
from omote.methods.registry import DEFAULT_METHOD, method_class
from omote.runs.config import TrainConfig
from omote.runs.shipped import SHIPPED
from omote.runs.trained import Trained, load
from omote.training.loop import train

CONVERTED_ROWS = 256  # faces converted to uint8 at a time
# Every batch has exactly this many faces: rounding differs between batch sizes, and scikit-learn checks that the
# features of a face do not depend on the others.
BATCH_SIZE = 16
WIDTHS = {size * size * 3: size for size in SIZES}  # numbers per face -> side in pixels


class ExpressionFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Expression features of faces.

    ``ExpressionFeatures()`` uses the model that comes with omote, and `fit` trains nothing. With a method, epochs or
    options, `fit` trains on faces and their subjects, without expression labels.

    In a pipeline that ends in a classifier, ``y`` holds the classifier's labels; pass the subjects as the fit parameter
    ``subjects``, as below.

    Args:
        method: one of the registry that encodes a face without knowing its subject; None for "omote", if epochs or
            options ask for a training.
        epochs: of each training stage; None takes the method's default.
        batch_size: largest number of faces in a training step.
        options: further options of the method, such as {"latent_size": 32}.
        random_state: a number is the seed of the training, so that the same faces give the same features; other values
            as elsewhere in scikit-learn.
        device: where to train: "auto", "cpu", "cuda" or "mps". Features are always computed on the CPU.
        run: a finished run, its folder or what `omote.load` returns, whose encoder is used as it is. Then `fit` trains
            nothing and needs no subjects, and method, epochs and options must be left out. See `from_run`.

    Attributes:
        trained_: what `omote.train` returned, for example for `trained_.swap` or `trained_.save_pretrained` (which
            stores it without pickle). The run folder is deleted after training.
        n_features_in_: numbers per face, S * S * 3.
        feature_names_in_: columns of ``X``, if it was a table.

    For a training of hours, use `omote.train`, which can resume, and then `from_run`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from omote import ExpressionFeatures, prepare_drawn
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.model_selection import GroupKFold, cross_val_score
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> with TemporaryDirectory() as folder:
        ...     drawn = prepare_drawn(f"{folder}/drawn", subjects=4, clips=3, mixtures=0, frames=4, workers=1)
        ...     shown = drawn.frames["expression"].dropna()  # frames that clearly show their expression
        ...     faces, people = drawn.faces[shown.index], drawn.frames["subject"][shown.index]
        >>> features = ExpressionFeatures(epochs=1, options={"width": 8})  # small, for speed
        >>> steps = [("features", features), ("scale", StandardScaler()), ("classify", LogisticRegression())]
        >>> folds = GroupKFold(n_splits=2)  # no person is in both training and test
        >>> subjects = {"features__subjects": people}
        >>> scores = cross_val_score(Pipeline(steps), faces, shown, groups=people, cv=folds, params=subjects)
        >>> len(scores)
        2
    >>> table = features.set_output(transform="pandas").fit(faces, people).transform(faces)
    >>> list(table.columns[:3])
    ['z_e_00', 'z_e_01', 'z_e_02']
    """

    trained_: Trained
    n_features_in_: int

    def __init__(
        self,
        method: str | None = None,
        *,
        epochs: int | None = None,
        batch_size: int = 64,
        options: dict[str, Any] | None = None,
        random_state: Any = 0,
        device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
        run: str | Path | Trained | None = None,
    ) -> None:
        self.method = method
        self.epochs = epochs
        self.batch_size = batch_size
        self.options = options
        self.random_state = random_state
        self.device = device
        self.run = run

    @classmethod
    def from_run(cls, run: str | Path | Trained) -> Self:
        """Return the fitted estimator of a finished run.

        Cloning it or calling `fit`, as pipelines do, keeps the encoder. Score it on people who are not among the run's
        training subjects.

        Args:
            run: its folder, or what `omote.load` returns, on any device.
        Raises:
            OmoteError: If there is no finished run, or its method needs to know the subject of a face.
        """
        return cls(run=run)._take(run)

    def fit(self, X: Any, y: ArrayLike | None = None, subjects: ArrayLike | None = None) -> Self:
        """Train the method on faces, and return the estimator.

        Args:
            X: (N, S, S, 3) RGB faces with S 64 or 128, or the same as rows (N, S * S * 3); uint8, or any numeric type
                with whole numbers from 0 to 255.
            y: (N,) subject of each face; ids of any type.
            subjects: (N,) the same, if ``y`` is the target of a classifier later in the pipeline.
        Raises:
            ValueError: If X or y are not as above; if a run is given together with settings of a training; if there is
                only one subject; or if the method compares several faces of a subject and every subject has one.
        """
        if not self._trains:
            given = validate_data(self, _to_rows(X)).shape[1]
            self._take(SHIPPED if self.run is None else self.run)
            if given != self.n_features_in_:
                size = self.trained_.size
                raise OmoteError(f"X has {given} numbers a face; the run reads faces of {size} x {size} x 3")
            return self
        people = y if subjects is None else subjects
        rows, people = validate_data(self, _to_rows(X), people, ensure_min_samples=2)
        faces = _to_faces(rows)
        if len({str(person) for person in people}) < 2:
            raise OmoteError(
                f"all {len(people)} faces are of one subject; omote learns from differences between people, so give "
                "faces of several"
            )
        config = self._config()
        # a memory-mapped file cannot be removed on Windows while it is open
        with tempfile.TemporaryDirectory(prefix="omote-", ignore_cleanup_errors=True) as folder:
            face_set = prepare_arrays(faces, list(people), Path(folder) / "faces")
            try:
                self.trained_ = train(face_set, Path(folder) / "run", config)
            except OmoteError as error:
                raise OmoteError(str(error).replace(str(face_set.path), "X")) from None
        return self._set_num_features()

    def transform(self, X: Any) -> Floats:
        """Return (N, Z) float32 features: the posterior mean of each face's expression code.

        Args:
            X: faces as in `fit`, of any people.
        """
        check_is_fitted(self, "trained_")
        rows = validate_data(self, _to_rows(X), reset=False)
        faces, reader = _to_faces(rows), replace(self.trained_, batch_size=BATCH_SIZE)
        whole = len(faces) // BATCH_SIZE * BATCH_SIZE
        last = np.zeros((BATCH_SIZE, *faces.shape[1:]), np.uint8)
        last[: len(faces) - whole] = faces[whole:]
        codes = [reader.represent(part)[0] for part in (faces[:whole], last)]
        return np.concatenate(codes)[: len(faces)]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the features: z_e_00, z_e_01, ...

        Args:
            input_features: only checked against the columns seen in `fit`, as everywhere in scikit-learn.
        """
        super().get_feature_names_out(input_features)
        nothing = np.zeros((0, self._n_features_out), np.float32)
        return np.asarray(code_columns(nothing, "z_e").columns, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._trains
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def _trains(self) -> bool:
        given = [name for name in ("method", "epochs", "options") if getattr(self, name) is not None]
        if given and self.run is not None:
            raise OmoteError(
                f"run was given with {' and '.join(given)}, but a finished run is not trained again; leave out one of "
                "them"
            )
        return bool(given)

    def _config(self) -> TrainConfig:
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        options = {f"options.{name}": value for name, value in (self.options or {}).items()}
        if self.epochs is not None:
            options["options.epochs"] = self.epochs
        fields = {
            "method": self.method or DEFAULT_METHOD,
            "batch_size": self.batch_size,
            "seed": seed,
            "device": self.device,
        }
        config = TrainConfig.read(None, {**fields, **options})
        _refuse_subjects(config.method)
        return config

    def _take(self, run: str | Path | Trained) -> Self:
        trained = run if isinstance(run, Trained) else load(run)
        _refuse_subjects(trained.name)
        self.trained_ = trained
        self.n_features_in_ = trained.size**2 * 3
        return self._set_num_features()

    def _set_num_features(self) -> Self:
        nobody = np.zeros((0, self.trained_.size, self.trained_.size, 3), np.uint8)
        self._n_features_out = self.trained_.represent(nobody)[0].shape[1]
        return self


def _refuse_subjects(method: str) -> None:
    if method_class(method).needs_subject:
        raise OmoteError(
            f"{method} needs to know whose face it sees, which `transform` cannot tell it; take another method"
        )


def _to_rows(X: Any) -> Any:
    """Return (N, S, S, 3) faces as (N, S * S * 3) rows, and arrays of up to two dimensions unchanged."""
    X = X if hasattr(X, "ndim") else np.asarray(X)
    if X.ndim <= 2:
        return X
    if tuple(X.shape[1:]) not in [(size, size, 3) for size in SIZES]:
        raise OmoteError(f"X has the shape {tuple(X.shape)}; {_describe_expected()}")
    return X.reshape(len(X), math.prod(X.shape[1:]))


def _to_faces(rows: np.ndarray) -> Faces:
    """Return the (N, S, S, 3) uint8 faces of (N, S * S * 3) rows."""
    if rows.shape[1] not in WIDTHS:
        raise OmoteError(f"X has {rows.shape[1]} numbers a row; {_describe_expected()}")
    size = WIDTHS[rows.shape[1]]
    faces = rows
    if rows.dtype != np.uint8:
        faces = np.empty(rows.shape, np.uint8)
        for start in range(0, len(rows), CONVERTED_ROWS):
            part = rows[start : start + CONVERTED_ROWS]
            check_non_negative(part, "ExpressionFeatures")
            if part.max() > 255 or (part != np.rint(part)).any():
                raise OmoteError(
                    "X holds numbers that are no pixels; expected whole numbers from 0 to 255. Convert pixels from 0 "
                    'to 1 with numpy.rint(255 * X).astype("uint8")'
                )
            faces[start : start + CONVERTED_ROWS] = part
    return faces.reshape(-1, size, size, 3)


def _describe_expected() -> str:
    widths = " or ".join(str(width) for width in WIDTHS)
    sizes = " or ".join(map(str, SIZES))
    return f"expected RGB faces (N, S, S, 3) with S {sizes}, or the same as rows of {widths} numbers"
