"""CK+, the Extended Cohn-Kanade data set (Lucey et al., 2010): sequences from neutral to the apex of an expression."""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

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
    last_frames,
    select_files,
)
from omote.errors import OmoteError

# The archives are unpacked either as they are, or into folders named after the archives.
IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images")
LABELS = ("Emotion", "Emotion_labels/Emotion")
SUBFOLDERS = {name for folder in IMAGES for name in folder.split("/")}
EMOTIONS: dict[float, str] = dict(
    enumerate(("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"), start=1)
)
EXPECTED = (
    "cohn-kanade-images/S005/001/S005_001_00000001.png and Emotion/S005/001/S005_001_00000011_emotion.txt, "
    "or the faces cut out, as anger/S010_004_00000017.png"
)


def list_ckplus(
    path: str | Path, *, train_frames: int = TRAIN_FRAMES, evaluate_frames: int = EVALUATE_FRAMES
) -> Listing:
    """Return the sequences of CK+ in the folder `path`, as published or as faces cut out:

        cohn-kanade-images/S005/001/S005_001_00000001.png          in extended-cohn-kanade-images/ or not
        Emotion/S005/001/S005_001_00000011_emotion.txt             in Emotion_labels/ or not
        anger/S010_004_00000017.png                                the flat form: faces, by expression; some
        neutral/S010_004_00000001.png                              copies have the first frames, too

    `train_frames` of each sequence, at equal intervals, are for training; the last `evaluate_frames` of each sequence
    with an emotion file (327 of 593) are for evaluation. The flat form has the last three frames of the labelled
    sequences, so all of them are for both; if two folders hold frames of one sequence, these are two clips, called
    004/anger and 004/neutral. `frame` is the number in the file's name, less 1.

    An emotion file that is damaged, or whose frame is missing, is skipped with the reason, and its sequence is for
    training only.

    Raises:
        OmoteError: If neither form is found, or images without emotion files.
    """
    path = Path(path)
    while path.name in SUBFOLDERS:
        path = path.parent
    root = find_root(path, lambda folder: _find_one(folder, IMAGES) is not None or _is_flat(folder), EXPECTED)
    images = _find_one(root, IMAGES)
    if images is None:
        return _list_flat(root, train_frames, evaluate_frames)
    labels_folder = _find_one(root, LABELS)
    if labels_folder is None:
        raise OmoteError(
            f"{images} has the images of CK+, but {root} has no emotion files: looked for {' and '.join(LABELS)}. "
            "Unpack Emotion_labels.zip there."
        )
    skipped: list[Skipped] = []
    labels = _read_labels(labels_folder, skipped)
    sequences = find_sequences(
        images, rf"(S\d{{3}})/(\d{{3}})/\1_\2_(\d{{8}}){PHOTO}", "S005/001/S005_001_00000001.png", skipped
    )
    clips = []
    for key, photos in sequences.items():
        label = labels.pop(key, None)
        if label and label.frame not in photos:
            reason = f"label not used: its frame is not there, the last one is {max(photos)}"
            skipped.append(Skipped(source=label.source, frame=None, reason=reason))
            label = None
        train = equal_intervals(len(photos), train_frames)
        up_to_apex = sum(number <= label.frame for number in photos) if label else 0
        evaluate = last_frames(up_to_apex, evaluate_frames)
        subject, name = key
        files = select_files(photos, 1, train, evaluate, label and label.expression)
        clips.append(Clip(subject, name, files))
    for label in labels.values():
        skipped.append(Skipped(source=label.source, frame=None, reason="label not used: no images of it"))
    return Listing(images, clips, skipped)


def _list_flat(root: Path, train_frames: int, evaluate_frames: int) -> Listing:
    skipped: list[Skipped] = []
    pattern = rf"((?i:{'|'.join(EXPRESSIONS)}))/(S\d{{3}})_(\d{{3}})_(\d{{8}}){PHOTO}"
    sequences = find_sequences(root, pattern, "anger/S010_004_00000017.png", skipped)
    clips = []
    folders = Counter(key[1:] for key in sequences)
    for (word, subject, name), photos in sequences.items():
        train = equal_intervals(len(photos), train_frames)
        evaluate = last_frames(len(photos), evaluate_frames)
        files = select_files(photos, 1, train, evaluate, EXPRESSIONS[word.lower()])
        several = folders[subject, name] > 1
        clips.append(Clip(subject, f"{name}/{word}" if several else name, files))
    return Listing(root, sort_clips(clips), skipped, cropped=True)


def _find_one(root: Path, names: tuple[str, ...]) -> Path | None:
    found = [root / name for name in names if (root / name).is_dir()]
    if len(found) > 1:
        raise OmoteError(f"{root} has both {' and '.join(names)}. Move one of them away.")
    return found[0] if found else None


def _is_flat(root: Path) -> bool:
    return any(
        re.fullmatch(rf"S\d{{3}}_\d{{3}}_\d{{8}}{PHOTO}", file.name)
        for folder in root.iterdir()
        if folder.name.lower() in EXPRESSIONS and folder.is_dir()
        for file in folder.iterdir()
    )


class _Label(NamedTuple):
    """An emotion file."""

    expression: str
    frame: int  # number of the frame it labels: the apex, which is the last of its sequence
    source: str


def _read_labels(folder: Path, skipped: list[Skipped]) -> dict[tuple[str, ...], _Label]:
    labels: dict[tuple[str, ...], _Label] = {}
    for file in sorted(folder.rglob("*.txt")):
        path = file.relative_to(folder).as_posix()
        if file.name.startswith("."):
            continue
        match = re.fullmatch(r"(S\d{3})/(\d{3})/\1_\2_(\d{8})_emotion\.txt", path)
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        expression = _expression(text)
        source = f"{folder.name}/{path}"
        if match is None:
            reason = "name does not fit: expected such as S005/001/S005_001_00000011_emotion.txt"
        elif expression is None:
            reason = f"label not used: {text[:20]!r} is none of the numbers 1 to {len(EMOTIONS)}"
        elif match.groups()[:2] in labels:
            reason = f"label not used: as {labels[match.groups()[:2]].source} is there"
        else:
            labels[match.groups()[:2]] = _Label(expression, int(match[3]), source)
            continue
        skipped.append(Skipped(source=source, frame=None, reason=reason))
    return labels


def _expression(text: str) -> str | None:
    try:
        return EMOTIONS.get(float(text))  # "   3.0000000e+00"
    except ValueError:
        return None


CKPLUS = Importer(
    list_ckplus,
    "CK+: sequences from neutral to an expression.\n\n"
    "Expects cohn-kanade-images/S005/001/S005_001_00000001.png and Emotion/S005/001/S005_001_00000011_emotion.txt, as "
    "the archives unpack; or the form that circulates with faces cut out, anger/S010_004_00000017.png. Ask for the "
    "images at https://www.jeffcohn.net/Resources.",
    "CK+: under the agreement that its authors ask for (https://www.jeffcohn.net/Resources); what it says of the "
    "images holds for these faces too.",
    {"subjects": 123, "clips": 593, "labelled clips": 327},
    options=FRAME_RULE,
)
