"""Head pose: yaw, pitch and roll of a face, measured on its pixels by a small convolutional network.

The pose must not depend on the expression, or whoever smiles counts as turned away. Five landmarks cannot give it: they
move with the mouth. So the network was trained on rendered heads, whose pose is known, with expressions independent of
the pose. `benchmarks/pose.py` makes `pose.safetensors` and measures the error and what is left of the dependence on
each action unit (docs/results/inputs.md).
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from safetensors.numpy import load_file

from omote.data.detect import Face
from omote.data.outputs import Floats
from omote.data.quality import face_square

WEIGHTS = Path(__file__).with_name("pose.safetensors")
# The square round the box from which the network's input is cut, with room to rotate it.
SQUARE, SQUARE_MARGIN = 96, 0.4  # pixels; share of the box added on each side
SIDE, MARGIN = 48, 0.1  # of the input: pixels; share of the box added on each side
DEGREES = 30.0  # yaw and pitch for an output of 1
LEAST_CONTRAST = 3.0  # grey levels, so that noise on an even surface is not enlarged


class Pose(NamedTuple):
    """Rotation of a head against the line of sight to it, in degrees; like `nuisance_yaw` etc. of rendered faces."""

    yaw: float  # positive: the nose points to the right of the picture
    pitch: float  # positive: the nose points down
    roll: float  # positive: clockwise in the picture; -180 to 180


UNKNOWN = Pose(math.nan, math.nan, math.nan)


def estimate_pose(image: np.ndarray, face: Face) -> Pose:
    """Return the rotation of the head.

    The face is first turned upright by the roll that the network sees, and then measured again: so roll is right over
    the whole circle.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    square = cv2.cvtColor(face_square(image, face, SQUARE_MARGIN, SQUARE), cv2.COLOR_RGB2GRAY)
    roll = _read(cut_input(square)).roll
    upright = _read(cut_input(square, -roll))
    return Pose(upright.yaw, upright.pitch, math.remainder(roll + upright.roll, 360))


def cut_input(
    square: np.ndarray, angle: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)
) -> Floats:
    """Return the network's input (SIDE, SIDE), grey levels, from the square round a face.

    Args:
        square: (SQUARE, SQUARE) grey levels.
        angle: degrees by which to turn the face clockwise.
        scale: of the part of the picture that is cut out; 1 for the box with MARGIN.
        shift: of its middle, to the right and down, as a share of the box.
    """
    box = SQUARE / (1 + 2 * SQUARE_MARGIN)  # pixels of the square
    step = scale * box * (1 + 2 * MARGIN) / SIDE
    cos, sin = step * math.cos(math.radians(angle)), step * math.sin(math.radians(angle))
    turn = np.array([[cos, sin], [-sin, cos]])
    middle = (SQUARE - 1) / 2 + box * np.array(shift) - turn @ np.full(2, (SIDE - 1) / 2)
    cut = cv2.warpAffine(
        square,
        np.column_stack([turn, middle]),
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cut.astype(np.float32)


def normalise(inputs: Floats) -> Floats:
    """Return (..., SIDE, SIDE) grey levels with mean 0 and, unless there is hardly any contrast, deviation 1."""
    mean, deviation = inputs.mean((-2, -1), keepdims=True), inputs.std((-2, -1), keepdims=True)
    normalised: Floats = (inputs - mean) / (deviation + LEAST_CONTRAST)
    return normalised


def _read(image: Floats) -> Pose:
    """Return the network's outputs for one input; layers as in `benchmarks/pose.py`."""
    (*convolutions, hidden, last) = _load_weights()
    values = normalise(image)[..., None]  # (H, W, C)
    for weight, bias in convolutions:  # of 3 x 3 pixels, with stride 2
        side, channels = values.shape[1:]
        padded = np.zeros((side + 2, side + 2, channels), np.float32)
        padded[1:-1, 1:-1] = values
        patches = np.empty(
            (side // 2, side // 2, 3, 3, channels), np.float32
        )  # copied row by row, which is fast
        for row, column in np.ndindex(3, 3):
            patches[:, :, row, column] = padded[row : row + side : 2, column : column + side : 2]
        values = np.maximum(patches.reshape(side // 2, side // 2, -1) @ weight + bias, 0)
    weight, bias = hidden
    values = np.maximum(values.reshape(-1) @ weight + bias, 0)
    weight, bias = last
    yaw, pitch, cosine, sine = (values @ weight + bias).tolist()
    return Pose(DEGREES * yaw, DEGREES * pitch, math.degrees(math.atan2(sine, cosine)))


@lru_cache(maxsize=1)
def _load_weights() -> list[tuple[Floats, Floats]]:
    """Return weight and bias of each layer, in order; the weights of convolutions by rows, columns and channels."""
    tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(WEIGHTS).items()}
    layers = [(tensors[f"weight_{i}"], tensors[f"bias_{i}"]) for i in range(len(tensors) // 2)]
    for i, (weight, bias) in enumerate(layers[:-2]):
        by_channel = weight.reshape(-1, 9, len(bias))
        layers[i] = by_channel.swapaxes(0, 1).reshape(weight.shape), bias
    return layers
