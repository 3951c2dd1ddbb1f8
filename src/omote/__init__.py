"""omote: expression features of faces, apart from whose face it is, learned without emotion labels.

    faces = omote.prepare_drawn("faces", subjects=20)
    trained = omote.train(faces, "run", omote.TrainConfig(method="proposed", test_subjects=3))
    omote.evaluate_run(trained, faces).table

Everything here is imported when it is first used, so that `import omote` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omote.data.face_set import FaceSet, open_face_set
    from omote.data.prepare import prepare_drawn, prepare_folder
    from omote.errors import OmoteError
    from omote.evaluation.protocol import Codes, Scores, evaluate
    from omote.evaluation.run import evaluate_run
    from omote.export.features import embed, features
    from omote.figures.interpolate import interpolation_strip
    from omote.figures.swap import swap_grid
    from omote.training.config import TrainConfig
    from omote.training.loop import train
    from omote.training.run import Trained, load

_WHERE = {
    "Codes": "omote.evaluation.protocol",
    "FaceSet": "omote.data.face_set",
    "OmoteError": "omote.errors",
    "Scores": "omote.evaluation.protocol",
    "TrainConfig": "omote.training.config",
    "Trained": "omote.training.run",
    "embed": "omote.export.features",
    "evaluate": "omote.evaluation.protocol",
    "evaluate_run": "omote.evaluation.run",
    "features": "omote.export.features",
    "interpolation_strip": "omote.figures.interpolate",
    "load": "omote.training.run",
    "open_face_set": "omote.data.face_set",
    "prepare_drawn": "omote.data.prepare",
    "prepare_folder": "omote.data.prepare",
    "swap_grid": "omote.figures.swap",
    "train": "omote.training.loop",
}
__all__ = [
    "Codes",
    "FaceSet",
    "OmoteError",
    "Scores",
    "TrainConfig",
    "Trained",
    "embed",
    "evaluate",
    "evaluate_run",
    "features",
    "interpolation_strip",
    "load",
    "open_face_set",
    "prepare_drawn",
    "prepare_folder",
    "swap_grid",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'omote' has no attribute '{name}'")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return __all__
