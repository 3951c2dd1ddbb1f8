"""omote: expression features of faces, apart from whose face it is, learned without emotion labels.

    faces = omote.prepare("photos", "faces")
    trained = omote.train(faces, "run", omote.TrainConfig(test_subjects=3))
    omote.evaluate(trained, faces).table

Everything here is imported when it is first used, so that `import omote` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omote.data.arrays import face_set_of_arrays as prepare_arrays
    from omote.data.combine import combine_face_sets
    from omote.data.face_set import FaceSet, open_face_set
    from omote.data.images import Excerpt
    from omote.data.prepare import prepare_dataset, prepare_drawn, prepare_rendered
    from omote.data.prepare import prepare_folder as prepare
    from omote.data.resize import resize_face_set
    from omote.errors import OmoteError
    from omote.evaluation.audit import Audit, audit
    from omote.evaluation.label_free import choose
    from omote.evaluation.protocol import Codes, Scores
    from omote.evaluation.protocol import evaluate as evaluate_codes
    from omote.evaluation.run import evaluate_run as evaluate
    from omote.export.embed import embed, embed_to, open_reader
    from omote.export.estimator import ExpressionFeatures
    from omote.export.features import features
    from omote.export.onnx_file import export_onnx
    from omote.export.profile import Profile, make_profile, profile_of_tables
    from omote.figures.audit_report import write_audit_report
    from omote.figures.interpolate import interpolation_strip as interpolate
    from omote.figures.swap import swap_grid as swap
    from omote.figures.video import plot_features
    from omote.reproduction.run import reproduce
    from omote.training.config import TrainConfig
    from omote.training.loop import train
    from omote.training.run import Trained, load

__version__ = "0.1.0"

_WHERE = {  # public name -> module and name there
    "Audit": ("omote.evaluation.audit", "Audit"),
    "Codes": ("omote.evaluation.protocol", "Codes"),
    "Excerpt": ("omote.data.images", "Excerpt"),
    "ExpressionFeatures": ("omote.export.estimator", "ExpressionFeatures"),
    "FaceSet": ("omote.data.face_set", "FaceSet"),
    "OmoteError": ("omote.errors", "OmoteError"),
    "Profile": ("omote.export.profile", "Profile"),
    "Scores": ("omote.evaluation.protocol", "Scores"),
    "TrainConfig": ("omote.training.config", "TrainConfig"),
    "Trained": ("omote.training.run", "Trained"),
    "audit": ("omote.evaluation.audit", "audit"),
    "choose": ("omote.evaluation.label_free", "choose"),
    "combine_face_sets": ("omote.data.combine", "combine_face_sets"),
    "embed": ("omote.export.embed", "embed"),
    "embed_to": ("omote.export.embed", "embed_to"),
    "evaluate": ("omote.evaluation.run", "evaluate_run"),
    "evaluate_codes": ("omote.evaluation.protocol", "evaluate"),
    "export_onnx": ("omote.export.onnx_file", "export_onnx"),
    "features": ("omote.export.features", "features"),
    "interpolate": ("omote.figures.interpolate", "interpolation_strip"),
    "load": ("omote.training.run", "load"),
    "make_profile": ("omote.export.profile", "make_profile"),
    "open_face_set": ("omote.data.face_set", "open_face_set"),
    "open_reader": ("omote.export.embed", "open_reader"),
    "plot_features": ("omote.figures.video", "plot_features"),
    "prepare": ("omote.data.prepare", "prepare_folder"),
    "prepare_arrays": ("omote.data.arrays", "face_set_of_arrays"),
    "prepare_dataset": ("omote.data.prepare", "prepare_dataset"),
    "prepare_drawn": ("omote.data.prepare", "prepare_drawn"),
    "prepare_rendered": ("omote.data.prepare", "prepare_rendered"),
    "profile_of_tables": ("omote.export.profile", "profile_of_tables"),
    "reproduce": ("omote.reproduction.run", "reproduce"),
    "resize_face_set": ("omote.data.resize", "resize_face_set"),
    "swap": ("omote.figures.swap", "swap_grid"),
    "train": ("omote.training.loop", "train"),
    "write_audit_report": ("omote.figures.audit_report", "write_audit_report"),
}
__all__ = [
    "Audit",
    "Codes",
    "Excerpt",
    "ExpressionFeatures",
    "FaceSet",
    "OmoteError",
    "Profile",
    "Scores",
    "TrainConfig",
    "Trained",
    "audit",
    "choose",
    "combine_face_sets",
    "embed",
    "embed_to",
    "evaluate",
    "evaluate_codes",
    "export_onnx",
    "features",
    "interpolate",
    "load",
    "make_profile",
    "open_face_set",
    "open_reader",
    "plot_features",
    "prepare",
    "prepare_arrays",
    "prepare_dataset",
    "prepare_drawn",
    "prepare_rendered",
    "profile_of_tables",
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
