"""Face tracking: gives each face of a video the number of its person, one frame at a time.

A face is matched to the track that it overlaps and resembles. A person who comes back is recognised by appearance
alone. The appearance descriptor is a histogram of gradients (Dalal, Triggs, "Histograms of oriented gradients for human
detection", 2005) and one of colours (Swain, Ballard, "Color indexing", 1991); no network is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from omote.data.detect import Face
from omote.data.quality import face_square

# The descriptor sees an ellipse in a square round the box: face and hair, and little background.
SIDE = 32  # pixels of the square
MARGIN = 0.15  # of the box, added on each side
ELLIPSE = (0.4, 0.5)  # half axes, as shares of the square
# The face's mean grey level is corrected half way (by a square root) to this level: exposure varies, and so does skin.
TARGET_GREY = 100
CELLS, DIRECTIONS = 4, 8  # gradient histogram: cells along each side, directions in each; robust to light
BANDS, SHADES = (
    3,
    10,
)  # colour histogram: bands for hair, eyes and mouth; shades of a and b of CIE Lab; robust to pose
FIRST_SHADE, SHADE_WIDTH = 112, 6  # in OpenCV's 8-bit a and b
NUM_GRADIENTS, NUM_COLOURS = CELLS * CELLS * DIRECTIONS, BANDS * SHADES * SHADES
GRADIENT_WEIGHT = 0.6  # below 1, as turning the head changes gradients more than colours

# Distances between descriptors range from 0 to 1.7. The limits were set on the London Set's people with odd numbers:
# the neutral and the smiling photo of a person differ by 0.20 (median; at most 0.34), photos of two people by 0.61
# (median). docs/results/following.md has the measurements.
# A face may match a track anywhere in the picture below this distance. On people with even numbers it misses nobody and
# confuses 0.4 % of pairs.
MAX_DISTANCE = 0.32
# Added to that limit where the box overlaps the track, and added for each unit of `_turn` that the head has turned. On
# people with even numbers, 9 % of pairs then match. Of rendered heads that turn by 20 to 60 degrees between two frames,
# at most 3.4 % are lost; of heads that nod or tilt by more than 15 degrees and turn less, 19.5 %.
OVERLAP_BONUS, TURN_BONUS = 0.08, 0.6
NEW_VIEW_DISTANCE = 0.2  # a face farther than this from all views of its track becomes another view
MAX_VIEWS = 6  # per track; the least matched one is evicted
# Frames for which a track is young. A face that resembles somebody who is away gets no overlap bonus from a young
# track: a person who reappears from behind another may first start a wrong track.
YOUNG_FRAMES = 25
MAX_AWAY = 32  # tracks of people out of sight; the one away longest is evicted
# Mean difference of two frames, in grey levels of 255, that marks a cut to another scene, after which overlap says
# nothing. Rendered portraits change by at most 38 as the head turns by up to 60 degrees, and by 62 (median) to another
# person and room.
SCENE_CHANGE = 45
THUMBNAIL = (16, 12)  # columns and rows in which frames are compared


@dataclass(eq=False)
class _Track:
    """One person in the video, or a newly detected face with its single view. Field names are stored on disk."""

    box: np.ndarray  # (4,) last x, y, width, height
    turn: float  # last `_turn` of the head
    views: np.ndarray  # (V, D) appearance descriptors, whole numbers
    nearest: list[int]  # (V,) how often each view was the best match
    id: int = -1  # -1: not assigned yet
    away: int = 0  # frames since the last match
    seen: int = 1  # frames matched

    def update(self, face: "_Track", distances: np.ndarray) -> None:
        """Add a matched face, given its (V,) distances from the views."""
        face.id = self.id
        self.box, self.turn, self.away, self.seen = face.box, face.turn, 0, self.seen + 1
        if distances.min() <= NEW_VIEW_DISTANCE:
            self.nearest[int(distances.argmin())] += 1
            return
        if len(self.views) == MAX_VIEWS:
            least = int(np.argmin(self.nearest))
            self.views = np.delete(self.views, least, axis=0)
            del self.nearest[least]
        self.views = np.vstack([self.views, face.views])
        self.nearest.append(1)


class Tracker:
    """Tracks the faces of one video; memory does not grow with its length."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0
        self._thumbnail: np.ndarray | None = None  # of the last frame

    def follow(self, image: np.ndarray, faces: Sequence[Face]) -> list[int]:
        """Return the number of each face's track, in their order; new tracks are numbered from 0.

        Call it once for every frame in order, also for frames without faces.

        Args:
            image: (H, W, 3) uint8 RGB.
            faces: of the image, the highest box first as from `find_faces`, so that the largest new face gets the
                first new number.
        """
        thumbnail = _make_thumbnail(image)
        same_scene = (
            self._thumbnail is not None and float(np.abs(thumbnail - self._thumbnail).mean()) <= SCENE_CHANGE
        )
        self._thumbnail = thumbnail
        for track in self._tracks:
            track.away += 1
        found = [
            _Track(
                np.asarray(face.box, np.float64),
                _turn(face),
                describe_appearance(image, face)[None].astype(float),
                [1],
            )
            for face in faces
        ]
        if found and self._tracks:
            self._match(found, same_scene)
        for face in found:
            if face.id < 0:
                face.id = self._next
                self._next += 1
                self._tracks.append(face)
        away = sorted((track for track in self._tracks if track.away), key=lambda track: track.away)
        for track in away[MAX_AWAY:]:
            self._tracks.remove(track)
        return [face.id for face in found]

    def _match(self, found: list[_Track], same_scene: bool) -> None:
        """Assign faces to tracks so that the sum of gains is greatest; a face without a gain stays unassigned."""
        from scipy.optimize import linear_sum_assignment  # half a second, which photos need not wait for

        tracks = self._tracks
        starts = np.cumsum([0, *(len(track.views) for track in tracks)])
        ours, views = (np.concatenate([one.views for one in ones]) for ones in (found, tracks))
        # (F, views of all tracks); sums of whole numbers are exact, so the result does not depend on their order.
        squares = (ours**2).sum(1)[:, None] + (views**2).sum(1) - 2 * ours @ views.T
        by_view = np.sqrt(squares) / 255
        distances = np.minimum.reduceat(by_view, starts[:-1], axis=1)  # (F, T)
        gains = MAX_DISTANCE - distances
        if same_scene:
            away = np.array([track.away for track in tracks])
            young = np.array([track.seen < YOUNG_FRAMES for track in tracks])
            resembles_away = (distances < np.where((away > 1) & ~young, MAX_DISTANCE, 0)).max(1)
            near = np.minimum(2 * _overlaps(found, tracks), 1) / away * ~(resembles_away[:, None] & young)
            turned = np.abs(
                np.subtract.outer([face.turn for face in found], [track.turn for track in tracks])
            )
            gains += near * (OVERLAP_BONUS + TURN_BONUS * turned)
        pairs = np.transpose(linear_sum_assignment(np.maximum(gains, 0), maximize=True)).tolist()
        for face, track in pairs:
            if gains[face, track] > 0:
                tracks[track].update(found[face], by_view[face, starts[track] : starts[track + 1]])

    def state(self) -> dict[str, Any]:
        """Return the whole state as numbers, lists and dictionaries, ready for JSON."""
        tracks = [
            vars(track)
            | {
                "box": track.box.tolist(),
                "views": track.views.astype(int).tolist(),
                "nearest": list(track.nearest),
            }
            for track in self._tracks
        ]
        scene = None if self._thumbnail is None else self._thumbnail.tolist()
        return {"next": self._next, "scene": scene, "tracks": tracks}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Tracker":
        """Return a tracker that goes on from what `state` returned."""
        tracker = cls()
        tracker._next = state["next"]
        tracker._thumbnail = None if state["scene"] is None else np.array(state["scene"], np.float64)
        for track in state["tracks"]:
            arrays = {name: np.array(track[name], np.float64) for name in ("box", "views")}
            tracker._tracks.append(_Track(**{**track, **arrays, "nearest": list(track["nearest"])}))
        return tracker


_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE]
_FROM_MIDDLE = (np.stack([_COLUMN, _ROW]) + 0.5) / SIDE - 0.5
_INSIDE = np.hypot(_FROM_MIDDLE[0] / ELLIPSE[0], _FROM_MIDDLE[1] / ELLIPSE[1]) <= 1
_MASK = _INSIDE.astype(np.uint8)
_CELL = (_ROW * CELLS // SIDE * CELLS + _COLUMN * CELLS // SIDE)[_INSIDE] * DIRECTIONS
# Shade of each 8-bit value of a or b, with fraction.
_SHADE = np.clip((np.arange(256) - FIRST_SHADE) / SHADE_WIDTH - 0.5, 0, SHADES - 1.001)
_BAND = (_ROW * BANDS // SIDE)[_INSIDE] * SHADES * SHADES


def describe_appearance(image: np.ndarray, face: Face) -> np.ndarray:
    """Return the appearance descriptor of a face, (428,) uint8, whose Euclidean distances tell people apart.

    128 gradient and 300 colour values: 255 times the square roots of normalised histograms, gradients also times
    GRADIENT_WEIGHT. So distances are Hellinger distances.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    square = face_square(image, face, MARGIN, SIDE)
    mean = sum(cv2.mean(square, _MASK)) / 3
    exposed = cv2.convertScaleAbs(square, alpha=(TARGET_GREY / max(mean, 1)) ** 0.5)
    lab = cv2.cvtColor(exposed, cv2.COLOR_RGB2LAB)
    light = lab[..., 0].astype(np.float32)
    strength, angle = cv2.cartToPolar(cv2.Sobel(light, cv2.CV_32F, 1, 0), cv2.Sobel(light, cv2.CV_32F, 0, 1))
    direction = (angle[_INSIDE] * (DIRECTIONS / (2 * np.pi))).astype(int) % DIRECTIONS
    gradients = np.bincount(_CELL + direction, strength[_INSIDE], NUM_GRADIENTS)
    # Bilinear: each colour counts for the four nearest shades, so that a slight change of light changes little.
    position = _SHADE[lab[_INSIDE, 1:]]
    shade = position.astype(int)
    share = position - shade
    first = _BAND + shade @ (SHADES, 1)
    a, b = share.T
    colours = np.bincount(
        np.concatenate([first, first + 1, first + SHADES, first + SHADES + 1]),
        np.concatenate([(1 - a) * (1 - b), (1 - a) * b, a * (1 - b), a * b]),
        NUM_COLOURS,
    )
    roots = [np.sqrt(part / max(part.sum(), 1e-9)) for part in (gradients, colours)]
    descriptor: np.ndarray = np.round(255 * np.concatenate([GRADIENT_WEIGHT * roots[0], roots[1]]))
    return descriptor.astype(np.uint8)


def _make_thumbnail(image: np.ndarray) -> np.ndarray:
    (height, width), (columns, rows) = image.shape[:2], THUMBNAIL
    sparse = np.ascontiguousarray(image[:: max(1, height // (4 * rows)), :: max(1, width // (4 * columns))])
    grey = cv2.resize(cv2.cvtColor(sparse, cv2.COLOR_RGB2GRAY), THUMBNAIL, interpolation=cv2.INTER_AREA)
    return grey.astype(np.float64)


def _turn(face: Face) -> float:
    """Return how far the nose is off the middle of the eyes, along their line, in eye distances; from -1 to 1."""
    right_eye, left_eye, nose = face.landmarks[:3]
    across = left_eye - right_eye
    along = (nose - (right_eye + left_eye) / 2) @ across / max(float(across @ across), 1e-9)
    return float(np.clip(along, -1, 1))


def _overlaps(found: list[_Track], tracks: list[_Track]) -> np.ndarray:
    """Return (F, T) intersection over union of boxes."""
    boxes, others = (np.array([one.box for one in ones]) for ones in (found, tracks))
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], others[:, :2] + others[:, 2:])
    intersection = np.maximum(high - low, 0).prod(2)
    union = boxes[:, 2:].prod(1)[:, None] + others[:, 2:].prod(1) - intersection
    overlaps: np.ndarray = intersection / np.maximum(union, 1e-9)
    return overlaps
