"""Measure the search for faces: what its finest scan may leave out, and whether turned photos are noticed.

    OMP_NUM_THREADS=1 python benchmarks/search.py PHOTOS VIDEO [--frames 60] [--detector FILE]

PHOTOS is a folder of portraits (the London Set), VIDEO gives the background. Heads of 12 to 110 pixels are pasted into
its first frame, scaled to 1280x720, of which some are blurred, darkened or turned. The search is compared with one that
scans the whole frame at every scale. Then every fourth photo is turned by 0, 90, 180 and 270 degrees.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from omote.data import detect
from omote.data.cut import cut_square
from omote.data.detect import Face, find_detector, find_faces
from omote.data.images import read_photo
from omote.data.turn import TURNS, find_turn, turn
from omote.data.videos import read_video

SIZE = (1280, 720)
COLUMNS, ROWS, HEADS = 7, 4, 3  # places for heads, and heads a frame
HEIGHTS = (12, 110)  # pixels of a face
NEAR = 0.5  # heights; two boxes closer than this are of one face


def cut_heads(photos: list[np.ndarray], model: Path) -> list[np.ndarray]:
    """Return square pictures (S, S, 3) of heads whose faces take two thirds of the height."""
    heads = []
    for photo in photos:
        x, y, width, height = find_faces(photo, model)[0].box
        heads.append(cut_square(photo, (x + width / 2, y + 0.4 * height), 1.5 * height, 0.0, 256))
    return heads


def make_frame(background: np.ndarray, heads: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return the background with heads in random places."""
    frame: np.ndarray = background.astype(np.float32) * rng.uniform(0.6, 1.1)
    for place in rng.permutation(COLUMNS * ROWS)[:HEADS]:
        side = round(1.5 * rng.uniform(*HEIGHTS))
        head = cv2.resize(heads[rng.integers(len(heads))], (side, side), interpolation=cv2.INTER_AREA)
        mask = np.zeros((side, side), np.float32)
        cv2.ellipse(mask, (side // 2,) * 2, (2 * side // 5, side // 2 - 1), 0, 0, 360, 1.0, -1)
        x = place % COLUMNS * SIZE[0] // COLUMNS
        y = min(place // COLUMNS * SIZE[1] // ROWS, SIZE[1] - side)
        part = frame[y : y + side, x : x + side]
        part += mask[..., None] * (rng.uniform(0.6, 1.1) * head - part)
    change = rng.integers(4)
    if change == 1:
        frame = cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.5, 1.5))
    frame = np.clip(frame * (0.4 if change == 2 else 1) + rng.normal(0, 4, frame.shape), 0, 255)
    return turn(frame.astype(np.uint8), int(rng.choice(TURNS)) if change == 3 else 0)


def count_missing(faces: list[Face], others: list[Face]) -> int:
    """Return how many of the faces are not among the others."""
    return sum(
        all(np.abs(face.box - other.box).max() > NEAR * face.box[3] for other in others) for face in faces
    )


def measure_moves(faces: list[list[Face]], others: list[list[Face]], shift: int = 0) -> str:
    """Return by how much the boxes of a search differ from those of another one, for faces that both found.

    Args:
        shift: pixels, to the right and down, by which the others' frames were shifted.
    """
    moves = []
    for some, same in zip(faces, others, strict=True):
        for face in some:
            moved = [
                np.abs(other.box - [shift, shift, 0, 0] - face.box).max() / face.box[3] for other in same
            ]
            moves += [move for move in moved if move <= NEAR]
    return f"{100 * np.median(moves):.1f} % of their height (median; 90 %: {100 * np.quantile(moves, 0.9):.1f} %)"


def search(frames: list[np.ndarray], model: Path) -> tuple[list[list[Face]], float]:
    """Return the faces of each frame, and the milliseconds of processor time per frame."""
    start = time.process_time()
    found = [find_faces(frame, model) for frame in frames]
    return found, 1000 * (time.process_time() - start) / len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--detector", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    model, rng = find_detector(args.detector), np.random.default_rng(0)
    photos = [read_photo(file) for file in sorted(args.photos.glob("*.jpg"))[::4]]
    heads = cut_heads(photos, model)
    background = cv2.resize(next(read_video(args.video)).image, SIZE)
    frames = [make_frame(background, heads, rng) for _ in range(args.frames)]

    found, milliseconds = search(frames, model)
    shifted = [np.roll(frame, (1, 1), (0, 1)) for frame in frames]
    detect.MOST_PARTS = -1.0  # no parts: scan the whole frame
    whole, whole_milliseconds = search(frames, model)
    missed = sum(map(count_missing, whole, found))
    more = sum(map(count_missing, found, whole))
    print(
        f"{len(frames)} frames, {sum(map(len, whole))} faces in scans of whole frames: {missed} missed, {more} more"
    )
    print(
        f"{milliseconds:.1f} ms of processor time a frame, {whole_milliseconds:.1f} for scans of whole frames"
    )

    print(f"boxes differ from those in scans of whole frames by {measure_moves(whole, found)}")
    print(
        f"a shift of the frame by a pixel moves them by {measure_moves(whole, search(shifted, model)[0], 1)}"
    )

    right = sum(
        find_turn([turn(photo, -turned % 360)], model) == turned for photo in photos for turned in TURNS
    )
    print(f"turned photos: {right} of {len(TURNS) * len(photos)} right")


if __name__ == "__main__":
    main()
