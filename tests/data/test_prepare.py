from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from omote.data import prepare as preparing
from omote.data.face_set import Counts, FaceSet
from omote.data.images import read_photo
from omote.data.media import NO_KIND
from omote.data.prepare import prepare
from omote.errors import OmoteError
from omote.synthetic.prepare import prepare_drawn
from tests.data.test_animations import write_animation
from tests.data.test_videos import write_film


def photo(file: Path, value: int = 100, shape: tuple[int, int] = (80, 80)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), value, np.uint8)).save(file)
    return file


def write_video(file: Path, frames: int = 30) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 64, "yuv420p", Fraction(1, 10)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 4 * number, np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def counts_of(face_set: FaceSet) -> Counts:
    assert face_set.about.counts is not None
    return face_set.about.counts


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Photos of ann, a clip and a video of bob, and two files that cannot be read."""
    root = tmp_path / "people"
    for number in range(3):
        photo(root / "ann" / f"{number}.png", 10 * number)
        photo(root / "bob" / "talk" / f"{number + 8}.png", 100 + 10 * number, (90, 70))
    write_video(root / "bob" / "walk.mp4")
    (root / "ann" / "broken.jpg").write_bytes(b"dear diary")
    (root / "bob" / "broken.mp4").write_bytes(b"dear diary")
    return root


def prepare_cropped(path: Path, to: Path, **changes: Any) -> FaceSet:
    return prepare(path, to, **{"cropped": True, "workers": 1, **changes})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_photos_clips_and_videos_become_one_face_set(people: Path, tmp_path: Path) -> None:
    face_set = prepare_cropped(people, tmp_path / "set")
    frames = face_set.frames
    clips = frames.groupby(["subject", "clip"], sort=False).size()
    assert clips.to_dict() == {
        ("ann", "0"): 1, ("ann", "1"): 1, ("ann", "2"): 1, ("bob", "talk"): 3, ("bob", "walk"): 30
    }  # fmt: skip
    assert frames["frame"].tolist() == [0, 0, 0, 0, 1, 2, *range(30)]
    assert frames["source"].tolist()[2:5] == ["ann/2.png", "bob/talk/8.png", "bob/talk/9.png"]
    assert frames["time"].isna().tolist() == [True] * 6 + [False] * 30
    assert frames["time"].tolist()[6:] == pytest.approx([number / 10 for number in range(30)])
    assert face_set.faces[:6, 30, 30, 0].tolist() == [0, 10, 20, 100, 110, 120]
    assert (frames["dataset"] == "people").all()
    assert frames["detection_score"].isna().all()


def test_what_cannot_be_read_is_listed_with_its_reason(people: Path, tmp_path: Path) -> None:
    face_set = prepare_cropped(people, tmp_path / "set")
    skipped = face_set.skipped()
    assert skipped["source"].tolist() == ["ann/broken.jpg", "bob/broken.mp4"]
    assert skipped["frame"].isna().all()
    assert counts_of(face_set).skipped == {"unreadable": 2}


def test_the_result_depends_neither_on_workers_nor_on_the_size_of_batches(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_cropped(people, tmp_path / "one")
    prepare_cropped(people, tmp_path / "two", workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    monkeypatch.setattr(preparing, "FRAMES_PER_BATCH", 4)
    monkeypatch.setattr(preparing, "PHOTOS_PER_JOB", 2)
    small = prepare_cropped(people, tmp_path / "small")
    assert np.array_equal(small.faces, np.load(tmp_path / "one" / "faces.npy"))
    assert (tmp_path / "one" / "skipped.csv").read_text() == (tmp_path / "small" / "skipped.csv").read_text()


def test_no_path_of_this_machine_is_stored(people: Path, tmp_path: Path) -> None:
    (tmp_path / "who.csv").write_text("path,subject\nann/0.png,ann\nann/broken.jpg,ann\n")
    prepare_cropped(people, tmp_path / "set", manifest=tmp_path / "who.csv")
    for name, content in files(tmp_path / "set").items():
        assert str(tmp_path).encode() not in content, name


def test_about_records_how_the_face_set_was_made(people: Path, tmp_path: Path) -> None:
    face_set = prepare_cropped(
        people,
        tmp_path / "set",
        pattern="{subject}/{expression}.png",
        map_expression={"0": "neutral"},
        size=128,
        licence="CC BY 4.0",
    )
    about, counts = face_set.about, counts_of(face_set)
    assert about.size == 128
    assert about.importer == "folder"
    assert about.options["pattern"] == "{subject}/{expression}.png"
    assert about.licence == "CC BY 4.0"
    assert counts.expressions == {"1": 1, "2": 1, "neutral": 1}
    assert counts.skipped == {"name does not match the pattern": 6}
    assert set(about.versions or {}) == {"omote", "opencv"}


def test_further_columns_and_use_of_a_manifest_are_kept(people: Path, tmp_path: Path) -> None:
    (tmp_path / "who.csv").write_text(
        "path,subject,use,age\nann/0.png,ann,train,31\nbob/walk.mp4,bob,evaluate,40\n"
    )
    frames = prepare_cropped(people, tmp_path / "set", manifest=tmp_path / "who.csv").frames
    assert frames["use"].tolist() == ["train"] + ["evaluate"] * 30
    assert frames["age"].tolist() == ["31"] + ["40"] * 30


def test_frames_of_a_video_are_taken_at_the_rate_asked_for(people: Path, tmp_path: Path) -> None:
    frames = prepare_cropped(people, tmp_path / "set", fps=2).frames.query("clip == 'walk'")
    assert frames["frame"].tolist() == [0, 5, 10, 15, 20, 25]
    assert frames["time"].tolist() == pytest.approx([0, 0.5, 1, 1.5, 2, 2.5])


def test_what_is_lost_of_a_damaged_video_is_listed(tmp_path: Path) -> None:
    film = tmp_path / "people" / "ann" / "film.mts"
    film.parent.mkdir(parents=True)
    content = write_film(film, frames=60, options={"g": "12"}).read_bytes()
    at = len(content) // 2 // 188 * 188
    film.write_bytes(content[:at] + content[at + 2 * 188 :])
    face_set = prepare_cropped(tmp_path / "people", tmp_path / "faces")
    skipped = face_set.skipped()
    assert set(skipped["source"]) == {"ann/film.mts"}
    assert "corrupt frame" in set(skipped["reason"])
    assert not set(face_set.frames["frame"].astype(str)) & set(skipped["frame"])
    assert skipped["reason"].iloc[-1].startswith("damaged video: corrupt frames ")


def test_a_changed_file_is_noticed_when_a_preparation_is_resumed(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "read_frames", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_cropped(people, tmp_path / "set")
    photo(people / "ann" / "0.png", 77, (64, 64))
    with pytest.raises(OmoteError, match="other source files"):
        prepare_cropped(people, tmp_path / "set")


def test_animations_and_files_of_any_name_become_clips(tmp_path: Path) -> None:
    folder = tmp_path / "people" / "ann"
    photo(folder / "still.png", 10, (64, 64)).rename(folder / "two\nlines")
    (folder / "talk").mkdir()
    write_animation(folder / "talk" / "moving.gif", [100] * 5)
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("x")
    face_set = prepare(tmp_path / "people", tmp_path / "set", cropped=True, workers=1)
    assert face_set.frames[["clip", "frame"]].to_numpy().tolist() == [
        *(["talk/moving", number] for number in range(5)),
        ["two\nlines", 0],
    ]
    assert face_set.frames["time"].tolist()[:5] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    skipped = face_set.skipped().set_index("source")["reason"].to_dict()
    assert skipped == {
        "ann/gone.jpg": "unreadable: not a file, or a link that leads nowhere",
        "ann/notes.txt": NO_KIND,
    }


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"size": 65}, "size is 65"),
        ({"align": "nose"}, "align is 'nose'"),
        ({"margin": -0.5}, "margin is -0.5"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("inf")}, "fps is inf"),
        ({"align": "eyes"}, "cannot be aligned"),
    ],
)
def test_options_out_of_range_are_errors(
    people: Path, tmp_path: Path, options: dict[str, Any], match: str
) -> None:
    with pytest.raises(OmoteError, match=match):
        prepare_cropped(people, tmp_path / "set", **options)
    assert not (tmp_path / "set.partial").exists()


def test_all_faces_of_the_london_set_are_found(london: Path, detector: Path, tmp_path: Path) -> None:
    face_set = prepare(
        london,
        tmp_path / "set",
        pattern="{subject}_{expression}.jpg",
        map_expression={"03": "neutral", "08": "happiness"},
        detector=detector,
        workers=2,
    )
    counts = counts_of(face_set)
    assert counts.skipped.keys() <= {NO_KIND}  # what is beside the photos
    assert counts.expressions == {"happiness": 102, "neutral": 102}
    assert (len(face_set), len(face_set.subjects), counts.clips) == (204, 102, 204)
    frames = face_set.frames
    assert frames["detection_score"].min() > 0.8
    assert frames.filter(regex="box|eye|nose|mouth").to_numpy().min() > 100
    assert face_set.faces.std(axis=(1, 2, 3)).min() > 20
    assert str(face_set.about.detector_sha256).startswith("8f2383e4")


def test_no_face_and_two_people_are_left_out_with_their_reasons(
    london: Path, detector: Path, tmp_path: Path
) -> None:
    one, two = read_photo(london / "001_03.jpg"), read_photo(london / "005_08.jpg")
    root = tmp_path / "people"
    photo(root / "ann" / "wall.png")
    Image.fromarray(np.hstack([one, two])).save(root / "ann" / "pair.png")
    Image.fromarray(one).save(root / "ann" / "self.png")
    face_set = prepare(root, tmp_path / "set", detector=detector, workers=1, align="eyes", size=128)
    assert face_set.frames["source"].tolist() == ["ann/self.png"]
    reasons = dict(zip(face_set.skipped()["source"], face_set.skipped()["reason"], strict=True))
    assert reasons == {"ann/pair.png": "two people", "ann/wall.png": "no face"}
    assert counts_of(face_set).skipped == {"no face": 1, "two people": 1}


def test_a_folder_with_no_face_at_all_is_an_error(detector: Path, tmp_path: Path) -> None:
    photo(tmp_path / "people" / "ann" / "wall.png")
    with pytest.raises(OmoteError, match=r"Not one face.*no face: 1"):
        prepare(tmp_path / "people", tmp_path / "set", detector=detector, workers=1)


def test_drawn_faces_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    options: dict[str, Any] = {"subjects": 2, "clips": 1, "mixtures": 0, "frames": 4, "seed": 3}
    face_set = prepare_drawn(tmp_path / "one", workers=1, **options)
    prepare_drawn(tmp_path / "two", workers=2, **options)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert (len(face_set), len(face_set.subjects)) == (8, 2)
    assert face_set.about.options["seed"] == 3
    assert any(name.startswith("au_") for name in face_set.frames.columns)
