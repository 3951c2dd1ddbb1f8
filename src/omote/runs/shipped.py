"""The model that comes with omote, which is used where no run is named. `benchmarks/pretrain.py` trained it."""

import re
from pathlib import Path

SHIPPED = "shipped"  # its name, where a run or a model is named
FOLDER = Path(__file__).parent / "shipped_model"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")  # of a model on the Hugging Face hub: ORG/NAME


def explain_missing(run: Path) -> str:
    """Return why a path is neither a run nor a published model, or "" if it may be one. Loads nothing."""
    if _holds_model(run):
        return ""
    if not run.exists() and (str(run) == SHIPPED or HUB_NAME.fullmatch(run.as_posix())):
        return ""
    if run.is_file():
        return f"{run} is not a run: it is a file; a run is a folder made by `omote train`."
    return f"{run} is not a run: it has no run.json. `omote train` makes runs."


def split_model(given: list[str]) -> tuple[str, list[str]]:
    """Return the model to use and the inputs, of a command line whose first word may name a model.

    It does if it is a folder of a run or a published model, an ONNX file, "shipped", or no file at all and written like
    a name on the hub. Otherwise all words are inputs, for the model that comes with omote.
    """
    first = Path(given[0])
    is_name = not first.exists() and (given[0] == SHIPPED or _is_hub_name(given[0]))
    if _holds_model(first) or is_name or first.suffix.lower() == ".onnx":
        return given[0], given[1:]
    return SHIPPED, given


def _holds_model(folder: Path) -> bool:
    """Return whether a folder is a run or a published model."""
    return any((folder / name).is_file() for name in ("run.json", "config.json"))


def _is_hub_name(text: str) -> bool:
    """Return whether a text is a name on the hub rather than a photo or video that is not there."""
    return HUB_NAME.fullmatch(text) is not None and not re.search(r"\.[A-Za-z0-9]{2,5}$", text)
