"""MUG (Aifanti et al., 2010): sequences from neutral to the apex of an expression and back to neutral."""

from pathlib import Path

from omote.data.build import Skipped
from omote.data.clips import Clip, Importer, Listing
from omote.data.importers.sequences import (
    EVALUATE_FRAMES,
    EXPRESSIONS,
    PHOTO,
    TRAIN_FRAMES,
    chosen_files,
    equal_intervals,
    find_root,
    find_sequences,
    in_order,
    middle,
)

EXPECTED = "001/anger/take000/img_0000.jpg (subject, expression, take, frame)"


def list_mug(
    path: str | Path, *, train_frames: int = TRAIN_FRAMES, evaluate_frames: int = EVALUATE_FRAMES
) -> Listing:
    """Return the sequences of MUG in the folder `path`:

        001/anger/take000/img_0000.jpg           a subject's folder may hold another one of the same name

    Trained on `train_frames` of each sequence at equal intervals; evaluated on the middle `evaluate_frames`, where
    the apex is, "neutral" included. Folders that name no expression of ours, as mixed ones, are for training alone.
    A clip is "anger/take000"; `frame` counts from the first frame of the take.

    Raises:
        OmoteError: If the folder is not laid out so.
    """
    root = find_root(path, _is_root, EXPECTED)
    skipped: list[Skipped] = []
    # archives of some subjects unpack to 001/001/anger
    pattern = rf"([^/]+)/(?:\1/)?([^/]+)/(take\d+)/img_(\d+){PHOTO}"
    clips = []
    for (subject, folder, take), photos in find_sequences(root, pattern, EXPECTED, skipped).items():
        expression = EXPRESSIONS.get(folder.lower())
        train = equal_intervals(len(photos), train_frames)
        evaluate = middle(len(photos), evaluate_frames) if expression else ()
        files = chosen_files(photos, min(photos), train, evaluate, expression)
        clips.append(Clip(subject, f"{folder}/{take}", files))
    return Listing(root, in_order(clips), skipped)


def _is_root(root: Path) -> bool:
    return any(root.glob("*/*/take*")) or any(
        take.parts[-4] == take.parts[-3] for take in root.glob("*/*/*/take*")
    )


MUG = Importer(
    list_mug,
    {"subjects": 52, "clips": 1462},  # of 86 recorded: those that are given to people outside
    "MUG: under the agreement that the Multimedia Understanding Group, Aristotle University of Thessaloniki, asks for "
    "(https://mug.ee.auth.gr/fed); what it says of the images holds for these faces too.",
)
