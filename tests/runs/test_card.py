"""The model card: what the run's files say, in words, and nothing that they do not say."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.runs.card import MARK, card, write_card
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
    """A run that may be changed."""
    return copied


def changed(trained: Trained, training: dict[str, Any] | None = None, **info: Any) -> Trained:
    """Return the run with another run.json, and training.json if it is given."""
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
    }


def test_a_card_says_what_the_files_of_the_run_say(trained: Trained) -> None:
    people = {"train_subjects": ["ann", "bob", "cyd", "dan"], "test_subjects": ["eve"]}
    text = card(changed(trained, {"frames": 81, "seconds": 300.4}, face_set=PHOTOS, **people))
    assert f"Model `{trained.model}`. It reads a face cut out to 64 x 64 px" in text
    assert "`z_e_00` to `z_e_07`" in text
    assert "It makes images of codes" in text
    assert "whose face it is" not in text.split("## Use")[0]  # a VAE has no such code
    told = section(text, "What it was trained on")
    assert "- Trained on 4 people, 81 frames of theirs.\n- 1 person held out.\n" in told
    assert (
        "photos or videos in a folder; whether they show real people was not recorded. In all 7 people"
        in told
    )
    assert "7 people, 1 clip, 99 frames." in told
    assert "whose labels the training did not see: smile 30, neutral 12." in told
    assert "- Terms of these faces: CC BY 4.0, by A. Photographer\n" in told
    assert "5 % of the side more on each side; turned so that the eyes lie level" in told
    how = section(text, "How it was trained")
    assert how.startswith("It took 5 minutes.")
    assert '\n    method = "vae"\n    seed = 0\n    batch_size = 12\n' in how
    assert "\n    options.epochs = 1\n" in how
    assert (
        section(text, "Scores") == "Not scored yet: `omote evaluate folder faces` does it, on a face set.\n"
    )
    assert "made faces" not in text


def test_a_card_names_nobody_and_no_folder(trained: Trained) -> None:
    people = {"train_subjects": ["ann", "bob"], "test_subjects": ["eve"]}
    config = trained.info.config.model_copy(update={"test_subjects": ("eve",)}).model_dump(mode="json")
    place = {"faces": "/home/xyz/at_the_clinic"}
    text = card(changed(trained, place, face_set=PHOTOS, config=config, **people))
    assert not re.search(r"\b(ann|bob|eve)\b|clinic|secret|xyz", text)
    assert str(trained.path) not in text


def test_what_the_files_do_not_say_the_card_does_not_say(trained: Trained) -> None:
    text = card(changed(trained, {}, face_set={}, test_subjects=[]))
    told = section(text, "What it was trained on")
    assert "- Trained on 4 people.\n- Nobody held out.\n- Not recorded whose faces.\n" in told
    assert "Terms of these faces: not recorded" in told
    assert "How the faces were cut out was not recorded" in told
    assert section(text, "How it was trained").startswith("How long it took was not recorded.")
    limits = section(text, "Limits")
    assert "Nobody was held out" in limits
    assert "marked by `ood`" in limits
    assert "may show something of these people" in limits
    assert "made faces" not in text


def test_made_faces_are_called_so_and_every_face_set_of_several_is_told(trained: Trained) -> None:
    drawn = card(trained)
    given = section(card(changed(trained, face_set={"importer": "arrays"})), "What it was trained on")
    assert "- Faces from arrays; whether they show real people was not recorded.\n" in given
    assert (
        "Faces drawn by omote: made faces, no person is shown. In all 5 people, 10 clips, 40 frames." in drawn
    )
    assert "It was trained on made faces alone" in section(drawn, "Limits")
    assert "agreed" not in drawn
    assert "may show something of these people" not in drawn
    (trained.path / "reference.safetensors").unlink()
    assert "it was trained without a reference" in section(card(load(trained.path)), "Limits")
    both = {
        "importer": "combined",
        "sources": [trained.face_set, PHOTOS | {"importer": "mug", "published": {}}],
        "counts": {},
    }
    text = card(changed(trained, face_set=both))
    told = section(text, "What it was trained on")
    assert "drawn by omote" in told
    assert "of the data set mug: pictures of people. In all 7 people" in told
    assert told.count("Whether the people agreed") == 1
    assert "made faces alone" not in text


def test_the_scores_in_the_card_are_those_that_were_saved(trained: Trained) -> None:
    names = ("importer", "options", "counts")
    about = {
        "k": 9, "seeds": 1, "face_set": {name: trained.face_set[name] for name in names},
        "train": {"subjects": 4, "images": 20}, "test": {"subjects": 1, "images": 5},
    }  # fmt: skip
    rows = [
        score("expression", "accuracy", "train", 0.876, 0.25),
        score("expression", "accuracy", "test", None, None),
        score("identity", "probe_accuracy", "train", None, None),
        score("identity", "probe_accuracy", "test", None, None),
    ]
    scores = trained.path / "scores.json"
    scores.write_text(json.dumps({"about": about, "scores": rows}))
    found = section(card(trained), "Scores")
    assert (
        "Of the face set of the training: 4 people trained on (20 images) and 1 person not trained on"
        in found
    )
    assert "k-means with k = 9, 1 run." in found
    table = [line for line in found.splitlines() if line.startswith("|")]
    assert table[0] == "|  | trained on | by chance | not trained on | by chance |"
    assert table[2].endswith("| 0.88 | 0.25 | – | – |")
    assert len(table) == 3  # no line for a code that has no score at all
    about["face_set"] = {"importer": "jaffe", "options": {}, "counts": {}}
    scores.write_text(json.dumps({"about": about, "scores": rows}))
    assert "Of another face set (jaffe):" in section(card(trained), "Scores")
    scores.write_text("{}")
    with pytest.raises(OmoteError, match=r"scores\.json is damaged.*score the run again"):
        card(trained)


def test_the_head_is_what_the_hub_reads(trained: Trained) -> None:
    lines = card(trained).splitlines()
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
    assert card(load(trained.path)).encode() == written
    shutil.move(trained.path, trained.path.with_name("elsewhere"))
    assert card(load(trained.path.with_name("elsewhere"))).encode() == written


def test_a_card_is_written_anew_until_someone_takes_it_over(trained: Trained) -> None:
    path = trained.path / "README.md"
    path.write_text("old " + MARK)
    write_card(trained)
    assert path.read_text() == card(trained)
    path.write_text("mine")
    write_card(trained)
    assert path.read_text() == "mine"


def test_a_method_that_has_to_know_its_people_is_not_offered_for_new_photos(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    told = card(train(faces, run, configure(method="cvae", options__epochs=1)))
    assert "knows only the people of its training" in told
    assert "omote embed" not in told
    assert "model.represent(faces, subjects)" in told
