"""Reading files from outside: limits before memory is taken, and every error as one sentence (`reading`)."""

import codecs
import reprlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError
from pydantic_core import from_json

from omote.errors import OmoteError

MAX_TEXT = 2**25  # bytes of a JSON or TOML file; parsed it may take 30 times as much
# Bytes in memory of a Parquet file: this many, and this many times its size. Repeated values shrink without limit on
# disk; the numbers of a feature table do not.
MAX_TABLE, MAX_EXPANSION = 2**30, 50
UNUSED = (
    pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)  # fmt: skip
LONGEST_REASON = 300  # characters of a library's message


def reading(path: str | Path, what: str, remedy: str) -> AbstractContextManager[None]:
    """Turn any exception of a block that reads a file into an OmoteError; see `one_sentence`.

    Args:
        what: what the file should be, with its article: "a profile".
        remedy: what to do, without a full stop: "Make the profile again".
    """
    return one_sentence(f"{path} is damaged or not {what}", remedy)


@contextmanager
def one_sentence(opening: str, remedy: str) -> Iterator[None]:
    """Turn any exception of the block into an OmoteError: "OPENING: what is wrong. REMEDY."; an OmoteError stays."""
    try:
        yield
    except OmoteError:
        raise
    except Exception as error:  # a damaged file may raise anything in the library that reads it
        raise OmoteError(f"{opening}: {explain(error)}. {remedy}.") from None


def explain(error: Exception) -> str:
    """Return in one line what is wrong; for a validation error, one clause for each field."""
    if isinstance(error, ValidationError):
        reason = "; ".join(_explain_field(problem) for problem in error.errors(include_url=False))
    elif isinstance(error, KeyError):
        reason = f"{error.args[0]} is missing" if error.args else "a key is missing"
    elif isinstance(error, FileNotFoundError):
        reason = "there is no such file"
    elif isinstance(error, RecursionError):
        reason = "it is nested too deeply"
    elif isinstance(error, MemoryError):
        reason = "it does not fit in memory"
    else:
        reason = getattr(error, "strerror", None) or str(error)
    reason = " ".join(reason.split()).rstrip(".") or type(error).__name__
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."


def _explain_field(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f'"{key}" is not an option here'
    message = problem["msg"].removeprefix("Value error, ")
    given = ""
    if not isinstance(problem["input"], dict):
        try:
            given = f" (given: {reprlib.repr(problem['input'])})"
        except ValueError:  # an integer with too many digits to print
            given = " (given: a huge number)"
    return f"{key + ': ' if key else ''}{message}{given}"


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file; raise ValueError if it is larger than `MAX_TEXT`."""
    size = path.stat().st_size
    if size > MAX_TEXT:
        raise ValueError(f"it is larger than {MAX_TEXT / 1e6:.0f} MB")
    with path.open("rb") as file:
        return file.read(size).decode("utf-8")


def decode(content: bytes, errors: str = "strict") -> str:
    """Return text that is UTF-8, or UTF-16 if it begins with a byte order mark, as PowerShell writes it."""
    utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf16 else "utf-8-sig", errors)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raise ValueError for other JSON, NaN, and nesting beyond 200 levels."""
    content = from_json(read_text(path), allow_inf_nan=False)
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return content


def read_versioned(path: Path, name: str, version: int, refusal: str) -> dict[str, Any]:
    """Return the object in a JSON file without its keys `format` and `format_version`.

    Args:
        name: what `format` has to be.
        version: the newest `format_version` that this omote reads.
        refusal: what is said of a file of another format.
    Raises:
        OmoteError: If the file is of another format or of a newer version.
        ValueError: As `read_json`.
    """
    content = read_json(path)
    if content.pop("format", None) != name:
        raise OmoteError(f"{path} {refusal}")
    found = content.pop("format_version", None)
    if isinstance(found, int) and found > version:
        raise OmoteError(
            f"{path} is of format {found}, and this omote reads format {version}. Update omote to read it"
        )
    return content


def read_parquet(path: Path, wanted: Callable[[str], bool] | None = None) -> pa.Table:
    """Return the `wanted` columns of a Parquet file, by name; None reads all but lists and bytes. See
    `read_row_groups`.
    """
    return next(_read_pieces(path, wanted, lambda count: [list(range(count))]))


def read_row_groups(path: Path, wanted: Callable[[str], bool] | None = None) -> Iterator[pa.Table]:
    """Yield the same by row groups, one in memory at a time.

    Raises:
        ValueError: If a table would be larger than the limits, two columns have one name, or text is not UTF-8.
        pyarrow.ArrowException, OSError: If the file is damaged.
    """
    return _read_pieces(path, wanted, lambda count: [[number] for number in range(count)])


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a data frame, without an index that pandas stored. Its notes on the columns are ignored."""
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    frame: pd.DataFrame = table.select(names).to_pandas(ignore_metadata=True)
    return frame


def _read_pieces(
    path: Path, wanted: Callable[[str], bool] | None, split: Callable[[int], list[list[int]]]
) -> Iterator[pa.Table]:
    """Yield a table for each list of row groups; `split` makes the lists from the number of row groups."""
    path = path.absolute()  # of a relative name such as "s3:x", pyarrow would take the start for a protocol
    whole = pq.read_schema(path)
    if len(set(whole.names)) < len(whole.names):
        raise ValueError("two columns have the same name")
    # Lists have more values than rows, as many as they like, and bytes are no text; no reader of a table uses either.
    flat = [field for field in whole if not any(is_type(_plain_type(field.type)) for is_type in UNUSED)]
    chosen = [field for field in flat if wanted is None or wanted(field.name)]
    schema = pa.schema([(field.name, _plain_type(field.type)) for field in chosen])
    # One long text repeated in every row is small on disk: texts stay dictionaries until their size is known.
    texts = [field.name for field in schema if field.type in (pa.string(), pa.large_string())]
    most = MAX_TABLE + MAX_EXPANSION * path.stat().st_size
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        for groups in split(file.num_row_groups):
            _check_size(sum(_stated_size(file, group) for group in groups), most)
            table = file.read_row_groups(groups, columns=schema.names).replace_schema_metadata(None)
            table.validate(full=True)
            size = sum(_text_size(chunk) for name in texts for chunk in table[name].chunks)
            _check_size(table.nbytes + size, most)
            yield table.cast(schema)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"its rows take {size / 1e9:.1f} GB of memory; at most {most / 1e9:.1f} GB are read")


def _stated_size(file: pq.ParquetFile, group: int) -> int:
    """Return the bytes in memory of a row group, without repeated texts, as its metadata states them."""
    rows = file.metadata.row_group(
        group
    )  # pyarrow 26 aborts at rows.column(number) if its statistics are damaged
    widths = (max(8, file.schema.column(number).length or 0) for number in range(rows.num_columns))
    return int(rows.num_rows * sum(widths) + rows.total_byte_size)


def _text_size(chunk: pa.DictionaryArray) -> int:
    """Return the bytes of a text column when each row has its own copy."""
    return pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
