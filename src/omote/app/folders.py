"""Folders on this machine that a page names: they lie where the app was started, or belong to its run."""

from pathlib import Path

from omote.app.state import State
from omote.errors import OmoteError
from omote.runs.info import read_training


def find_folder(state: State, name: str) -> Path:
    """Return the folder that a page names, links followed; it need not exist.

    Args:
        name: absolute, or relative to the folder in which the app was started.
    Raises:
        OmoteError: If nothing was named, or it lies elsewhere or among the uploads: who opens the page should reach
            neither all of the disk nor the files of other users.
    """
    if not name.strip():
        raise OmoteError("no folder was named; write its name, such as study/faces")
    home = Path.cwd().resolve()
    try:
        path = (home / Path(name.strip()).expanduser()).resolve()
        path.is_dir()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ):  # too long, not to be looked into, a zero byte, a home of nobody
        raise OmoteError(f"{name.strip()!r} is not the name of a folder") from None
    if path.is_relative_to(state.folder.resolve()):
        raise OmoteError(f"{path} holds what was uploaded; name another folder")
    if path.is_relative_to(home) or str(path) == find_own_faces(state):
        return path
    raise OmoteError(
        f"{path} lies outside {home}, the folder in which `omote app` was started; start it in a folder that holds "
        "your photos, face sets and runs"
    )


def find_own_faces(state: State) -> str:
    """Return the path of the face set that the model was trained on, if it is still there, else nothing."""
    path = read_training(state.run).faces if Path(state.run).is_dir() else None
    return path if path and (Path(path) / "about.json").is_file() else ""
