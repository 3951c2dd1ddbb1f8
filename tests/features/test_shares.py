"""Features by shares: the joined parts are the table of one command."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from omote.data.shards import read_shares
from omote.errors import OmoteError
from omote.features import embed as embedding
from omote.features import stream as streaming
from omote.features.embed import EmbedOptions, embed_share, embed_to, join_features
from omote.features.table import read_table
from omote.runs.trained import Trained
from tests.features.conftest import scene, write_film

SHARES = 5


@pytest.fixture
def corpus(scenes: list[np.ndarray], tmp_path: Path) -> Path:
    """Three films, two photos, one of them without a face, a text that is called a film, and another text."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number, frames in enumerate((scenes[:8], scenes[8:12], scenes[12:])):
        write_film(folder / f"film{number}.mov", frames)
    Image.fromarray(scenes[3]).save(folder / "photo.png")
    Image.fromarray(scene()).save(folder / "room.png")
    (folder / "diary.mp4").write_text("dear diary")
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.mark.parametrize(("suffix", "options"), [
    (".parquet", EmbedOptions(relative=True, all_frames=True)), (".csv", EmbedOptions()),
])  # fmt: skip
def test_joined_parts_are_the_table_of_one_command(
    reader: Trained, corpus: Path, tmp_path: Path, suffix: str, options: EmbedOptions
) -> None:
    whole, joined, parts = tmp_path / f"whole{suffix}", tmp_path / f"joined{suffix}", tmp_path / "parts"
    expected = embed_to(reader, [corpus], whole, **options)
    done = [embed_share(reader, [corpus], parts, (number, SHARES), **options) for number in (4, 2, 5, 1, 3)]
    assert sum(one.num_faces for one in done) == expected.num_faces > 40
    assert len({one.num_faces > 0 for one in done}) == 2  # some shares are of other files only
    assert join_features(read_shares(parts), joined) == expected
    pd.testing.assert_frame_equal(read_table(joined), read_table(whole), rtol=1e-4, atol=1e-5)
    for name in ("skipped.csv", "searched.csv"):
        files = [path.with_name(f"{path.name}.{name}").read_bytes() for path in (joined, whole)]
        assert files[0] == files[1]
    assert not list(tmp_path.rglob("*.partial"))


def test_the_parts_are_a_parquet_data_set_with_their_number(
    reader: Trained, corpus: Path, tmp_path: Path
) -> None:
    for number in (1, 2):
        embed_share(reader, [corpus], tmp_path / "parts", (number, 2))
    table = pd.read_parquet(tmp_path / "parts")
    assert table["part"].is_monotonic_increasing
    assert set(table["part"]) == {1, 2}
    assert table.groupby("source")["part"].nunique().eq(1).all()
    join_features(read_shares(tmp_path / "parts"), tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(table.drop(columns="part"), pd.read_parquet(tmp_path / "t.parquet"))


def test_an_interrupted_share_goes_on_and_one_that_is_done_does_nothing(
    reader: Trained, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "PIECE_FACES", 6)
    write_piece, count = embedding._write_piece, itertools.count()

    def killed(*args: Any) -> None:
        if next(count) == 2:
            raise KeyboardInterrupt
        write_piece(*args)

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_write_piece", killed)
        with pytest.raises(KeyboardInterrupt):
            embed_share(reader, [corpus], tmp_path / "parts", (1, 1))
    looked: list[int] = []
    first = embed_share(
        reader, [corpus], tmp_path / "parts", (1, 1), progress=lambda done, total: looked.append(done)
    )
    assert looked[0] > 6
    looked.clear()
    again = embed_share(
        reader, [corpus], tmp_path / "parts", (1, 1), progress=lambda done, total: looked.append(done)
    )
    assert not looked
    assert again == first


def test_if_no_part_has_a_face_there_is_no_table(reader: Trained, tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(scene()).save(tmp_path / f"{number}.png")
    photos = sorted(tmp_path.glob("*.png"))
    for number in (1, 2):
        assert embed_share(reader, photos, tmp_path / "parts", (number, 2)).num_faces == 0
    with pytest.raises(OmoteError, match=r"Not one face was found, .*no face: 3"):
        join_features(read_shares(tmp_path / "parts"), tmp_path / "t.parquet")
    assert not list(tmp_path.glob("t.*"))


def test_a_damaged_or_lost_part_is_named(reader: Trained, corpus: Path, tmp_path: Path) -> None:
    embed_share(reader, [corpus], tmp_path / "parts", (1, 1))
    part = tmp_path / "parts" / "part-1.parquet"
    message = rf"{part} is damaged or not a part of a table: .* Remove .*_part-1\.json, and give the command of this"
    part.write_bytes(b"PAR1")
    with pytest.raises(OmoteError, match=message):
        join_features(read_shares(part.parent), tmp_path / "t.parquet")
    part.unlink()
    with pytest.raises(OmoteError, match=message):
        join_features(read_shares(part.parent), tmp_path / "t.parquet")
    assert not (tmp_path / "t.parquet").exists()


def test_a_part_that_is_made_again_is_in_the_table_though_joining_was_interrupted(
    reader: Trained, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, table = tmp_path / "parts", tmp_path / "t.parquet"
    for number in (1, 2):
        embed_share(reader, [corpus], parts, (number, 2))
    record = parts / "_part-2.json"
    whole, rows = record.read_text(), pd.read_parquet(parts)
    failed = json.loads(whole)  # as on Ray, where a task may fail and is tried again
    failed["outcome"] |= {
        "num_faces": 0,
        "skipped_files": [{"source": "film2.mov", "frame": None, "reason": "failed"}],
    }
    record.write_text(json.dumps(failed))
    (parts / "part-2.parquet").rename(tmp_path / "kept")

    def killed(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "_put_table", killed)
        with pytest.raises(KeyboardInterrupt):
            join_features(read_shares(parts), table)
    record.write_text(whole)
    (tmp_path / "kept").rename(parts / "part-2.parquet")
    join_features(read_shares(parts), table)
    pd.testing.assert_frame_equal(pd.read_parquet(table), rows.drop(columns="part"))


def test_changed_inputs_do_not_come_together(reader: Trained, corpus: Path, tmp_path: Path) -> None:
    embed_share(reader, [corpus], tmp_path / "parts", (1, 2))
    Image.fromarray(scene()).save(corpus / "another.png")
    with pytest.raises(
        OmoteError, match=r"other inputs or options \(inputs; number of inputs: was 6, now 7\)"
    ):
        embed_share(reader, [corpus], tmp_path / "parts", (2, 2))


def test_face_sets_and_cameras_are_not_shared_out(reader: Trained, cast: Any, tmp_path: Path) -> None:
    for given in (cast.path, "0"):
        with pytest.raises(OmoteError, match="face sets or a camera were given"):
            embed_share(reader, [given], tmp_path / "parts", (1, 2))
