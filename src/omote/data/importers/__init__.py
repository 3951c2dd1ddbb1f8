"""Importers: each finds the clips of one kind of source, and says what it left out; no pixel is read."""

from collections.abc import Callable

from omote.data.clips import Listing
from omote.data.importers.folder import list_folder

IMPORTERS: dict[str, Callable[..., Listing]] = {"folder": list_folder}
