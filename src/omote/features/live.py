"""Faces of a camera, one frame at a time, in rows like those that `omote embed` writes of a video."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from omote.data.detect import Search, find_detector
from omote.data.face_set import BOX
from omote.data.track import Tracker
from omote.data.videos import VideoFrame
from omote.features.axes import gather_axes
from omote.features.reader import Reader, cut_for
from omote.features.stream import TableBuilder, detect_faces

SOURCE = "camera"  # column `source` of the rows
FAST = Search(fast=True)
# Mean grey level of 255. Of 16 rendered faces made darker, with camera noise, all are trusted at 59, half at 29, and
# none at 17.
DARK = 30.0


class LiveReader:
    """Reads the faces of frames as they come, and follows them; one for each camera, used by one thread at a time."""

    def __init__(self, reader: Reader) -> None:
        """Prepare to read frames.

        Raises:
            OmoteError: If the model reads face crops only or needs to know the subjects, or its axes are damaged.
        """
        reader.read(np.zeros((0, reader.size, reader.size, 3), np.uint8))
        self.axes = gather_axes(reader)
        self._cut, self._detector, self._tracker = cut_for(reader), find_detector(), Tracker()
        self._builder = TableBuilder(reader, None, 0, None, self.axes, has_turns=False, all_frames=False)
        self._num_frames = 0

    def read(self, image: np.ndarray, time: float) -> pd.DataFrame:
        """Return the rows of the faces in an (H, W, 3) uint8 RGB frame, as `embed` with the option `fast`.

        Args:
            time: of the frame in s, since any fixed moment.
        """
        found = detect_faces(image, self._cut, self._detector, FAST)
        numbers = self._tracker.follow(image, [one.face for one in found if one.face is not None])
        self._builder.add(SOURCE, VideoFrame(self._num_frames, time, image), 0, found, numbers)
        self._num_frames += 1
        return self._builder.take_table()


def is_dark(image: np.ndarray, face: Mapping[str, Any] | None) -> bool:
    """Return whether an (H, W, 3) uint8 RGB frame is too dark to find or to trust a face.

    Args:
        face: `trusted` and the box, from its row; None if no face was found, for all of the frame.
    """
    if face is not None:
        if face["trusted"]:
            return False
        x, y, width, height = (max(0, round(face[name])) for name in BOX)
        image = image[y : y + height, x : x + width]
    return float(image.mean()) < DARK
