"""The data sets that `omote prepare` knows: a new one is a file beside this, a line here, and a test.

Names stand for "module:NAME", so that they can be listed without loading an importer.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omote.data.clips import Importer

IMPORTERS = {
    "ckplus": "omote.data.importers.ckplus:CKPLUS",
    "mug": "omote.data.importers.mug:MUG",
    "ravdess": "omote.data.importers.ravdess:RAVDESS",
    "jaffe": "omote.data.importers.jaffe:JAFFE",
    "olivetti": "omote.data.importers.olivetti:OLIVETTI",
    "lfw": "omote.data.importers.lfw:LFW",
}


def load_importer(name: str) -> "Importer":
    """Return the importer of the data set called ``name``; KeyError if there is none."""
    importer: Importer = resolve_name(IMPORTERS[name])
    return importer
