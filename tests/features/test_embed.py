"""Embedding photos, videos, face sets and cameras."""

import io
import json
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote import files
from omote.data import parts
from omote.data.face_set import BOX, LANDMARKS, FaceSet
from omote.data.prepare import prepare
from omote.data.trust import Quality
from omote.data.videos import Excerpt
from omote.errors import OmoteError
from omote.features import embed as embedding
from omote.features import stream as streaming
from omote.features.embed import embed, embed_to
from omote.features.extract import extract_features
from omote.features.inputs import Input
from omote.features.profile import make_profile, make_profile_from_tables
from omote.features.table import read_table
from omote.figures.table.crops import locate_faces, recut_faces
from omote.figures.table.tracks import read_features
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure
from tests.features.conftest import HEIGHT, WIDTH, scene, write_film

CODE = [f"z_e_{i:02d}" for i in range(8)]
DEVIATION = [f"z_e_deviation_{i:02d}" for i in range(8)]


@pytest.fixture
def photos(faces: FaceSet, tmp_path: Path) -> Path:
    """Some faces of the face set as PNG files, in two folders."""
    for i in range(4):
        path = tmp_path / "photos" / f"folder{i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(faces.faces[i])).save(path)
    return tmp_path / "photos"


def save_photo(image: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def test_a_film_gives_a_row_for_every_face_in_every_frame(
    reader: Trained, film: Path, detector: Path
) -> None:
    table, skipped = embed(reader, [film], detector=detector)
    described = [
        "source",
        "frame",
        "time",
        "face",
        "trusted",
        "doubt",
        "model",
        "detection_score",
        *BOX,
        *LANDMARKS,
    ]
    assert list(table.columns) == [*described, *Quality._fields, "ood", *CODE, *DEVIATION]
    assert set(table["source"]) == {str(film)}
    assert set(table["model"]) == {reader.model}
    assert table["frame"].tolist() == [n for n in range(30) for _ in range((n not in (5, 6)) + (n >= 10))]
    np.testing.assert_allclose(table["time"], table["frame"] / 10, atol=1e-6)
    assert skipped.to_dict("list") == {"source": [str(film)] * 2, "frame": [5, 6], "reason": ["no face"] * 2}
    assert (table["doubt"] == "").tolist() == table["trusted"].tolist()


def test_each_person_keeps_one_number_through_a_film(reader: Trained, film: Path, detector: Path) -> None:
    table, _ = embed(reader, [film], detector=detector)
    middle = table["box_x"] + table["box_width"] / 2
    assert set(table.loc[middle > 200, "face"]) == {1}  # the person at the right, from the 10th frame on
    assert set(table.loc[middle < 180, "face"]) == {0}  # gone for two frames


def test_a_frame_has_the_same_feature_from_a_film_a_photo_a_face_set_and_a_list(
    reader: Trained, film: Path, scenes: list[np.ndarray], detector: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    of_film = embed(reader, [film], detector=detector, excerpt=Excerpt(end=0.45))[0][CODE].to_numpy()
    photos = [save_photo(image, tmp_path / "ann" / f"{n}.png") for n, image in enumerate(scenes[:5])]
    of_photos = embed(reader, photos, detector=detector)[0]
    assert of_photos["time"].isna().all()
    face_set = prepare(tmp_path, tmp_path / "set", detector=detector, workers=1)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(map(str, photos)) + "\n"))
    listed = embed(reader, ["-"], detector=detector)[0]
    assert of_film.shape == (5, 8)
    for other in (of_photos, extract_features(reader, face_set), listed):
        np.testing.assert_allclose(other[CODE].to_numpy(), of_film, atol=1e-4)
    assert np.abs(of_film[0] - of_film[1]).max() > 0.01  # so confused frames would be noticed


def test_rows_are_in_order_for_any_batches_and_threads(
    reader: Trained, film: Path, detector: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = embed(reader, [film], detector=detector, workers=1)
    monkeypatch.setattr(streaming, "BATCH_FACES", 3)
    monkeypatch.setattr(streaming, "PIECE_FACES", 5)
    monkeypatch.setattr(streaming, "MAX_QUEUE_BYTES", 1)  # one picture at a time
    table, _ = embed(reader, [film], detector=detector, workers=3)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("killed_at", [1, 4, 8])
def test_after_a_kill_the_same_call_finishes_the_same_table(
    reader: Trained,
    film: Path,
    scenes: list[np.ndarray],
    detector: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suffix: str,
    killed_at: int,
) -> None:
    photo = save_photo(scenes[3], tmp_path / "photo.png")
    inputs = [
        photo,
        film,
        save_photo(scene(), tmp_path / "empty.png"),
        save_photo(scenes[12], tmp_path / "two.png"),
    ]
    whole = embed_to(reader, inputs, tmp_path / f"whole{suffix}", detector=detector)
    monkeypatch.setattr(streaming, "PIECE_FACES", 6)
    write_piece, count = embedding._write_piece, 0

    def killed(*args: Any) -> None:
        nonlocal count
        count += 1
        if count == killed_at:
            raise KeyboardInterrupt
        write_piece(*args)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, inputs, tmp_path / f"again{suffix}", detector=detector)
    assert not (tmp_path / f"again{suffix}").exists()
    looked: list[int] = []
    again = embed_to(
        reader,
        inputs,
        tmp_path / f"again{suffix}",
        detector=detector,
        progress=lambda done, total: looked.append(done),
    )
    assert len(looked) < 33 or killed_at == 1  # of 33 frames and photos, finished ones are not repeated
    assert again.num_faces == whole.num_faces == 51
    assert again == whole
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    pd.testing.assert_frame_equal(
        read(tmp_path / f"again{suffix}"), read(tmp_path / f"whole{suffix}"), rtol=1e-4, atol=1e-5
    )
    listed = [(tmp_path / f"{name}{suffix}.skipped.csv").read_text() for name in ("again", "whole")]
    assert listed[0] == listed[1]
    assert not list(tmp_path.glob("*.partial"))


def test_an_interrupted_embedding_of_other_inputs_is_not_resumed(
    reader: Trained, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, [photos], tmp_path / "t.csv", cropped=True)
    with pytest.raises(OmoteError, match=r"other source files \(inputs; number of inputs: was 4, now 2\)"):
        embed_to(reader, [photos / "folder0"], tmp_path / "t.csv", cropped=True)


def test_a_truncated_film_gives_the_frames_before_the_cut_and_a_reason(
    reader: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    film = write_film(tmp_path / "film.avi", list(noise))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    table, skipped = embed(reader, [film], cropped=True)
    assert 5 < len(table) < 15
    assert table["frame"].tolist() == list(range(len(table)))
    assert skipped["source"].tolist() == [str(film)]
    assert skipped["reason"].str.startswith("damaged video").all()


def test_pictures_of_faces_give_the_features_of_the_face_set(
    reader: Trained, faces: FaceSet, photos: Path
) -> None:
    table, skipped = embed(reader, [photos], cropped=True)
    assert skipped.empty
    assert [Path(source).name for source in table["source"]] == ["0.png", "2.png", "1.png", "3.png"]
    np.testing.assert_allclose(
        table[CODE].to_numpy(), reader.represent(faces.faces[[0, 2, 1, 3]])[0], atol=1e-4
    )
    assert table[["detection_score", *BOX, "yaw"]].isna().all(axis=None)


def test_face_sets_are_embedded_one_after_the_other(
    reader: Trained, faces: FaceSet, cast: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "FACE_SET_ROWS", 7)
    table, _ = embed(reader, [faces.path, cast.path])
    expected = pd.concat([extract_features(reader, faces), extract_features(reader, cast)], ignore_index=True)
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4, atol=1e-5)
    embed_to(reader, [faces.path, cast.path], tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), expected, rtol=1e-4, atol=1e-5)


def test_a_run_trained_on_faces_already_cut_out_asks_for_such_pictures(
    photos: Path, tmp_path: Path, configure: Configure
) -> None:
    (tmp_path / "people").mkdir()
    for number, photo in enumerate(sorted(photos.rglob("*.png"))):
        photo.rename(tmp_path / "people" / f"s{number % 2}_{number}.png")
    face_set = prepare(tmp_path / "people", tmp_path / "set", pattern="{subject}_{}", cropped=True, workers=1)
    trained = train(face_set, tmp_path / "run", configure(method="vae", test_subjects=0))
    with pytest.raises(OmoteError, match="give --cropped"):
        embed(trained, [tmp_path / "people"])
    assert len(embed(trained, [tmp_path / "people"], cropped=True)[0]) == 4


def test_unreadable_photos_are_listed(reader: Trained, photos: Path) -> None:
    (photos / "broken.jpg").write_text("no picture")
    table, skipped = embed(reader, [photos / "folder0", photos / "broken.jpg"], cropped=True)
    assert len(table) == 2
    assert skipped["source"].tolist() == [str(photos / "broken.jpg")]


def test_images_in_memory_give_the_features_of_the_same_photos(
    reader: Trained, scenes: list[np.ndarray], detector: Path, tmp_path: Path
) -> None:
    files = [save_photo(image, tmp_path / f"{number}.png") for number, image in enumerate(scenes[:3])]
    expected = embed(reader, files, detector=detector)[0].drop(columns="source")
    opaque = np.dstack([scenes[1], np.full((HEIGHT, WIDTH), 255, np.uint8)])
    in_memory: list[Input] = [scenes[0], opaque, Image.fromarray(scenes[2])]
    table, _ = embed(reader, in_memory, detector=detector)
    assert table["source"].tolist() == ["image 0", "image 1", "image 2"]
    pd.testing.assert_frame_equal(table.drop(columns="source"), expected, rtol=1e-4, atol=1e-5)
    table, _ = embed(reader, [files[0], scenes[1]], detector=detector)  # files and images together
    assert table["source"].tolist() == [str(files[0]), "image 1"]


def test_an_image_in_memory_is_turned_upright_and_stays_as_it_is(reader: Trained, faces: FaceSet) -> None:
    upright = np.asarray(faces.faces[0])
    image = Image.fromarray(np.rot90(upright))
    image.getexif()[0x0112] = 6
    table, _ = embed(reader, [image], cropped=True)
    np.testing.assert_allclose(table[CODE], reader.represent(upright[None])[0], atol=1e-4)
    assert np.array_equal(np.asarray(image), np.rot90(upright))


def test_an_embedding_of_images_in_memory_is_resumed_only_with_the_same_images(
    reader: Trained, faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    images = list(faces.faces[:2])
    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, images, tmp_path / "t.csv", cropped=True)
    with pytest.raises(OmoteError, match=r"other source files \(inputs"):
        embed_to(reader, images[::-1], tmp_path / "t.csv", cropped=True)
    assert embed_to(reader, images, tmp_path / "t.csv", cropped=True).num_faces == 2


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([np.zeros((8, 8, 3))], r"image 0 is an array of float64 of shape \(8, 8, 3\); expected uint8"),
        ([np.zeros((2, 8, 8, 3), np.uint8)], r"of shape \(2, 8, 8, 3\); expected uint8"),
        (["0.png", np.zeros((3, 8, 8), np.uint8)], "image 1 is an array"),
        ([np.zeros((0, 8), np.uint8)], "image 0 is an array"),
        ([7], "image 0 is a int; expected a path, an array or a PIL image"),
        ("talk.mp4", "a single str was given; give a list"),
        (Image.new("L", (8, 8)), "a single Image was given; give a list"),
    ],
)
def test_what_is_no_image_in_memory_is_refused(
    reader: Trained, photos: Path, monkeypatch: pytest.MonkeyPatch, inputs: Any, message: str
) -> None:
    monkeypatch.chdir(photos / "folder0")
    with pytest.raises(OmoteError, match=message):
        embed(reader, inputs, cropped=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_of_windows_are_read(
    reader: Trained, photos: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    (photos / "folder0" / "0.png").rename(photos / "folder0" / "jürgen.png")
    monkeypatch.chdir(photos)
    text = 'folder0\\jürgen.png\r\n"folder1\\1.png"\r\n\r\n'
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode(encoding))))
    assert embed(reader, ["-"], cropped=True)[0]["source"].tolist() == ["folder0/jürgen.png", "folder1/1.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO('folder0/2.png\n"folder1/1.png\n'))
    with pytest.raises(OmoteError, match="standard input, line 2: the quote is not closed"):
        embed(reader, ["-"], cropped=True)


def test_animations_and_files_of_any_name_are_embedded(
    reader: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    first, *others = (Image.fromarray(face) for face in np.asarray(faces.faces[:4]))
    folder.mkdir()
    first.save(folder / "a", "PNG", save_all=True, append_images=others, duration=200)
    first.save(folder / "b.jfif", "JPEG")
    first.save(folder / "two\nlines.png")
    (folder / "c.ts").write_text("no video")
    (folder / "d.jpg").symlink_to(tmp_path / "nowhere")
    embed_to(reader, [folder], tmp_path / "t.parquet", cropped=True)
    table = pd.read_parquet(tmp_path / "t.parquet")
    assert table["source"].str.removeprefix(f"{folder}/").tolist() == ["a"] * 4 + ["b.jfif", "two\nlines.png"]
    assert table["frame"].tolist() == [0, 1, 2, 3, 0, 0]
    assert table["time"].fillna(-1).tolist() == pytest.approx([0, 0.2, 0.4, 0.6, -1, -1])
    np.testing.assert_allclose(table[CODE][:4], reader.represent(faces.faces[:4])[0], atol=1e-4)
    listed = pd.read_csv(tmp_path / "t.parquet.skipped.csv")
    assert [Path(source).name for source in listed["source"]] == ["d.jpg", "c.ts"]


@pytest.mark.parametrize("name", ["s3:t.parquet", "mock:t.parquet", "file:t.csv", "http:t.CSV"])
def test_a_colon_in_a_relative_name_makes_no_protocol(
    reader: Trained, faces: FaceSet, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    photos.rename("http:photos")
    write_film(tmp_path / "film.avi", list(faces.faces[:2])).rename("concat:a|b")
    shutil.copytree(faces.path, "s3:faces")
    face_set = prepare("http:photos", "gs:set", cropped=True, workers=1)
    assert face_set.skipped().empty
    assert embed_to(reader, ["concat:a|b", "http:photos"], name, cropped=True).num_faces == 6
    assert len(read_table(name)) == 6
    assert embed_to(reader, ["s3:faces", "gs:set"], name).num_faces == 44
    assert len(read_table(name)) == 44


class FakeCamera:
    """Stands in for OpenCV's camera: a few BGR pictures, or endless ones."""

    pictures: Sequence[np.ndarray] = ()

    def __init__(self, index: int) -> None:
        self.given: Iterator[np.ndarray] = iter(self.pictures if index == 0 else ())
        self.opened = index == 0

    def isOpened(self) -> bool:
        return self.opened

    def read(self) -> tuple[bool, np.ndarray | None]:
        image = next(self.given, None)
        return image is not None, None if image is None else image[..., ::-1]

    def release(self) -> None:
        self.opened = False


def test_a_camera_is_read_until_it_ends(
    reader: Trained, photos: Path, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCamera, "pictures", list(faces.faces[:6]))
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    table, skipped = embed(reader, ["0"], cropped=True, excerpt=Excerpt(every=2))
    assert table["source"].unique().tolist() == ["camera 0"]
    assert table["frame"].tolist() == [0, 2, 4]
    assert (table["time"].diff().dropna() >= 0).all()
    np.testing.assert_allclose(table[CODE], reader.represent(faces.faces[[0, 2, 4]])[0], atol=1e-4)
    assert skipped["reason"].tolist() == ["unreadable: the camera gave no more pictures after 6 frames"]
    with pytest.raises(OmoteError, match="no such camera"):
        embed(reader, ["7"], cropped=True)


def test_if_no_face_is_found_nothing_is_written(reader: Trained, detector: Path, tmp_path: Path) -> None:
    photo = save_photo(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), tmp_path / "room.png")
    (tmp_path / "text.mp4").write_text("dear diary")
    with pytest.raises(
        OmoteError, match=r"Not one face was found.*no face: 1; unreadable: 1.*room\.png: no face"
    ):
        embed_to(reader, [photo, tmp_path / "text.mp4"], tmp_path / "new" / "t.parquet", detector=detector)
    assert not list((tmp_path / "new").iterdir())


def test_bad_input_is_named(reader: Trained, faces: FaceSet, photos: Path, tmp_path: Path) -> None:
    (photos / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for given, message in (
        ([], "no input was given"),
        ([tmp_path / "nowhere"], "does not exist"),
        ([photos / "notes.txt"], "neither a photo nor a video"),
        ([tmp_path / "empty"], "holds no photos or videos"),
        ([faces.path, photos], "were given together"),
    ):
        with pytest.raises(OmoteError, match=message):
            embed(reader, given, cropped=True)
    with pytest.raises(OmoteError, match="an excerpt"):
        embed(reader, [faces.path], excerpt=Excerpt(every=2))
    with pytest.raises(OmoteError, match="every is 0"):
        embed(reader, [photos], cropped=True, excerpt=Excerpt(every=0))


def test_the_parts_of_an_embedding_hold_the_point_to_resume(
    reader: Trained, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "PIECE_FACES", 1)
    points: list[Any] = []
    write_piece = embedding._write_piece

    def note(folder: Path, *rest: Any) -> None:
        write_piece(folder, *rest)
        points.append(json.loads((folder / "part.json").read_text())["resume"])

    monkeypatch.setattr(embedding, "_write_piece", note)
    embed_to(reader, [photos], tmp_path / "t.csv", cropped=True)
    assert [(point["source"], point["frame"]) for point in points] == [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
        (4, -1),
    ]


@pytest.mark.parametrize("removed", [1, 3, 6])
def test_after_a_kill_during_clean_up_the_same_call_ends_it_and_never_shortens_a_table(
    reader: Trained, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    monkeypatch.setattr(streaming, "PIECE_FACES", 1)

    remove, count = files.remove, 0

    def killed(path: Path) -> None:
        nonlocal count
        count += path.parent.name == "t.csv.partial" and (tmp_path / "t.csv").exists()
        if count > removed:
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(parts, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, [photos], tmp_path / "t.csv", cropped=True)
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4
    assert embed_to(reader, [photos], tmp_path / "t.csv", cropped=True).num_faces == 4
    assert len(pd.read_csv(tmp_path / "t.csv")) == 4
    assert [file.name for file in tmp_path.glob("t.csv.*")] == ["t.csv.searched.csv"]


def test_after_a_kill_the_same_call_writes_what_a_camera_recorded(
    reader: Trained, faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeCamera, "pictures", list(faces.faces[:6]))
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    monkeypatch.setattr(streaming, "PIECE_FACES", 1)
    write_piece, count = embedding._write_piece, 0

    def killed(*args: Any) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        write_piece(*args)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, ["0"], tmp_path / "t.csv", cropped=True)
    assert embed_to(reader, ["0"], tmp_path / "t.csv", cropped=True).num_faces == 3
    assert pd.read_csv(tmp_path / "t.csv")["frame"].tolist() == [0, 1, 2]


def test_the_first_ctrl_c_ends_a_recording_and_keeps_it(
    reader: Trained, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless() -> Iterator[np.ndarray]:
        for number in range(1000):
            if number == 5:
                os.kill(os.getpid(), signal.SIGINT)
            yield np.asarray(faces.faces[0])

    monkeypatch.setattr(FakeCamera, "pictures", endless())
    monkeypatch.setattr(cv2, "VideoCapture", FakeCamera)
    handler = signal.getsignal(signal.SIGINT)
    table, skipped = embed(reader, ["0"], cropped=True)
    assert len(table) == 6
    assert skipped.empty
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_profile_subtracts_its_neutral_from_one_face_and_leaves_the_others_without_codes(
    reader: Trained, film: Path, detector: Path, tmp_path: Path
) -> None:
    plain, _ = embed(reader, [film], detector=detector)
    profile = make_profile(plain.assign(trusted=True), "ann", face=1)
    done = embed_to(reader, [film], tmp_path / "t.parquet", detector=detector, profile=profile, face=1)
    table = pd.read_parquet(tmp_path / "t.parquet")
    person = (plain["face"] == 1).to_numpy()
    np.testing.assert_allclose(
        table.loc[person, CODE], plain.loc[person, CODE].to_numpy() - profile.neutral, atol=1e-5
    )
    assert table.loc[~person, CODE].isna().all(axis=None)
    assert table.loc[~person, "doubt"].str.endswith("not the person of the profile").all()
    assert set(table["profile"]) == {"ann"}
    assert (done.num_faces, done.num_others) == (48, 28)
    assert done.num_doubted == (~plain.loc[person, "trusted"]).sum()
    with pytest.raises(OmoteError, match="no source has a face number 7"):
        embed_to(reader, [film], tmp_path / "u.parquet", detector=detector, profile=profile, face=7)
    assert [file.name for file in tmp_path.glob("u*")] == []


def test_a_changed_face_set_is_not_mixed_with_the_old_one(
    reader: Trained, faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(faces.path, tmp_path / "set"))

    def killed(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_to(reader, [copy], tmp_path / "t.csv")
    os.utime(copy / "faces.npy", (0, 0))
    with pytest.raises(OmoteError, match=r"other source files \(inputs\)"):
        embed_to(reader, [copy], tmp_path / "t.csv")


def test_options_without_effect_are_refused_before_anything_is_written(
    reader: Trained, faces: FaceSet, photos: Path, tmp_path: Path, configure: Configure
) -> None:
    needs_subject = train(faces, tmp_path / "cvae", configure(method="cvae", options__epochs=1))
    cases: list[tuple[Trained, list[Path], dict[str, Any], str]] = [
        (reader, [photos], {"cropped": True, "workers": 0}, "workers is 0"),
        (reader, [photos], {"cropped": True, "face": 1}, "no profile was given"),
        (reader, [faces.path], {"cropped": True}, "are for pictures"),
        (needs_subject, [photos], {"cropped": True}, "has to be told who is in each picture"),
    ]
    for model, inputs, options, message in cases:
        with pytest.raises(OmoteError, match=message):
            embed_to(model, inputs, tmp_path / "new" / "t.csv", **options)
        assert not (tmp_path / "new").exists()


def test_a_name_that_is_not_utf_8_is_skipped_and_listed(reader: Trained, photos: Path) -> None:
    odd = os.fsdecode(os.fsencode(photos) + b"/caf\xe9.png")
    shutil.copy(photos / "folder0" / "0.png", odd)
    table, skipped = embed(reader, [odd, photos / "folder1"], cropped=True)
    assert len(table) == 2
    assert skipped["reason"].tolist() == ["file name is not UTF-8"]


def test_frames_without_a_face_give_rows_of_missing_values_if_asked(
    reader: Trained, film: Path, detector: Path, tmp_path: Path
) -> None:
    plain, _ = embed(reader, [film], detector=detector)
    table, skipped = embed(reader, [film], detector=detector, all_frames=True)
    empty = table["face"].isna()
    assert table.loc[empty, "frame"].tolist() == [5, 6]
    np.testing.assert_allclose(table.loc[empty, "time"], [0.5, 0.6], atol=1e-6)
    assert table.loc[empty, ["trusted", "doubt"]].to_numpy().tolist() == [[False, "no face"]] * 2
    values = ["detection_score", *BOX, *LANDMARKS, "blur", "yaw", "pitch", "roll", "ood", *CODE, *DEVIATION]
    assert table.loc[empty, values].isna().all(axis=None)
    faces = table[~empty].reset_index(drop=True).astype({"face": "int64"})
    pd.testing.assert_frame_equal(faces, plain)
    assert len(skipped) == 2
    for suffix in (".parquet", ".csv"):
        to = tmp_path / f"all{suffix}"
        done = embed_to(reader, [film], to, detector=detector, all_frames=True)
        assert done.num_faces == len(plain)
        profile = make_profile_from_tables([to], "Ann")
        assert profile.num_frames == make_profile(plain, "Ann").num_frames
        assert {track.name for track in read_features(to).tracks} == {"film.mov, face 0", "film.mov, face 1"}


def test_a_table_beside_the_features_says_which_frames_were_searched(
    reader: Trained, film: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = save_photo(np.full((90, 120, 3), 90, np.uint8), tmp_path / "empty.png")
    monkeypatch.setattr(streaming, "PIECE_FACES", 3)  # the film is in several pieces
    excerpt = Excerpt(fps=5, start=0.2, end=2.05)
    embed_to(reader, [film, photo], tmp_path / "all.parquet", detector=detector, excerpt=excerpt)
    searched = pd.read_csv(tmp_path / "all.parquet.searched.csv")
    assert searched["source"].tolist() == [str(film), str(photo)]
    first, second = searched.to_dict("records")
    assert (first["frames"], first["frames_with_faces"], first["turned"]) == (10, 9, 0)
    assert (first["first_frame"], first["last_frame"]) == (2, 20)
    assert (first["first_time"], first["last_time"]) == pytest.approx((0.2, 2.0))
    assert (first["fps"], first["start"], first["end"]) == (5, 0.2, 2.05)
    assert (second["frames"], second["frames_with_faces"]) == (1, 0)
    assert np.isnan(second["first_time"])
    table, _ = embed(reader, [film, photo], detector=detector, excerpt=excerpt)
    assert [row["frames"] for row in table.attrs["searched"]] == [10, 1]


def test_a_film_that_lies_on_its_side_is_turned(
    reader: Trained, scenes: list[np.ndarray], film: Path, detector: Path, tmp_path: Path
) -> None:
    lying = write_film(tmp_path / "lying.mov", [np.rot90(image) for image in scenes[:8]])
    table, _ = embed(reader, [lying], detector=detector, rotate=90)
    upright, _ = embed(reader, [film], detector=detector, excerpt=Excerpt(end=0.75))
    assert (table.pop("turned") == 90).all()
    pd.testing.assert_frame_equal(table.drop(columns="source"), upright.drop(columns="source"))
    done = embed_to(reader, [lying, film], tmp_path / "t.parquet", detector=detector, rotate="auto")
    assert done.turned == {"90": 1}
    features = read_features(tmp_path / "t.parquet")
    crops, _ = recut_faces(features.frames, np.array([0, 6]), locate_faces(features, None))
    np.testing.assert_array_equal(crops[0], crops[6])  # the first frame of each
    with pytest.raises(OmoteError, match="for a camera and for face crops"):
        embed(reader, [film], cropped=True, rotate="auto")
