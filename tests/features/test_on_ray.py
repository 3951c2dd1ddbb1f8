"""Embedding on a Ray cluster of two nodes on this machine, and of files at addresses."""

import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.shards import read_shares
from omote.errors import OmoteError
from omote.features import on_ray
from omote.features.embed import embed, embed_to, join_features
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


def test_without_ray_it_says_what_to_install(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with pytest.raises(OmoteError, match=r"Ray is not installed \(pip install 'omote\[ray\]'\)"):
        embed_on_ray("shipped", [films], tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
