"""A published model, in the form of the Hugging Face hub and without names: a folder, or a repository there.

config.json            content of run.json, the library's name and the SHA-256 of the weights
model.safetensors      weights
reference.safetensors  out-of-distribution model of the training faces, if the run has one
axes.json              axes of the expression code, if the run has them
training.json          number of training frames, and seconds of training
scores.json            scores of `omote evaluate`, if the run was scored
README.md              model card

Left out are the ids of people and the names of the folders and files that their pictures came from. Drawn and rendered
people are not real, so their ids stay.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from omote.boundary import read_json
from omote.data.face_set import About
from omote.data.outputs import AXES_FILE
from omote.errors import OmoteError
from omote.files import move, staged, write_json
from omote.runs.card import MARK, write_card
from omote.runs.info import (
    LIBRARY,
    UNNAMED,
    RunInfo,
    file_digest,
    info_to_json,
    read_scores,
    read_training,
    weights_file,
    write_tensors,
)
from omote.runs.ood import OodModel
from omote.runs.shipped import FOLDER, HUB_NAME, SHIPPED

WEIGHTS = weights_file(published=True)
FILES = (
    "config.json",
    "reference.safetensors",
    AXES_FILE,
    "training.json",
    "scores.json",
    "README.md",
    WEIGHTS,
)


def save_pretrained(
    folder: Path, run: Path, info: RunInfo, weights: dict[str, Tensor], ood: OodModel | None, *, names: bool
) -> Path:
    """Write a model and return its folder; see `Trained.save_pretrained`. Files of ``run`` are copied if present."""
    with staged(Path(os.path.abspath(folder)), "is saving a model") as stage:
        _check_target(folder)
        beside = stage / "model"
        beside.mkdir()
        write_tensors(beside / WEIGHTS, weights)
        own = {"library_name": LIBRARY, "weights_sha256": file_digest(beside / WEIGHTS)}
        write_json(beside / "config.json", own | info_to_json(info if names else _remove_names(info)))
        if ood:
            ood.save(beside / "reference.safetensors")
        for name in ("README.md", AXES_FILE):
            if (run / name).is_file():
                shutil.copyfile(run / name, beside / name)
        if training := read_training(run).model_dump(exclude={"faces"}, exclude_unset=True):
            write_json(beside / "training.json", training)
        if (run / "scores.json").is_file():
            write_json(beside / "scores.json", _read_scores(run, names))
        write_card(beside)
        _move_into_place(beside, folder)
    return folder


def find_model(run: str | Path = SHIPPED, revision: str | None = None) -> Path:
    """Return the folder of a run or a model; the name ORG/NAME of a model on the hub is downloaded once.

    Args:
        run: a folder; or, if there is no such folder, "shipped" for the model that comes with omote, or a name on the
            hub.
        revision: branch, tag or commit of a model on the hub; None for its main branch.
    Raises:
        OmoteError: If a revision is given with a folder, or the model cannot be downloaded.
    """
    folder = Path(run)
    if str(run) == SHIPPED and not folder.exists():
        folder = FOLDER
    if folder.exists() or not HUB_NAME.fullmatch(folder.as_posix()):
        if revision is not None:
            raise OmoteError(
                f"revision {revision} was given with {run}; it is for models on the hub, as ORG/NAME"
            )
        return folder
    name = folder.as_posix()
    with _hub(
        f"There is no folder {name}, and the Hugging Face hub did not give a model of this name"
    ) as hub:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(FILES)))


def push(folder: Path, name: str, *, private: bool, revision: str | None) -> str:
    """Upload the files of a model to the hub and return the address of the commit.

    Raises:
        OmoteError: If the hub refuses it or cannot be reached.
    """
    with _hub(f"The Hugging Face hub did not take the model {name}") as hub:
        hub.create_repo(name, private=private, exist_ok=True)
        done = hub.upload_folder(
            repo_id=name, folder_path=folder, allow_patterns=list(FILES), revision=revision,
            commit_message="Upload a model of omote",
        )  # fmt: skip
        return str(done.commit_url)


@contextmanager
def _hub(failure: str) -> Iterator[Any]:
    """Give the client of the hub; its errors become one sentence that begins with ``failure``."""
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        raise OmoteError(f'{failure}: the hub needs another package; pip install "omote[hub]"') from None
    try:
        yield HfApi(library_name=LIBRARY)
    except (HfHubHTTPError, OSError, ValueError) as error:
        kind, said = type(error).__name__, str(error).strip().splitlines()
        raise OmoteError(
            f"{failure} ({kind}: {said[-1] if said else 'no reason given'}). Check the name, the connection and the "
            "access token (`hf auth login`)"
        ) from error


def check_people(info: RunInfo, about: About) -> None:
    """Raise OmoteError if a model was published without ids and a face set is the one it was trained on.

    Nobody can then tell which people of the face set were held out.

    Args:
        info: of the model.
        about: of the face set.
    """
    if not info.named and info.face_set in (about, about.without_names()):
        raise OmoteError(
            "this model was trained on this face set and published without the ids of its people, so nobody can tell "
            "who was held out; use the run itself, or another face set"
        )


def _remove_names(info: RunInfo) -> RunInfo:
    info = info._replace(face_set=info.face_set.without_names())
    if info.face_set.is_synthetic:
        return info
    unnamed = {
        kind: [f"{UNNAMED}{kind}/{number}" for number in range(1, len(people) + 1)]
        for kind, people in (("train", info.train_subjects), ("test", info.test_subjects))
    }
    config = info.config.model_copy(update={"test_subjects": len(info.test_subjects)})
    return info._replace(config=config, train_subjects=unnamed["train"], test_subjects=unnamed["test"])


def _read_scores(run: Path, names: bool) -> dict[str, Any]:
    """Return the content of scores.json; without names, also without the scores of single people."""
    content = read_scores(run).model_dump(mode="json", exclude_unset=True)
    if names:
        return content
    face_set = About.model_validate(content["about"].get("face_set") or {}).without_names()
    about = {**content["about"], "face_set": face_set.to_json()}
    return {"about": about, "scores": content["scores"], "by_subject": [], "resampled": {}}


def _check_target(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier model or the first files of a hub repository."""
    if folder.exists() and not folder.is_dir():
        raise OmoteError(f"{folder} is a file; give a folder for the model")
    if not folder.is_dir() or _is_model(folder):
        return
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - {"README.md"}
    if names:
        raise OmoteError(
            f"{folder} holds other files ({', '.join(sorted(names)[:3])}) and no omote model; give another folder"
        )


def _is_model(folder: Path) -> bool:
    """Return whether the folder holds a model that `save_pretrained` wrote."""
    try:
        return (
            read_json(folder / "config.json")["library_name"] == LIBRARY
            and not (folder / "run.json").exists()
        )
    except (OSError, ValueError, KeyError):
        return False


def _move_into_place(beside: Path, folder: Path) -> None:
    """Move a complete model to its folder: config.json first, and last the weights, whose digest it states."""
    if not folder.exists():
        move(beside, folder)
        return
    readme = folder / "README.md"
    if readme.is_file() and MARK not in readme.read_text(encoding="utf-8", errors="replace"):
        (beside / "README.md").unlink()
    for name in FILES:
        if (beside / name).is_file():
            move(beside / name, folder / name)
        elif name != "README.md":
            (folder / name).unlink(missing_ok=True)
