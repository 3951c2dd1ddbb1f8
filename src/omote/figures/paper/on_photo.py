"""A change of expression laid on the photo itself: `--on-photo` of `omote swap` and `omote interpolate`.

Not in the paper, whose pictures are decoded. Here the decoder only says what changes: it draws a face with the photo's
expression and with another one. Dense optical flow between the two (DIS: Kroeger et al., 2016), times a constant,
moves the pixels of the photo, and the difference that remains is added as shading, after Liu et al., "Expressive
expression mapping with ratio images", 2001. Skin, hair and background stay the photo's. What a smooth change cannot
make is missing, such as teeth between lips that were closed.
"""

import itertools
import math
from typing import NamedTuple

import cv2
import numpy as np

from omote.data.cut import Square, middle_square
from omote.data.outputs import Faces, Floats
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.figures.paper.sheet import Model, resize_faces

PHOTO_SIZE = 256  # pixels, at least, of a face that is changed itself and not decoded
CHANGED = "Expression changed by omote: the person did not show it in this photo."  # for the metadata of such a picture
NUM_IDENTITIES = 24  # over which a change is averaged: flow between two blurred images of one face is noisy
FIELD_SIZE = 256  # side on which changes are estimated, in pixels
FLOW_BLUR, SHADING_BLUR = 4.0, 3.0  # standard deviations in pixels of it
FLOW_GAIN = 1.5  # blurred faces have too small a flow between them (docs/results/london.md)
RADIUS, EDGE = 0.96, 0.35  # circle outside which nothing changes, and width of its soft edge, in half sides
# Shifts to the right and down, as shares of the side, and enlargements of the faces whose identity codes are averaged.
PLACEMENTS = [(0, 0, 1), (0.03, 0, 1), (-0.03, 0, 1), (0, 0.03, 1), (0, -0.03, 1), (0, 0, 1.06), (0, 0, 0.94)]


class Change(NamedTuple):
    """How a face changes from one expression to another; both are 0 at the border. F is `FIELD_SIZE`."""

    flow: Floats  # (F, F, 2) where a pixel comes from: so many pixels to the right of it and below it
    shading: Floats  # (F, F, 3) what is then added to the colour, on the scale 0 to 255


def swap_on_photos(model: Model, photos: Faces, expression_faces: Faces) -> Faces:
    """Return (m, n, T, T, 3): row r, column c is photo c with the expression of face r.

    Args:
        model: as `omote.load` returns it, with a decoder and an identity code.
        photos: (n, T, T, 3) uint8 RGB, cut out as the training faces were but at any size T from the model's on.
        expression_faces: (m, S, S, 3) uint8 RGB likewise.
    Raises:
        OmoteError: If there is no photo or no expression, they are too small, or the model has no identity code.
    """
    changes = estimate_changes(model, photos, expression_faces)
    return np.stack([[apply_change(p, c) for p, c in zip(photos, row, strict=True)] for row in changes])


def estimate_changes(model: Model, photos: Faces, expression_faces: Faces) -> list[list[Change]]:
    """Return for each expression a list with the change of each photo. Arguments and errors as `swap_on_photos`."""
    sources, targets = resize_faces(model, photos), resize_faces(model, expression_faces)
    if not len(sources) or not len(targets):
        raise OmoteError("a swap needs at least one identity face and one expression face")
    identities = similar_identities(model, np.concatenate([sources, targets]))
    before = [_draw(model, identities, z_e) for z_e in model.represent(sources)[0]]
    changes = []
    for z_e in model.represent(targets)[0]:
        after = _draw(model, identities, z_e)
        changes.append([estimate_change(each, after) for each in before])
    return changes


def interpolate_on_photo(model: Model, photo: Faces, target: Faces, steps: int = 9) -> Faces:
    """Return (steps, T, T, 3): the photo, changing in equal steps of the expression code to that of ``target``.

    The first is the photo itself. Arguments and errors are those of `swap_on_photos`, for one photo and one face.
    """
    faces = np.concatenate([resize_faces(model, face[None]) for face in (photo, target)])
    identities = similar_identities(model, faces)
    start, end = model.represent(faces)[0]
    before = _draw(model, identities, start)
    changed = [photo]
    for t in np.linspace(0, 1, steps, dtype=np.float32)[1:]:
        after = _draw(model, identities, (1 - t) * start + t * end)
        changed.append(apply_change(photo, estimate_change(before, after)))
    return np.stack(changed)


def similar_identities(model: Model, faces: Faces) -> Floats:
    """Return the identity codes of the faces and, if these are few, of them mirrored and shifted too.

    Returns:
        (K, Z) codes, K at most `NUM_IDENTITIES`.
    Raises:
        OmoteError: If the model has no identity code.
    """
    if not model.has_identity:
        raise OmoteError(
            f"{model.name} has no identity code: what it decodes between two faces is another person too, which cannot "
            "be laid on a photo. Leave out --on-photo, or use a method with an identity code"
        )
    faces = faces[evenly_spaced(len(faces), NUM_IDENTITIES)]
    size, views = model.size, list[Faces]()
    for (right, down, scale), mirrored in itertools.product(PLACEMENTS, (False, True)):
        if (len(views) + 1) * len(faces) > NUM_IDENTITIES:
            break
        move = np.array([[scale, 0, right * size], [0, scale, down * size]], np.float32)
        move[:, 2] += (1 - scale) * (size - 1) / 2
        turned = faces[:, :, ::-1] if mirrored else faces
        views.append(np.stack([_place(face, move) for face in turned]))
    return model.identify(np.concatenate(views))[0]


def estimate_change(before: Faces, after: Faces) -> Change:
    """Return the mean change from the (K, S, S, 3) faces to those of the same people with another expression.

    The flow is `FLOW_GAIN` times that between the faces. The shading is the difference of colours that remains after
    the flow without this factor.
    """
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    window = face_window()
    first, last = (np.stack([enlarge(face) for face in faces]) for faces in (before, after))
    grey_first, grey_last = (
        [cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) for face in faces] for faces in (first, last)
    )
    none = np.zeros((FIELD_SIZE, FIELD_SIZE, 2), np.float32)
    flows = [dis.calc(new, old, none.copy()) for new, old in zip(grey_last, grey_first, strict=True)]
    flow = window * cv2.GaussianBlur(np.stack(flows).mean(0), (0, 0), FLOW_BLUR)
    left = last.mean(0, dtype=np.float32) - _warp(first.mean(0, dtype=np.float32), flow)
    return Change(FLOW_GAIN * flow, window * cv2.GaussianBlur(left, (0, 0), SHADING_BLUR))


def apply_change(picture: Faces, change: Change, square: Square | None = None) -> Faces:
    """Return the (H, W, 3) picture with the change.

    Args:
        square: where in the picture the face lies, and how it is turned; None for the largest central square. Outside
            it, no pixel changes.
    """
    middle, side, angle = square or middle_square(picture)
    cos, sin = math.cos(angle), math.sin(angle)
    step = side / FIELD_SIZE  # picture pixels per pixel of the field
    reach = math.ceil(side / 2 * (abs(cos) + abs(sin))) + 1
    left, top = (max(0, math.floor(at) - reach) for at in middle)
    right, bottom = (max(0, math.floor(at) + reach) for at in middle)
    part = picture[top:bottom, left:right].astype(np.float32)
    if not part.size:
        return picture.copy()
    y, x = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    x, y = (x + left + 0.5 - middle[0]) / step, (y + top + 0.5 - middle[1]) / step
    centre = (FIELD_SIZE - 1) / 2
    u, v = ((each + centre).astype(np.float32) for each in (cos * x + sin * y, cos * y - sin * x))
    flow, shading = (
        cv2.remap(field, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT) for field in change
    )
    across, along = flow[..., 0] * step, flow[..., 1] * step
    moved = np.stack([cos * across - sin * along, sin * across + cos * along], axis=-1)
    changed = picture.copy()
    whole = changed[top : top + len(part), left : left + part.shape[1]]
    whole[:] = (_warp(part, moved) + shading).clip(0, 255).round()
    return changed


def face_window() -> Floats:
    """Return (F, F, 1) weights: 1 in the middle of the face, 0 at the border of the crop."""
    position = (np.arange(FIELD_SIZE, dtype=np.float32) + 0.5) / FIELD_SIZE * 2 - 1
    t = ((RADIUS - np.hypot(position, position[:, None])) / EDGE).clip(0, 1)[..., None]
    return np.asarray(t * t * (3 - 2 * t))


def enlarge(face: Faces) -> Faces:
    """Return the (S, S, 3) face with `FIELD_SIZE` pixels a side."""
    return cv2.resize(face, (FIELD_SIZE, FIELD_SIZE), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _draw(model: Model, z_i: Floats, z_e: Floats) -> Faces:
    """Return one expression on each identity, decoded."""
    return model.decode_coarse(z_i, np.tile(z_e, (len(z_i), 1)))


def _place(face: Faces, move: Floats) -> Faces:
    size = face.shape[:2]
    return cv2.warpAffine(np.ascontiguousarray(face), move, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _warp(image: Faces | Floats, flow: Floats) -> Floats:
    """Return the (H, W, 3) image as float32, each pixel taken from where the (H, W, 2) flow says."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return cv2.remap(
        image.astype(np.float32),
        x + flow[..., 0].astype(np.float32),
        y + flow[..., 1].astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # type: ignore[return-value]
