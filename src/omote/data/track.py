"""Following several faces through a video: which face is who, one frame at a time.

A face goes on the track that it overlaps and looks like; one that was away is known again by its looks alone. Looks
are two histograms, as in Dalal, Triggs, "Histograms of oriented gradients for human detection", 2005, and Swain,
Ballard, "Color indexing", 1991; no network is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from omote.data.detect import Face
from omote.data.quality import face_square

# What is looked at: an ellipse in a square round the box, which holds face and hair and little of what is behind.
SIDE = 32  # pixels
MARGIN = 0.15  # of the box, on each side
ELLIPSE = (0.4, 0.5)  # half axes, as shares of the square
# Mean grey level, half way to which (by its root) a face is brought: exposure changes, but some skin is darker.
BRIGHT = 100
CELLS, DIRECTIONS = 4, 8  # gradients, cell by cell: shapes, whatever the light
BANDS, SHADES = 3, 10  # CIE Lab's a and b, in bands of hair, eyes and mouth: colours, whatever the pose
PALEST, SHADE = 112, 6  # OpenCV's number of the first shade, and the width of one
NUM_GRADIENTS, NUM_COLOURS = CELLS * CELLS * DIRECTIONS, BANDS * SHADES * SHADES
# A head that turns changes its shapes more than its colours, in which people differ as much: shapes count for less.
SHAPES = 0.6

# Distances of looks, from 0 to 1.7. Found on half of the people of the London Set (those of odd number): the neutral
# and the smiling photo of a person differ by 0.20 (median; the most by 0.34), those of two people by 0.61 (median).
# Measured, with more of it, in docs/results/following.md.
# Wherever the face is: of the other half none is missed, and 0.4 % of others are taken for the same.
ALIKE = 0.32
# More where the track is, and still more as the head turns (`_turn`). Of the other half 9 % of others are then taken
# for the same. Of rendered heads that turn aside by 20 to 60 degrees at once, 3.4 % at most are missed; of those that
# nod or tilt by more than 15 and turn aside less, 19.5 %.
NEAR, TURNING = 0.08, 0.6
NEW_VIEW = 0.2  # a face this different from all views of its track becomes one more view
VIEWS = 6  # that a track keeps; of more the one that faces were nearest to least often is forgotten
# Calls for which a track is new: its place does not count yet for a face that looks like one that is away. For a face
# that comes out from behind another looks like nobody at first, and then like itself.
NEW = 25
REMEMBERED = 32  # tracks that are away; of more the one that is so longest is forgotten
# Mean difference, in grey levels of 255, that makes a picture another scene, in which overlap says nothing: rendered
# portraits change by 38 at most as the head turns by up to 60 degrees, and to another person and room by 62 (median).
CUT = 45
SCENE = (16, 12)  # columns and rows in which pictures are compared


@dataclass(eq=False)
class _Track:
    """A person in the video; a face that was just found is one of a single view."""

    box: np.ndarray  # (4,) x, y, width, height, where it was last
    turn: float  # of the head, then
    views: np.ndarray  # (V, D) looks, whole numbers
    nearest: list[int]  # (V,) how often a face was nearest to each
    id: int = -1  # not known yet
    away: int = 0  # calls since it was there
    seen: int = 1  # calls with it

    def see(self, face: "_Track", distances: np.ndarray) -> None:
        """Go on with a face, whose distances from the views are (V,)."""
        face.id = self.id
        self.box, self.turn, self.away, self.seen = face.box, face.turn, 0, self.seen + 1
        if distances.min() <= NEW_VIEW:
            self.nearest[int(distances.argmin())] += 1
            return
        if len(self.views) == VIEWS:
            least = int(np.argmin(self.nearest))
            self.views = np.delete(self.views, least, axis=0)
            del self.nearest[least]
        self.views = np.vstack([self.views, face.views])
        self.nearest.append(1)


class Tracker:
    """Tells the faces of one video apart; its memory does not grow with the length."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0
        self._scene: np.ndarray | None = None

    def follow(self, image: np.ndarray, faces: Sequence[Face]) -> list[int]:
        """Return an id for each face, in their order: its earlier one, or the next new number from 0.

        To be called once for every frame that is taken, in order, also where there are no faces.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: of the image, the highest box first as from `find_faces`, so that new ids go by size.
        """
        scene = _scene(image)
        same_scene = self._scene is not None and float(np.abs(scene - self._scene).mean()) <= CUT
        self._scene = scene
        for track in self._tracks:
            track.away += 1
        found = [
            _Track(np.asarray(face.box, np.float64), _turn(face), looks(image, face)[None].astype(float), [1])
            for face in faces
        ]
        if found and self._tracks:
            self._go_on(found, same_scene)
        for face in found:
            if face.id < 0:
                face.id = self._next
                self._next += 1
                self._tracks.append(face)
        away = sorted((track for track in self._tracks if track.away), key=lambda track: track.away)
        for track in away[REMEMBERED:]:
            self._tracks.remove(track)
        return [face.id for face in found]

    def _go_on(self, found: list[_Track], same_scene: bool) -> None:
        """Go on with the tracks of those faces that have one."""
        tracks = self._tracks
        starts = np.cumsum([0, *(len(track.views) for track in tracks)])
        ours, views = (np.concatenate([one.views for one in ones]) for ones in (found, tracks))
        # (F, views of all tracks); sums of whole numbers are exact, so nothing depends on their order.
        squares = (ours**2).sum(1)[:, None] + (views**2).sum(1) - 2 * ours @ views.T
        by_view = np.sqrt(squares) / 255
        distances = np.minimum.reduceat(by_view, starts[:-1], axis=1)  # (F, T)
        gains = ALIKE - distances
        if same_scene:
            away = np.array([track.away for track in tracks])
            new = np.array([track.seen < NEW for track in tracks])
            like_one_away = (distances < np.where((away > 1) & ~new, ALIKE, 0)).max(1)
            near = np.minimum(2 * _overlaps(found, tracks), 1) / away * ~(like_one_away[:, None] & new)
            turned = np.abs(
                np.subtract.outer([face.turn for face in found], [track.turn for track in tracks])
            )
            gains += near * (NEAR + TURNING * turned)
        # The pairs with the greatest sum of gains; none without a gain.
        pairs = np.transpose(linear_sum_assignment(np.maximum(gains, 0), maximize=True)).tolist()
        for face, track in pairs:
            if gains[face, track] > 0:
                tracks[track].see(found[face], by_view[face, starts[track] : starts[track + 1]])

    def state(self) -> dict[str, Any]:
        """Return all that is remembered, as numbers, lists and dictionaries, ready for JSON."""
        tracks = [
            vars(track)
            | {
                "box": track.box.tolist(),
                "views": track.views.astype(int).tolist(),
                "nearest": list(track.nearest),
            }
            for track in self._tracks
        ]
        scene = None if self._scene is None else self._scene.tolist()
        return {"next": self._next, "scene": scene, "tracks": tracks}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Tracker":
        """Return a tracker that goes on as the one whose `state()` this was."""
        tracker = cls()
        tracker._next = state["next"]
        tracker._scene = None if state["scene"] is None else np.array(state["scene"], np.float64)
        for track in state["tracks"]:
            arrays = {name: np.array(track[name], np.float64) for name in ("box", "views")}
            tracker._tracks.append(_Track(**{**track, **arrays, "nearest": list(track["nearest"])}))
        return tracker


_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE]
_FROM_MIDDLE = (np.stack([_COLUMN, _ROW]) + 0.5) / SIDE - 0.5
_INSIDE = np.hypot(_FROM_MIDDLE[0] / ELLIPSE[0], _FROM_MIDDLE[1] / ELLIPSE[1]) <= 1
_MASK = _INSIDE.astype(np.uint8)
_CELL = (_ROW * CELLS // SIDE * CELLS + _COLUMN * CELLS // SIDE)[_INSIDE] * DIRECTIONS
_SHADE = np.clip((np.arange(256) - PALEST) / SHADE - 0.5, 0, SHADES - 1.001)  # of each number, with fractions
_BAND = (_ROW * BANDS // SIDE)[_INSIDE] * SHADES * SHADES


def looks(image: np.ndarray, face: Face) -> np.ndarray:
    """Return (428,) uint8 of a face in an (H, W, 3) uint8 RGB picture: what tells it from others.

    128 numbers of shapes and 300 of colours: the roots of histograms, times 255, and the shapes times SHAPES. So the
    differences are Hellinger's.
    """
    square = face_square(image, face, MARGIN, SIDE)
    mean = sum(cv2.mean(square, _MASK)) / 3
    lab = cv2.cvtColor(cv2.convertScaleAbs(square, alpha=(BRIGHT / max(mean, 1)) ** 0.5), cv2.COLOR_RGB2LAB)
    light = lab[..., 0].astype(np.float32)
    strength, angle = cv2.cartToPolar(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    direction = (angle[_INSIDE] * (DIRECTIONS / (2 * np.pi))).astype(int) % DIRECTIONS
    gradients = np.bincount(_CELL + direction, strength[_INSIDE], NUM_GRADIENTS)
    # Each colour counts for the four nearest shades, so that a little of another light changes little.
    place = _SHADE[lab[_INSIDE, 1:]]
    shade = place.astype(int)
    share = place - shade
    first = _BAND + shade @ (SHADES, 1)
    a, b = share.T
    colours = np.bincount(
        np.concatenate([first, first + 1, first + SHADES, first + SHADES + 1]),
        np.concatenate([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]),
        NUM_COLOURS,
    )
    shapes, paints = (np.sqrt(part / max(part.sum(), 1e-9)) for part in (gradients, colours))
    numbers: np.ndarray = np.round(255 * np.concatenate([SHAPES * shapes, paints])).astype(np.uint8)
    return numbers


def _scene(image: np.ndarray) -> np.ndarray:
    (height, width), (columns, rows) = image.shape[:2], SCENE
    few = np.ascontiguousarray(image[:: max(1, height // (4 * rows)), :: max(1, width // (4 * columns))])
    grey = cv2.resize(cv2.cvtColor(few, cv2.COLOR_RGB2GRAY), SCENE, interpolation=cv2.INTER_AREA)
    return grey.astype(np.float64)


def _turn(face: Face) -> float:
    """Return how far the nose lies from the middle of the eyes, along their line, in their distance; at most 1."""
    right_eye, left_eye, nose = face.landmarks[:3]
    across = left_eye - right_eye
    along = (nose - (right_eye + left_eye) / 2) @ across / max(float(across @ across), 1e-9)
    return float(np.clip(along, -1, 1))


def _overlaps(found: list[_Track], tracks: list[_Track]) -> np.ndarray:
    """Return (F, T) shares that boxes have in common, of the area of both together."""
    boxes, others = (np.array([one.box for one in ones]) for ones in (found, tracks))
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    common = np.maximum(high - low, 0).prod(2)
    both = boxes[:, 2:].prod(1)[:, None] + others[:, 2:].prod(1) - common
    shares: np.ndarray = common / np.maximum(both, 1e-9)
    return shares
