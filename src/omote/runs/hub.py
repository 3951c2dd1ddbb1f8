"""A model in the form of the Hugging Face hub: what `Trained.save_pretrained` writes, without anyone's name.

config.json            what run.json holds, the library's name and the SHA-256 of the weights
model.safetensors      the weights
reference.safetensors  what the training's faces look like, where the run knows
training.json          frames that were trained on, and seconds that it took
scores.json            what `omote evaluate` found, where it did
README.md              the model card

Left out are the ids of people, and what tells of the folders and files that their pictures came from. Made people are
nobody, so their ids stay.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from omote.data.face_set import About
from omote.errors import OmoteError
from omote.runs.card import MARK, write_card
from omote.runs.trained import (
    LIBRARY,
    UNNAMED,
    RunInfo,
    Trained,
    file_digest,
    info_content,
    load,
    read_training,
    write_json,
    write_tensors,
)

FILES = (
    "model.safetensors",
    "reference.safetensors",
    "training.json",
    "scores.json",
    "README.md",
    "config.json",
)


def save_pretrained(trained: Trained, folder: Path, *, names: bool) -> Path:
    """Write a model; see `Trained.save_pretrained`."""
    _check_target(folder)
    beside = Path(os.path.abspath(folder) + ".partial")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    write_tensors(beside / "model.safetensors", trained.method.state_dict())
    info = trained.info if names else _without_names(trained.info)
    own = {"library_name": LIBRARY, "weights_sha256": file_digest(beside / "model.safetensors")}
    write_json(beside / "config.json", own | info_content(info))
    if trained.reference:
        trained.reference.save(beside / "reference.safetensors")
    if (trained.path / "README.md").is_file():
        shutil.copyfile(trained.path / "README.md", beside / "README.md")
    if training := {key: value for key, value in read_training(trained.path).items() if key != "faces"}:
        write_json(beside / "training.json", training)
    if (trained.path / "scores.json").is_file():
        write_json(beside / "scores.json", _scores(trained.path / "scores.json", names))
    write_card(load(beside))
    _put(beside, folder)
    return folder


def check_people(info: RunInfo, about: About) -> None:
    """Raise OmoteError if nobody can tell which people of a face set a model was trained on.

    That is so of a model published without names, and the face set that it was trained on.

    Args:
        info: of the model.
        about: what the face set says of itself.
    """
    if not info.named and info.face_set in (about, about.without_names()):
        raise OmoteError(
            "this model was trained on this face set, and published without the ids of the people it was trained on, "
            "so nobody can tell who was held out; use the run itself, or another face set"
        )


def _without_names(info: RunInfo) -> RunInfo:
    info = info._replace(face_set=info.face_set.without_names())
    if info.face_set.is_synthetic:
        return info
    unnamed = {
        kind: [f"{UNNAMED}{kind}/{number}" for number in range(1, len(people) + 1)]
        for kind, people in (("train", info.train_subjects), ("test", info.test_subjects))
    }
    config = info.config.model_copy(update={"test_subjects": len(info.test_subjects)})
    return info._replace(config=config, train_subjects=unnamed["train"], test_subjects=unnamed["test"])


def _scores(path: Path, names: bool) -> dict[str, Any]:
    """Return what scores.json holds; without names no scores of single people."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if names:
            return content
        face_set = About.model_validate(content["about"].get("face_set") or {}).without_names()
        about = {**content["about"], "face_set": face_set.to_json()}
        return {"about": about, "scores": content["scores"], "by_subject": [], "resampled": {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OmoteError(f"{path} is damaged ({error}); score the run again with `omote evaluate`") from None


def _check_target(folder: Path) -> None:
    """Refuse a folder that holds something else than such a model, or than a new repository of the hub has."""
    if folder.exists() and not folder.is_dir():
        raise OmoteError(f"{folder} is a file; name a folder for the model")
    if not folder.is_dir() or _is_model(folder):
        return
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {"README.md"}
    if names:
        raise OmoteError(
            f"{folder} holds other files ({', '.join(sorted(names)[:3])}) and no model of omote; name another folder"
        )


def _is_model(folder: Path) -> bool:
    """Return whether the folder holds what `save_pretrained` writes."""
    try:
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return bool(content["library_name"] == LIBRARY) and not (folder / "run.json").exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _put(beside: Path, folder: Path) -> None:
    """Move a whole model to its place. Stopped on the way, config.json does not fit the weights, and says so."""
    if not folder.exists():
        os.replace(beside, folder)
        return
    readme = folder / "README.md"
    if readme.is_file() and MARK not in readme.read_text(encoding="utf-8", errors="replace"):
        (beside / "README.md").unlink()
    for name in FILES:
        if (beside / name).is_file():
            os.replace(beside / name, folder / name)
        elif name != "README.md":
            (folder / name).unlink(missing_ok=True)
    beside.rmdir()
