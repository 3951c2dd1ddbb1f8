"""MUG (Aifanti et al., 2010): sequences from neutral to the apex of an expression and back to neutral."""

from collections.abc import Mapping
from pathlib import Path

from omote.data.build import Skipped
from omote.data.clips import Clip, Importer, Listing, natural_order, sort_clips
from omote.data.importers.sequences import (
    EVALUATE_FRAMES,
    EXPRESSIONS,
    FRAME_RULE,
    PHOTO,
    TRAIN_FRAMES,
    equal_intervals,
    find_root,
    find_sequences,
    middle_frames,
    select_files,
)
from omote.errors import OmoteError

EXPECTED = "001/anger/take000/img_0000.jpg (subject, expression, take, frame)"


TAKES = 1  # evaluated; the paper's 2,037 images are 3 each of 679 sequences: 327 of CK+, and 352 takes of MUG


def list_mug(
    path: str | Path,
    *,
    train_frames: int = TRAIN_FRAMES,
    evaluate_frames: int = EVALUATE_FRAMES,
    takes: int = TAKES,
) -> Listing:
    """Return the sequences of MUG in the folder `path`:

        001/anger/take000/img_0000.jpg           a subject's folder may hold another one of the same name

    `train_frames` of each sequence, at equal intervals, are for training. Of each person and expression, "neutral"
    included, the middle `evaluate_frames` of `takes` takes are for evaluation, at the apex: of the first takes that are
    whole, that is without a gap in their frame numbers and with `train_frames` frames or more. If too few are whole,
    the longest of the others follow. `takes` = 0 evaluates all. Folders of other expressions, such as mixed ones, are
    for training only. A clip is called "anger/take000"; `frame` counts from the first frame of the take.

    Raises:
        OmoteError: If the folder has another layout, or a number is too small.
    """
    if takes < 0:
        raise OmoteError(
            f"takes is {takes}; expected the takes of an expression to evaluate on, or 0 for all."
        )
    root = find_root(path, _is_root, EXPECTED)
    skipped: list[Skipped] = []
    # The archives of some subjects unpack to 001/001/anger.
    pattern = rf"([^/]+)/(?:\1/)?([^/]+)/(take\d+)/img_(\d+){PHOTO}"
    sequences = find_sequences(root, pattern, EXPECTED, skipped)
    evaluated = _choose_takes(sequences, takes, train_frames)
    clips = []
    for (subject, folder, take), photos in sequences.items():
        expression = EXPRESSIONS.get(folder.lower()) if (subject, folder, take) in evaluated else None
        train = equal_intervals(len(photos), train_frames)
        evaluate = middle_frames(len(photos), evaluate_frames) if expression else ()
        files = select_files(photos, min(photos), train, evaluate, expression)
        clips.append(Clip(subject, f"{folder}/{take}", files))
    return Listing(root, sort_clips(clips), skipped)


def _choose_takes(
    sequences: Mapping[tuple[str, ...], Mapping[int, str]], takes: int, frames: int
) -> set[tuple[str, ...]]:
    """Return the keys of the takes to evaluate on; of every person and expression at most `takes`, or all for 0."""

    def order(key: tuple[str, ...]) -> tuple[bool, int, list[tuple[int, int, str]]]:
        numbers = sequences[key]
        whole = len(numbers) >= frames and max(numbers) - min(numbers) + 1 == len(numbers)
        return not whole, 0 if whole else -len(numbers), natural_order(key[2])

    of_expression: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for key in sorted(sequences, key=order):
        of_expression.setdefault((key[0], key[1].lower()), []).append(key)
    return {key for keys in of_expression.values() for key in (keys[:takes] if takes else keys)}


def _is_root(root: Path) -> bool:
    return any(root.glob("*/*/take*")) or any(
        take.parts[-4] == take.parts[-3] for take in root.glob("*/*/*/take*")
    )


MUG = Importer(
    list_mug,
    "MUG: sequences from neutral to an expression and back.\n\n"
    "Expects 001/anger/take000/img_0000.jpg. Ask for the images at https://mug.ee.auth.gr/fed.",
    "MUG: under the agreement that the Multimedia Understanding Group, Aristotle University of Thessaloniki, asks for "
    "(https://mug.ee.auth.gr/fed); what it says of the images holds for these faces too.",
    {"subjects": 52, "clips": 1462},  # of 86 recorded: those available to people outside
    options={**FRAME_RULE, "takes": "Takes of each person and expression to evaluate on; 0 for all."},
)
