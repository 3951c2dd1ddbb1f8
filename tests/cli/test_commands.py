"""Every step from faces to pictures on the command line, with drawn faces; and the error messages."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from omote.cli.inputs import METHODS_HELP
from omote.cli.main import app, main
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.methods.registry import METHODS
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.runs.trained import Trained
from omote.training import loop
from omote.training.step import take_step

COMMANDS = [
    "prepare",
    "train",
    "options",
    "evaluate",
    "audit",
    "choose",
    "embed",
    "profile",
    "plot",
    "export",
    "swap",
    "interpolate",
    "reproduce",
    "demo",
]
SMALL = ["--epochs", "1", "--set", "options.width=8", "--set", "options.latent_size=8", "--batch-size", "16"]


def omote(*arguments: object) -> str:
    """Run a command in this process; return what it printed. An OmoteError passes through."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_whole_path_from_drawn_faces_to_pictures(tmp_path: Path) -> None:
    faces, run = tmp_path / "faces", tmp_path / "run"
    printed = omote(
        "prepare", "drawn", "--to", faces, "--subjects", 5, "--frames", 4, "--mixtures", 0, "--workers", 1
    )
    assert "160 faces of 5 people, 64 px" in printed
    omote("train", faces, "--to", run, "--method", "proposed", "--test-subjects", 2, *SMALL)
    assert len(read_run_info(run).test_subjects) == 2
    printed = omote("evaluate", run, faces, "--kmeans-runs", 2)
    assert "accuracy" in printed
    scores = pd.read_csv(run / "scores.csv")
    assert set(scores["people"]) == {"train", "test"}
    omote("embed", run, faces, "--to", tmp_path / "features.parquet")
    table = pd.read_parquet(tmp_path / "features.parquet")
    assert len(table) == 160
    omote("swap", run, "--faces", faces, "--people", "test", "--to", tmp_path / "swap.png")
    omote("interpolate", run, "--faces", faces, "--to", tmp_path / "strip.png", "--steps", 5)
    for name in ("swap.png", "strip.png"):
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 64


def test_rows_of_the_paper_are_reproduced_and_the_table_is_printed(faces: FaceSet, tmp_path: Path) -> None:
    arguments = ["--rows", "6,7", "--scale", "tiny", "--workers", 1, "--test-subjects", 2]
    printed = omote("reproduce", faces.path, "--to", tmp_path / "paper", *arguments)
    assert "subtracted" in printed
    assert "38.08" in printed  # the paper's figure of row 6, beside ours
    assert "report.html" in printed
    assert (tmp_path / "paper" / "report.html").is_file()
    info = read_run_info(tmp_path / "paper" / "runs" / "row6-seed0")
    assert len(info.test_subjects) == 2


def test_centred_scores_stand_beside_the_plain_ones(trained: Trained, faces: FaceSet) -> None:
    omote("evaluate", trained.path, faces.path, "--kmeans-runs", 2)
    plain = (trained.path / "scores.csv").read_text()
    omote("evaluate", trained.path, faces.path, "--kmeans-runs", 2, "--centred")
    assert (trained.path / "scores.csv").read_text() == plain
    assert (trained.path / "centred" / "scores.csv").read_text() != plain


def test_pictures_from_single_photos(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(np.asarray(faces.faces[i])).save(tmp_path / f"{i}.png")
    one, two = tmp_path / "0.png", tmp_path / "1.png"
    omote(
        "swap", trained.path, "--identity", one, "--expression", two, "--cropped", "--to", tmp_path / "s.png"
    )
    omote(
        "interpolate",
        trained.path,
        "--identity",
        one,
        "--expression",
        two,
        "--cropped",
        "--to",
        tmp_path / "i.png",
    )
    assert (tmp_path / "s.png").is_file()
    assert (tmp_path / "i.png").is_file()


def test_pictures_on_the_photo_itself(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    for i in range(2):
        Image.fromarray(np.asarray(faces.faces[i])).resize((300, 300)).save(tmp_path / f"{i}.png")
    of_photos = ["--identity", tmp_path / "0.png", "--expression", tmp_path / "1.png", "--cropped"]
    for command in ("swap", "interpolate"):
        to = tmp_path / f"{command}.png"
        omote(command, trained.path, *of_photos, "--on-photo", "--to", to)
        with Image.open(to) as image:
            assert image.width > 2 * 256
    omote("swap", trained.path, "--faces", faces.path, "--on-photo", "--to", tmp_path / "f.png")
    assert (tmp_path / "f.png").is_file()


def test_whole_photos_are_written_with_a_note_that_they_were_changed(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    for i in range(2):
        Image.fromarray(np.asarray(faces.faces[4 * i])).resize((90, 70)).save(tmp_path / f"{i}.png")
    one, two = tmp_path / "0.png", tmp_path / "1.png"
    command = [
        "swap",
        trained.path,
        "--identity",
        one,
        "--to",
        tmp_path / "s.png",
        "--photos-to",
        tmp_path / "p",
    ]
    omote(*command, "--expression", one, "--expression", two, "--cropped", "--on-photo")
    with Image.open(one) as photo, Image.open(tmp_path / "p" / "0_0.png") as same:
        np.testing.assert_array_equal(np.asarray(same), np.asarray(photo.convert("RGB")))
    with Image.open(tmp_path / "p" / "0_1.png") as changed:
        assert "changed by omote" in changed.info["Description"]
        assert changed.size == (90, 70)
    for more in (["--expression", two, "--cropped"], ["--on-photo"]):
        with pytest.raises(OmoteError, match="--photos-to needs --on-photo, one run"):
            omote(*command, *more)
    (tmp_path / "other").mkdir()
    two.rename(tmp_path / "other" / "0.png")
    namesakes = ["--identity", tmp_path / "other" / "0.png", "--expression", one, "--cropped", "--on-photo"]
    with pytest.raises(OmoteError, match="two of these would have the same name"):
        omote(*command, *namesakes)
    copies = [shutil.copy(one, tmp_path / f"{name}.png") for name in ("0_1", "2", "1_2")]
    ambiguous = ["--identity", copies[0], "--expression", copies[1], "--expression", copies[2]]
    with pytest.raises(OmoteError, match="two of these would have the same name"):  # 0_1_2.png
        omote(*command, *ambiguous, "--cropped", "--on-photo")


def test_people_of_the_training_and_held_out_people_share_a_picture(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    heights = {}
    for people in ("train", "test", "both"):
        omote("swap", trained.path, "--faces", faces.path, "--people", people, "--to", tmp_path / "s.png")
        with Image.open(tmp_path / "s.png") as image:
            heights[people] = image.height
    assert heights["both"] == heights["train"] + heights["test"]


def test_a_folder_of_photos_is_prepared_with_pattern_and_map(faces: FaceSet, tmp_path: Path) -> None:
    for i in range(4):
        Image.fromarray(np.asarray(faces.faces[i])).save(tmp_path / f"p{i // 2}_{i % 2}.png")
    arguments = ["--pattern", "{subject}_{expression}.png", "--map-expression", "0=neutral", "--cropped"]
    printed = omote("prepare", "folder", tmp_path, "--to", tmp_path / "set", *arguments, "--workers", 1)
    assert "4 faces of 2 people" in printed
    assert open_face_set(tmp_path / "set").frames["expression"].tolist() == ["neutral", "1"] * 2


def test_a_dry_run_prints_the_whole_configuration_and_makes_nothing(faces: FaceSet, tmp_path: Path) -> None:
    printed = omote(
        "train", faces.path, "--to", tmp_path / "run", "--dry-run", "--set", "options.switch_weight=3"
    )
    assert '"switch_weight": 3.0' in printed
    assert '"learning_rate_decay": 0.95' in printed
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    assert "Usage" in omote(command, "--help")


def test_the_options_are_listed_with_their_meaning() -> None:
    printed = omote("options", "proposed")
    assert "options.switch_weight" in printed
    assert "gamma" in printed
    assert "options.temperature" in omote("options", "contrast")


def test_the_options_of_the_default_method_are_listed_where_none_is_named() -> None:
    assert omote("options") == omote("options", TrainConfig().method)


def test_help_names_the_methods_that_there_are_and_the_default_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = "|".join(name for name in METHODS if name != TrainConfig().method)
    assert re.fullmatch(
        rf"Method: {TrainConfig().method} \(the default\)((,| or) ({others})){{{len(METHODS) - 1}}}\.",
        METHODS_HELP,
    )
    assert all(name in METHODS_HELP for name in METHODS)
    monkeypatch.setenv("COLUMNS", "200")
    for command in ("train", "options"):
        assert METHODS_HELP in " ".join(omote(command, "--help").replace("│", " ").split())


def test_a_training_from_a_run_takes_its_method_and_networks(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    omote(
        "train",
        faces.path,
        "--to",
        tmp_path / "more",
        "--from",
        trained.path,
        "--epochs",
        1,
        "--batch-size",
        12,
    )
    info = read_run_info(tmp_path / "more")
    assert info.start == trained.model
    assert (info.config.method, info.config.options.width) == (
        trained.name,
        trained.info.config.options.width,
    )
    assert info.config.options.epochs == 1


def test_help_on_training_loads_no_torch() -> None:
    code = (
        "import sys\nfrom omote.cli.main import main\nsys.argv = ['omote', 'train', '--help']\n"
        "try:\n    main()\nexcept SystemExit as stopped:\n    assert not stopped.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(method in done.stdout for method in METHODS)


def test_a_run_without_a_decoder_is_evaluated_and_embedded_and_never_drawn(
    trained: Trained,
    faces: FaceSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    points = tmp_path / "points"
    omote("train", faces.path, "--to", points, "--method", "contrast", "--test-subjects", 1, *SMALL)
    assert "no score: this method has no identity code" in omote(
        "evaluate", points, faces.path, "--kmeans-runs", 2
    )
    omote("embed", points, faces.path, "--to", tmp_path / "codes.parquet")
    assert pd.read_parquet(tmp_path / "codes.parquet")["z_e_deviation_00"].tolist() == [0] * 40

    of_faces, of_photos = (
        ["--faces", faces.path],
        ["--cropped", "--identity", "a.png", "--expression", "b.png"],
    )
    for command in (
        ["swap", points, *of_faces],
        ["swap", trained.path, points, *of_faces],  # the others are not drawn either
        ["interpolate", points, trained.path, *of_faces],
        ["interpolate", points, *of_photos],  # before the photos are read
    ):
        arguments = ["omote", *command, "--to", tmp_path / "picture.png"]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: the run {points} makes no images")
        assert f"such as {TrainConfig().method}" in line
    assert not (tmp_path / "picture.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere", "--to", "run"], "nowhere"),
        (["train", "there", "--to", "run", "--set", "epochs"], "takes NAME=VALUE"),
        (["train", "there", "--to", "run", "--set", "options.colour=red"], "is not an option"),
        (["evaluate", "nowhere", "nowhere"], "is not a run"),
        (["embed", "there", "--to", "table.xlsx"], "must end in .parquet or .csv"),
        (["swap", "nowhere", "--to", "a.png"], "is not a run"),
        (["prepare", "folder", "nowhere", "--to", "faces"], "nowhere"),
        (["reproduce", "there", "--to", "paper", "--rows", "one"], "takes numbers of rows, such as 1,4"),
        (["reproduce", "nowhere", "--to", "paper"], "There is no face set at nowhere"),
    ],
)
def test_a_mistake_is_one_sentence_without_a_traceback(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    Path("there/about.json").touch()  # looks like a face set, which is not opened before the mistake is found
    monkeypatch.setattr(sys, "argv", ["omote", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    printed = capsys.readouterr().err
    assert "error:" in printed
    assert message in " ".join(printed.split())
    assert "Traceback" not in printed
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_full_disk_is_one_sentence_in_any_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "scores")

    monkeypatch.setattr("omote.cli.main.app", fail)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    said = "error: scores: No space left on device. Make room, and give the same command again.\n"
    assert capsys.readouterr().err == said


def test_after_ctrl_c_the_same_command_continues_the_training(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = take_step

    def interrupted(*arguments: Any) -> dict[str, Tensor]:
        os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments)

    command = [str(x) for x in ("train", faces.path, "--to", tmp_path / "run", "--method", "vae", *SMALL)]
    with monkeypatch.context() as context:
        context.setattr(loop, "take_step", interrupted)
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 130
    assert "Run the same command again to continue" in result.output
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
    omote(*command)
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_a_path_that_cannot_be_written_is_one_sentence(
    trained: Trained,
    faces: FaceSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").write_text("in the way")
    command = [
        "omote",
        "embed",
        str(trained.path),
        str(faces.path),
        "--to",
        str(tmp_path / "file" / "table.csv"),
    ]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 1
    assert "error: " in capsys.readouterr().err


def test_an_unreadable_photo_is_reported_and_the_others_are_embedded(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    Image.fromarray(np.asarray(faces.faces[0])).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("no picture")
    inputs = [tmp_path / "good.png", tmp_path / "bad.jpg"]
    printed = omote("embed", trained.path, *inputs, "--cropped", "--to", tmp_path / "t.csv")
    assert "1 faces" in printed
    assert f"left out: {tmp_path / 'bad.jpg'}: unreadable" in printed


def test_people_are_held_out_by_number_or_by_name(faces: FaceSet, tmp_path: Path) -> None:
    command = ["train", faces.path, "--to", tmp_path / "run", "--dry-run", "--test-subjects"]
    assert '"test_subjects": 2' in omote(*command, "2")
    assert '"0001"' in omote(*command, "0001,0003")


def test_the_version_is_printed() -> None:
    assert omote("--version").strip() == version("omote")


def test_pictures_need_faces_or_photos_not_both(trained: Trained, faces: FaceSet, tmp_path: Path) -> None:
    for more in ([], ["--faces", faces.path, "--identity", "a.png"], ["--identity", "a.png"]):
        with pytest.raises(OmoteError, match="give either --faces"):
            omote("swap", trained.path, "--to", tmp_path / "a.png", *more)
    with pytest.raises(OmoteError, match="it takes train, test, both or all"):
        omote("swap", trained.path, "--faces", faces.path, "--people", "nobody", "--to", tmp_path / "a.png")


def test_the_installed_command_answers(tmp_path: Path) -> None:
    code = "from omote.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert "prepare" in done.stdout


def test_under_torchrun_only_a_training_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only training shares its work among processes; any other command would run in each of them, on the same files."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    with pytest.raises(OmoteError, match="run omote prepare without torchrun"):
        omote("prepare", "drawn", "--to", tmp_path / "drawn")
    assert not (tmp_path / "drawn").exists()
