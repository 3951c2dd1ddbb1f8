import os
from pathlib import Path
from typing import Any

import pytest

from omote.data.clips import Clip, Listing
from omote.data.importers.folder import list_folder
from omote.data.media import NO_KIND
from omote.errors import OmoteError


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def describe(listing: Listing) -> dict[tuple[str, str], list[str]]:
    return {(clip.subject, clip.name): [file.path for file in clip.files] for clip in listing.clips}


def expressions(listing: Listing) -> list[str | None]:
    return [file.expression for clip in listing.clips for file in clip.files]


def test_folder_names_give_subject_and_clip(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "ann/a.jpg",
        "ann/talk/9.png",
        "ann/talk/10.PNG",
        "bob/say.mp4",
        "bob/tuesday/am/1.jpg",
        "bob/tuesday/x.MOV",
    )
    fill(tmp_path, "ann/notes.txt", "ann/.hidden.jpg", ".cache/x.jpg", "__MACOSX/ann/a.jpg")
    listing = list_folder(tmp_path)
    assert describe(listing) == {
        ("ann", "a"): ["ann/a.jpg"],
        ("ann", "talk"): ["ann/talk/9.png", "ann/talk/10.PNG"],
        ("bob", "say"): ["bob/say.mp4"],
        ("bob", "tuesday/am"): ["bob/tuesday/am/1.jpg"],
        ("bob", "tuesday/x"): ["bob/tuesday/x.MOV"],
    }
    assert listing.skipped == [{"source": "ann/notes.txt", "frame": None, "reason": NO_KIND}]


def test_a_file_beside_the_subjects_is_skipped_with_its_reason(tmp_path: Path) -> None:
    listing = list_folder(fill(tmp_path, "ann/a.jpg", "group.jpg"))
    assert listing.skipped == [
        {"source": "group.jpg", "frame": None, "reason": "no subject: not in a subfolder"}
    ]


def test_photos_without_any_subject_folder_are_an_error_that_names_the_alternatives(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"--pattern.*--manifest.*a\.jpg"):
        list_folder(fill(tmp_path, "a.jpg"))


@pytest.mark.parametrize(
    "names",
    [
        ("ann/a.jpg", "ann/a.png"),
        ("ann/a.jpg", "ann/a/1.jpg"),
        ("ann/a.mp4", "ann/a/1.jpg"),
        ("ann/a.mp4", "ann/a.mov"),
    ],
)
def test_files_that_differ_in_the_suffix_are_two_clips(tmp_path: Path, names: tuple[str, ...]) -> None:
    expected = {
        ("ann", "a" if name == "ann/a/1.jpg" else name.removeprefix("ann/")): [name] for name in names
    }
    assert describe(list_folder(fill(tmp_path, *names))) == expected


def test_live_photos_are_two_clips_with_a_pattern_and_a_manifest_too(tmp_path: Path) -> None:
    fill(tmp_path, "photos/ann_1.jpg", "photos/ann_1.mov", "photos/ann_2.mov")
    by_pattern = describe(list_folder(tmp_path / "photos", pattern="{subject}_{clip}"))
    assert by_pattern == {
        ("ann", "1"): ["ann_1.jpg"],
        ("ann", "1.mov"): ["ann_1.mov"],
        ("ann", "2"): ["ann_2.mov"],
    }
    listing = manifest(tmp_path, "path,subject\nann_1.jpg,ann\nann_1.mov,ann\n")
    assert [clip.name for clip in listing.clips] == ["ann_1.jpg", "ann_1.mov"]


def test_two_videos_of_one_name_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"both called '1\.mov'"):
        list_folder(fill(tmp_path, "a/ann_1.mov", "b/ann_1.mov"), pattern="{subject}_{clip}")


def test_a_missing_empty_or_wrong_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match="There is no folder"):
        list_folder(tmp_path / "nothing")
    with pytest.raises(OmoteError, match="no photos or videos"):
        list_folder(fill(tmp_path, "ann/notes.txt"))
    with pytest.raises(OmoteError, match="is a file"):
        list_folder(tmp_path / "ann" / "notes.txt")


def test_an_address_is_an_error_that_says_so_and_shows_no_key() -> None:
    with pytest.raises(OmoteError, match=r"^s3://bucket/videos is an address, .*omote embed reads addresses"):
        list_folder("s3://key:secret@bucket/videos")
    with pytest.raises(OmoteError, match=r"^file:///videos is an address"):
        list_folder("file:///videos")
    with pytest.raises(OmoteError, match="There is no folder"):
        list_folder("C:/videos")


def test_a_folder_that_links_to_itself_is_walked_once(tmp_path: Path) -> None:
    fill(tmp_path, "ann/a.jpg")
    (tmp_path / "ann" / "loop").symlink_to(tmp_path, target_is_directory=True)
    listing = list_folder(tmp_path)
    assert describe(listing) == {("ann", "a"): ["ann/a.jpg"]}
    reason = "not followed: a link to a folder that it lies in"
    assert listing.skipped == [{"source": "ann/loop", "frame": None, "reason": reason}]


def test_what_omote_keeps_of_interrupted_work_is_not_listed(tmp_path: Path) -> None:
    listing = list_folder(fill(tmp_path, "ann/a.jpg", "ann/faces.partial/part_000000/batch_000000.npy"))
    assert listing.skipped == []


def test_two_links_to_one_folder_are_two_subjects(tmp_path: Path) -> None:
    fill(tmp_path, "store/a.jpg", "store/deep/b.jpg")
    (tmp_path / "faces").mkdir()
    for name in ("ann", "bob"):
        (tmp_path / "faces" / name).symlink_to(tmp_path / "store", target_is_directory=True)
    assert describe(list_folder(tmp_path / "faces")) == {
        (name, clip): [f"{name}/{file}.jpg"]
        for name in ("ann", "bob")
        for clip, file in (("a", "a"), ("deep", "deep/b"))
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_what_is_no_file_is_listed_and_the_rest_goes_on(tmp_path: Path) -> None:
    fill(tmp_path, "ann/a.jpg", "ann/two\nlines.jpg")
    (tmp_path / "ann" / "b.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "bob").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "ann" / "x.jpg")
    listing = list_folder(tmp_path)
    assert describe(listing) == {("ann", "a"): ["ann/a.jpg"], ("ann", "two\nlines"): ["ann/two\nlines.jpg"]}
    assert sorted((row["source"], row["reason"]) for row in listing.skipped) == [
        (name, "unreadable: not a file, or a link that leads nowhere")
        for name in ("ann/b.jpg", "ann/x.jpg", "bob")
    ]


def test_a_pattern_without_a_slash_reads_the_file_name(tmp_path: Path) -> None:
    fill(tmp_path, "001_03.jpg", "deep/002_08.JPG", "readme_image.png", "001-03.jpg")
    listing = list_folder(tmp_path, pattern="{subject}_{expression}.jpg")
    assert describe(listing) == {
        ("001", "001_03"): ["001_03.jpg"],
        ("002", "deep/002_08"): ["deep/002_08.JPG"],
    }
    assert expressions(listing) == ["03", "08"]
    assert [(row["source"], row["reason"]) for row in listing.skipped] == [
        ("001-03.jpg", "name does not match the pattern"),
        ("readme_image.png", "name does not match the pattern"),
    ]


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("{subject}/{expression}/*.jpg", "ann/joy/7.jpg", ("ann", "ann/joy/7", "joy")),
        ("{subject}/{expression}/{}.jpg", "ann/joy/7.jpg", ("ann", "ann/joy/7", "joy")),
        ("*/{subject}_{clip}_{expression}.png", "set/ann_2_joy.png", ("ann", "2", "joy")),
        ("{subject}_{expression}", "ann_joy.tiff", ("ann", "ann_joy", "joy")),
        ("{subject}/{subject}_{expression}.jpg", "ann/ann_joy.jpg", ("ann", "ann/ann_joy", "joy")),
        ("{subject:4}{expression:2}{}", "AF01HAS.JPG", ("AF01", "AF01HAS", "HA")),
        ("{subject}.{expression:2}{:1}.{}.tiff", "KA.HA2.29.TIFF", ("KA", "KA.HA2.29", "HA")),
        ("{subject}(1+)_*.jpg", "ann(1+)_x.jpg", ("ann", "ann(1+)_x", None)),
        ("{subject}_{clip}.mp4", "ann_2.MP4", ("ann", "2", None)),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, name: str, expected: tuple[str, str, str | None]) -> None:
    (clip,) = list_folder(fill(tmp_path, name), pattern=pattern).clips
    assert (clip.subject, clip.name, clip.files[0].expression) == expected


def test_files_that_differ_only_in_the_frame_are_a_clip_in_order(tmp_path: Path) -> None:
    fill(tmp_path, "ann_joy_10.jpg", "ann_joy_9.jpg", "ann_anger_1.jpg", "bob_joy_1.jpg")
    listing = list_folder(tmp_path, pattern="{subject}_{expression}_{frame}.jpg")
    assert describe(listing) == {
        ("ann", "ann_anger"): ["ann_anger_1.jpg"],
        ("ann", "ann_joy"): ["ann_joy_9.jpg", "ann_joy_10.jpg"],
        ("bob", "bob_joy"): ["bob_joy_1.jpg"],
    }


def test_one_frame_twice_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, "ann/a/1.jpg", "ann/a/01.jpg")
    with pytest.raises(OmoteError, match=r"ann/a/0?1\.jpg and ann/a/0?1\.jpg are both frame 1 of clip 'a'"):
        list_folder(tmp_path, pattern="{subject}/{clip}/{frame}.jpg")


def test_a_name_that_can_be_read_in_two_ways_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        OmoteError, match="'ann_very', expression 'happy', or subject 'ann', expression 'very_happy'"
    ):
        list_folder(fill(tmp_path, "ann_very_happy.jpg"), pattern="{subject}_{expression}.jpg")


@pytest.mark.parametrize(
    ("pattern", "match"),
    [
        ("{expression}.jpg", "has no {subject}"),
        ("{subjekt}_{expression}.jpg", "unknown field {subjekt}"),
        ("{subject_{expression}.jpg", "Braces stand"),
        ("{subject:999999999999}.jpg", "at most 999"),
        ("{subject}_{expression}.jpg", "matches none of the 1 files; the first is ann.jpg"),
    ],
)
def test_bad_patterns_are_errors(tmp_path: Path, pattern: str, match: str) -> None:
    with pytest.raises(OmoteError, match=match):
        list_folder(fill(tmp_path, "ann.jpg"), pattern=pattern)


def test_expressions_are_mapped_and_others_kept(tmp_path: Path) -> None:
    fill(tmp_path, "a_03.jpg", "a_08.jpg", "a_99.jpg")
    listing = list_folder(
        tmp_path,
        pattern="{subject}_{expression}.jpg",
        map_expression={"03": "neutral", "99": "", "77": "fear"},
    )
    assert expressions(listing) == ["neutral", "08", None]


def test_a_map_without_a_matching_expression_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, "ann/a_03.jpg")
    with pytest.raises(OmoteError, match="found are 03"):
        list_folder(
            tmp_path,
            pattern="{}_{expression}.jpg".replace("{}", "{subject}"),
            map_expression={"3": "neutral"},
        )
    with pytest.raises(OmoteError, match="none is known"):
        list_folder(tmp_path, map_expression={"03": "neutral"})


def manifest(root: Path, text: str, **changes: Any) -> Listing:
    (root / "who.csv").write_text(text, encoding="utf-8-sig")
    return list_folder(root / "photos", manifest=root / "who.csv", **changes)


def test_a_manifest_gives_everything(tmp_path: Path) -> None:
    fill(tmp_path, "photos/x.jpg", "photos/y.jpg", "photos/z.mp4", "photos/not_named.jpg", "beside.jpg")
    listing = manifest(
        tmp_path,
        "path, subject, clip, frame, expression, use, age\n"
        "y.jpg,ann,talk,10,joy,evaluate,31\nx.jpg,ann,talk,9,,train,31\n\nz.mp4,bob,,,07,,\nbeside.jpg,bob,,,,,\n"
        "gone.jpg,bob,,,,,\n",
        map_expression={"07": "fear"},
    )
    assert describe(listing) == {
        ("ann", "talk"): ["x.jpg", "y.jpg"],
        ("bob", "../beside"): ["../beside.jpg"],
        ("bob", "z"): ["z.mp4"],
    }
    talk: Clip = listing.clips[0]
    assert [(file.expression, file.use, file.further) for file in talk.files] == [
        (None, "train", (("age", "31"),)),
        ("joy", "evaluate", (("age", "31"),)),
    ]
    assert expressions(listing)[2:] == [None, "fear"]
    assert listing.skipped == [{"source": "gone.jpg", "frame": None, "reason": "file is missing"}]


HEADERS = ["path{0}subject{0}clip\n", '"path"{0}"subject"{0}"clip"\n']
ROWS = 'sub\\x.jpg{0}jürgen{0}one\n"y;,.jpg"{0}ann{0}\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("above", ["", "sep={0}\n", "#TYPE System.Object\n"])
@pytest.mark.parametrize("header", HEADERS)
def test_manifests_of_excel_and_powershell_are_read(
    tmp_path: Path, encoding: str, separator: str, above: str, header: str
) -> None:
    fill(tmp_path, "photos/sub/x.jpg", "photos/y;,.jpg")
    text = (above + header + ROWS).format(separator).replace("\n", "\r\n")
    (tmp_path / "who.csv").write_bytes(text.encode(encoding))
    assert describe(list_folder(tmp_path / "photos", manifest=tmp_path / "who.csv")) == {
        ("ann", "y;,"): ["y;,.jpg"],
        ("jürgen", "one"): ["sub/x.jpg"],
    }


def test_a_name_with_a_backslash_and_a_name_with_a_newline_are_found(tmp_path: Path) -> None:
    fill(tmp_path, "photos/a\\x.jpg", "photos/a/x.jpg", "photos/two\nlines.jpg")
    listing = manifest(tmp_path, 'path,subject\na\\x.jpg,ann\n"two\nlines.jpg",bob\n')
    assert describe(listing) == {("ann", "a\\x"): ["a\\x.jpg"], ("bob", "two\nlines"): ["two\nlines.jpg"]}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('path,subject\nx.jpg,ann\n"y.jpg,ann\nz.mp4,ann\n', "line 3: a quote is not closed"),
        (
            'path,subject\nx.jpg,ann\n"y.jpg,ann\n"z.mp4",ann\n',
            "line 3: a quote is not closed, or text follows",
        ),
        ('#TYPE Object\npath;subject\nx.jpg;"ann\n', "line 3: a quote is not closed"),
        ('path,"subject\nx.jpg,ann\n', "line 1: a quote is not closed"),
        ("path,subject\nx,y.jpg,ann\n", "line 2: 3 cells for 2 columns"),
        ("file,subject\nx.jpg,ann\n", "no column path"),
        ("path,subject,frame\nx.jpg,ann,1\n", "Add clip"),
        ("path,subject,time\nx.jpg,ann,1\n", "a name that is taken"),
        ("path,subject\nx.jpg,\n", "line 2: subject is empty"),
        ("path,subject\n,ann\n", 'line 2: path is ""'),
        ("path,subject\n.,ann\n", 'line 2: path is "."'),
        ("path,subject\nx/..,ann\n", 'line 2: path is "x/.."'),
        (
            f"path,subject\n{'x' * 5000},ann\n",
            "names no photo or video that is there|line 2: File name too long",
        ),
        (f"path,subject,clip,frame\nx.jpg,ann,a,{'9' * 5000}\n", "line 2: frame is"),
        ("path,subject,use\nx.jpg,ann,testing\n", "line 2: use is 'testing'"),
        ("path,subject,clip,frame\nx.jpg,ann,a,first\n", "line 2: frame is 'first'"),
        ("path,subject\nx.jpg,ann\nx.jpg,bob\n", "lines 2 and 3: x.jpg is there twice"),
        ("path,subject,clip,frame\nx.jpg,ann,a,1\ny.jpg,ann,a,01\n", "both frame 1"),
        ("path,subject,clip\nx.jpg,ann,a\nz.mp4,ann,a\n", "a clip is either one video or photos"),
        ("path,subject\ngone.jpg,ann\n", "names no photo or video that is there"),
        ("", "no column path and no column subject"),
    ],
)
def test_bad_manifests_are_errors_that_name_the_line(tmp_path: Path, text: str, match: str) -> None:
    fill(tmp_path, "photos/x.jpg", "photos/y.jpg", "photos/z.mp4")
    with pytest.raises(OmoteError, match=match):
        manifest(tmp_path, text)


def test_a_manifest_that_is_missing_or_goes_with_a_pattern_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, "photos/x.jpg")
    with pytest.raises(OmoteError, match="no manifest file"):
        list_folder(tmp_path, manifest=tmp_path / "none.csv")
    with pytest.raises(OmoteError, match="Give one of them"):
        list_folder(tmp_path, manifest=tmp_path / "none.csv", pattern="{subject}")
