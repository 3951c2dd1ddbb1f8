# The public names, each listed once: `__init__.py` loads them from here, type checkers and editors read them here.
from .data.arrays import prepare_arrays as prepare_arrays
from .data.combine import combine_face_sets as combine_face_sets
from .data.face_set import FaceSet as FaceSet
from .data.face_set import open_face_set as open_face_set
from .data.prepare import prepare as prepare
from .data.prepare import prepare_dataset as prepare_dataset
from .data.resize import resize_face_set as resize_face_set
from .data.videos import Excerpt as Excerpt
from .errors import OmoteError as OmoteError
from .evaluation.audit import Audit as Audit
from .evaluation.audit import audit as audit
from .evaluation.choose import choose as choose
from .evaluation.evaluate import evaluate as evaluate
from .evaluation.protocol import Codes as Codes
from .evaluation.protocol import Scores as Scores
from .evaluation.protocol import evaluate_codes as evaluate_codes
from .export.estimator import ExpressionFeatures as ExpressionFeatures
from .export.onnx import export_onnx as export_onnx
from .features.axes import Axes as Axes
from .features.embed import embed as embed
from .features.embed import embed_to as embed_to
from .features.embed import open_reader as open_reader
from .features.event_files import write_events as write_events
from .features.events import find_events as find_events
from .features.extract import extract_features as extract_features
from .features.fit_axes import fit_axes as fit_axes
from .features.point_axis import point_axis as point_axis
from .features.profile import Profile as Profile
from .features.profile import make_profile as make_profile
from .features.profile import make_profile_from_tables as make_profile_from_tables
from .figures.audit.report import write_audit_report as write_audit_report
from .figures.paper.interpolate import plot_interpolation as plot_interpolation
from .figures.paper.swap import plot_swap as plot_swap
from .figures.table.plot import plot_features as plot_features
from .reproduction.reproduce import reproduce as reproduce
from .runs.config import TrainConfig as TrainConfig
from .runs.trained import Trained as Trained
from .runs.trained import load as load
from .synthetic.prepare import prepare_drawn as prepare_drawn
from .synthetic.prepare import prepare_rendered as prepare_rendered
from .training.loop import train as train

__all__: list[str]
__version__: str
