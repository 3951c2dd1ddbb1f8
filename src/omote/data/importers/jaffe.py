"""JAFFE (Lyons et al., 1998): photos of ten Japanese women with posed expressions. Not in the paper."""

import re
from pathlib import Path, PurePosixPath

from omote.data.build import Skipped
from omote.data.clips import Clip, File, Importer, Listing, sort_clips
from omote.data.importers.folder import find_files
from omote.data.importers.sequences import PHOTO, find_root

CODES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
# Subject, expression, repetition, number. Some copies lack dots, have other separators, or have a second suffix.
NAME = re.compile(
    rf"([A-Z]{{2}})[._ -]?({'|'.join(CODES)})[._ -]?(\d)[._ -]?(\d*)(?:\.tiff?)?{PHOTO}", re.IGNORECASE
)
EXPECTED = "KA.AN1.39.tiff (subject, expression and repetition, number)"


def list_jaffe(path: str | Path) -> Listing:
    """Return the photos of JAFFE in the folder `path`, each a clip of its own, for training and evaluation:

        KA.AN1.39.tiff           subject KA, anger, first time: clip "AN1.39"

    Names with missing dots, other suffixes or small letters are accepted. Other names, and photos that are there twice,
    are skipped with the reason.

    Raises:
        OmoteError: If no file in the folder has such a name.
    """
    root = find_root(path, _is_root, EXPECTED)
    skipped: list[Skipped] = []
    clips: dict[tuple[str, str], Clip] = {}
    for file in find_files(root, skipped):
        match = NAME.fullmatch(PurePosixPath(file).name)
        if match is None:
            reason = f"name does not fit: expected such as {EXPECTED}"
            skipped.append(Skipped(source=file, frame=None, reason=reason))
            continue
        subject, code, repetition, number = match.groups()
        subject, code = subject.upper(), code.upper()
        name = f"{code}{repetition}.{number}".rstrip(".")
        clip = clips.setdefault((subject, name), Clip(subject, name, (File(file, CODES[code]),)))
        kept = clip.files[0].path
        if kept != file:
            skipped.append(Skipped(source=file, frame=None, reason=f"the same photo again: as {kept}"))
    return Listing(root, sort_clips(clips.values()), skipped)


def _is_root(root: Path) -> bool:
    return any(NAME.fullmatch(file.name) for file in root.iterdir())


JAFFE = Importer(
    list_jaffe,
    "JAFFE: photos of posed expressions.\n\n"
    "Expects KA.AN1.39.tiff. Ask for the images at https://zenodo.org/records/3451524.",
    "JAFFE: for non-commercial research, on request (https://zenodo.org/records/3451524); its terms hold for these "
    "faces too. Cite Lyons et al., 1998.",
    {"subjects": 10, "files": 213},
)
