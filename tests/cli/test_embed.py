"""`omote embed`: the same features from every source, and one sentence for bad input."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.cli.embed import parse_seconds, show_embedded
from omote.cli.main import main
from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.export.estimator import ExpressionFeatures
from omote.export.onnx import export_onnx
from omote.features.summary import EmbedSummary
from omote.figures.table.crops import locate_faces, recut_faces
from omote.figures.table.tracks import read_features
from omote.runs import device
from omote.runs.trained import Trained
from tests.data.test_videos import write_film as write_numbers
from tests.features.conftest import scene, write_film

CODE = [f"z_e_{i:02d}" for i in range(8)]
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def omote(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the command line and returns the exit code and all output."""

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["omote", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), " ".join((printed.out + printed.err).split())

    return run


def save(image: np.ndarray, path: Path) -> Path:
    Image.fromarray(image).save(path)
    return path


def test_a_frame_has_the_same_feature_from_film_photo_onnx_estimator_and_pretrained_folder(
    trained: Trained, faces: FaceSet, tmp_path: Path, omote: Run
) -> None:
    chosen = np.asarray(faces.faces[:6])
    film = write_film(tmp_path / "film.mov", list(chosen))
    photos = [save(face, tmp_path / f"{n}.png") for n, face in enumerate(chosen)]
    onnx = export_onnx(trained, tmp_path / "model.onnx")[0].path
    published = trained.save_pretrained(tmp_path / "model")
    tables = {}
    for name, run, inputs in (
        ("film", trained.path, [film]),
        ("photos", trained.path, photos),
        ("onnx", onnx, [film]),
        ("published", published, [film]),
    ):
        code, printed = omote("embed", run, *inputs, "--cropped", "--to", tmp_path / f"{name}.csv")
        assert code == 0, printed
        tables[name] = pd.read_csv(tmp_path / f"{name}.csv")
    of_estimator = ExpressionFeatures.from_run(trained.path).transform(chosen)
    expected = tables["film"][CODE].to_numpy()
    assert np.abs(expected[0] - expected[1]).max() > 0.01  # so that swapped frames would be noticed
    for table in tables.values():
        np.testing.assert_allclose(table[CODE].to_numpy(), expected, atol=1e-4)
        assert set(table["model"]) == {trained.model}
    np.testing.assert_allclose(of_estimator, expected, atol=1e-4)
    np.testing.assert_allclose(trained.transform(chosen).to_numpy(), expected, atol=1e-4)


@pytest.mark.usefixtures("in_bfloat16")
def test_features_in_bfloat16_are_close_and_have_another_model_name(
    trained: Trained, faces: FaceSet, tmp_path: Path, omote: Run
) -> None:
    code, printed = omote("embed", trained.path, faces.path, "--bfloat16", "--to", tmp_path / "t.csv")
    assert code == 0, printed
    table, expected = pd.read_csv(tmp_path / "t.csv"), trained.represent(faces.faces)[0]
    assert set(table["model"]) == {f"{trained.model}-bf16"}
    moved = np.abs(table[CODE].to_numpy() - expected).max(axis=0)
    assert (moved < 0.5 * expected.std(axis=0)).all()
    assert moved.max() > 1e-6


def test_an_onnx_file_is_embedded_without_torch(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    photo = save(np.asarray(faces.faces[0]), tmp_path / "face.png")
    onnx = export_onnx(trained, tmp_path / "model.onnx")[0].path
    arguments = ["omote", "embed", str(onnx), str(photo), "--cropped", "--to", str(tmp_path / "t.csv")]
    code = (
        "import sys\nfrom omote.cli.main import main\n"
        f"sys.argv = {arguments!r}\n"
        "try:\n    main()\nexcept SystemExit as stopped:\n    assert not stopped.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(pd.read_csv(tmp_path / "t.csv")) == 1


def test_paths_are_read_from_standard_input_and_faces_are_counted(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    photos = [save(np.asarray(faces.faces[n]), tmp_path / f"face {n}.png") for n in range(3)]
    command = [
        sys.executable,
        "-c",
        "from omote.cli.main import main; main()",
        "embed",
        str(trained.path),
        "-",
    ]
    command += ["--cropped", "--to", "t.parquet"]
    listed = "\n".join(map(str, photos)) + "\n\n"
    done = subprocess.run(command, input=listed, text=True, check=True, capture_output=True, cwd=tmp_path)
    assert "3 faces" in done.stdout
    assert pd.read_parquet(tmp_path / "t.parquet")["source"].tolist() == list(map(str, photos))


def test_skipped_frames_and_files_are_counted_and_listed(
    trained: Trained, faces: FaceSet, detector: Path, tmp_path: Path, omote: Run
) -> None:
    face = np.asarray(faces.faces[0])
    film = write_film(
        tmp_path / "film.mov", [scene((face, 90, 60)), scene(), scene(), scene((face, 100, 60))]
    )
    (tmp_path / "diary.mp4").write_text("dear diary")
    to = tmp_path / "t.parquet"
    code, printed = omote(
        "embed", trained.path, film, tmp_path / "diary.mp4", "--detector", detector, "--to", to
    )
    assert code == 0
    assert "2 faces" in printed
    assert "left out: 2 frames of videos: no face" in printed
    assert f"left out: {tmp_path / 'diary.mp4'}: unreadable" in printed
    listed = pd.read_csv(tmp_path / "t.parquet.skipped.csv")
    assert listed["frame"].fillna(-1).astype(int).tolist() == [1, 2, -1]


def test_a_video_of_an_unknown_codec_is_left_out_and_the_rest_is_embedded(
    trained: Trained, faces: FaceSet, tmp_path: Path, omote: Run
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    film = write_film(folder / "film.mov", [np.asarray(faces.faces[0])] * 3)
    (folder / "odd.mov").write_bytes(film.read_bytes().replace(b"png ", b"zzzz"))
    code, printed = omote("embed", trained.path, folder, "--cropped", "--to", tmp_path / "t.csv")
    assert code == 0
    assert f"left out: {folder / 'odd.mov'}: unreadable: the codec of the video is unknown" in printed
    assert pd.read_csv(tmp_path / "t.csv")["source"].tolist() == [str(film)] * 3


def a_photo_of_100_megapixels(folder: Path, trained: Trained) -> list[object]:
    Image.new("1", (10_000, 10_000)).save(folder / "huge.png")
    return [trained.path, folder / "huge.png"]


def a_text_named_mp4(folder: Path, trained: Trained) -> list[object]:
    (folder / "text.mp4").write_text("dear diary")
    return [trained.path, folder / "text.mp4"]


def an_empty_video(folder: Path, trained: Trained) -> list[object]:
    (folder / "empty.mp4").touch()
    return [trained.path, folder / "empty.mp4"]


def no_face(folder: Path, trained: Trained) -> list[object]:
    return [trained.path, save(scene(), folder / "room.png")]


def a_truncated_photo(folder: Path, trained: Trained) -> list[object]:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = save(noise, folder / "half.jpg")
    file.write_bytes(file.read_bytes()[:1500])
    return [trained.path, file]


def a_folder_without_images(folder: Path, trained: Trained) -> list[object]:
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_text("x")
    return [trained.path, folder / "notes"]


def an_empty_folder_first(folder: Path, trained: Trained) -> list[object]:
    (folder / "norun").mkdir()
    return [folder / "norun", save(scene(), folder / "room.png")]


def a_run_of_a_newer_version(folder: Path, trained: Trained) -> list[object]:
    shutil.copytree(trained.path, folder / "newer")
    content = json.loads((folder / "newer" / "run.json").read_text())
    (folder / "newer" / "run.json").write_text(json.dumps({**content, "format": 99}))
    return [folder / "newer", save(scene(), folder / "room.png")]


def no_onnx(folder: Path, trained: Trained) -> list[object]:
    (folder / "model.onnx").write_text("dear diary")
    return [folder / "model.onnx", save(scene(), folder / "room.png")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (a_photo_of_100_megapixels, "huge.png: too large: 10000 x 10000 pixels"),
        (a_text_named_mp4, "text.mp4: unreadable: "),
        (an_empty_video, "empty.mp4: unreadable: "),
        (no_face, "room.png: no face"),
        (a_truncated_photo, "half.jpg: unreadable: "),
        (a_folder_without_images, "holds no photos or videos"),
        (an_empty_folder_first, "norun holds no photos or videos"),
        (a_run_of_a_newer_version, "has format 99; this omote reads format 1"),
        (no_onnx, "damaged or not an ONNX file"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing_behind(
    make: Callable[[Path, Trained], list[object]],
    message: str,
    trained: Trained,
    detector: Path,
    tmp_path: Path,
    omote: Run,
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    given = make(here, trained)
    out = tmp_path / "out"
    code, printed = omote("embed", *given, "--detector", detector, "--to", out / "t.parquet")
    assert code == 1
    assert printed.count("error: ") == 1
    assert message in printed
    assert "Traceback" not in printed
    assert not out.exists() or not os.listdir(out)


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("1:30", 90), ("0:01:30.5", 90.5), ("1:00:00", 3600)]
)
def test_a_time_is_read_as_people_write_it(text: str, expected: float) -> None:
    assert parse_seconds(text, "--start") == expected


def test_an_invalid_time_is_quoted() -> None:
    with pytest.raises(OmoteError, match='--end was given "soon"'):
        parse_seconds("soon", "--end")


def test_bfloat16_is_refused_where_the_processor_only_converts_to_it(
    trained: Trained, faces: FaceSet, tmp_path: Path, omote: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "multiplies_in_bfloat16", lambda kind: False)
    code, printed = omote("embed", trained.path, faces.path, "--bfloat16", "--to", tmp_path / "t.csv")
    assert code == 1
    assert "the cpu here does not multiply in it" in " ".join(printed.split())
    assert not (tmp_path / "t.csv").exists()


def test_what_is_lost_of_a_damaged_video_is_listed_and_summed_up(
    trained: Trained, tmp_path: Path, omote: Run
) -> None:
    film = write_numbers(tmp_path / "film.mts", frames=100, options={"g": "12"})
    content = film.read_bytes()
    at = len(content) // 2 // 188 * 188
    film.write_bytes(content[:at] + content[at + 20 * 188 :])
    code, printed = omote("embed", trained.path, film, "--cropped", "--to", tmp_path / "t.csv")
    assert code == 0, printed
    table, skipped = pd.read_csv(tmp_path / "t.csv"), pd.read_csv(tmp_path / "t.csv.skipped.csv")
    corrupt = skipped[skipped["reason"] == "corrupt frame"]
    assert set(skipped["source"]) == {str(film)}
    assert not set(table["frame"]) & set(corrupt["frame"])
    assert (skipped["reason"] == "frames missing before this one").any()
    seconds = (100 - len(table)) / 25
    assert (
        f"film.mts: damaged video: corrupt frames {len(corrupt)}, gaps in the time stamps 1; {seconds:.2f} s without"
        in printed
    )
    assert "frames missing" not in printed  # no frames that could have been left out
    assert "Traceback" not in printed


def test_a_further_video_of_a_file_is_named_chosen_and_plotted(
    trained: Trained, tmp_path: Path, omote: Run
) -> None:
    film = write_numbers(tmp_path / "film.mkv", extra=[5], frames=40)
    code, printed = omote("embed", trained.path, film, "--cropped", "--to", tmp_path / "t.parquet")
    assert code == 0
    assert (
        "film.mkv: further video: stream 1 (h264, 128 x 64) was not read; omote embed --stream 1 reads it"
        in printed
    )
    first = pd.read_parquet(tmp_path / "t.parquet")
    assert len(first) == 5
    assert "stream" not in first
    code, _ = omote("embed", trained.path, film, "--cropped", "--stream", 1, "--to", tmp_path / "t.parquet")
    features = read_features(tmp_path / "t.parquet")
    assert features.frames["stream"].tolist() == [1] * 40
    crops, failures = recut_faces(features.frames, np.array([3, 38]), locate_faces(features, None))
    assert not failures
    assert sorted(crops) == [3, 38]


def test_options_say_which_faces_and_frames_are_wanted_and_how_pictures_are_turned(
    trained: Trained, faces: FaceSet, detector: Path, tmp_path: Path, omote: Run
) -> None:
    two = scene((np.asarray(faces.faces[0]), 20, 60), (np.asarray(faces.faces[20]), 180, 60))
    film = write_film(tmp_path / "lying.mov", [np.rot90(image) for image in (two, scene(), two)])
    arguments = (
        "embed",
        trained.path,
        film,
        "--detector",
        detector,
        "--rotate",
        "auto",
        "--fast",
        "--all-frames",
    )
    code, printed = omote(*arguments, "--largest", 1, "--to", tmp_path / "t.csv")
    assert code == 0, printed
    assert "2 faces" in printed
    assert "turned clockwise by 90 degrees: 1 photo or video" in printed
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["frame"].tolist() == [0, 1, 2]
    assert table["face"].isna().tolist() == [False, True, False]
    code, printed = omote(*arguments, "--largest", 0, "--to", tmp_path / "t.csv")
    assert code != 0
    assert "largest" in printed


def test_a_model_that_knows_few_of_the_faces_is_advised_against(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def show(doubts: dict[str, int], others: int = 0) -> str:
        summary = EmbedSummary(10, sum(doubts.values()), Counter(doubts), others, True, Counter(), [], {})
        show_embedded(summary, tmp_path / "t.csv")
        return " ".join(capsys.readouterr().out.split())

    advice = "do not rely on their features"
    assert advice in show({"unlike the training faces": 6})
    assert advice in show({"unlike the training faces": 5}, others=1)
    assert advice not in show({"unlike the training faces": 5, "too blurred": 5})
