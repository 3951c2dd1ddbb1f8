"""Shared by the importers of published data sets: finding the folder and its sequences, and the paper's frame rule.

Paper, section 4: trained on frames at equal intervals of every sequence, so that intermediate expressions are included;
evaluated on the frames that show the labelled expression.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from omote.data.addresses import missing_folder
from omote.data.build import Skipped
from omote.data.clips import File, natural_order
from omote.data.importers.folder import find_files
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

# Frames per sequence. The 593 sequences of CK+, 1,462 of MUG and 2,452 of RAVDESS are 4,507; with 195 of 202 people in
# training, 7 frames of each make 30,456 (6 make 26,105), the nearest to the paper's 29,085.
TRAIN_FRAMES = 7
EVALUATE_FRAMES = 3  # the greatest common divisor of the paper's 1,842 and 195 evaluation frames
FRAME_RULE = {  # help of the options
    "train_frames": "Frames of each sequence to train on, at equal intervals.",
    "evaluate_frames": "Frames of each sequence to evaluate on, at its apex.",
}
# Name of a folder -> our word: one word per expression over all data sets, synthetic faces included.
EXPRESSIONS = {
    "anger": "anger",
    "angry": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happiness",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "sadness": "sadness",
    "surprise": "surprise",
}
PHOTO = r"\.(?i:png|jpe?g|tiff?|bmp)"  # suffixes of the photos of these data sets
MOST_NAMES = 6  # in a message


def equal_intervals(count: int, chosen: int) -> list[int]:
    """Return `chosen` of `count` frames to train on: the first, the last, and between them at equal intervals.

    All of them if there are no more. Halves are rounded up.

    Raises:
        OmoteError: If `chosen` is below 2.
    """
    if chosen < 2:
        raise OmoteError(
            f"train_frames is {chosen}; expected at least 2, the first and the last of a sequence."
        )
    return evenly_spaced(count, chosen)


def last_frames(count: int, chosen: int) -> range:
    """Return the last `chosen` of `count` frames, or all if there are no more; OmoteError if `chosen` is below 1."""
    _check_evaluate_frames(chosen)
    return range(max(0, count - chosen), count)


def middle_frames(count: int, chosen: int) -> range:
    """Return the middle `chosen` of `count` frames, the earlier ones if two choices are possible; else as the last."""
    _check_evaluate_frames(chosen)
    start = max(0, (count - chosen) // 2)
    return range(start, min(count, start + chosen))


def _check_evaluate_frames(chosen: int) -> None:
    if chosen < 1:
        raise OmoteError(f"evaluate_frames is {chosen}; expected at least 1.")


def select_files(
    photos: Mapping[int, str],
    first: int,
    train: Collection[int],
    evaluate: Collection[int],
    expression: str | None,
) -> tuple[File, ...]:
    """Return the files of a sequence that are trained or evaluated on, in order.

    Only evaluation frames get the expression: a frame half-way to the apex does not show it.

    Args:
        photos: frame number -> file.
        first: the number of the sequence's first frame.
        train, evaluate: which of the photos, counted from 0 in the order of their numbers.
    """
    files = []
    for index, number in enumerate(sorted(photos)):
        trained, evaluated = index in train, index in evaluate
        if trained or evaluated:
            use = "both" if trained and evaluated else "train" if trained else "evaluate"
            files.append(File(photos[number], expression if evaluated else None, use, frame=number - first))
    return tuple(files)


def find_sequences(
    root: Path, pattern: str, expected: str, skipped: list[Skipped]
) -> dict[tuple[str, ...], dict[int, str]]:
    """Return the sequences below `root`: key of the sequence -> frame number -> file, relative to root.

    Args:
        pattern: of a file's path; its last group is the frame number, the other groups are the key.
        expected: a path that matches, for the reason of those that do not.
        skipped: files that do not match, or that repeat a frame, are added here.
    """
    sequences: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    for path in find_files(root, skipped):
        match = re.fullmatch(pattern, path)
        if match is None:
            reason = f"name does not fit: expected such as {expected}"
            skipped.append(Skipped(source=path, frame=None, reason=reason))
            continue
        *key, number = match.groups()
        kept = sequences[tuple(key)].setdefault(int(number), path)
        if kept != path:
            skipped.append(Skipped(source=path, frame=None, reason=f"the same frame again: as {kept}"))
    return dict(sequences)


def find_root(path: str | Path, is_root: Callable[[Path], bool], expected: str) -> Path:
    """Return the folder of a data set: `path`, or the one folder in it with the expected layout.

    Raises:
        OmoteError: If there is none, or several; it says what was expected (`expected`) and what was found.
    """
    path = Path(path)
    if not path.exists():
        raise missing_folder(path)
    if not path.is_dir():
        raise OmoteError(f"{path} is a file; expected a folder with {expected}. Unpack an archive first.")
    if is_root(path):
        return path

    def is_readable_root(folder: Path) -> bool:
        try:
            return is_root(folder)
        except OSError:  # no permission to read, so it was not meant
            return False

    names = sorted(
        (entry.name for entry in path.iterdir() if not entry.name.startswith(".")), key=natural_order
    )
    inside = [path / name for name in names if (path / name).is_dir() and is_readable_root(path / name)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise OmoteError(
            f"{path} has several such folders: {_join_names([root.name for root in inside])}. Give one."
        )
    hint = "Check the path."
    above = [folder for folder in path.resolve().parents[:3] if is_readable_root(folder)]
    if above:
        hint = f"It is a part of {above[0]}: give that folder."
    elif any(name.lower().endswith((".zip", ".tar", ".gz", ".rar", ".7z")) for name in names):
        hint = "Unpack the archives there first."
    raise OmoteError(f"Looked in {path} for {expected}; found {_join_names(names)}. {hint}")


def _join_names(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "") or "nothing"
