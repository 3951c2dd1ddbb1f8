"""The ICT Face Model Light: a head of 26,719 vertices with 100 modes of identity and 57 shapes of expression.

By the USC Institute for Creative Technologies, under the MIT licence: https://github.com/ICT-VGL/ICT-FaceKit.
Li et al., "Learning Formation of Physically-Based Face Attributes", CVPR 2020.
"""

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from omote.errors import OmoteError
from omote.synthetic.rendered.expressions import SHAPES

SOURCE = "https://github.com/ICT-VGL/ICT-FaceKit"
NUM_VERTICES, NUM_TRIANGLES = 26_719, 52_220  # every quad is two triangles
NUM_IDENTITY, NUM_EXPRESSION = 100, len(SHAPES)
NEUTRAL = "generic_neutral_mesh"
IDENTITY = re.compile(r"identity(\d+)")
UNREADABLE = (OSError, EOFError, ValueError, IndexError, TypeError, AttributeError, zipfile.BadZipFile)


class FaceModel(NamedTuple):
    """A linear model: vertices = base + sum of coefficients x offsets. V vertices, T triangles."""

    base: np.ndarray  # (V, 3) float32 cm: x to the person's left, y up, z out of the face
    identity: np.ndarray  # (100, V, 3) float32 offsets; coefficients are N(0, 1) over people
    expression: np.ndarray  # (57, V, 3) float32 offsets; coefficients in [0, 1]
    expression_names: tuple[str, ...]  # as in ARKit, with _L and _R for the person's left and right
    triangles: np.ndarray  # (T, 3) int32

    def sha256(self) -> str:
        """Return the digest of all arrays and names, which does not depend on the form of the files."""
        digest = hashlib.sha256("\n".join(self.expression_names).encode())
        for array in (self.base, self.identity, self.expression, self.triangles):
            digest.update(array.tobytes())
        return digest.hexdigest()


def read_face_model(path: str | Path) -> FaceModel:
    """Return the ICT Face Model Light.

    Args:
        path: the published folder `FaceXModel` or its parent folder (a copy of the repository); or an .npz file with
            the arrays base (V, 3), identity (100, V, 3) and expression (57, V, 3) of offsets, expression_names, and
            the faces quads (Q, 4) and triangles (R, 3).
    Raises:
        OmoteError: If the model is missing, damaged, or another one.
    """
    path = Path(path)
    if not (path.is_dir() or path.is_file()):
        raise OmoteError(
            f"There is no face model at {path}. Get it from {SOURCE} and give its folder FaceXModel."
        )
    model = _read_folder(path) if path.is_dir() else _read_file(path)
    _check(model, path)
    return model


def _check(model: FaceModel, path: Path) -> None:
    sizes = {
        "vertices": (model.base.shape, (NUM_VERTICES, 3)),
        "identity modes": (model.identity.shape, (NUM_IDENTITY, NUM_VERTICES, 3)),
        "expression shapes": (model.expression.shape, (NUM_EXPRESSION, NUM_VERTICES, 3)),
        "triangles": (model.triangles.shape, (NUM_TRIANGLES, 3)),
    }
    differences = [
        f"its {name} are {found}, expected {expected}"
        for name, (found, expected) in sizes.items()
        if found != expected
    ]
    if model.expression_names != SHAPES:
        odd = sorted(set(model.expression_names) ^ set(SHAPES)) or ["their order"]
        differences.append(f"its expression shapes differ ({', '.join(odd[:3])})")
    if differences:
        raise OmoteError(f"{path} is not the ICT Face Model Light: {differences[0]}. Get it from {SOURCE}.")
    finite = all(np.isfinite(array).all() for array in (model.base, model.identity, model.expression))
    if not finite or model.triangles.min() < 0 or model.triangles.max() >= NUM_VERTICES:
        raise OmoteError(
            f"{path} is damaged: a coordinate is not a number, or a triangle has a missing vertex."
        )


def _read_file(path: Path) -> FaceModel:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return FaceModel(
                arrays["base"].astype(np.float32),
                arrays["identity"].astype(np.float32),
                arrays["expression"].astype(np.float32),
                tuple(arrays["expression_names"].astype(str).tolist()),
                _split_quads(arrays["quads"], arrays["triangles"]),
            )
    except KeyError as error:
        raise OmoteError(f"{path} has no array {error.args[0].split()[0]}; expected a face model.") from error
    except UNREADABLE as error:
        raise OmoteError(
            f"{path} cannot be read as a face model ({error}). Expected an .npz file of its arrays, or the folder "
            f"FaceXModel of {SOURCE}."
        ) from error


def _read_folder(path: Path) -> FaceModel:
    folder = path if (path / f"{NEUTRAL}.obj").is_file() else path / "FaceXModel"
    if not (folder / f"{NEUTRAL}.obj").is_file():
        raise OmoteError(
            f"There is no {NEUTRAL}.obj in {path}. Give the folder FaceXModel of {SOURCE}, or its parent folder."
        )
    names = sorted(file.stem for file in folder.glob("*.obj") if file.stem != NEUTRAL)
    modes = [name for name in names if IDENTITY.fullmatch(name)]
    shapes = [name for name in names if not IDENTITY.fullmatch(name)]
    expected = [f"identity{number:03d}" for number in range(NUM_IDENTITY)]
    if modes != expected or len(shapes) != NUM_EXPRESSION:
        missing = [name for name in expected if name not in modes][:1]
        raise OmoteError(
            f"{folder} has {len(modes)} files identityNNN.obj and {len(shapes)} of expressions, expected "
            f"{NUM_IDENTITY} and {NUM_EXPRESSION}{f'; {missing[0]}.obj is missing' if missing else ''}. "
            f"Get the complete folder from {SOURCE}."
        )
    file = folder / f"{NEUTRAL}.obj"
    base = _vertices(file)
    offsets = np.empty((len(names), *base.shape), np.float32)
    for mesh, name in zip(offsets, modes + shapes, strict=True):
        vertices = _vertices(folder / f"{name}.obj")
        if vertices.shape != base.shape:
            raise OmoteError(
                f"{folder / name}.obj has {len(vertices):,} vertices, {file.name} has {len(base):,}: damaged, or of "
                f"different models. Get the complete folder from {SOURCE}."
            )
        mesh[...] = vertices - base
    return FaceModel(
        base.astype(np.float32), offsets[: len(modes)], offsets[len(modes) :], tuple(shapes), _faces(file)
    )


def _vertices(file: Path) -> np.ndarray:
    """Return the vertices (V, 3) float64 of an OBJ file; its lines "v x y z" must be consecutive."""
    text = _read_obj(file)
    lines = text[text.find(b"\nv ") + 1 : text.find(b"\n", text.rfind(b"\nv ") + 1) + 1]
    if b"\nv" in lines.replace(b"\nv ", b"") or not lines.startswith(b"v "):
        raise _damaged(file)
    try:
        table = pd.read_csv(
            io.BytesIO(lines), sep=r"\s+", header=None, usecols=[1, 2, 3], dtype=np.float64, comment="#"
        )
        vertices = table.to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise _damaged(file) from error
    if len(vertices) != lines.count(b"\n") or not np.isfinite(vertices).all():
        raise _damaged(file)
    return vertices


def _faces(file: Path) -> np.ndarray:
    """Return the triangles (T, 3) of an OBJ file; corners are "v", "v/vt" or "v/vt/vn" and count from 1."""
    text = re.sub(rb"/[^ \t\r\n]*", b"", _read_obj(file))
    faces = [line.split()[1:] for line in text.splitlines() if line.startswith(b"f ")]
    try:
        quads, triangles = (
            np.array([face for face in faces if len(face) == corners], dtype=int).reshape(-1, corners) - 1
            for corners in (4, 3)
        )
    except ValueError as error:
        raise _damaged(file) from error
    if len(quads) + len(triangles) != len(faces):
        raise _damaged(file)
    return _split_quads(quads, triangles)


def _split_quads(quads: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], triangles]).astype(np.int32)


def _read_obj(file: Path) -> bytes:
    """Return the text of an OBJ file, after an empty line."""
    try:
        return b"\n" + file.read_bytes()
    except OSError as error:
        raise OmoteError(f"Cannot read {file}: {error.strerror}.") from error


def _damaged(file: Path) -> OmoteError:
    return OmoteError(f"{file} is damaged, or not an OBJ file of the model. Get it again from {SOURCE}.")
