"""A published model: its files, the removal of names, and opening it."""

import copy
import hashlib
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omote import files as omote_files
from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.files import claimed
from omote.runs import hub
from omote.runs.card import write_card
from omote.runs.hub import check_people
from omote.runs.info import read_run_info
from omote.runs.shipped import FOLDER
from omote.runs.trained import Trained, load
from omote.training.loop import train
from tests.conftest import Configure

NAMES = ("ann-marie", "bob-jones", "cyd-lee", "dan-brown", "eve-white")
PHOTOS = {
    "importer": "folder",
    "dataset": "the-clinic",
    "options": {
        "pattern": "the-clinic/{subject}.jpg",
        "map_expression": {"1": "the-clinic"},
        "cropped": True,
        "fps": 5,
    },
    "licence": "CC BY 4.0",
    "counts": {"subjects": 5, "clips": 5, "frames": 40, "skipped": {"the-clinic": 1}},
    "made_from": {"name": "the-clinic", "size": 128},
}


@pytest.fixture
def trained(copied: Trained) -> Trained:
    """A run that the test may change."""
    return copied


@pytest.fixture
def of_people(trained: Trained) -> Trained:
    """The run as if it had been trained on photos of people, and scored."""
    path = trained.path / "run.json"
    content = json.loads(path.read_text())
    content |= {"train_subjects": NAMES[:4], "test_subjects": NAMES[4:], "face_set": PHOTOS}
    content["config"]["test_subjects"] = NAMES[4:]
    path.write_text(json.dumps(content))
    about = {"k": 9, "seeds": 2, "face_set": PHOTOS} | {
        kind: {"subjects": count, "images": 10 * count} for kind, count in (("train", 4), ("test", 1))
    }
    row = {
        "people": "test",
        "code": "expression",
        "score": "accuracy",
        "value": 0.5,
        "deviation": 0.0,
        "chance": 0.2,
        "reason": "",
    }
    by_subject = [{"people": "test", "subject": NAMES[4], "images": 10, "accuracy": 0.5}]
    content = {
        "about": about,
        "scores": [row],
        "by_subject": by_subject,
        "resampled": {"test": [{NAMES[4]: 1}]},
    }
    (trained.path / "scores.json").write_text(json.dumps(content))
    loaded = load(trained.path)
    write_card(loaded.path)
    return loaded


def change(file: Path, **content: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | content))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_published_model_gives_the_same_outputs_as_the_run(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    folder = trained.save_pretrained(tmp_path / "deep" / "model")
    assert set(files(folder)) == {
        "config.json", "model.safetensors", "reference.safetensors", "training.json", "README.md"
    }  # fmt: skip
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    for again in (load(folder), Trained.from_pretrained(folder)):
        np.testing.assert_array_equal(again.represent(faces.faces)[0], trained.represent(faces.faces)[0])
        np.testing.assert_array_equal(again.read(faces.faces).ood, trained.read(faces.faces).ood)
        assert again.model == trained.model
        assert again.model_card() == trained.model_card()
    content = json.loads((folder / "config.json").read_text())
    assert content["library_name"] == "omote"
    assert (
        content["weights_sha256"] == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    )
    assert Trained.from_pretrained(trained.path).model == trained.model


def test_a_model_whose_run_is_gone_can_still_be_published(
    trained: Trained, faces: FaceSet, tmp_path: Path
) -> None:
    shutil.rmtree(trained.path)
    published = load(trained.save_pretrained(tmp_path / "model"))
    np.testing.assert_array_equal(published.read(faces.faces).ood, trained.read(faces.faces).ood)
    assert "The training time was not recorded" in published.model_card()


def test_nobody_is_named_in_a_published_model_and_the_numbers_stay(
    of_people: Trained, tmp_path: Path
) -> None:
    folder = of_people.save_pretrained(tmp_path / "model")
    written = files(folder)
    assert "scores.json" in written
    for name, content in written.items():
        found = [word for word in (*NAMES, "the-clinic", str(tmp_path)) if word.encode() in content]
        assert not found, f"{found} in {name}"
    published = load(folder)
    assert (len(published.info.train_subjects), len(published.info.test_subjects)) == (4, 1)
    assert not published.info.named
    assert published.info.config.test_subjects == 1
    assert published.face_set.to_json()["counts"] == {"subjects": 5, "clips": 5, "frames": 40}
    assert published.face_set.options == {"cropped": True, "fps": 5}
    assert published.face_set.licence == "CC BY 4.0"
    assert published.model_card() == of_people.model_card()
    assert "| 0.50 | 0.20 |" in published.model_card()
    assert files(published.save_pretrained(tmp_path / "again")) == written


def test_names_stay_if_asked_for_or_if_the_people_are_not_real(
    of_people: Trained, trained: Trained, once: Path, tmp_path: Path
) -> None:
    named = load(of_people.save_pretrained(tmp_path / "named", names=True))
    assert named.info == of_people.info
    assert json.loads((named.path / "scores.json").read_text())["by_subject"][0]["subject"] == NAMES[4]
    drawn = load(once)
    published = load(drawn.save_pretrained(tmp_path / "drawn"))
    assert published.info.named
    assert published.info.train_subjects == drawn.info.train_subjects
    assert published.face_set.options == drawn.face_set.options


def test_names_are_removed_from_every_source_of_a_combined_face_set(trained: Trained) -> None:
    both = {"importer": "combined", "dataset": "the-clinic and mug", "licence": "the-clinic: CC BY 4.0",
            "sources": [PHOTOS | {"name": "the-clinic"}, trained.face_set.to_json()], "margin": 0.05}  # fmt: skip
    about = About.model_validate(both).without_names()
    assert "the-clinic" not in json.dumps(about.to_json())
    assert [source.importer for source in about.parts] == ["folder", "drawn"]
    assert about.parts[0].licence == "CC BY 4.0"
    assert about.margin == 0.05
    assert about.without_names() == about


def test_a_model_without_names_is_not_scored_on_its_training_face_set(
    of_people: Trained, tmp_path: Path
) -> None:
    unnamed = load(of_people.save_pretrained(tmp_path / "model"))
    photos = About.model_validate(PHOTOS)
    check_people(of_people.info, photos)
    check_people(unnamed.info, About.model_validate(PHOTOS | {"importer": "mug"}))
    for about in (photos, unnamed.face_set):
        with pytest.raises(OmoteError, match="nobody can tell who was held out"):
            check_people(unnamed.info, about)


def test_a_method_that_needs_subjects_takes_the_new_ids(
    faces: FaceSet, run: Path, configure: Configure, tmp_path: Path
) -> None:
    trained = train(faces, run, configure(method="cvae", options__epochs=1))
    change(run / "run.json", face_set={"importer": "folder"})
    published = load(load(run).save_pretrained(tmp_path / "model"))
    mean = published.represent(faces.faces[:1], [published.info.train_subjects[2]])[0]
    np.testing.assert_array_equal(
        mean, trained.represent(faces.faces[:1], [trained.info.train_subjects[2]])[0]
    )


def test_a_model_replaces_another_model_and_nothing_else(
    of_people: Trained, once: Path, tmp_path: Path
) -> None:
    folder = of_people.save_pretrained(tmp_path / "model")
    assert (folder / "scores.json").is_file()
    (folder / "notes.txt").write_text("mine")
    load(once).save_pretrained(folder)
    assert not (folder / "scores.json").exists()  # of the other model
    assert (folder / "notes.txt").read_text() == "mine"
    assert load(folder).info.named
    assert "drawn by omote" in (folder / "README.md").read_text()
    for taken in (once, tmp_path):
        before = sorted(taken.iterdir())
        with pytest.raises(OmoteError, match="holds other files"):
            of_people.save_pretrained(taken)
        assert sorted(taken.iterdir()) == before
    with pytest.raises(OmoteError, match="is a file"):
        of_people.save_pretrained(folder / "notes.txt")


def test_a_hub_repository_takes_a_model_and_keeps_a_card_written_by_hand(
    trained: Trained, tmp_path: Path
) -> None:
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    (folder / ".gitattributes").write_text("")
    (folder / "README.md").write_text("mine")
    trained.save_pretrained(folder)
    assert load(folder).model == trained.model
    assert (folder / "README.md").read_text() == "mine"
    assert (folder / ".git").is_dir()
    (trained.path / "README.md").write_text("also mine")
    assert (trained.save_pretrained(tmp_path / "new") / "README.md").read_text() == "also mine"


def test_a_model_that_another_process_saves_is_waited_for(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omote.files.PATIENCE", 0.2)
    to = tmp_path / "model"
    with claimed(to, "is at work"), pytest.raises(OmoteError, match="Another process is saving a model"):
        trained.save_pretrained(to)
    assert not list(tmp_path.glob("model*"))


@pytest.mark.parametrize("moved", range(1, 5))
def test_a_model_that_was_killed_while_it_replaced_another_is_refused_until_it_is_saved_again(
    trained: Trained, once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    folder, count = load(once).save_pretrained(tmp_path / "model"), 0

    def killed(source: Path, to: Path) -> None:
        nonlocal count
        count += 1
        move(source, to)
        if count == moved:
            raise KeyboardInterrupt

    move = omote_files.move
    other = replace(trained, method=copy.deepcopy(trained.method))
    with torch.no_grad():
        next(other.method.parameters()).add_(1)
    with monkeypatch.context() as patch:
        patch.setattr(hub, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            other.save_pretrained(folder)
    with pytest.raises(OmoteError, match=r"model\.safetensors"):
        load(folder)
    other.save_pretrained(folder)
    for one, another in zip(load(folder).method.parameters(), other.method.parameters(), strict=True):
        assert torch.equal(one, another)
    assert not list(tmp_path.glob("*.partial"))


def test_changed_damaged_missing_and_foreign_files_give_a_one_line_error(
    trained: Trained, tmp_path: Path
) -> None:
    folder = trained.save_pretrained(tmp_path / "model")
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole, text = weights.read_bytes(), config.read_text()

    def refused(why: str) -> None:
        with pytest.raises(OmoteError, match=why) as found:
            load(folder)
        assert "\n" not in str(found.value)
        weights.write_bytes(whole)
        config.write_text(text)

    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(r"model\.safetensors is damaged or was changed")
    weights.unlink()
    refused(r"has no model\.safetensors; get the model again")
    poison = pickle.dumps({"weights": 1})
    weights.write_bytes(poison)
    change(config, weights_sha256=hashlib.sha256(poison).hexdigest())
    refused("is damaged or not the weights of this method")
    change(config, format=2)
    refused("has format 2; this omote reads format 1. Update omote")
    change(config, library_name="transformers")
    refused(r"its config\.json is not that of an omote model")
    config.write_text(text[:-40])
    refused(r"config\.json is damaged.*Get the model again")
    change(config, image_size=63)
    refused("image size 63 was given")
    for wrong in (
        {"image_size": "large"},
        {"train_subjects": 4},
        {"more": 1},
        {"config": {"method": "newer"}},
    ):
        change(config, **wrong)
        refused(r"config\.json is damaged or not of a model")
    assert load(folder).model == trained.model


def test_the_model_that_comes_with_omote_is_found_by_its_name_as_text_and_as_a_path() -> None:
    assert hub.find_model("shipped") == hub.find_model(Path("shipped")) == FOLDER


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OmoteError, match="runs/none is not a run"):
        read_run_info("runs/none")
