"""What the importers of published data sets share: the right folder, its sequences, and the paper's frame rule.

Paper, section 4: trained on frames at equal intervals of every sequence, so that half-way expressions are there;
evaluated on the frames that show the labelled expression.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from omote.data.build import Skipped
from omote.data.clips import Clip, File, natural_order
from omote.data.importers.folder import media_files
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError

# Of each sequence. All 593 of CK+, 1,462 of MUG and 2,452 of RAVDESS are 4,507; with 195 of 202 people in training,
# 7 frames of each make 30,456 (6 make 26,105), the multiple nearest to the paper's 29,085.
TRAIN_FRAMES = 7
EVALUATE_FRAMES = 3  # the greatest common divisor of the paper's 1,842 and 195 evaluation frames
# A folder's word -> ours, one an expression over all data sets, the drawn faces included.
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
PHOTO = r"\.(?i:png|jpe?g|tiff?|bmp)"  # how the photos of these data sets end
SHOWN = 6  # names of a folder that a message lists


def equal_intervals(count: int, chosen: int) -> list[int]:
    """Return which `chosen` of `count` frames to train on: the first, the last and between them at equal intervals.

    All of them where there are no more. Halves are rounded up.

    Raises:
        OmoteError: If `chosen` is below 2.
    """
    if chosen < 2:
        raise OmoteError(
            f"train_frames is {chosen}; expected at least 2, the first and the last of a sequence."
        )
    return evenly_spaced(count, chosen)


def last(count: int, chosen: int) -> range:
    """Return the last `chosen` of `count` frames, all where there are no more; OmoteError if `chosen` is below 1."""
    _check_evaluated(chosen)
    return range(max(0, count - chosen), count)


def middle(count: int, chosen: int) -> range:
    """Return the middle `chosen` of `count` frames; the earlier ones of two possibilities. Else as `last`."""
    _check_evaluated(chosen)
    start = max(0, (count - chosen) // 2)
    return range(start, min(count, start + chosen))


def _check_evaluated(chosen: int) -> None:
    if chosen < 1:
        raise OmoteError(f"evaluate_frames is {chosen}; expected at least 1.")


def chosen_files(
    photos: Mapping[int, str],
    first: int,
    train: Collection[int],
    evaluate: Collection[int],
    expression: str | None,
) -> tuple[File, ...]:
    """Return the files of a sequence that are trained or evaluated on, in order; the others are left out.

    The expression is given to the evaluation frames alone: a frame half-way there does not show it.

    Args:
        photos: number of a frame -> its file.
        first: the number of a sequence's first frame.
        train, evaluate: which of the photos, counted from 0 in order of their numbers.
    """
    files = []
    for place, number in enumerate(sorted(photos)):
        trained, evaluated = place in train, place in evaluate
        if trained or evaluated:
            use = "both" if trained and evaluated else "train" if trained else "evaluate"
            shown = expression if evaluated else None
            files.append(File(photos[number], shown, use, frame=number - first))
    return tuple(files)


def find_sequences(
    root: Path, pattern: str, expected: str, skipped: list[Skipped]
) -> dict[tuple[str, ...], dict[int, str]]:
    """Return the sequences below `root`: what tells each apart -> number of a frame -> its file, relative to root.

    Args:
        pattern: of a file's path; its last group is the number, the groups before tell the sequence.
        expected: a path that fits, for the reason of those that do not.
        skipped: what does not fit, or is a frame again, is added here.
    """
    sequences: dict[tuple[str, ...], dict[int, str]] = defaultdict(dict)
    for path in media_files(root, skipped):
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


def in_order(clips: list[Clip]) -> list[Clip]:
    """Return the clips by subject, then by name; 9 before 10."""
    return sorted(clips, key=lambda clip: (natural_order(clip.subject), natural_order(clip.name)))


def find_root(path: str | Path, is_root: Callable[[Path], bool], expected: str) -> Path:
    """Return the folder of a data set: `path`, or the one folder in it that is laid out so.

    Raises:
        OmoteError: If there is none or several, saying what was looked for (`expected`) and what was found.
    """
    path = Path(path)
    if not path.exists():
        raise OmoteError(f"There is no folder {path}. Check the path.")
    if not path.is_dir():
        raise OmoteError(f"{path} is a file; expected a folder with {expected}. Unpack an archive first.")
    if is_root(path):
        return path

    def is_one(folder: Path) -> bool:
        try:
            return is_root(folder)
        except OSError:  # may not be read, so it is not what was meant
            return False

    names = sorted(
        (entry.name for entry in path.iterdir() if not entry.name.startswith(".")), key=natural_order
    )
    inside = [path / name for name in names if (path / name).is_dir() and is_one(path / name)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise OmoteError(
            f"{path} has several such folders: {_some([root.name for root in inside])}. Give one."
        )
    hint = "Check the path."
    above = [folder for folder in path.resolve().parents[:3] if is_one(folder)]
    if above:
        hint = f"It is a part of {above[0]}: give that folder."
    elif any(name.lower().endswith((".zip", ".tar", ".gz", ".rar", ".7z")) for name in names):
        hint = "Unpack the archives there first."
    raise OmoteError(f"Looked in {path} for {expected}; found {_some(names)}. {hint}")


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "") or "nothing"
