"""MUG (Aifanti et al., 2010): sequences from neutral to the apex of an expression and back to neutral."""

from pathlib import Path

from omote.data.build import Skipped
from omote.data.clips import Clip, Importer, Listing, sort_clips
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

EXPECTED = "001/anger/take000/img_0000.jpg (subject, expression, take, frame)"


def list_mug(
    path: str | Path, *, train_frames: int = TRAIN_FRAMES, evaluate_frames: int = EVALUATE_FRAMES
) -> Listing:
    """Return the sequences of MUG in the folder `path`:

        001/anger/take000/img_0000.jpg           a subject's folder may hold another one of the same name

    `train_frames` of each sequence, at equal intervals, are for training; the middle `evaluate_frames`, at the apex,
    are for evaluation, "neutral" included. Folders of other expressions, such as mixed ones, are for training only. A
    clip is called "anger/take000"; `frame` counts from the first frame of the take.

    Raises:
        OmoteError: If the folder has another layout.
    """
    root = find_root(path, _is_root, EXPECTED)
    skipped: list[Skipped] = []
    # The archives of some subjects unpack to 001/001/anger.
    pattern = rf"([^/]+)/(?:\1/)?([^/]+)/(take\d+)/img_(\d+){PHOTO}"
    clips = []
    for (subject, folder, take), photos in find_sequences(root, pattern, EXPECTED, skipped).items():
        expression = EXPRESSIONS.get(folder.lower())
        train = equal_intervals(len(photos), train_frames)
        evaluate = middle_frames(len(photos), evaluate_frames) if expression else ()
        files = select_files(photos, min(photos), train, evaluate, expression)
        clips.append(Clip(subject, f"{folder}/{take}", files))
    return Listing(root, sort_clips(clips), skipped)


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
    options=FRAME_RULE,
)
