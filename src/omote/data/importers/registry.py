"""The published data sets that `omote prepare` knows: a new one is a file beside this and a line here."""

from omote.data.clips import Importer
from omote.data.importers.ckplus import CKPLUS
from omote.data.importers.jaffe import JAFFE
from omote.data.importers.mug import MUG
from omote.data.importers.ravdess import RAVDESS

IMPORTERS: dict[str, Importer] = {
    "ckplus": CKPLUS,
    "mug": MUG,
    "ravdess": RAVDESS,
    "jaffe": JAFFE,
}
