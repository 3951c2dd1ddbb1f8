"""Files at addresses, with fsspec's file system in memory and pyarrow's of this machine."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from omote.data.addresses import Remote, is_address, list_address, local_copy
from omote.errors import OmoteError


@pytest.fixture
def bucket() -> Iterator[str]:
    """An address in memory with some files."""
    name = f"bucket-{uuid.uuid4().hex}"
    system = fsspec.filesystem("memory")
    for path, text in {
        "a/10.mp4": "ten",
        "a/9.mp4": "nine",
        "b 100%.jpg": "b",
        ".hidden/c.mp4": "c",
        ".d": "d",
    }.items():
        system.pipe(f"/{name}/{path}", text.encode())
    yield f"memory://{name}"
    system.rm(f"/{name}", recursive=True)


@pytest.mark.parametrize(("text", "expected"), [
    ("s3://bucket/a.mp4", True), ("memory://a", True), ("a.mp4", False), ("/a/b.mp4", False), ("C:\\a.mp4", False),
    ("s3:faces", False), ("concat:a|b", False), ("-", False), ("://a", False), ("s3://", False),
])  # fmt: skip
def test_an_address_has_a_kind_and_a_place(text: str, expected: bool) -> None:
    assert is_address(text) == expected


def test_the_files_below_a_folder_are_listed_in_natural_order_without_hidden_ones(bucket: str) -> None:
    files = list_address(bucket)
    root = bucket.replace("://", ":///")
    assert [file.name for file in files] == [f"{root}/a/9.mp4", f"{root}/a/10.mp4", f"{root}/b 100%.jpg"]
    assert [file.size for file in files] == [4, 3, 1]


def test_a_copy_is_there_for_a_while(bucket: str) -> None:
    with local_copy(list_address(f"{bucket}/a/9.mp4")[0]) as copy:
        assert copy.read_text() == "nine"
        assert copy.suffix == ".mp4"
    assert not copy.parent.exists()


def test_files_of_this_machine_have_addresses_too(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("a")
    (file,) = list_address(f"file://{tmp_path}")
    assert file.name == f"file://{tmp_path}/a.mp4"
    assert file.modified == (tmp_path / "a.mp4").stat().st_mtime_ns
    with local_copy(file) as copy:
        assert copy.read_text() == "a"


def test_files_of_the_web_are_named_by_their_address() -> None:
    address = "https://host/a.mp4"  # fsspec knows such a file by the same text
    assert Remote(address, address, 1, None).name == address


def test_what_cannot_be_read_is_one_sentence(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="nowhere does not exist"):
        list_address(f"{bucket}/nowhere")
    with pytest.raises(OmoteError, match=r"bottle://a cannot be read: .*Check the address"):
        list_address("bottle://a")
    file = list_address(f"{bucket}/a/9.mp4")[0]
    fsspec.filesystem("memory").pipe(file.path, b"changed")
    with pytest.raises(OmoteError, match="7 bytes came, and 4 were listed"), local_copy(file):
        pass
    fsspec.filesystem("memory").rm(file.path)
    with pytest.raises(OmoteError, match=r"a/9\.mp4 cannot be read"), local_copy(file):
        pass


def test_neither_keys_nor_options_of_an_address_are_shown() -> None:
    with pytest.raises(OmoteError) as failed:
        list_address("bottle://name:secret@bucket/a?region=west")
    assert str(failed.value).startswith("bottle://bucket/a cannot be read")
    assert "secret" not in str(failed.value)
