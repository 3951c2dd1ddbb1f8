"""Sessions of pages with a camera, without a browser."""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.app import camera
from omote.app.camera import Seen, Session, Sessions
from omote.app.state import State
from omote.errors import OmoteError
from omote.features.embed import embed, open_reader
from omote.features.profile import Profile, apply_profile
from omote.features.reader import Reader
from omote.synthetic.drawn import DrawnOptions, draw_subject

HEIGHT, WIDTH, FACE = 240, 320, 150


def scene(face: np.ndarray | None, light: float = 1.0, other: np.ndarray | None = None) -> np.ndarray:
    """Return a grey room with a face (S, S, 3) on the left, and perhaps a smaller one on the right."""
    image = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    if face is not None:
        image[45 : 45 + FACE, 20 : 20 + FACE] = cv2.resize(face, (FACE, FACE), interpolation=cv2.INTER_CUBIC)
    if other is not None:
        image[70:170, 200:300] = cv2.resize(other, (100, 100), interpolation=cv2.INTER_CUBIC)
    return (image * light).astype(np.uint8)


def jpeg(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return open_reader()


@pytest.fixture(scope="module")
def people() -> list[np.ndarray]:
    """Two drawn people, each (16, S, S, 3)."""
    options = DrawnOptions(subjects=2, clips=2, mixtures=0, frames=8, size=128, seed=3)
    return [draw_subject(options, index)[0] for index in range(2)]


@pytest.fixture
def session(reader: Reader, tmp_path: Path) -> Iterator[Session]:
    opened = Session(reader, tmp_path / "session")
    yield opened
    opened.close()


def see(session: Session, images: list[np.ndarray], begin: float = 0.0) -> list[Seen]:
    """Show frames to a session, ten a second."""
    return [session.see(jpeg(image), begin + number / 10) for number, image in enumerate(images, 1)]


def test_a_frame_is_read_as_embed_reads_the_picture(
    session: Session, reader: Reader, people: list[np.ndarray]
) -> None:
    picture = jpeg(scene(people[0][0]))
    seen = session.see(picture, 1.0)
    row = embed(reader, [pixels(picture)], fast=True)[0].iloc[0]
    assert session.axes == ["lip corners up", "lip corners back", "upper lip up", "lower lip down", "nose wrinkled",
                            "brows up", "inner brows up"]  # fmt: skip
    np.testing.assert_allclose(np.array(seen["axes"]), row.filter(like="axis_").astype(float), atol=1e-5)
    assert seen["faces"][0]["box"] == pytest.approx(
        row[["box_x", "box_y", "box_width", "box_height"]].tolist()
    )
    assert (seen["shown"], seen["distance"], seen["say"], seen["recording"]) == (0, None, "", None)
    assert seen["faces"][0]["trusted"]


def test_a_model_without_axes_gives_none(
    reader: Reader, people: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.features.live.gather_axes", lambda reader: None)
    session = Session(reader, tmp_path / "session")
    (seen,) = see(session, [scene(people[0][0])])
    assert (session.axes, seen["axes"], seen["shown"]) == ([], [], 0)
    session.close()


def test_what_is_wrong_with_a_frame_is_said(session: Session, people: list[np.ndarray]) -> None:
    one, other = people[0][0], people[1][0]
    nobody, dark, dim, blurred, two = (
        seen["say"]
        for seen in see(
            session,
            [
                scene(None),
                scene(None, 0.1),
                scene(one, 0.15),
                cv2.blur(scene(one), (31, 31)),
                scene(one, other=other),
            ],
        )
    )
    assert nobody == "There is no face in the picture. Come nearer, and look into the camera."
    assert dark.startswith("The picture is too dark to find a face.")
    assert dim.startswith("The face is too dark to be trusted.")
    assert re.fullmatch(r"This face is not to be trusted: .*too blurred.*\.", blurred)
    assert two == "There are 2 faces; the bars are of the one with the thick frame."


def test_the_face_shown_changes_only_for_a_clearly_larger_one(session: Session) -> None:
    def choose(*faces: tuple[int, float]) -> int | None:
        return session._choose(pd.DataFrame(faces, columns=["face", "box_height"]))

    assert choose() is None
    assert choose((0, 50.0), (1, 60.0)) == 1
    session._shown = 0
    assert choose((0, 50.0), (1, 60.0)) == 0
    assert choose((0, 50.0), (1, 63.0)) == 1
    session._person = 0
    assert choose((0, 50.0), (1, 63.0)) == 0
    assert choose((1, 63.0), (2, 20.0)) == 0


def test_a_hostile_frame_is_refused_in_a_sentence(session: Session, people: list[np.ndarray]) -> None:
    good = jpeg(scene(people[0][0]))
    png = io.BytesIO()
    Image.fromarray(scene(None)).save(png, "PNG")
    huge = bytearray(good)
    at = good.index(b"\xff\xc0") + 5  # height and width in the header
    huge[at : at + 4] = b"\xff\xff\xff\xff"
    for data in (
        b"",
        b"dear diary",
        png.getvalue(),
        good[: len(good) // 2],
        bytes(huge),
        jpeg(np.zeros((8, 1281, 3), np.uint8)),
    ):
        with pytest.raises(OmoteError, match=r"^A picture of the camera could not be read \(.+\)\.$"):
            session.see(data, 1.0)
    session.see(good, 1.0)
    for time in (1.0, 0.5, math.nan, math.inf):
        with pytest.raises(OmoteError, match="expected a time after"):
            session.see(good, time)


def test_the_usual_look_is_that_of_the_last_frames_and_gives_the_distance(
    session: Session, reader: Reader, people: list[np.ndarray]
) -> None:
    with pytest.raises(OmoteError, match="There is no face in the picture"):
        session.make_usual_look()
    with pytest.raises(OmoteError, match="no usual look to save"):
        session.save_usual_look()
    pictures = [scene(face) for face in people[0][:8]]
    see(session, [scene(people[0][9])] * 3)  # more than 30 seconds before
    see(session, pictures[:4], 31.0)
    with pytest.raises(OmoteError, match="4 pictures of this face are to be trusted; it takes 5"):
        session.make_usual_look()
    session._recent[-1].table["trusted"] = False
    with pytest.raises(OmoteError, match="3 pictures of this face"):
        session.make_usual_look()
    session._recent[-1].table["trusted"] = True
    see(session, pictures[4:], 32.0)
    look = session.make_usual_look()
    assert look["sentences"][0].startswith("Usual look of me from 8 trusted frames of one source")
    profile = Profile.load(session.save_usual_look())
    assert look["spread"] == pytest.approx(profile.spread)
    row = embed(reader, [pixels(jpeg(pictures[0]))], fast=True)[0].filter(regex=r"z_e_\d")
    expected = np.linalg.norm(row.iloc[0].to_numpy() - profile.neutral)
    assert see(session, pictures[:1], 40.0)[0]["distance"] == pytest.approx(expected, rel=1e-3)
    (stranger,) = see(session, [scene(people[1][0])], 41.0)
    assert stranger["distance"] is None
    assert stranger["say"].startswith("This face is not the one of the usual look")
    assert see(session, pictures[:1], 42.0)[0]["distance"] is not None
    session.forget_usual_look()
    assert see(session, pictures[:1], 43.0)[0]["distance"] is None


def test_a_saved_usual_look_is_taken_by_another_page(
    session: Session, reader: Reader, people: list[np.ndarray], tmp_path: Path
) -> None:
    see(session, [scene(face) for face in people[0][:8]])
    session.make_usual_look()
    file, picture = session.save_usual_look(), scene(people[0][0])
    (mine,) = see(session, [picture], 10.0)
    another = Session(reader, tmp_path / "another")
    another.load_usual_look(file.read_bytes())
    (theirs,) = see(another, [picture])
    assert theirs["distance"] == pytest.approx(mine["distance"])
    for data, message in (
        (b"\xff\xfe", "The file"),
        (b"[1, 2", "The file"),
        (b'{"format": "omote axes"}', "The file is not a profile"),
        (file.read_bytes().replace(reader.model.encode(), b"omote-0000"), "codes of two models"),
        (re.sub(rb'"neutral": \[\s*[^,]+,', b'"neutral": [', file.read_bytes()), "is damaged"),
    ):
        with pytest.raises(OmoteError, match=message) as refused:
            another.load_usual_look(data)
        assert str(tmp_path) not in str(refused.value)
    assert see(another, [picture], 10.0)[0]["distance"] is not None
    another.close()


def test_a_recording_is_a_table_as_embed_writes_it(
    session: Session, reader: Reader, people: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera, "PART_ROWS", 3)
    pictures = [scene(face) for face in people[0][:5]]
    with pytest.raises(OmoteError, match="No recording runs"):
        session.stop_recording()
    see(session, pictures[:1])
    session.start_recording()
    with pytest.raises(OmoteError, match="runs already"):
        session.start_recording()
    with pytest.raises(OmoteError, match="keeps its usual look"):
        session.make_usual_look()
    seen = see(session, [*pictures[:2], scene(None), *pictures[2:]], 5.0)
    done = session.stop_recording()
    assert seen[-1]["recording"] == done
    assert done == {"number": 1, "rows": 5, "frames": 6, "without_face": 1, "seconds": pytest.approx(0.5)}
    table = pd.read_parquet(session.write_table(1, ".parquet"))
    expected = embed(reader, [pixels(jpeg(picture)) for picture in pictures], fast=True)[0]
    assert table.columns.tolist() == expected.columns.tolist()
    assert table.dtypes.tolist() == expected.dtypes.tolist()
    assert table["frame"].tolist() == [0, 1, 3, 4, 5]
    assert table["time"].tolist() == pytest.approx([0, 0.1, 0.3, 0.4, 0.5])
    assert set(table["source"]) == {"camera"}
    told = ["source", "frame", "time"]
    pd.testing.assert_frame_equal(table.drop(columns=told), expected.drop(columns=told), atol=1e-4, rtol=1e-4)
    csv = pd.read_csv(session.write_table(1, ".csv"), keep_default_na=False)
    pd.testing.assert_frame_equal(csv, table, check_dtype=False, rtol=1e-5)


def test_each_recording_is_kept_and_one_with_a_usual_look_is_relative_to_it(
    session: Session, people: list[np.ndarray]
) -> None:
    pictures = [scene(face) for face in people[0][:6]]
    session.start_recording()
    see(session, pictures)
    session.stop_recording()
    session.make_usual_look()
    session.start_recording()
    see(session, [scene(None), *pictures], 10.0)
    session.stop_recording()
    plain, relative = (pd.read_parquet(session.write_table(number, ".parquet")) for number in (1, 2))
    profile = Profile.load(session.save_usual_look())
    told = ["frame", "time"]
    pd.testing.assert_frame_equal(
        apply_profile(plain, profile, 0).drop(columns=told), relative.drop(columns=told), atol=1e-4, rtol=1e-4
    )


def test_a_recording_without_a_face_is_no_table_and_a_full_one_says_so(
    session: Session, people: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.start_recording()
    see(session, [scene(None)])
    assert session.stop_recording()["rows"] == 0
    with pytest.raises(OmoteError, match="No face was seen in this recording"):
        session.write_table(1, ".parquet")
    for number, suffix in ((2, ".parquet"), (1, ".json"), (0, ".csv")):
        with pytest.raises(OmoteError, match="There is no table"):
            session.write_table(number, suffix)
    monkeypatch.setattr(camera, "MAX_RECORDING_SECONDS", 60.0)
    session.start_recording()
    face = jpeg(scene(people[0][0]))
    said = [session.see(face, time)["say"] for time in (100.0, 160.0, 160.1)]
    assert said == ["", "", "The recording is full: it takes 1 minutes. Stop it, and start another. "]
    assert session.stop_recording()["frames"] == 2


def test_sessions_know_nothing_of_each_other_and_leave_nothing(
    tmp_path: Path, people: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = State("shipped", tmp_path)
    sessions = Sessions(state)
    (first, one), (second, other) = sessions.open(), sessions.open()
    one.run(one.start_recording).result()
    seen = [one.run(one.see, jpeg(scene(people[0][0])), time).result() for time in (5.0, 6.0)]
    theirs = other.run(other.see, jpeg(scene(people[1][0])), 1.0).result()
    assert [seen[0]["faces"][0]["number"], theirs["faces"][0]["number"]] == [0, 0]
    assert (seen[1]["recording"]["frames"], theirs["recording"]) == (2, None)
    assert sessions.find(first) is one
    assert sessions.find("") is None
    sessions.close(first)
    sessions.close(first)
    assert sessions.find(first) is None
    with pytest.raises(OmoteError, match="The session of this page has ended"):
        one.run(one.start_recording)
    assert [folder.name for folder in (tmp_path / "live").iterdir()] == [second]
    monkeypatch.setattr(camera, "MAX_SESSIONS", 2)
    sessions.open()
    with pytest.raises(OmoteError, match="2 pages use a camera already"):
        sessions.open()
    monkeypatch.setattr(camera, "SILENT_SECONDS", -1.0)
    last, _ = sessions.open()
    assert [folder.name for folder in (tmp_path / "live").iterdir()] == [last]
    sessions.close(last)
