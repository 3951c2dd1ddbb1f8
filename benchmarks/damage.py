"""Damage to a file, for fuzz.py: truncations and bit flips of any file, and edits that know the file's format."""

import io
import json
import random
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import numpy_helper

Damage = Callable[[bytes, random.Random], bytes]

TEXTS = [
    "",
    " ",
    "nan",
    "-1",
    "1e999",
    "\x00",
    "\x1b[2J",
    "=1+1",
    "é" * 300,
    "x" * 200_000,
    "../..",
    "\ufeff",
    "9" * 5000,
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    2**63,
    -(2**63),
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"a": {}},
    *TEXTS,
]
RAW_JSON = [
    "[" * 10_000,
    "[" * 10_000 + "]" * 10_000,
    "9" * 5000,
    "1e9999",
    "NaN",
    '"\\ud800"',
    '{"a":' * 5000,
    "{",
    "\xff",
]
RAW_TOML = [
    "[" * 10_000 + "]" * 10_000,
    "9" * 5000,
    "0x" + "f" * 5000,
    "inf",
    "-nan",
    "1e999",
    '"\\u0000"',
    "{}",
    "[]",
    "'x'",
    "-1",
    "1979-05-27",
    "true",
    "{a = " * 2000,
    "99999999999999999999",
]


def damage(name: str, data: bytes, rng: random.Random) -> bytes:
    """Return the damaged content of a file; half of the damages know the format of its name's suffix."""
    edit = EDITS.get(name.rpartition(".")[2])
    if edit and rng.random() < 0.5:
        return edit(data, rng)
    return rng.choice((truncate, flip, flip, overwrite, repeat))(data, rng)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """Return the beginning of a file, sometimes nothing."""
    return data[: rng.choice((0, rng.randrange(len(data) + 1), max(0, len(data) - rng.randrange(1, 20))))]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Flip one to 30 bits, often in the first or the last kilobyte, where headers are."""
    changed = bytearray(data)
    low, high = rng.choice(((0, len(data)), (0, 1000), (len(data) - 1000, len(data))))
    for _ in range(rng.choice((1, 1, 3, 30))):
        changed[min(max(rng.randrange(low, max(high, low + 1)), 0), len(data) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwrite(data: bytes, rng: random.Random) -> bytes:
    """Overwrite a stretch with zeros, ones or noise."""
    start, length = rng.randrange(len(data)), rng.choice((1, 4, 8, 100, 4096))
    noise = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
    return data[:start] + noise + data[start + length :]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Repeat, move or insert a stretch."""
    start, to = rng.randrange(len(data)), rng.randrange(len(data))
    return (
        data[:to] + rng.choice((data[start : start + rng.randrange(1, 2000)], rng.randbytes(9))) + data[to:]
    )


def edit_value(content: Any, rng: random.Random) -> Any:
    """Replace, remove, rename or repeat one value of a JSON object, anywhere in it."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, inside in list(items):
            places.append((value, key))
            walk(inside)

    walk(content)
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    action = rng.randrange(5)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, dict):
        holder[rng.choice(TEXTS)] = holder.pop(key)
    elif action == 2 and isinstance(holder, list):
        holder *= rng.choice((2, 1000))
    else:
        holder[key] = rng.choice(VALUES)
    return content


def edit_json(data: bytes, rng: random.Random) -> bytes:
    """Edit a value, or put text that no JSON writer makes in the place of one."""
    content = edit_value(json.loads(data), rng)
    text = json.dumps(content, ensure_ascii=rng.random() < 0.5)
    if rng.random() < 0.3 and (numbers := list(re.finditer(r'-?\d+(\.\d+)?|"[^"]*"(?!:)', text))):
        chosen = rng.choice(numbers)
        text = text[: chosen.start()] + rng.choice(RAW_JSON) + text[chosen.end() :]
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace")


def edit_toml(data: bytes, rng: random.Random) -> bytes:
    """Change a value, a key or a table of a TOML file, or the whole text's encoding."""
    lines = data.decode().splitlines()
    at = rng.randrange(len(lines))
    key, equals, _ = lines[at].partition("=")
    choices = [
        f"{key}= {rng.choice(RAW_TOML)}",
        f"{rng.choice(TEXTS)} = 1",
        lines[at] * 2,
        f"[{key}]",
        "[a." * 500,
    ]
    lines[at] = rng.choice(choices[:1] if equals and rng.random() < 0.6 else choices)
    return "\n".join([*lines, *rng.choice(([], lines))]).encode(
        rng.choice(("utf-8", "utf-8", "utf-16")), "replace"
    )


def edit_csv(data: bytes, rng: random.Random) -> bytes:
    """Change a cell, a column, the quotes, the separator or the encoding of a CSV file."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    row = rows[rng.randrange(len(rows))]
    at, action = rng.randrange(len(row)), rng.randrange(8)
    if action < 3:
        row[at] = rng.choice([*TEXTS, '"', '"a', 'a"b"', "\r", ".", "/", "a\nb"])
    elif action == 3:
        rows[0][at] = rng.choice([rows[0][at - 1], *TEXTS])
    elif action == 4:
        rows = [[cell for number, cell in enumerate(each) if number != at] for each in rows]
    elif action == 5:
        rows = rows[:1] * rng.choice((1, 2))
    else:
        row.append(rng.choice(TEXTS))
    separator = rng.choice((",", ",", ",", ";", "\t"))
    text = "\n".join(separator.join(each) for each in rows)
    return text.encode(rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin-1")), "replace")


def edit_parquet(data: bytes, rng: random.Random) -> bytes:
    """Rename, drop, repeat, retype or empty a column, or write rows that take far more memory than disk."""
    table = pq.read_table(io.BytesIO(data))
    at = rng.randrange(table.num_columns)
    field, column = table.schema.field(at), table.column(at)
    rows = len(table)
    action = rng.randrange(10)
    if action == 0:
        table = table.rename_columns(
            [rng.choice(TEXTS) if i == at else n for i, n in enumerate(table.column_names)]
        )
    elif action == 1:
        table = table.remove_column(at)
    elif action == 2:
        table = table.append_column(field, column)
    elif action == 3:
        new = rng.choice(
            [
                pa.nulls(rows),
                pa.nulls(rows, field.type),
                pa.array([[1.0]] * rows),
                pa.array([{"a": 1}] * rows),
                pa.array([10**12] * rows, pa.timestamp("s")),
                pa.array([b"\xff"] * rows),
                pa.array([2**62] * rows),
                pa.array([float("nan")] * rows),
                pa.array(["x"] * rows),
                pa.array(["x" * 9] * rows).dictionary_encode(),
                pa.array([True] * rows),
            ]
        )
        table = table.set_column(at, field.name, new)
    elif action == 4:  # text that is not UTF-8
        text = pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff\xfe"] * rows).buffers())
        table = table.set_column(at, field.name, text)
    elif action == 5:
        notes = [
            b"{",
            b'{"index_columns": ["gone"], "columns": []}',
            b'{"index_columns": [{"kind": "range"}]}',
            json.dumps(
                {
                    "index_columns": [field.name],
                    "columns": [
                        {
                            "name": field.name,
                            "field_name": field.name,
                            "pandas_type": "datetimetz",
                            "numpy_type": "categorical",
                            "metadata": {"timezone": "Mars"},
                        }
                    ],
                    "column_indexes": [{}],
                }
            ).encode(),
        ]
        table = table.replace_schema_metadata({b"pandas": rng.choice(notes)})
    elif action == 6:
        table = table.slice(0, 0)
    elif action == 7:
        table = pa.table({name: pa.repeat(table.column(name)[0], 200_000) for name in table.column_names[:8]})
    elif action == 8:
        long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["x" * 100_000])
        table = pa.table({field.name: long})
    else:
        table = table.take(pa.array([rng.randrange(rows) for _ in range(rows)]))
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        compression=rng.choice(("snappy", "zstd", "none")),
        row_group_size=rng.choice((3, 10**9)) if len(table) < 1000 else 10**6,
        store_schema=rng.random() < 0.8,
    )
    return out.getvalue()


def edit_npy(data: bytes, rng: random.Random) -> bytes:
    """Replace a part of the header of an array, or the array by one of another kind."""
    if rng.random() < 0.3:
        out = io.BytesIO()
        array: Any = rng.choice(
            [
                np.zeros(3),
                np.zeros((2, 8, 8, 3), np.int8),
                np.zeros((0, 8, 8, 3), np.uint8),
                np.array("x"),
                np.asfortranarray(np.zeros((2, 8, 8, 3), np.uint8)),
                np.array([{}], object),
            ]
        )
        np.save(out, array)
        return out.getvalue()
    size = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + size].decode().rstrip()
    number = rng.choice(("-1", "0", "9" * 30, "1e9", "True", "None", "(1,)", "9" * 5000, "(" * 500))
    old, new = rng.choice(
        (
            (r"\d+, ", number + ", "),
            (r"'\|u1'", rng.choice(("'|O'", "'<f8'", "'x'", "[('a', '<i4')]", "'|u9'"))),
            ("False", "True"),
            ("'shape'", "'form'"),
            (r"\}", ""),
            (r"\(", "(" * 3000),
        )
    )
    header = re.sub(old, new, header, count=rng.choice((1, 4)))
    length = rng.choice((len(header) + 1, len(header) + 1, 65535, 0))
    version = rng.choice((b"\x01\x00", b"\x01\x00", b"\x03\x00", b"\x09\x00"))
    return (
        data[:6]
        + version
        + struct.pack("<H", min(length, 65535))
        + header.encode()
        + b"\n"
        + data[10 + size :]
    )


def edit_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Edit the header of tensors, its length, or put NaN, infinity or huge numbers among the weights."""
    size = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + size], bytearray(data[8 + size :])
    action = rng.randrange(4)
    if action == 0:
        at = 4 * rng.randrange(len(body) // 4)
        body[at : at + 4] = struct.pack("<f", rng.choice((float("nan"), float("inf"), 1e38, -3e38)))
    elif action == 1:
        return struct.pack("<Q", rng.choice((0, 2**63, size + 1, 10**9))) + header + bytes(body)
    else:
        header = edit_json(header, rng)
    return struct.pack("<Q", len(header)) + header + bytes(body)


def edit_onnx(data: bytes, rng: random.Random) -> bytes:
    """Change metadata, names, weights or shapes of a network."""
    model = onnx.load_from_string(data)
    graph = model.graph
    prop = rng.choice(model.metadata_props)
    weights = rng.choice(graph.initializer)
    action = rng.randrange(8)
    if action == 0:
        del model.metadata_props[:]
    elif action < 3:
        prop.value = rng.choice([*TEXTS, "[" * 10_000, "999999999999"])
    elif action == 3:
        prop.key = rng.choice(("", "size", "other"))
    elif action == 4:
        array = numpy_helper.to_array(weights)
        odd = np.full(
            array.shape,
            rng.choice((np.nan, np.inf, 3e38, -1)),
            array.dtype if array.dtype.kind == "f" else "f4",
        )
        weights.CopyFrom(numpy_helper.from_array(odd, weights.name))
    elif action == 5:
        weights.dims[:] = [rng.choice((0, -1, 2**40, 3))]
    elif action == 6:
        del graph.output[rng.randrange(len(graph.output)) :]
    else:
        rng.choice([*graph.output, *graph.input, *graph.node]).name = rng.choice(
            ("", "faces", "z_e", "other")
        )
    return bytes(model.SerializeToString())


EDITS: dict[str, Damage] = {
    "json": edit_json,
    "toml": edit_toml,
    "csv": edit_csv,
    "parquet": edit_parquet,
    "npy": edit_npy,
    "safetensors": edit_safetensors,
    "onnx": edit_onnx,
}
