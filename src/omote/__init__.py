"""omote: expression features of faces, apart from whose face it is, learned without emotion labels.

    faces = omote.prepare("photos", "faces")
    trained = omote.train(faces, "run", omote.TrainConfig(test_subjects=3))
    omote.evaluate(trained, faces).table

Everything here is imported when it is first used, so that `import omote` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omote.data.combine import combine_face_sets
    from omote.data.face_set import FaceSet, open_face_set
    from omote.data.prepare import prepare_dataset, prepare_drawn, prepare_rendered
    from omote.data.prepare import prepare_folder as prepare
    from omote.data.resize import resize_face_set
    from omote.errors import OmoteError
    from omote.evaluation.audit import Audit, audit
    from omote.evaluation.label_free import choose
    from omote.evaluation.protocol import Codes, Scores
    from omote.evaluation.protocol import evaluate as evaluate_codes
    from omote.evaluation.run import evaluate_run as evaluate
    from omote.export.features import embed, features
    from omote.figures.audit_report import write_audit_report
    from omote.figures.interpolate import interpolation_strip as interpolate
    from omote.figures.swap import swap_grid as swap
    from omote.reproduction.run import reproduce
    from omote.training.config import TrainConfig
    from omote.training.loop import train
    from omote.training.run import Trained, load

__version__ = "0.1.0"

_WHERE = {  # public name -> module and name there
    "Audit": ("omote.evaluation.audit", "Audit"),
    "Codes": ("omote.evaluation.protocol", "Codes"),
    "FaceSet": ("omote.data.face_set", "FaceSet"),
    "OmoteError": ("omote.errors", "OmoteError"),
    "Scores": ("omote.evaluation.protocol", "Scores"),
    "TrainConfig": ("omote.training.config", "TrainConfig"),
    "Trained": ("omote.training.run", "Trained"),
    "audit": ("omote.evaluation.audit", "audit"),
    "choose": ("omote.evaluation.label_free", "choose"),
    "combine_face_sets": ("omote.data.combine", "combine_face_sets"),
    "embed": ("omote.export.features", "embed"),
    "evaluate": ("omote.evaluation.run", "evaluate_run"),
    "evaluate_codes": ("omote.evaluation.protocol", "evaluate"),
    "features": ("omote.export.features", "features"),
    "interpolate": ("omote.figures.interpolate", "interpolation_strip"),
    "load": ("omote.training.run", "load"),
    "open_face_set": ("omote.data.face_set", "open_face_set"),
    "prepare": ("omote.data.prepare", "prepare_folder"),
    "prepare_dataset": ("omote.data.prepare", "prepare_dataset"),
    "prepare_drawn": ("omote.data.prepare", "prepare_drawn"),
    "prepare_rendered": ("omote.data.prepare", "prepare_rendered"),
    "reproduce": ("omote.reproduction.run", "reproduce"),
    "resize_face_set": ("omote.data.resize", "resize_face_set"),
    "swap": ("omote.figures.swap", "swap_grid"),
    "train": ("omote.training.loop", "train"),
    "write_audit_report": ("omote.figures.audit_report", "write_audit_report"),
}
__all__ = [
    "Audit",
    "Codes",
    "FaceSet",
    "OmoteError",
    "Scores",
    "TrainConfig",
    "Trained",
    "audit",
    "choose",
    "combine_face_sets",
    "embed",
    "evaluate",
    "evaluate_codes",
    "features",
    "interpolate",
    "load",
    "open_face_set",
    "prepare",
    "prepare_dataset",
    "prepare_drawn",
    "prepare_rendered",
    "reproduce",
    "resize_face_set",
    "swap",
    "train",
    "write_audit_report",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'omote' has no attribute '{name}'")
    module, attribute = _WHERE[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
