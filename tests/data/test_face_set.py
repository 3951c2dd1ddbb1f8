import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omote.data.build import FaceBatch, Skipped, build_face_set
from omote.data.face_set import About, Counts, FaceSet, open_face_set
from omote.errors import OmoteError

SIZE = 8


def make(job: int) -> Iterator[FaceBatch]:
    """Two parts of 2 and 1 frames whose pixels tell the job and the frame, and a skipped frame."""
    for frames in ([0, 1], [2]):
        faces = np.stack([np.full((SIZE, SIZE, 3), 10 * job + frame, np.uint8) for frame in frames])
        table = pd.DataFrame(
            {"subject": f"s{job % 3}", "clip": f"c{job}", "frame": frames, "expression": None}
        )
        if job == 1:
            table["au_12"] = 0.5
        yield FaceBatch(faces, table)
    yield FaceBatch(faces[:0], pd.DataFrame(), [Skipped(source=f"{job}.mp4", frame=7, reason="no face")])


def build(to: Path, jobs: Sequence[int] = range(4), **changes: Any) -> FaceSet:
    return build_face_set(
        to, jobs, **{"make": make, "size": SIZE, "about": About(importer="test"), "workers": 1, **changes}
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_faces_and_rows_are_in_the_order_of_the_jobs(tmp_path: Path) -> None:
    face_set = build(tmp_path / "set")
    assert face_set.faces[:, 0, 0, 0].tolist() == [10 * job + frame for job in range(4) for frame in range(3)]
    assert face_set.frames["clip"].tolist() == [f"c{job}" for job in range(4) for _ in range(3)]
    assert face_set.frames["frame"].tolist() == [0, 1, 2] * 4
    assert (len(face_set), face_set.size, face_set.subjects) == (12, SIZE, ["s0", "s1", "s2"])
    assert not face_set.faces.flags.writeable
    assert isinstance(face_set.faces, np.memmap)


def test_a_column_that_only_one_job_has_is_kept_and_missing_elsewhere(tmp_path: Path) -> None:
    frames = build(tmp_path / "set").frames
    assert frames["au_12"].dropna().tolist() == [0.5] * 3
    assert frames["expression"].isna().all()
    assert (frames["use"] == "both").all()
    assert frames["detection_score"].isna().all()


def test_what_was_left_out_is_listed_and_counted(tmp_path: Path) -> None:
    face_set = build(tmp_path / "set")
    assert face_set.skipped()["source"].tolist() == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]
    assert face_set.skipped()["frame"].tolist() == [7] * 4
    assert face_set.about.counts == Counts(subjects=3, clips=4, frames=12, skipped={"no face": 4})


def test_the_result_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    build(tmp_path / "one", workers=1)
    build(tmp_path / "two", workers=2)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_progress_counts_every_job_once(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build(tmp_path / "set", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 4) for done in range(5)]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_face_set import build, make

def dying(job):
    print(job, flush=True)
    parts = make(job)
    yield next(parts)
    if job == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    yield from parts

build(Path(sys.argv[2]), make=dying)
"""


def test_a_killed_preparation_goes_on_with_the_jobs_that_are_not_done(tmp_path: Path) -> None:
    to = tmp_path / "set"
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(to)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.stdout.split() == ["0", "1", "2"], killed.stderr
    assert not to.exists()
    with pytest.raises(OmoteError, match="interrupted"):
        open_face_set(to)
    calls = []

    def counting(job: int) -> Iterator[FaceBatch]:
        calls.append(job)
        yield from make(job)

    build(to, make=counting)
    build(tmp_path / "straight")
    assert calls == [2, 3]
    assert files(to) == files(tmp_path / "straight")
    assert not (tmp_path / "set.partial").exists()


def test_a_job_that_a_surviving_worker_of_a_killed_run_finishes_first_is_no_problem(tmp_path: Path) -> None:
    def overtaken(job: int) -> Iterator[FaceBatch]:
        yield from make(job)
        if job == 2:
            folder = tmp_path / "set.partial" / "part_000002"
            shutil.copytree(next(folder.parent.glob("part_000002.*")), folder)

    build(tmp_path / "set", make=overtaken)
    build(tmp_path / "straight")
    assert files(tmp_path / "set") == files(tmp_path / "straight")


def failing(job: int) -> Iterator[FaceBatch]:
    if job == 2:
        raise OmoteError("bad job")
    yield from make(job)


def test_an_error_in_a_worker_comes_out_as_it_is_and_what_is_done_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="bad job"):
        build(tmp_path / "set", make=failing, workers=2)
    assert len(build(tmp_path / "set")) == 12


def test_less_than_one_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="workers is 0"):
        build(tmp_path / "set", workers=0)


def interrupted(job: int) -> Iterator[FaceBatch]:
    if job == 2:
        raise KeyboardInterrupt
    yield from make(job)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"about": About(importer="other")}, 'about.importer: was "test", now "other"'),
        ({"jobs": range(5)}, "jobs.count: was 4, now 5"),
        ({"size": 16}, "size: was 8, now 16"),
    ],
)
def test_other_options_do_not_go_on_with_an_interrupted_preparation(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "set", make=interrupted)
    with pytest.raises(OmoteError, match="Remove that folder") as error:
        build(tmp_path / "set", **changes)
    assert told in str(error.value)
    assert str(tmp_path / "set.partial") in str(error.value)


def test_two_preparations_of_one_face_set_at_once_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.0)

    def nested(job: int) -> Iterator[FaceBatch]:
        with pytest.raises(OmoteError, match="Another process"):
            build(tmp_path / "set")
        yield from make(job)

    build(tmp_path / "set", make=nested)


def test_a_folder_that_no_preparation_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(OmoteError, match="in the way"):
        build(tmp_path / "set")
    assert (tmp_path / "set.partial" / "thesis.txt").read_text() == "mine"


def test_an_existing_face_set_is_replaced_only_when_asked_and_only_when_the_new_one_is_whole(
    tmp_path: Path,
) -> None:
    build(tmp_path / "set")
    before = files(tmp_path / "set")
    with pytest.raises(OmoteError, match="exists already"):
        build(tmp_path / "set", range(5))
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "set", range(5), make=interrupted, overwrite=True)
    assert files(tmp_path / "set") == before
    assert len(build(tmp_path / "set", range(5), overwrite=True)) == 15
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_overwriting_never_removes_what_is_not_a_face_set(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("mine")
    with pytest.raises(OmoteError, match="not a face set"):
        build(tmp_path / "set", overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OmoteError, match="no folder"):
        build(tmp_path / "file", overwrite=True)


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    assert len(build(tmp_path / "set")) == 12


def test_no_frame_at_all_is_an_error_that_tells_the_reasons(tmp_path: Path) -> None:
    def nothing(job: int) -> Iterator[FaceBatch]:
        yield list(make(job))[-1]

    with pytest.raises(OmoteError, match=r"no face: 4.*0\.mp4"):
        build(tmp_path / "set", make=nothing)
    assert list(tmp_path.iterdir()) == []


def rewrite_about(folder: Path, **changes: Any) -> None:
    about = json.loads((folder / "about.json").read_text())
    (folder / "about.json").write_text(json.dumps({**about, **changes}))


def rewrite_frames(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(folder / "frames.parquet")).to_parquet(folder / "frames.parquet", index=False)


def rewrite_faces(folder: Path, faces: np.ndarray) -> None:
    np.save(folder / "faces.npy", faces)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no about": (lambda p: (p / "about.json").unlink(), "it has no about.json"),
    "about is no JSON": (lambda p: (p / "about.json").write_text("{"), "about.json is damaged"),
    "about of something else": (lambda p: (p / "about.json").write_text("{}"), "is not a face set"),
    "newer version": (
        lambda p: rewrite_about(p, format_version=2),
        "format version 2; this omote reads version 1",
    ),
    "other size": (lambda p: rewrite_about(p, size=64), "about.json says size 64 and faces.npy holds 8 px"),
    "no faces": (lambda p: (p / "faces.npy").unlink(), "faces.npy .*there is no such file"),
    "truncated faces": (
        lambda p: os.truncate(p / "faces.npy", 1000),
        "faces.npy is damaged .*greater than file size",
    ),
    "too long": (lambda p: os.truncate(p / "faces.npy", 10_000), "faces.npy .*longer than its header says"),
    "truncated header": (
        lambda p: os.truncate(p / "faces.npy", 20),
        "faces.npy is damaged .*header",
    ),
    "faces of floats": (lambda p: rewrite_faces(p, np.zeros((12, 8, 8, 3))), "holds float64"),
    "grey faces": (lambda p: rewrite_faces(p, np.zeros((12, 8, 8), np.uint8)), "expected uint8"),
    "objects": (lambda p: rewrite_faces(p, np.array([{}] * 12)), "faces.npy is damaged .*Python objects"),
    "no face at all": (lambda p: rewrite_faces(p, np.zeros((0, 8, 8, 3), np.uint8)), "holds no face"),
    "fewer faces": (
        lambda p: rewrite_faces(p, np.zeros((11, 8, 8, 3), np.uint8)),
        "12 rows and faces.npy 11",
    ),
    "no frames": (lambda p: (p / "frames.parquet").unlink(), "frames.parquet .*there is no such file"),
    "truncated frames": (lambda p: os.truncate(p / "frames.parquet", 500), "frames.parquet is damaged"),
    "fewer rows": (lambda p: rewrite_frames(p, lambda f: f.iloc[1:]), "11 rows and faces.npy 12"),
    "a column less": (lambda p: rewrite_frames(p, lambda f: f.drop(columns="clip")), "missing columns clip"),
    "a column of another type": (
        lambda p: rewrite_frames(p, lambda f: f.assign(frame="first")),
        "column frame is .*string; expected int64",
    ),
    "an unknown use": (lambda p: rewrite_frames(p, lambda f: f.assign(use="never")), "use is 'never'"),
    "no list of skipped": (lambda p: (p / "skipped.csv").unlink(), "skipped.csv is missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_face_set_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    build(tmp_path / "set")
    do, told = DAMAGES[damage]
    do(tmp_path / "set")
    with pytest.raises(OmoteError, match=told):
        open_face_set(tmp_path / "set")


def test_opening_what_is_not_there_or_a_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="There is no face set"):
        open_face_set(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(OmoteError, match="is a file"):
        open_face_set(tmp_path / "file")
