from itertools import pairwise
from pathlib import Path

import pytest

from omote.data.build import Skipped
from omote.data.importers.sequences import (
    equal_intervals,
    find_root,
    find_sequences,
    last_frames,
    middle_frames,
    select_files,
)
from omote.errors import OmoteError


@pytest.mark.parametrize(
    ("count", "chosen", "frames"),
    [
        (11, 7, [0, 2, 3, 5, 7, 8, 10]),  # 0, 1.67, 3.33, 5, 6.67, 8.33, 10
        (13, 7, [0, 2, 4, 6, 8, 10, 12]),
        (4, 3, [0, 2, 3]),  # the half, 1.5, is rounded up
        (9, 2, [0, 8]),
        (7, 7, [0, 1, 2, 3, 4, 5, 6]),
        (3, 7, [0, 1, 2]),
        (1, 7, [0]),
    ],
)
def test_training_frames_are_at_equal_intervals_with_both_ends(
    count: int, chosen: int, frames: list[int]
) -> None:
    assert equal_intervals(count, chosen) == frames


@pytest.mark.parametrize("chosen", [2, 5, 7])
def test_intervals_differ_by_at_most_one_frame(chosen: int) -> None:
    for count in range(2, 200):
        frames = equal_intervals(count, chosen)
        gaps = {after - before for before, after in pairwise(frames)}
        assert (frames[0], frames[-1], len(frames)) == (0, count - 1, min(count, chosen))
        assert min(gaps) >= 1
        assert max(gaps) - min(gaps) <= 1


def test_evaluation_frames_are_the_last_or_the_middle_ones() -> None:
    assert list(last_frames(11, 3)) == [8, 9, 10]
    assert list(last_frames(2, 3)) == [0, 1]
    assert list(middle_frames(11, 3)) == [4, 5, 6]
    assert list(middle_frames(10, 3)) == [3, 4, 5]
    assert list(middle_frames(10, 2)) == [4, 5]
    assert list(middle_frames(2, 3)) == [0, 1]


def test_too_few_frames_are_errors() -> None:
    with pytest.raises(OmoteError, match="train_frames is 1"):
        equal_intervals(10, 1)
    for rule in (last_frames, middle_frames):
        with pytest.raises(OmoteError, match="evaluate_frames is 0"):
            rule(10, 0)


def test_only_evaluation_frames_carry_the_expression_and_frames_keep_their_numbers() -> None:
    photos = {number: f"{number}.png" for number in (5, 1, 2, 3, 6)}  # 4 is missing
    files = select_files(photos, first=1, train=[0, 4], evaluate=[3, 4], expression="fear")
    assert [(file.path, file.expression, file.use, file.frame) for file in files] == [
        ("1.png", None, "train", 0),
        ("5.png", "fear", "evaluate", 4),
        ("6.png", "fear", "both", 5),
    ]


def test_files_that_do_not_match_and_repeated_frames_are_listed(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "a/2.jpg", "a/notes.png", "b/1.png", ".DS_Store", "a/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    skipped: list[Skipped] = []
    found = find_sequences(tmp_path, r"(\w+)/(\d+)\.(?:png|jpg)", "a/1.png", skipped)
    assert found == {("a",): {1: "a/1.png", 2: "a/2.jpg"}, ("b",): {1: "b/1.png"}}
    assert {item["source"]: item["reason"] for item in skipped} == {
        "a/2.png": "the same frame again: as a/2.jpg",
        "a/notes.png": "name does not fit: expected such as a/1.png",
        "a/readme.txt": "name does not fit: expected such as a/1.png",
    }


def has_marker(folder: Path) -> bool:
    return (folder / "marker").exists()


def test_the_folder_of_a_data_set_is_found_one_level_down(tmp_path: Path) -> None:
    (tmp_path / "outer" / "inner" / "part").mkdir(parents=True)
    (tmp_path / "outer" / "other").mkdir()
    (tmp_path / "outer" / "inner" / "marker").touch()
    root = tmp_path / "outer" / "inner"
    assert find_root(root, has_marker, "a marker") == root
    assert find_root(tmp_path / "outer", has_marker, "a marker") == root
    with pytest.raises(OmoteError, match=f"It is a part of {root}: give that folder"):
        find_root(root / "part", has_marker, "a marker")
    (tmp_path / "outer" / "other" / "marker").touch()
    with pytest.raises(OmoteError, match="several such folders: inner, other"):
        find_root(tmp_path / "outer", has_marker, "a marker")


def test_a_wrong_folder_is_refused_with_what_was_expected_and_found(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="There is no folder"):
        find_root(tmp_path / "nowhere", has_marker, "a marker")
    with pytest.raises(OmoteError, match=r"for a marker; found nothing\. Check the path"):
        find_root(tmp_path, has_marker, "a marker")
    for number in range(12, 4, -1):
        (tmp_path / f"{number}.txt").touch()
    with pytest.raises(OmoteError, match=r"found 5.txt, 6.txt, .*, 10.txt and 2 more\. Check"):
        find_root(tmp_path, has_marker, "a marker")
    (tmp_path / "data.zip").touch()
    with pytest.raises(OmoteError, match="Unpack the archives there first"):
        find_root(tmp_path, has_marker, "a marker")
    with pytest.raises(OmoteError, match=r"data.zip is a file; expected a folder with a marker\. Unpack"):
        find_root(tmp_path / "data.zip", has_marker, "a marker")
