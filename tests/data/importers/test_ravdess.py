from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from omote.data.clips import Clip
from omote.data.importers.ravdess import RAVDESS, list_ravdess
from omote.data.prepare import prepare_dataset
from omote.errors import OmoteError


def write_video(file: Path, frames: int = 20) -> Path:
    """Write grey frames, each 10 brighter than the last."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", Fraction(1, 30)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def touch(root: Path, *paths: str) -> Path:
    """Make empty files: the listing reads only names."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def further(clip: Clip) -> dict[str, str]:
    return dict(clip.files[0].further)


def test_the_fields_of_a_name_become_subject_clip_and_columns(tmp_path: Path) -> None:
    touch(tmp_path, "Actor_12/02-01-06-01-02-01-12.mp4", "Actor_03/01-02-02-02-01-02-03.mp4")
    song, speech = list_ravdess(tmp_path).clips
    assert (speech.subject, speech.name) == ("Actor_12", "speech-fear-normal-dogs-1")
    assert further(speech) == {
        "channel": "speech", "emotion": "fear", "intensity": "normal", "statement": "dogs", "repetition": "1"
    }  # fmt: skip
    assert (song.subject, song.name) == ("Actor_03", "song-calm-strong-kids-2")
    assert [(file.expression, file.use, file.count) for file in speech.files] == [(None, "train", 7)]


def test_the_emotions_have_the_same_words_as_in_other_data_sets(tmp_path: Path) -> None:
    touch(tmp_path, *(f"Actor_01/02-01-0{code}-01-01-01-01.mp4" for code in range(1, 9)))
    words = {clip.files[0].path[15:17]: further(clip)["emotion"] for clip in list_ravdess(tmp_path).clips}
    assert words == {
        "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness",
        "05": "anger", "06": "fear", "07": "disgust", "08": "surprise",
    }  # fmt: skip


def test_the_folders_of_the_archives_are_optional(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "Video_Speech_Actor_01/Actor_01/02-01-01-01-01-01-01.mp4",
        "Video_Song_Actor_01/Actor_01/02-02-01-01-01-01-01.mp4",
        "Actor_02/02-01-01-01-01-01-02.mp4",
        "02-01-01-01-01-01-03.mp4",
    )
    listing = list_ravdess(tmp_path)
    assert [(clip.subject, clip.name.partition("-")[0]) for clip in listing.clips] == [
        ("Actor_01", "song"),
        ("Actor_01", "speech"),
        ("Actor_02", "speech"),
        ("Actor_03", "speech"),
    ]
    assert listing.skipped == []


@pytest.mark.parametrize("sound_first", [True, False])
def test_a_recording_without_sound_is_preferred_to_one_with_sound(tmp_path: Path, sound_first: bool) -> None:
    folders = ("A", "B") if sound_first else ("B", "A")
    with_sound, without = f"{folders[0]}/01-01-03-01-01-01-05.mp4", f"{folders[1]}/02-01-03-01-01-01-05.mp4"
    touch(tmp_path, with_sound, without, "C/02-01-03-01-01-01-05.mp4", "C/01-01-03-01-01-02-05.mp4")
    listing = list_ravdess(tmp_path)
    assert [clip.files[0].path for clip in listing.clips] == [without, "C/01-01-03-01-01-02-05.mp4"]
    reasons = {row["source"]: row["reason"] for row in listing.skipped}
    expected = f"the same recording again: as {without}"
    assert reasons == {with_sound: expected, "C/02-01-03-01-01-01-05.mp4": expected}


def test_other_names_and_sound_only_are_skipped_with_the_reason(tmp_path: Path) -> None:
    odd = [
        "Actor_01/02-01-09-01-01-01-01.mp4",  # no such emotion
        "Actor_25/02-01-01-01-01-01-25.mp4",  # no such actor
        "Actor_01/02-01-01-01-01-01.mp4",
        "Actor_01/02-01-01-01-01-01-01.jpg",
    ]
    sound = ["Actor_01/03-01-01-01-01-01-01.mp4", "Actor_01/03-01-01-01-01-01-01.wav"]
    touch(tmp_path, "Actor_01/02-01-01-01-01-01-01.mp4", *sound, *odd)
    listing = list_ravdess(tmp_path)
    assert len(listing.clips) == 1
    reasons = {row["source"]: row["reason"].partition(":")[0] for row in listing.skipped}
    assert reasons == {**dict.fromkeys(odd, "name does not fit"), **dict.fromkeys(sound, "sound alone")}


def test_the_published_names_give_the_published_counts(tmp_path: Path) -> None:
    for actor in range(1, 25):
        for channel, emotions in (("01", range(1, 9)), ("02", range(1, 7))):
            if (channel, actor) == ("02", 18):
                continue
            for emotion in emotions:
                for strength in (1,) if emotion == 1 else (1, 2):  # neutral is not strong
                    for statement in (1, 2):
                        for repetition in (1, 2):
                            code = f"{channel}-0{emotion}-0{strength}-0{statement}-0{repetition}-{actor:02}"
                            touch(
                                tmp_path, f"Actor_{actor:02}/01-{code}.mp4", f"Actor_{actor:02}/02-{code}.mp4"
                            )
    listing = list_ravdess(tmp_path)
    counts = listing.counts()
    assert {name: counts[name] for name in RAVDESS.published} == RAVDESS.published
    assert len(listing.skipped) == 2452


def test_a_face_set_has_frames_from_the_first_to_the_last_of_each_video(tmp_path: Path) -> None:
    write_video(tmp_path / "ravdess" / "Actor_01" / "02-01-03-02-01-01-01.mp4", 20)
    write_video(tmp_path / "ravdess" / "Actor_01" / "01-01-03-02-01-01-01.mp4", 20)
    write_video(tmp_path / "ravdess" / "Actor_02" / "02-02-05-01-02-02-02.mp4", 3)
    options: dict[str, Any] = {"cropped": True, "workers": 1}
    face_set = prepare_dataset("ravdess", tmp_path / "ravdess", tmp_path / "set", train_frames=5, **options)
    frames = face_set.frames
    assert frames["subject"].tolist() == ["Actor_01"] * 5 + ["Actor_02"] * 3
    assert frames["frame"].tolist() == [0, 5, 10, 14, 19, 0, 1, 2]  # of 20: 4.75 apart
    assert frames["time"].tolist() == pytest.approx((frames["frame"] / 30).tolist(), abs=1e-3)
    brightness = face_set.faces.mean(axis=(1, 2, 3))
    assert np.abs(brightness - 10 * frames["frame"]).max() < 3
    assert set(frames["use"]) == {"train"}
    assert frames["expression"].isna().all()
    assert frames["emotion"].tolist() == ["happiness"] * 5 + ["anger"] * 3
    assert face_set.about.options["train_frames"] == 5
    assert face_set.about.found == {"subjects": 2, "clips": 2}
    assert face_set.about.published == {"subjects": 24, "clips": 2452}
    assert face_set.skipped()["source"].tolist() == ["Actor_01/01-01-03-02-01-01-01.mp4"]


def test_a_damaged_video_is_skipped_and_the_others_are_kept(tmp_path: Path) -> None:
    write_video(tmp_path / "ravdess" / "02-01-01-01-01-01-01.mp4")
    (tmp_path / "ravdess" / "02-01-01-01-01-02-01.mp4").write_bytes(b"dear diary")
    face_set = prepare_dataset("ravdess", tmp_path / "ravdess", tmp_path / "set", cropped=True, workers=1)
    assert len(face_set) == 7
    assert face_set.skipped()["source"].tolist() == ["02-01-01-01-01-02-01.mp4"]


def test_a_wrong_folder_is_refused_with_what_was_expected_and_found(tmp_path: Path) -> None:
    touch(tmp_path, "sound/Actor_01/03-01-01-01-01-01-01.wav", "sound/Actor_02/03-01-01-01-01-01-02.wav")
    touch(tmp_path, "zipped/Video_Speech_Actor_01.zip")
    looked = r"Looked in .* for videos such as Actor_01/02-01-06-01-02-01-12\.mp4"
    with pytest.raises(OmoteError, match=looked + r".*found Actor_01, Actor_02"):
        list_ravdess(tmp_path / "sound")
    with pytest.raises(OmoteError, match=looked + r".*found Video_Speech_Actor_01\.zip.*Unpack"):
        list_ravdess(tmp_path / "zipped")
    with pytest.raises(OmoteError, match="There is no folder"):
        list_ravdess(tmp_path / "other")
    with pytest.raises(OmoteError, match="train_frames is 1; expected at least 2"):
        list_ravdess(tmp_path / "sound", train_frames=1)
