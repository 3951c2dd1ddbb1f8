"""Two photos whose people exchange their expressions, on the tab "Faces"."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from omote.app.pages import render
from omote.app.state import State
from omote.app.uploads import check_uploads, show_name
from omote.data.cut import Cut, CutFace, cut_only_face, square_in
from omote.data.detect import find_detector
from omote.data.images import Unreadable, read_photo
from omote.data.outputs import Faces, Floats
from omote.errors import OmoteError
from omote.evaluation.swaps import why_no_images
from omote.features.reader import Reader, cut_for
from omote.figures.page import encode_picture
from omote.figures.paper.interpolate import NO_IDENTITY
from omote.figures.paper.on_photo import (
    CHANGED,
    PHOTO_SIZE,
    apply_change,
    estimate_changes,
    interpolate_on_photo,
)
from omote.figures.paper.sheet import resize_faces
from omote.figures.picture import save_picture
from omote.runs.trained import Trained

STEPS = 9  # expressions from a person's own to the other one, both included; as in the paper's Figure 5


class Photos(NamedTuple):
    """Photos of one person each, and their faces."""

    names: list[str]  # for people: "photo 1"
    paths: list[Path]
    crops: Faces  # (n, T, T, 3)
    codes: Floats  # (n, Z) expression codes


def read_photos(state: State, uploads: Sequence[str | None]) -> Photos | None:
    """Return the photos that were given, and their faces; None if there is none.

    Raises:
        OmoteError: If a photo cannot be read or shows nobody or several people, or the model has to be told who it is.
    """
    reader = state.reader
    photos = Photos([], [], np.empty(0, np.uint8), np.empty(0, np.float32))
    crops = []
    for number, path in enumerate(uploads, start=1):
        if path is not None:
            checked = check_uploads([path], state.uploads)
            photos.names.append(f"photo {number}")
            photos.paths.extend(checked.files)
            crops.append(_find_face(reader, photos.paths[-1])[1].crop)
    if not crops:
        return None
    faces = np.stack(crops)
    with state.lock:
        return photos._replace(crops=faces, codes=reader.read(resize_faces(reader, faces)).mean)


def _find_face(reader: Reader, path: Path) -> tuple[np.ndarray, CutFace, Cut]:
    """Return a photo, (H, W, 3) uint8 RGB, its only face with at least `PHOTO_SIZE` pixels, and how it was cut out."""
    cut = cut_for(reader, cropped=reader.face_set.is_cropped)
    cut = replace(cut, size=max(PHOTO_SIZE, cut.size))
    try:
        image = read_photo(path)
        found = cut_only_face(image, cut, None if cut.cropped else find_detector())
    except Unreadable as error:
        raise OmoteError(f"{show_name(path)} cannot be used: {error}") from error
    if isinstance(found, str):
        raise OmoteError(
            f"{show_name(path)} cannot be used: {found} found; give a photo that shows one person"
        )
    return image, found, cut


def draw_swaps(state: State, photos: Photos) -> Iterator[str]:
    """Yield the HTML of two people, each with the expression of the other in `STEPS` steps; drawn on the photo last.

    Raises:
        OmoteError: If the model cannot swap.
    """
    model = check_swaps(state)
    faces = resize_faces(model, photos.crops)
    people: list[dict[str, Any]] = []
    for own, other in ((0, 1), (1, 0)):
        with state.lock:
            decoded = model.interpolate(faces[own], faces[other], STEPS)
        people.append(
            {"name": photos.names[own], "other": photos.names[other], "photo": encode_face(photos.crops[own]),
             "decoded": [encode_face(face) for face in decoded], "on_photo": []}
        )  # fmt: skip
    note = "" if model.has_identity else NO_IDENTITY
    yield render("faces_swap.html", people=people, size=model.size, steps=STEPS, note=note)
    if not model.has_identity:
        return
    for (own, other), person in zip(((0, 1), (1, 0)), people, strict=True):
        with state.lock:
            changed = interpolate_on_photo(model, photos.crops[own], photos.crops[other], STEPS)
        person["on_photo"] = [encode_face(face, CHANGED) for face in changed]
        yield render("faces_swap.html", people=people, size=model.size, steps=STEPS, note=note)


def check_swaps(state: State) -> Trained:
    """Return the model; raise OmoteError if it cannot swap."""
    model = state.reader
    if not isinstance(model, Trained):
        raise OmoteError(
            f"{state.run_name} is an exported model, which makes no images; start the app with the run"
        )
    if reason := why_no_images(model):
        raise OmoteError(f"no swap with {state.run_name}: {reason}")
    return model


def save_swaps(state: State, photos: Photos) -> list[Path]:
    """Write both whole photos, each with the expression of the other, and return the files.

    Raises:
        OmoteError: If the model cannot swap, or the photos are no longer there.
    """
    model = check_swaps(state)
    with state.lock:
        changes = estimate_changes(model, photos.crops, photos.crops)
    folder = (
        photos.paths[0].parent / photos.paths[1].parent.name
    )  # the same each time, so that one set is kept
    saved = []
    for own, other in ((0, 1), (1, 0)):
        image, found, cut = _find_face(model, photos.paths[own])
        changed = apply_change(image, changes[other][own], square_in(image, found, cut))
        name = f"{photos.names[own]} with the expression of {photos.names[other]}.png"
        saved.append(save_picture(Image.fromarray(changed), folder / name, note=CHANGED))
    return saved


def encode_face(face: Faces, note: str = "") -> str:
    """Return the address of a face as a picture, for HTML; `note` is written into the picture."""
    return encode_picture(Image.fromarray(face), note=note)
