"""Work that several commands share: `--shard K/N`, which inputs each takes, and the folder of their parts.

    part-03.parquet, or a folder part-03   what the third command made
    _part-03.json                          what all were asked for, and what came of the third; written last
    _part-03.partial                       its unfinished work (see `parts.py`)

Readers of Parquet data sets, such as pandas, pyarrow and Spark, leave out files whose names begin with "_", so a folder
of features is a data set as it is.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from omote.boundary import read_json, reading
from omote.data.parts import Parts, claim_parts, differences
from omote.errors import OmoteError
from omote.files import write_json

MOST_SHARDS = 10**6
OWN = re.compile(r"_?part-\d+(\..+)?|_ray\.partial")  # names in a folder of parts
RESTART = "Remove that folder to start over, or name another"


@dataclass(frozen=True)
class Shard:
    """One share of several."""

    number: int  # from 1
    count: int  # of shares

    def check(self) -> None:
        """Raise OmoteError if there is no such share."""
        if not 1 <= self.number <= self.count <= MOST_SHARDS:
            raise OmoteError(
                f"shard is ({self.number}, {self.count}); expected (K, N) for the K-th of N shares, with K from 1 to N"
            )

    @property
    def name(self) -> str:
        """The name of its part, "part-03" of 10; so the parts are in order when sorted by name."""
        return f"part-{self.number:0{len(str(self.count))}d}"

    def select(self, sizes: Sequence[int]) -> range:
        """Return which of the inputs are this share's: consecutive ones, about the N-th part of all bytes.

        Every input is in one share. The shares depend on nothing but the sizes and N; some may be empty.

        Args:
            sizes: bytes of each input, in order.
        """
        weights = [size + 1 for size in sizes]  # so that empty files are shared out too
        ends = list(accumulate(weights))
        shares = [
            (2 * end - weight) * self.count // (2 * ends[-1])
            for end, weight in zip(ends, weights, strict=True)
        ]
        mine = [place for place, share in enumerate(shares) if share == self.number - 1]
        return range(mine[0], mine[-1] + 1) if mine else range(0)


@dataclass
class Share:
    """The part that one command makes, while it holds it."""

    folder: Path
    shard: Shard
    parts: Parts
    outcome: Any = None  # of the part, if it is done

    def finish(self, outcome: Any) -> None:
        """Put everything in `parts.result` in the folder, with JSON values that `read_shares` is to find."""
        record = {"request": self.parts.request, "shard": self.shard.number, "outcome": outcome}
        write_json(self.parts.result / record_name(self.shard), record)
        self.parts.finish(outcome)
        self._put()

    def _put(self) -> None:
        own = record_name(self.shard)
        for path in sorted(
            self.parts.result.iterdir(), key=lambda path: path.name == own
        ):  # the record is last
            self.parts.replace(path, self.folder / path.name)
        self.outcome = self.parts.outcome


def record_name(shard: Shard) -> str:
    """Return the name of the file that says what a part is of."""
    return f"_{shard.name}.json"


def share_request(kind: str, request: dict[str, Any], shard: Shard) -> dict[str, Any]:
    """Return what all parts of a folder were asked for.

    Args:
        kind: "features", "faces" or "analysis".
        request: JSON values.
    """
    asked: dict[str, Any] = json.loads(json.dumps({"kind": kind, "shards": shard.count, **request}))
    return asked


@contextmanager
def claim_share(folder: Path, shard: Shard, request: dict[str, Any], work: str) -> Iterator[Share]:
    """Hold one share of the work in `folder`; an interrupted one resumes, one that is done has an `outcome`.

    Args:
        request: of `share_request`.
        work: as for `claim_parts`.
    Raises:
        OmoteError: As `claim_parts`.
    """
    with claim_parts(folder / f"_{shard.name}", request, work) as parts:
        share = Share(folder, shard, parts)
        if parts.outcome is not None and parts.result.exists():  # a killed process was putting them in place
            share._put()
        else:
            share.outcome = parts.outcome or read_outcome(folder, shard, parts.request)
        yield share


def read_outcome(folder: Path, shard: Shard, request: dict[str, Any]) -> Any:
    """Return what came of a part of this request, or None if it is not done."""
    file = folder / record_name(shard)
    if not file.is_file():
        return None
    record = _read_record(file)
    return record["outcome"] if record["request"] == request else None


def check_folder(folder: Path, request: dict[str, Any]) -> None:
    """Raise OmoteError if a folder holds parts of another request, or files of anyone else."""
    if folder.exists() and not folder.is_dir():
        raise OmoteError(f"{folder} is a file; with shards, --to names a folder for their parts")
    if not folder.is_dir():
        return
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    if others := [name for name in names if not OWN.fullmatch(name)]:
        raise OmoteError(f"{folder} holds other files ({', '.join(others[:3])}); name a new folder for parts")
    for name in names:
        if re.fullmatch(r"_part-\d+\.json", name):
            found = _read_record(folder / name)["request"]
            if lines := differences(found, request):
                raise OmoteError(
                    f"{folder} holds parts of other inputs or options ({'; '.join(lines)}). {RESTART}: {folder}"
                )


@dataclass(frozen=True)
class Shares:
    """A folder of parts, all of which are there."""

    folder: Path
    request: dict[str, Any]  # that all share
    outcomes: list[Any]  # of each, in order

    @property
    def shards(self) -> list[Shard]:
        """Which they are."""
        return [Shard(number, len(self.outcomes)) for number in range(1, len(self.outcomes) + 1)]


def read_shares(folder: str | Path) -> Shares:
    """Return the parts in a folder.

    Raises:
        OmoteError: If there are none, some are missing, or they are of different inputs, models or options.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OmoteError(f"{folder} is no folder; give the folder that commands with --shard wrote to")
    records = {path.name: _read_record(path) for path in sorted(folder.glob("_part-*.json"))
               if re.fullmatch(r"_part-\d+\.json", path.name)}  # fmt: skip
    if not records:
        raise OmoteError(
            f"{folder} holds no parts; `omote embed`, `omote prepare` and `omote analyse` make them with --shard"
        )
    first, *others = records
    request = records[first]["request"]
    for name in others:
        if lines := differences(request, records[name]["request"]):
            raise OmoteError(
                f"{folder / first} and {folder / name} are of different inputs or options ({'; '.join(lines)}). Run "
                "the shards again with the same ones, in a new folder"
            )
    found = {record["shard"]: record["outcome"] for record in records.values()}
    count = request["shards"]
    if missing := sorted({*range(1, count + 1)} - found.keys()):
        raise OmoteError(
            f"{len(missing)} of {count} parts are missing in {folder}: {_say_numbers(missing)}. Give the commands of "
            f"these again, such as the one with --shard {missing[0]}/{count}; what is done is kept"
        )
    return Shares(folder, request, [found[number] for number in range(1, count + 1)])


def _read_record(file: Path) -> dict[str, Any]:
    with reading(file, "the record of a part", "Remove it, and give the command of that part again"):
        record = read_json(file)
        if not isinstance(record["request"]["shards"], int) or not isinstance(record["shard"], int):
            raise ValueError("it does not say which part it is of")
        return {name: record[name] for name in ("request", "shard", "outcome")}


def _say_numbers(numbers: Sequence[int]) -> str:
    """Return "2, 5-8, 11", as Slurm's --array takes it; the first twenty groups of many."""
    groups: list[list[int]] = []
    for number in numbers:
        if groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    texts = [f"{group[0]}-{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups]
    return ", ".join(texts[:20]) + (", ..." if len(texts) > 20 else "")
