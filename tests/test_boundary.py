"""What comes from outside is read within limits, and whatever goes wrong is one sentence."""

import json
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim import Adam

from omote.boundary import read_json, read_parquet, reading, to_frame
from omote.cli.inputs import parse_setting
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.features.table import read_table
from omote.runs.config import TrainConfig
from omote.runs.info import read_training
from omote.runs.trained import Trained, load
from omote.training.checkpoint import CHECKPOINT, Position, load_checkpoint, save_checkpoint


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("two\n  lines."), "two lines"),
        (KeyError("counts"), "counts is missing"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (MemoryError(), "does not fit in memory"),
        (FileNotFoundError(2, "No such file or directory"), "there is no such file"),
        (ZeroDivisionError(), "ZeroDivisionError"),
    ],
)
def test_any_error_of_a_library_becomes_one_sentence(error: Exception, reason: str) -> None:
    with (
        pytest.raises(
            OmoteError, match=rf"^a\.json is damaged or not a profile: .*{reason}\. Make it again\.$"
        ),
        reading("a.json", "a profile", "Make it again"),
    ):
        raise error


@pytest.mark.parametrize(
    "text", ["[" * 10_000, '{"a":' * 10_000, '{"a": ' + "9" * 5000 + "}", '{"a": NaN}', "[]", "\xff"]
)
def test_json_that_is_nested_deeply_or_has_huge_numbers_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with (
        pytest.raises(OmoteError, match="damaged or not a profile"),
        reading("a.json", "a profile", "Make it again"),
    ):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "value", ["[" * 10_000 + "]" * 10_000, "9" * 5000, "0x" + "f" * 5000, "inf", "18446744073709551616"]
)
def test_settings_that_are_nested_deeply_or_huge_are_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f"seed = {value}\n")
    with pytest.raises(OmoteError, match=r"a\.toml"):
        TrainConfig.read(tmp_path / "a.toml")
    with pytest.raises(OmoteError, match="seed"):
        TrainConfig.read(None, dict([parse_setting(f"seed={value}")]))


def repeated_numbers(path: Path) -> None:
    zeros = pa.table({"x": np.zeros(10_000_000)})
    with pq.ParquetWriter(path, zeros.schema) as writer:
        for _ in range(15):
            writer.write_table(zeros)


def repeated_text(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["x" * 100_000])
    pq.write_table(pa.table({"x": text}), path, store_schema=False)


def repeated_category(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), ["x" * 100_000])
    pq.write_table(pa.table({"x": text}), path)


@pytest.mark.parametrize("write", [repeated_numbers, repeated_text, repeated_category])
def test_a_small_file_with_gigabytes_of_rows_is_refused_before_they_take_memory(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    write(path)
    assert path.stat().st_size < 1_000_000
    before = pa.total_allocated_bytes()
    with pytest.raises(OmoteError, match=r"of memory; at most 1.1 GB are read"):
        read_table(path)
    assert pa.total_allocated_bytes() - before < 1e8


def test_text_that_is_not_utf8_and_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"\xfe"]).buffers())
    for number, table in enumerate((pa.table({"x": text}), pa.table([[1], [2]], names=["x", "x"]))):
        pq.write_table(table, tmp_path / f"{number}.parquet")
        with pytest.raises(OmoteError, match=r"UTF8|same name"):
            read_table(tmp_path / f"{number}.parquet")


def test_an_error_is_one_line_of_limited_length_whatever_it_quotes() -> None:
    error = OmoteError(f"it is of part 'a\nb\x0bc\u2028d', {'x' * 10_000}")
    assert str(error).startswith("it is of part 'a b c d', xx")
    assert len(str(error)) < 2100
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # from worker processes


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_damaged_statistics_of_a_column_do_not_end_the_process(tmp_path: Path) -> None:
    file = tmp_path / "table.parquet"
    pq.write_table(pa.table({"a": [1, 2, 3]}), file, store_schema=False)
    optional, required = (b"\x15\x04%" + repetition + b"\x18\x01a" for repetition in (b"\x02", b"\x00"))
    content = file.read_bytes()
    assert (
        content.count(optional) == 1
    )  # the column in the schema; without nulls, its statistics are a level too deep
    file.write_bytes(content.replace(optional, required))
    child = os.fork()
    if not child:  # the C++ library would abort it
        with suppress(OmoteError), reading(file, "a table", "Make it again"):
            read_parquet(file)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with pytest.raises(OmoteError, match=r"table.parquet is damaged .*histogram"):
        read_table(file)


def test_lists_and_bytes_in_a_parquet_file_are_left_out(tmp_path: Path) -> None:
    picture = [b"\xff\xd8", b""]
    columns = {"x": [1, 2], "y": [[1], [2, 3]], "z": [{"a": 1}] * 2, "b": picture}
    kinds = (pa.large_binary(), pa.dictionary(pa.int32(), pa.binary()))
    columns |= {f"b{number}": pa.array(picture, kind) for number, kind in enumerate(kinds)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").columns.tolist() == ["x"]


def test_what_pandas_noted_about_the_columns_is_ignored(tmp_path: Path) -> None:
    notes = json.dumps({"index_columns": ["gone"], "columns": [{"name": "x", "pandas_type": "categorical"}]})
    table = pa.table({"x": [1, 2]}).replace_schema_metadata({"pandas": notes})
    pq.write_table(table, tmp_path / "a.parquet")
    assert to_frame(read_parquet(tmp_path / "a.parquet"))["x"].tolist() == [1, 2]


def test_weights_and_references_with_nan_are_refused(trained: Trained) -> None:
    for name in ("weights", "reference"):
        path = trained.path / f"{name}.safetensors"
        whole = path.read_bytes()
        tensors = load_file(path)
        next(tensor for tensor in tensors.values() if tensor.is_floating_point()).view(-1)[0] = torch.nan
        save_file(tensors, path)
        with pytest.raises(OmoteError, match=f"{name}.safetensors is damaged .* not finite"):
            load(trained.path)
        path.write_bytes(whole)


def test_a_network_that_does_not_fit_its_weights_takes_no_memory(trained: Trained) -> None:
    path = trained.path / "run.json"
    content = json.loads(path.read_text())
    content["config"]["options"] |= {"width": 1024, "latent_size": 4096}
    path.write_text(json.dumps(content))
    with pytest.raises(OmoteError, match=r"weights\.safetensors is damaged .* expected torch\.float32 \("):
        load(trained.path)


def test_codes_that_are_not_finite_are_a_sentence(trained: Trained, faces: FaceSet) -> None:
    for layer in trained.method.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data.fill_(3e38)
    with pytest.raises(OmoteError, match="codes that are not finite"):
        trained.read(faces.faces[:2])


@pytest.mark.parametrize("text", ["", '{"seconds"', '{"seconds": "long"}', '{"frames": -1}', "[1]"])
def test_a_damaged_training_record_is_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(text)
    with pytest.raises(OmoteError, match=r"training\.json is damaged or not the record of a training"):
        read_training(tmp_path)


def test_a_face_set_without_counts_can_be_opened(tmp_path: Path, faces: FaceSet) -> None:
    for file in faces.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    about = json.loads((tmp_path / "about.json").read_text())
    del about["counts"]
    (tmp_path / "about.json").write_text(json.dumps(about))
    assert open_face_set(tmp_path).about.counts is None
    about["counts"] = {"subjects": 3}
    (tmp_path / "about.json").write_text(json.dumps(about))
    with pytest.raises(OmoteError, match=r"about\.json is damaged .* counts\.clips: Field required"):
        open_face_set(tmp_path)


@pytest.mark.parametrize(("key", "value"), [("exp_avg", None), ("step", 1e38)])
def test_an_optimiser_state_that_is_not_whole_is_a_sentence(
    key: str, value: float | None, tmp_path: Path
) -> None:
    method = nn.Linear(2, 2)
    optimiser = Adam(method.parameters())
    method(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    save_checkpoint(tmp_path, Position(), method, [optimiser], {})
    tensors = load_file(tmp_path / CHECKPOINT)
    if value is None:
        del tensors[f"optimiser/0/0/{key}"]
    else:
        tensors[f"optimiser/0/0/{key}"] = torch.tensor(value)
    save_file(tensors, tmp_path / CHECKPOINT, {"place": "[0, 0, 0, 0.0]"})
    with pytest.raises(OmoteError, match="state of an optimiser is not that of Adam"):
        load_checkpoint(tmp_path, method, [optimiser], {})
