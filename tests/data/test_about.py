"""Metadata of face sets: older files, unknown fields, and what is published."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from omote.data.face_set import About, read_about
from omote.errors import OmoteError

# Contents of about.json as written before `About` existed.
PHOTOS = {
    "format": "omote face set",
    "format_version": 1,
    "size": 64,
    "licence": "Not stated. The terms of the source images hold for these faces too.",
    "dataset": "london",
    "importer": "folder",
    "options": {"pattern": "{subject}_{expression}.jpg", "cropped": False, "fps": None},
    "align": "eyes",
    "margin": 0.05,
    "detector_sha256": "8f23",
    "found": {"subjects": 2, "files": 5},
    "published": {"subjects": 3, "files": 6},
    "counts": {"subjects": 2, "clips": 4, "frames": 4, "expressions": {"03": 2}, "skipped": {"no face": 1}},
    "versions": {"omote": "0.1.0", "opencv": "5.0.0"},
}
DRAWN = {
    "format": "omote face set",
    "format_version": 1,
    "size": 64,
    "licence": "Drawn by omote; no person is shown.",
    "importer": "drawn",
    "options": {"subjects": 8, "seed": 0, "expressions": "all"},
    "align": "none",
    "margin": 0.0,
    "counts": {"subjects": 8, "clips": 40, "frames": 160, "expressions": {"fear": 16}, "skipped": {}},
    "versions": {"omote": "0.1.0", "opencv": "5.0.0"},
}
RESIZED = PHOTOS | {
    "made_from": {"name": "ann", "size": 128, "versions": {"omote": "0.1.0"}, "by": "area averaging"}
}
COMBINED = {
    "format": "omote face set",
    "format_version": 1,
    "size": 64,
    "licence": "london: Not stated.\nann: Mine.",
    "dataset": "london and ann",
    "importer": "combined",
    "options": {"cropped": False},
    "align": "eyes",
    "margin": 0.05,
    "sources": [{**RESIZED, "name": "london"}, {"name": "ann", "size": 64, "counts": None, "versions": None}],
    "counts": {"subjects": 3, "clips": 5, "frames": 9, "expressions": {}, "skipped": {}},
}


@pytest.mark.parametrize("content", [PHOTOS, DRAWN, RESIZED, COMBINED, {"importer": "test"}, {}])
def test_a_file_is_read_and_written_without_a_change(content: dict[str, Any]) -> None:
    about = About.model_validate(content)
    assert about.to_json() == content
    assert About.model_validate(json.loads(json.dumps(about.to_json()))) == about


def test_an_unknown_field_is_kept_but_not_published() -> None:
    about = About.model_validate(PHOTOS | {"photographer": "ann"})
    assert about.to_json()["photographer"] == "ann"
    assert "photographer" not in about.without_names().to_json()


def test_names_of_people_folders_and_files_are_not_published() -> None:
    assert About.model_validate(PHOTOS).without_names().to_json() == {
        **{key: value for key, value in PHOTOS.items() if key != "dataset"},
        "options": {"cropped": False},
        "counts": {"subjects": 2, "clips": 4, "frames": 4, "expressions": {"03": 2}},
    }
    resized = About.model_validate(RESIZED).without_names().to_json()
    assert resized["made_from"] == {"size": 128, "versions": {"omote": "0.1.0"}, "by": "area averaging"}
    combined = About.model_validate(COMBINED).without_names().to_json()
    assert combined["sources"] == [resized, {"size": 64, "versions": None, "options": {}}]
    assert "licence" not in combined  # each source has its own


def test_all_options_of_synthetic_faces_are_published() -> None:
    published = About.model_validate(DRAWN).without_names()
    assert published.to_json() == DRAWN | {
        "counts": {"subjects": 8, "clips": 40, "frames": 160, "expressions": {"fear": 16}}
    }
    assert published.without_names() == published


def test_only_what_was_counted_is_published() -> None:
    about = About.model_validate({"counts": {"subjects": 1, "clips": 1, "frames": 1}})
    assert about.without_names().to_json()["counts"] == {"subjects": 1, "clips": 1, "frames": 1}


def test_the_kind_of_faces_is_known() -> None:
    photos, drawn, combined = (About.model_validate(one) for one in (PHOTOS, DRAWN, COMBINED))
    assert [about.is_synthetic for about in (photos, drawn, combined)] == [False, True, False]
    assert not photos.is_cropped
    assert About.model_validate({"options": {"cropped": True}}).is_cropped
    assert not About.model_validate(
        {"options": None}
    ).is_cropped  # as in old scores of a face set without options
    assert drawn.parts == [drawn]
    assert [part.name for part in combined.parts] == ["london", "ann"]


def test_a_field_of_a_wrong_type_is_named(tmp_path: Path) -> None:
    (tmp_path / "about.json").write_text(json.dumps(PHOTOS | {"align": "nose"}))
    with pytest.raises(
        OmoteError, match=r"about\.json is damaged .* align: Input should be 'none' or 'eyes'"
    ):
        read_about(tmp_path)


def test_metadata_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        About().size = 64  # type: ignore[misc]
