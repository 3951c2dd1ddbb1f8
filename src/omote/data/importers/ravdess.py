"""RAVDESS (Livingstone and Russo, 2018): videos of actors who speak and sing with acted emotions."""

import re
from pathlib import Path, PurePosixPath

from omote.data.build import Skipped
from omote.data.clips import Clip, File, Importer, Listing, sort_clips
from omote.data.images import VIDEO_SUFFIXES
from omote.data.importers.folder import find_files
from omote.data.importers.sequences import FRAME_RULE, TRAIN_FRAMES, find_root
from omote.errors import OmoteError

# Fields: modality, channel, emotion, intensity, statement, repetition, actor.
NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
PICTURE, SOUND = "02", "03"  # modalities: picture only, sound only; 01 has both
CHANNELS = {"01": "speech", "02": "song"}
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "kids", "02": "dogs"}  # "Kids are talking by the door", "Dogs are sitting by the door"
EXPECTED = "videos such as Actor_01/02-01-06-01-02-01-12.mp4, in it or in any of its subfolders"


def list_ravdess(path: str | Path, *, train_frames: int = TRAIN_FRAMES) -> Listing:
    """Return the recordings of RAVDESS in the folder `path` and its subfolders, each a clip for training only:

        Actor_01/02-01-06-01-02-01-12.mp4      modality-channel-emotion-intensity-statement-repetition-actor;
                                               subject Actor_12, clip "speech-fear-normal-dogs-1"

    Only the file names count, so Video_Speech_Actor_01/Actor_01 of the published archives works as well. If a recording
    is there with sound (modality 01) and without (02), or twice, one video is taken, without sound if possible; the
    others are skipped with the reason, as are sound only (03) and other names.

    `train_frames` of each video are taken at equal intervals, including the first and the last. They get no expression:
    the emotion that a clip acts out does not hold for each frame, such as at the start or between words, and the paper
    scores none of them. It is kept in the further columns channel, emotion, intensity, statement and repetition.

    Raises:
        OmoteError: If there is no such video, or `train_frames` is below 2.
    """
    if train_frames < 2:
        raise OmoteError(
            f"train_frames is {train_frames}; expected at least 2, the first and the last of a video."
        )

    def has_recordings(folder: Path) -> bool:
        return folder == Path(path) and any(
            isinstance(_parse_name(file, train_frames), Clip) for file in find_files(folder, [])
        )

    root = find_root(path, has_recordings, EXPECTED)
    skipped: list[Skipped] = []
    clips: dict[tuple[str, str], Clip] = {}
    for file in sorted(
        find_files(root, skipped), key=lambda file: not PurePosixPath(file).name.startswith(PICTURE)
    ):
        found = _parse_name(file, train_frames)
        if isinstance(found, Clip):
            kept = clips.setdefault((found.subject, found.name), found).files[0].path
            found = "" if kept == file else f"the same recording again: as {kept}"
        if found:
            skipped.append(Skipped(source=file, frame=None, reason=found))
    return Listing(root, sort_clips(clips.values()), skipped)


def _parse_name(file: str, train_frames: int) -> Clip | str:
    """Return the clip that a file's name describes, or the reason why it is not one of the videos."""
    match = NAME.fullmatch(PurePosixPath(file).stem)
    if match and match[1] == SOUND:
        return "sound alone: modality 03"
    if match is None or PurePosixPath(file).suffix.lower() not in VIDEO_SUFFIXES:
        return "name does not fit: expected such as Actor_01/02-01-06-01-02-01-12.mp4"
    _, channel, emotion, intensity, statement, repetition, actor = match.groups()
    further = {
        "channel": CHANNELS[channel],
        "emotion": EMOTIONS[emotion],
        "intensity": INTENSITIES[intensity],
        "statement": STATEMENTS[statement],
        "repetition": repetition[1:],
    }
    video = File(file, use="train", further=tuple(further.items()), is_clip=True, count=train_frames)
    return Clip(f"Actor_{actor}", "-".join(further.values()), (video,))


RAVDESS = Importer(
    list_ravdess,
    "RAVDESS: videos of actors who speak and sing with an emotion; for training only, as in the paper.\n\n"
    "Expects Actor_01/02-01-06-01-02-01-12.mp4. Free at https://zenodo.org/records/1188976.",
    "RAVDESS: CC BY-NC-SA 4.0, not for commercial use (https://zenodo.org/records/1188976); cite Livingstone and "
    "Russo, 2018.",
    {"subjects": 24, "clips": 2452},  # 24 x 60 of speech; 23 x 44 of song, as actor 18 has none
    options={"train_frames": FRAME_RULE["train_frames"]},
)
