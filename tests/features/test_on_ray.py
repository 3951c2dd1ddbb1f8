"""Embedding on a Ray cluster of two nodes on this machine, and of files at addresses."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.shards import read_shares
from omote.errors import OmoteError
from omote.features import on_ray
from omote.features.embed import EmbedOptions, embed, embed_share, embed_to, join_features
from omote.features.on_ray import embed_on_ray
from omote.runs.trained import Trained
from tests.features.conftest import scene, write_film


@pytest.fixture
def films(scenes: list[np.ndarray], tmp_path: Path) -> Path:
    """Four films, two photos and a text."""
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(4):
        write_film(folder / f"{number}.mov", scenes[3 * number : 3 * number + 6])
    Image.fromarray(scenes[3]).save(folder / "photo.png")
    Image.fromarray(scene()).save(folder / "room.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture
def cluster() -> Iterator[None]:
    """A cluster of two nodes with one core each, as if they were two machines."""
    pytest.importorskip("ray", reason="needs Ray (pip install 'omote[ray]')")
    ray = on_ray._import_ray()
    nodes = import_module("ray.cluster_utils").Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    try:
        nodes.add_node(num_cpus=1)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        nodes.shutdown()


def find_workers() -> list[int]:
    """Return the ids of the processes with a model that this one has started, by way of Ray."""
    parents, workers = {}, []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat, command = (folder / "stat").read_text(), (folder / "cmdline").read_bytes()
            except OSError:  # it has ended meanwhile
                continue
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
            if command.startswith(b"ray::_Worker"):
                workers.append(int(folder.name))

    def is_own(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_own(parents[process]))

    return list(filter(is_own, workers))


@pytest.mark.skipif(
    sys.platform != "linux", reason="kills a process that it finds in /proc, which only Linux has"
)
def test_rows_are_those_of_one_command_though_a_worker_is_killed_and_a_video_is_away(
    cluster: None, reader: Trained, films: Path, tmp_path: Path
) -> None:
    whole = embed_to(reader, [films], tmp_path / "whole.parquet")
    away = tmp_path / "away.mov"
    done_before: list[int] = []
    killed: list[int] = []

    def disturb(done: int, total: int) -> None:
        done_before.append(done)
        assert total == 5  # four films, and the photos together
        if done == 0:
            (films / "2.mov").rename(away)
        elif not killed:
            killed.append(find_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    first = embed_on_ray(reader.path, [films], tmp_path / "parts", progress=disturb)
    assert killed
    assert done_before == [0, 1, 2, 3, 4, 5]
    failed = [row for row in first.skipped_files if row["reason"].startswith("failed: ")]
    assert [row["source"] for row in failed] == [str(films / "2.mov")]
    assert "is not there on" in failed[0]["reason"]
    joined = join_features(read_shares(tmp_path / "parts"), tmp_path / "without.parquet")
    assert joined == first
    assert len(pd.read_parquet(tmp_path / "without.parquet")) == first.num_faces < whole.num_faces
    assert "failed: " in (tmp_path / "without.parquet.skipped.csv").read_text()

    away.rename(films / "2.mov")
    done_before.clear()
    again = embed_on_ray(
        reader.path, [films], tmp_path / "parts", progress=lambda done, total: done_before.append(done)
    )
    assert done_before == [4, 5]  # only the one that failed
    assert again == whole == join_features(read_shares(tmp_path / "parts"), tmp_path / "joined.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "joined.parquet"), pd.read_parquet(tmp_path / "whole.parquet"),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip
    for name in ("skipped.csv", "searched.csv"):
        files = [(tmp_path / f"{table}.parquet.{name}").read_bytes() for table in ("joined", "whole")]
        assert files[0] == files[1]


class Died(Exception):
    """Stands in for Ray's error of a worker that died."""


class Raised(Exception):
    """Stands in for Ray's error of a method that raised one."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.cause = cause


class FakeRay:
    """Stands in for Ray: workers whose tasks do what the test says, and promises that are fulfilled in order."""

    exceptions = SimpleNamespace(RayError=Died, RayTaskError=Raised)

    def __init__(self, do: Callable[[Any], Any], start: Callable[[], Any], **resources: float) -> None:
        self.do, self.begin, self.resources = do, start, resources
        self.needs: dict[str, float] = {}
        self.num_workers = self.num_killed = 0
        self.promises: dict[int, Callable[[], Any]] = {}

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **needs: float) -> Any:
        self.needs = needs
        return lambda worker: SimpleNamespace(remote=self.make_worker)

    def make_worker(self) -> Any:
        self.num_workers += 1
        return SimpleNamespace(
            start=SimpleNamespace(remote=lambda *arguments: self.promise(self.begin)),
            embed=SimpleNamespace(remote=lambda task, *_: self.promise(lambda: self.do(task))),
        )

    def promise(self, call: Callable[[], Any]) -> int:
        self.promises[len(self.promises)] = call
        return len(self.promises) - 1

    def wait(
        self, promises: list[int], num_returns: int, timeout: float | None
    ) -> tuple[list[int], list[int]]:
        return promises[:1], promises[1:]

    def get(self, promise: int) -> Any:
        return self.promises[promise]()

    def kill(self, worker: Any) -> None:
        self.num_killed += 1


def starts_well() -> str:
    return f"{version('omote')} on a machine"


def run_pool(
    ray: FakeRay, tasks: list[str], threads: int | None = None, device: str = "auto"
) -> dict[str, Any]:
    """Return what came of each task."""
    arguments = on_ray._WorkerArguments({}, device, False, EmbedOptions(), {})
    pool = on_ray._Pool(ray, arguments, threads)
    done = list(pool.run({number: (task,) for number, task in enumerate(tasks)}))
    assert sorted(number for number, _ in done) == list(range(len(tasks)))  # each once
    return {tasks[number]: result for number, result in done}


def test_tasks_that_fail_are_tried_three_times_and_the_others_are_done() -> None:
    tried: Counter[str] = Counter()

    def do(task: str) -> str | tuple[str]:
        tried[task] += 1
        if task == "kills its worker" or (task == "killed once" and tried[task] == 1):
            raise Died("no more")
        if task == "raises":
            raise Raised(OmoteError("the disk of this machine is full"))
        return (f"result of {task}",)

    ray = FakeRay(do, starts_well, CPU=2.0)
    tasks = ["a", "kills its worker", "b", "killed once", "raises", "c"]
    found = run_pool(ray, tasks)
    assert found == {
        "kills its worker": "its worker died (Died)",
        "raises": "the disk of this machine is full",
        **{task: (f"result of {task}",) for task in ("a", "b", "c", "killed once")},
    }
    assert tried == {"a": 1, "b": 1, "c": 1, "killed once": 2, "kills its worker": 3, "raises": 3}
    assert ray.num_workers == 2 + 4  # another in place of each that died
    assert ray.num_killed == ray.num_workers


@pytest.mark.parametrize(("resources", "threads", "device", "num_workers", "needs"), [
    ({"CPU": 8}, None, "auto", 8, {"num_cpus": 1}),
    ({"CPU": 8}, 3, "auto", 2, {"num_cpus": 3}),
    ({"CPU": 64}, None, "auto", 20, {"num_cpus": 1}),  # no more than tasks
    ({"CPU": 1}, 4, "auto", 1, {"num_cpus": 4}),  # a machine that comes later may have as many
    ({"CPU": 8, "GPU": 2}, None, "auto", 2, {"num_cpus": 1, "num_gpus": 1}),
    ({"CPU": 8, "GPU": 2}, None, "cpu", 8, {"num_cpus": 1}),
])  # fmt: skip
def test_there_is_a_worker_for_each_gpu_or_for_each_core(
    resources: dict[str, float], threads: int | None, device: str, num_workers: int, needs: dict[str, float]
) -> None:
    ray = FakeRay(lambda task: (task,), starts_well, **resources)
    run_pool(ray, [str(number) for number in range(20)], threads, device)
    assert (ray.num_workers, ray.needs) == (num_workers, needs)


def raises(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(("start", "message"), [
    (lambda: raises(Raised(OmoteError("cuda is not available"))), "cannot start: cuda is not available"),
    (lambda: raises(Died("killed")), "die when they start: killed"),
    (lambda: "0.0 on a machine", "is here, and 0.0 on a machine; install the same"),
])  # fmt: skip
def test_workers_that_do_not_start_are_one_sentence(start: Callable[[], Any], message: str) -> None:
    with pytest.raises(OmoteError, match=message):
        run_pool(FakeRay(lambda task: (task,), start, CPU=2), ["a"])


def test_it_does_not_wait_for_workers_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda task: (task,), starts_well, CPU=1)
    monkeypatch.setattr(ray, "wait", lambda promises, num_returns, timeout: ([], promises))
    with pytest.raises(
        OmoteError, match=r"no worker has started within 10 minutes.*1 CPU cores.*needs 4 of one"
    ):
        run_pool(ray, ["a"], 4)


def test_files_at_an_address_have_the_rows_of_local_ones(reader: Trained, films: Path) -> None:
    system = fsspec.filesystem("memory")
    system.put(str(films), "/corpus", recursive=True)
    try:
        table, skipped = embed(reader, ["memory://corpus"])
    finally:
        system.rm("/corpus", recursive=True)
    expected, left_out = embed(reader, [films])
    left_out["reason"] = left_out["reason"].str.replace("omote reads", "omote reads, by its name")
    for one in (expected, left_out):
        one["source"] = one["source"].str.replace(str(films), "memory:///corpus")
    pd.testing.assert_frame_equal(table, expected, rtol=1e-4, atol=1e-5)
    pd.testing.assert_frame_equal(skipped, left_out)
    assert len(skipped) > 2


def test_an_address_without_pictures_is_one_sentence(reader: Trained, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(OmoteError, match="holds no photos or videos, by the suffixes"):
        embed(reader, [f"file://{tmp_path}"])


def test_an_address_without_pictures_shows_no_key(reader: Trained) -> None:
    system = fsspec.filesystem("memory")
    system.pipe("/name:secret@notes/a.txt", b"not a picture")
    try:
        with pytest.raises(OmoteError, match=r"memory://notes holds no photos") as failed:
            embed(reader, ["memory://name:secret@notes"])
    finally:
        system.rm("/name:secret@notes", recursive=True)
    assert "secret" not in str(failed.value)


def test_parts_of_shards_and_of_ray_do_not_come_together(
    reader: Trained, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "_import_ray", lambda: None)
    embed_share(reader, [films], tmp_path / "parts", (5, 5))  # Ray would have five tasks, too
    with pytest.raises(OmoteError, match=r'other inputs or options \(on: was null, now "ray"\)'):
        embed_on_ray(reader.path, [films], tmp_path / "parts")


def test_what_fails_here_ends_the_workers_first(
    reader: Trained, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay(lambda task: (task,), starts_well, CPU=2)
    monkeypatch.setattr(on_ray, "_import_ray", lambda: ray)
    monkeypatch.setattr(ray, "is_initialized", lambda: True, raising=False)
    monkeypatch.setattr(on_ray, "_write", lambda *_: raises(OSError("no space left")))
    with pytest.raises(OSError, match="no space left") as failed:  # which keeps what was running
        embed_on_ray(reader.path, [films], tmp_path / "parts")
    assert ray.num_killed == ray.num_workers == 2, failed


def test_without_ray_it_says_what_to_install(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with pytest.raises(OmoteError, match=r"Ray is not installed \(pip install 'omote\[ray\]'\)"):
        embed_on_ray("shipped", [films], tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
