"""Shares of the inputs, and the folder of their parts; joined face sets, tables and analyses are tested elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omote.data.parts import claim_parts
from omote.data.shards import Shard, check_folder, claim_share, read_shares, share_request
from omote.errors import OmoteError


def write_share(folder: Path, number: int, count: int = 3, kill: bool = False, **request: Any) -> Any:
    """Write a part with one file, as a command with --shard does; or stop before it is in place."""
    shard = Shard(number, count)
    asked = share_request("features", {"model": "m", **request}, shard)
    check_folder(folder, asked)
    with claim_share(folder, shard, asked, "work") as claim:
        if claim.outcome is None:
            (claim.parts.new_result() / f"{shard.name}.parquet").write_text(str(number))
            if kill:
                raise KeyboardInterrupt
            claim.finish({"number": number})
        return claim.outcome


def test_shares_are_consecutive_and_about_equal_in_bytes() -> None:
    sizes = [100, 100, 100, 10, 10, 10, 270]
    assert [list(Shard(number, 2).select(sizes)) for number in (1, 2)] == [[0, 1, 2], [3, 4, 5, 6]]
    assert [list(Shard(number, 3).select(sizes)) for number in (1, 2, 3)] == [[0, 1], [2, 3, 4, 5], [6]]
    assert [list(Shard(number, 2).select([0, 0, 0, 0])) for number in (1, 2)] == [[0, 1], [2, 3]]


@given(st.lists(st.integers(0, 10**12), max_size=40), st.integers(1, 60))
def test_every_input_is_in_exactly_one_share_whatever_the_sizes(sizes: list[int], count: int) -> None:
    shares = [place for number in range(1, count + 1) for place in Shard(number, count).select(sizes)]
    assert shares == list(range(len(sizes)))


@pytest.mark.parametrize("shard", [Shard(0, 3), Shard(4, 3), Shard(-1, 3), Shard(1, 0)])
def test_a_share_that_there_is_not_is_refused(shard: Shard) -> None:
    with pytest.raises(OmoteError, match=r"expected \(K, N\) for the K-th of N shares"):
        shard.check()


def test_parts_are_read_in_order_once_all_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    for number in (11, *range(1, 11)):
        write_share(folder, number, 12)
    with pytest.raises(OmoteError, match=r"1 of 12 parts are missing.* 12\. .* --shard 12/12"):
        read_shares(folder)
    write_share(folder, 12, 12)
    shares = read_shares(folder)
    assert [outcome["number"] for outcome in shares.outcomes] == list(range(1, 13))
    assert [shard.name for shard in shares.shards] == sorted(path.stem for path in folder.glob("*.parquet"))
    assert {path.name for path in folder.iterdir() if not path.name.startswith("_")} == {
        f"part-{number:02d}.parquet" for number in range(1, 13)
    }


def test_missing_parts_are_named_as_slurm_takes_them(tmp_path: Path) -> None:
    for number in (2, 6, 7):
        write_share(tmp_path / "parts", number, 10)
    with pytest.raises(OmoteError, match=r"7 of 10 parts are missing in .*: 1, 3-5, 8-10\. "):
        read_shares(tmp_path / "parts")


def test_a_part_that_is_done_is_not_made_again_and_an_interrupted_one_is(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_share(tmp_path, 1, kill=True)
    with pytest.raises(OmoteError, match="holds no parts"):
        read_shares(tmp_path)
    assert write_share(tmp_path, 1) == {"number": 1}
    (tmp_path / "part-1.parquet").write_text("kept")
    assert write_share(tmp_path, 1) == {"number": 1}
    assert (tmp_path / "part-1.parquet").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"part-1.parquet", "_part-1.json"}


def kill_while_putting(folder: Path, shard: Shard, request: dict[str, Any]) -> None:
    """Put the file of a part in place, but not yet its record."""
    with claim_parts(folder / f"_{shard.name}", request, "work") as parts:
        (parts.new_result() / "part-1.parquet").write_text("first")
        record = {"request": request, "shard": 1, "outcome": {"number": 1}}
        (parts.result / "_part-1.json").write_text(json.dumps(record))
        parts.finish({"number": 1})
        parts.replace(parts.result / "part-1.parquet", folder / "part-1.parquet")
        raise KeyboardInterrupt


def test_a_kill_while_a_part_is_put_in_place_costs_no_work(tmp_path: Path) -> None:
    shard = Shard(1, 3)
    with pytest.raises(KeyboardInterrupt):
        kill_while_putting(tmp_path, shard, share_request("features", {"model": "m"}, shard))
    assert write_share(tmp_path, 1) == {"number": 1}
    assert (tmp_path / "part-1.parquet").read_text() == "first"
    assert {path.name for path in tmp_path.iterdir()} == {"part-1.parquet", "_part-1.json"}


def test_parts_of_other_options_or_of_another_number_of_shares_do_not_come_together(tmp_path: Path) -> None:
    write_share(tmp_path / "a", 1)
    with pytest.raises(OmoteError, match=r"parts of other inputs or options \(model: was \"m\", now \"n\"\)"):
        write_share(tmp_path / "a", 2, model="n")
    with pytest.raises(OmoteError, match="shards: was 3, now 4"):
        write_share(tmp_path / "a", 2, 4)
    write_share(tmp_path / "b", 2, model="n")
    for path in [*(tmp_path / "b").iterdir()]:
        path.rename(tmp_path / "a" / path.name)
    with pytest.raises(
        OmoteError, match=r"_part-1\.json and .*_part-2\.json are of different inputs or options"
    ):
        read_shares(tmp_path / "a")


def test_a_folder_of_anyone_else_is_no_folder_of_parts(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OmoteError, match=r"holds other files \(thesis\.txt\)"):
        write_share(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(OmoteError, match="is a file"):
        write_share(tmp_path / "thesis.txt", 1)
    with pytest.raises(OmoteError, match="is no folder"):
        read_shares(tmp_path / "thesis.txt")


@pytest.mark.parametrize("text", ["{", "[]", '{"request": {}, "shard": 1, "outcome": {}}', '{"shard": 1}'])
def test_a_damaged_record_is_one_sentence(tmp_path: Path, text: str) -> None:
    write_share(tmp_path, 1)
    (tmp_path / "_part-1.json").write_text(text)
    with pytest.raises(OmoteError, match=r"_part-1\.json is damaged or not the record of a part"):
        read_shares(tmp_path)
