"""The model card: complete, generated from the run's files only, and without names."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs.card import MARK, write_card
from omote.runs.trained import Trained, load
from omote.training.loop import train
from tests.conftest import Configure

PHOTOS = {
    "importer": "folder",
    "dataset": "secret project",
    "options": {"pattern": "{subject}_at_the_clinic.jpg", "cropped": False, "fps": 5},
    "align": "eyes",
    "margin": 0.05,
    "licence": "CC BY 4.0,\nby A. Photographer",
    "counts": {
        "subjects": 7,
        "clips": 1,
        "frames": 99,
        "expressions": {"smile": 30, "neutral": 12},
        "skipped": {},
    },
}


@pytest.fixture
def trained(copied: Trained) -> Trained:
    """A run that the test may change."""
    return copied


def changed(trained: Trained, training: dict[str, Any] | None = None, **info: Any) -> Trained:
    """Return the run with changes in run.json and, if given, another training.json."""
    path = trained.path / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | info))
    if training is not None:
        (trained.path / "training.json").write_text(json.dumps(training))
    return load(trained.path)


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n\n")[1].split("\n## ")[0]


def score(code: str, name: str, people: str, value: float | None, chance: float | None) -> dict[str, Any]:
    return {
        "code": code,
        "score": name,
        "people": people,
        "value": value,
        "chance": chance,
        "deviation": None,
        "reason": "",
    }


def test_a_card_states_what_the_files_of_the_run_contain(trained: Trained) -> None:
    people = {"train_subjects": ["ann", "bob", "cyd", "dan"], "test_subjects": ["eve"]}
    text = changed(trained, {"frames": 81, "seconds": 300.4}, face_set=PHOTOS, **people).model_card()
    assert f"Model `{trained.model}`. It turns a face crop of 64 x 64 px into" in text
    assert "`z_e_00` to `z_e_07`" in text
    assert "It can make images from codes" in text
    assert "whose face it is" not in text.split("## Use")[0]  # a VAE has no identity code
    told = section(text, "Training data")
    assert "- Trained on 4 people, 81 frames.\n- 1 person held out.\n" in told
    assert "photos or videos in a folder; not recorded whether they show real people. In all 7 people" in told
    assert "7 people, 1 clip, 99 frames." in told
    assert "(training did not use the labels): smile 30, neutral 12." in told
    assert "- Licence of these faces: CC BY 4.0, by A. Photographer\n" in told
    assert "5 % of its side added on each side; rotated so that the eyes are level" in told
    how = section(text, "Training")
    assert how.startswith("Training took 5 minutes.")
    assert '\n    method = "vae"\n    seed = 0\n    batch_size = 12\n' in how
    assert "\n    options.epochs = 1\n" in how
    assert section(text, "Scores") == "Not scored yet; run `omote evaluate folder faces` with a face set.\n"
    assert "synthetic faces" not in text


def test_a_card_names_nobody_and_no_folder(trained: Trained) -> None:
    people = {"train_subjects": ["ann", "bob"], "test_subjects": ["eve"]}
    config = trained.info.config.model_copy(update={"test_subjects": ("eve",)}).model_dump(mode="json")
    place = {"faces": "/home/xyz/at_the_clinic"}
    text = changed(trained, place, face_set=PHOTOS, config=config, **people).model_card()
    assert not re.search(r"\b(ann|bob|eve)\b|clinic|secret|xyz", text)
    assert str(trained.path) not in text


def test_names_and_licences_from_elsewhere_stay_plain_text_in_a_card(trained: Trained) -> None:
    """On a web page, the card is turned into HTML: no link, picture, heading or table of a stranger."""
    hostile = "<script>a()</script>\n\n# Title\n---\n![x](http://a) | `b` \\ *c* \x1b\u202e"
    escaped = r"\<script\>a()\</script\> # Title --- !\[x\](http://a) \| \`b\` \\ \*c\*"
    counts = {"subjects": 7, "clips": 1, "frames": 99, "expressions": {hostile: 30}, "skipped": {}}
    text = changed(
        trained, face_set={**PHOTOS, "importer": hostile, "licence": hostile, "counts": counts}
    ).model_card()
    told = section(text, "Training data")
    assert f"- Faces from {escaped}; not recorded" in told
    assert f"(training did not use the labels): {escaped} 30.\n" in told
    assert f"- Licence of these faces: {escaped}\n" in told
    assert [line for line in text.splitlines() if line.startswith("---")] == ["---", "---"]
    assert not re.search(r"(?<!\\)<script|\x1b|\u202e|^# Title", text, re.MULTILINE)


def test_a_card_says_what_was_not_recorded(trained: Trained) -> None:
    text = changed(trained, {}, face_set={}, test_subjects=[]).model_card()
    told = section(text, "Training data")
    assert "- Trained on 4 people.\n- Nobody held out.\n- The source of the faces was not recorded.\n" in told
    assert "Licence of these faces: not recorded" in told
    assert "How the faces were cropped was not recorded" in told
    assert section(text, "Training").startswith("The training time was not recorded.")
    limits = section(text, "Limits")
    assert "Nobody was held out" in limits
    assert "`ood` marks faces unlike" in limits
    assert "may reveal something about these people" in limits
    assert "synthetic faces" not in text


def test_a_card_says_which_faces_are_synthetic_and_describes_every_source_of_a_combined_face_set(
    trained: Trained,
) -> None:
    drawn = trained.model_card()
    given = section(changed(trained, face_set={"importer": "arrays"}).model_card(), "Training data")
    assert "- Faces from arrays; not recorded whether they show real people.\n" in given
    assert (
        "Faces drawn by omote: synthetic faces, no real person is shown. In all 5 people, 10 clips, 40 frames."
        in drawn
    )
    assert "It was trained on synthetic faces only" in section(drawn, "Limits")
    assert "agreed" not in drawn
    assert "may reveal something about these people" not in drawn
    (trained.path / "reference.safetensors").unlink()
    assert "the run has no out-of-distribution model" in section(load(trained.path).model_card(), "Limits")
    both = {
        "importer": "combined",
        "sources": [trained.face_set.to_json(), PHOTOS | {"importer": "mug", "published": {}}],
    }
    text = changed(trained, face_set=both).model_card()
    told = section(text, "Training data")
    assert "drawn by omote" in told
    assert "of the data set mug: pictures of people. In all 7 people" in told
    assert told.count("Whether the people agreed") == 1
    assert "synthetic faces only" not in text


def test_the_scores_in_the_card_are_those_that_were_saved(trained: Trained) -> None:
    face_set = trained.face_set.model_dump(include={"importer", "options", "counts"})
    about: dict[str, Any] = {
        "k": 9, "seeds": 1, "face_set": face_set,
        "train": {"subjects": 4, "images": 20}, "test": {"subjects": 1, "images": 5},
    }  # fmt: skip
    rows = [
        score("expression", "accuracy", "train", 0.876, 0.25),
        score("expression", "accuracy", "test", None, None),
        score("identity", "probe_accuracy", "train", None, None),
        score("identity", "probe_accuracy", "test", None, None),
    ]
    scores = trained.path / "scores.json"
    scores.write_text(json.dumps({"about": about, "scores": rows, "by_subject": [], "resampled": {}}))
    found = section(trained.model_card(), "Scores")
    assert "From the training face set: 4 people trained on (20 images) and 1 person not trained on" in found
    assert "k-means with k = 9, 1 run." in found
    table = [line for line in found.splitlines() if line.startswith("|")]
    assert table[0] == "|  | training people | chance | other people | chance |"
    assert table[2].endswith("| 0.88 | 0.25 | – | – |")
    assert len(table) == 3  # no line for a code that has no score at all
    about["face_set"] = {"importer": "jaffe", "options": {}}
    scores.write_text(json.dumps({"about": about, "scores": rows, "by_subject": [], "resampled": {}}))
    assert "From another face set (jaffe):" in section(trained.model_card(), "Scores")
    scores.write_text("{}")
    with pytest.raises(OmoteError, match=r"scores\.json is damaged.*Score the run again"):
        trained.model_card()


def test_the_head_has_the_metadata_that_the_hub_reads(trained: Trained) -> None:
    lines = trained.model_card().splitlines()
    end = lines.index("---", 1)
    assert lines[0] == "---"
    fields = dict(line.split(": ") for line in lines[1:end] if ": " in line)
    known = {"library_name": "omote", "license": "unknown", "pipeline_tag": "image-feature-extraction"}
    assert fields == known
    tags = lines[lines.index("tags:") + 1 : end]
    assert tags
    assert all(re.fullmatch(r"- [a-z-]+", tag) for tag in tags)


def test_every_training_ends_with_a_card_and_the_same_files_give_the_same_card(trained: Trained) -> None:
    path = trained.path / "README.md"
    written = path.read_bytes()
    assert load(trained.path).model_card().encode() == written
    shutil.move(trained.path, trained.path.with_name("elsewhere"))
    assert load(trained.path.with_name("elsewhere")).model_card().encode() == written


def test_a_card_is_rewritten_until_someone_edits_it(trained: Trained) -> None:
    path = trained.path / "README.md"
    path.write_text("old " + MARK)
    write_card(trained.path)
    assert path.read_text() == trained.model_card()
    path.write_text("mine")
    write_card(trained.path)
    assert path.read_text() == "mine"


def test_the_card_of_a_method_that_needs_subjects_offers_no_use_on_new_photos(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    text = train(faces, run, configure(method="cvae", options__epochs=1)).model_card()
    assert "knows only its training subjects" in text
    assert "omote embed" not in text
    assert "model.represent(faces, subjects)" in text
