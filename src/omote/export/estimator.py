"""omote as a scikit-learn transformer: faces in, expression features out, in pipelines and searches.

scikit-learn's own estimator checks run on it, see `tests/export/test_estimator.py`.
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
from omote.methods.registry import method_class
from omote.runs.config import TrainConfig
from omote.runs.trained import Trained, load
from omote.training.loop import train

ROWS = 256  # turned to uint8 at a time
BATCH = (
    16  # faces are always read so many at a time: rounding differs with the number, and scikit-learn minds
)
WIDTHS = {size * size * 3: size for size in SIZES}  # numbers a face -> its side in pixels


class ExpressionFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Expression features of faces, learned from whose face each is.

    `fit` takes faces and who is on them, and no expression. In a pipeline that ends in a classifier ``y`` is what the
    classifier learns; there the subjects go in by their own name, as below, else the labels would be taken for people.

    Args:
        method: one of the registry; "omote", or another one that reads faces without being told whose they are.
        epochs: of each stage of the training; None takes the method's default.
        batch_size: the most faces in a step of the training.
        options: further options of the method, as {"latent_size": 32}.
        random_state: seed of the training, a number: the same faces then give the same features; or as elsewhere in
            scikit-learn.
        device: where to train: "auto", "cpu", "cuda" or "mps". Features are read on the CPU, alike everywhere.
        run: a finished run (its folder, or what `omote.load` returns) whose encoder is taken as it is: `fit` then
            trains nothing and needs no subjects, and nothing else counts. See `from_run`.

    Attributes:
        trained_: what `omote.train` returned, for all that it does beside reading features: `trained_.swap`,
            `trained_.save_pretrained` (which keeps it without pickle). The run's folder is gone.
        n_features_in_: numbers a face, S * S * 3.
        feature_names_in_: the columns of ``X``, where it was a table.

    A training of hours is better made by `omote.train`, which goes on where it was stopped, and taken from there.

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
    >>> features = ExpressionFeatures(epochs=1, options={"width": 8})  # small, to be quick
    >>> steps = [("features", features), ("scale", StandardScaler()), ("classify", LogisticRegression())]
    >>> folds = GroupKFold(n_splits=2)  # nobody is both trained on and scored
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
        method: str = "omote",
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

        It stays that encoder when it is cloned and when `fit` is called, as in pipelines. Score it on people whom the
        run was not trained on.

        Args:
            run: its folder, or what `omote.load` returns, on any device.
        Raises:
            OmoteError: If there is no finished run, or its method has to be told whose face it reads.
        """
        return cls(run=run)._take(run)

    def fit(self, X: Any, y: ArrayLike | None = None, subjects: ArrayLike | None = None) -> Self:
        """Train the method on faces, and return the estimator.

        Args:
            X: (N, S, S, 3) uint8 RGB faces, S 64 or 128, or the same as rows (N, S * S * 3). Other types of number are
                taken where they hold whole numbers from 0 to 255.
            y: who is on each face, N ids of any kind.
            subjects: likewise, where ``y`` is something else: the target of a classifier behind in the pipeline.
        Raises:
            ValueError: If X or y are not as said, there is one subject only, or one face a subject and the method
                compares a subject's faces.
        """
        if self.run is not None:
            given = validate_data(self, _rows(X)).shape[1]
            self._take(self.run)
            if given != self.n_features_in_:
                size = self.trained_.size
                raise OmoteError(f"X has {given} numbers a face; the run reads faces of {size} x {size} x 3")
            return self
        people = y if subjects is None else subjects
        rows, people = validate_data(self, _rows(X), people, ensure_min_samples=2)
        faces = _faces(rows)
        if len({str(person) for person in people}) < 2:
            raise OmoteError(
                f"all {len(people)} faces are of one subject, and omote learns from how several people differ; give "
                "faces of more people"
            )
        config = self._config()
        # a memory-mapped file cannot be removed on Windows while it is open
        with tempfile.TemporaryDirectory(prefix="omote-", ignore_cleanup_errors=True) as folder:
            face_set = prepare_arrays(faces, list(people), Path(folder) / "faces")
            try:
                self.trained_ = train(face_set, Path(folder) / "run", config)
            except OmoteError as error:
                raise OmoteError(str(error).replace(str(face_set.path), "X")) from None
        return self._measured()

    def transform(self, X: Any) -> Floats:
        """Return (N, Z) float32 features: the posterior mean of each face's expression code.

        Args:
            X: faces as those of `fit`, of anybody.
        """
        check_is_fitted(self, "trained_")
        rows = validate_data(self, _rows(X), reset=False)
        faces, reader = _faces(rows), replace(self.trained_, batch_size=BATCH)
        whole = len(faces) // BATCH * BATCH
        last = np.zeros((BATCH, *faces.shape[1:]), np.uint8)
        last[: len(faces) - whole] = faces[whole:]
        codes = [reader.represent(part)[0] for part in (faces[:whole], last)]
        return np.concatenate(codes)[: len(faces)]

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the features: z_e_00, z_e_01, ...

        Args:
            input_features: only compared with the names of the columns in `fit`, as everywhere in scikit-learn.
        """
        super().get_feature_names_out(input_features)
        nothing = np.zeros((0, self._n_features_out), np.float32)
        return np.asarray(code_columns(nothing, "z_e").columns, dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.run is None
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _config(self) -> TrainConfig:
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(np.iinfo(np.int32).max)
        options = {f"options.{name}": value for name, value in (self.options or {}).items()}
        if self.epochs is not None:
            options["options.epochs"] = self.epochs
        fields = {"method": self.method, "batch_size": self.batch_size, "seed": seed, "device": self.device}
        config = TrainConfig.read(None, {**fields, **options})
        _refuse_subjects(config.method)
        return config

    def _take(self, run: str | Path | Trained) -> Self:
        trained = run if isinstance(run, Trained) else load(run)
        _refuse_subjects(trained.name)
        self.trained_ = trained
        self.n_features_in_ = trained.size**2 * 3
        return self._measured()

    def _measured(self) -> Self:
        nobody = np.zeros((0, self.trained_.size, self.trained_.size, 3), np.uint8)
        self._n_features_out = self.trained_.represent(nobody)[0].shape[1]
        return self


def _refuse_subjects(method: str) -> None:
    if method_class(method).needs_subject:
        raise OmoteError(
            f"{method} has to be told whose face it reads, which `transform` cannot know; take another method"
        )


def _rows(X: Any) -> Any:
    """Return (N, S, S, 3) faces as (N, S * S * 3) rows, and anything that is not of several dimensions as it is."""
    X = X if hasattr(X, "ndim") else np.asarray(X)
    if X.ndim <= 2:
        return X
    if tuple(X.shape[1:]) not in [(size, size, 3) for size in SIZES]:
        raise OmoteError(f"X has the shape {tuple(X.shape)}; {_expected()}")
    return X.reshape(len(X), math.prod(X.shape[1:]))


def _faces(rows: np.ndarray) -> Faces:
    """Return the (N, S, S, 3) uint8 faces of (N, S * S * 3) rows."""
    if rows.shape[1] not in WIDTHS:
        raise OmoteError(f"X has {rows.shape[1]} numbers a row; {_expected()}")
    size = WIDTHS[rows.shape[1]]
    faces = rows
    if rows.dtype != np.uint8:
        faces = np.empty(rows.shape, np.uint8)
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            check_non_negative(part, "ExpressionFeatures")
            if part.max() > 255 or (part != np.rint(part)).any():
                raise OmoteError(
                    "X holds numbers that are no pixels; expected whole numbers from 0 to 255. Of pixels from 0 to 1 "
                    'make numpy.rint(255 * X).astype("uint8")'
                )
            faces[start : start + ROWS] = part
    return faces.reshape(-1, size, size, 3)


def _expected() -> str:
    widths = " or ".join(str(width) for width in WIDTHS)
    sizes = " or ".join(map(str, SIZES))
    return f"expected RGB faces (N, S, S, 3) with S {sizes}, or the same as rows of {widths} numbers"
