"""omote: expression features of faces, apart from whose face it is, learned without emotion labels.

    faces = omote.prepare("photos", "faces")
    trained = omote.train(faces, "run", omote.TrainConfig(test_subjects=3))
    omote.evaluate(trained, faces).table

Everything here is imported when it is first used, so that `import omote` takes no time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omote.data.arrays import prepare_arrays
    from omote.data.combine import combine_face_sets
    from omote.data.face_set import FaceSet, open_face_set
    from omote.data.images import Excerpt
    from omote.data.prepare import prepare, prepare_dataset
    from omote.data.resize import resize_face_set
    from omote.errors import OmoteError
    from omote.evaluation.audit import Audit, audit
    from omote.evaluation.choose import choose
    from omote.evaluation.evaluate import evaluate
    from omote.evaluation.protocol import Codes, Scores, evaluate_codes
    from omote.export.estimator import ExpressionFeatures
    from omote.export.onnx import export_onnx
    from omote.features.embed import embed, embed_to, open_reader
    from omote.features.extract import features
    from omote.features.profile import Profile, make_profile, profile_of_tables
    from omote.figures.audit.report import write_audit_report
    from omote.figures.paper.interpolate import plot_interpolation
    from omote.figures.paper.swap import plot_swap
    from omote.figures.table.plot import plot_features
    from omote.reproduction.reproduce import reproduce
    from omote.runs.config import TrainConfig
    from omote.runs.trained import Trained, load
    from omote.synthetic.prepare import prepare_drawn, prepare_rendered
    from omote.training.loop import train

__version__ = "0.1.0"

_WHERE = {  # public name -> module and name there
    "Audit": ("omote.evaluation.audit", "Audit"),
    "Codes": ("omote.evaluation.protocol", "Codes"),
    "Excerpt": ("omote.data.images", "Excerpt"),
    "ExpressionFeatures": ("omote.export.estimator", "ExpressionFeatures"),
    "FaceSet": ("omote.data.face_set", "FaceSet"),
    "OmoteError": ("omote.errors", "OmoteError"),
    "Profile": ("omote.features.profile", "Profile"),
    "Scores": ("omote.evaluation.protocol", "Scores"),
    "TrainConfig": ("omote.runs.config", "TrainConfig"),
    "Trained": ("omote.runs.trained", "Trained"),
    "audit": ("omote.evaluation.audit", "audit"),
    "choose": ("omote.evaluation.choose", "choose"),
    "combine_face_sets": ("omote.data.combine", "combine_face_sets"),
    "embed": ("omote.features.embed", "embed"),
    "embed_to": ("omote.features.embed", "embed_to"),
    "evaluate": ("omote.evaluation.evaluate", "evaluate"),
    "evaluate_codes": ("omote.evaluation.protocol", "evaluate"),
    "export_onnx": ("omote.export.onnx", "export_onnx"),
    "features": ("omote.features.extract", "features"),
    "interpolate": ("omote.figures.paper.interpolate", "plot_interpolation"),
    "load": ("omote.runs.trained", "load"),
    "make_profile": ("omote.features.profile", "make_profile"),
    "open_face_set": ("omote.data.face_set", "open_face_set"),
    "open_reader": ("omote.features.embed", "open_reader"),
    "plot_features": ("omote.figures.table.plot", "plot_features"),
    "prepare": ("omote.data.prepare", "prepare"),
    "prepare_arrays": ("omote.data.arrays", "prepare_arrays"),
    "prepare_dataset": ("omote.data.prepare", "prepare_dataset"),
    "prepare_drawn": ("omote.synthetic.prepare", "prepare_drawn"),
    "prepare_rendered": ("omote.synthetic.prepare", "prepare_rendered"),
    "profile_of_tables": ("omote.features.profile", "profile_of_tables"),
    "reproduce": ("omote.reproduction.reproduce", "reproduce"),
    "resize_face_set": ("omote.data.resize", "resize_face_set"),
    "swap": ("omote.figures.paper.swap", "plot_swap"),
    "train": ("omote.training.loop", "train"),
    "write_audit_report": ("omote.figures.audit.report", "write_audit_report"),
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
