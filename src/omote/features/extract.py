"""Features of a face set."""

import pandas as pd

from omote.data.face_set import FaceSet
from omote.data.outputs import code_columns
from omote.features.axes import Axes, axes_of
from omote.features.reader import Reader


def extract_features(reader: Reader, face_set: FaceSet, axes: Axes | None = None) -> pd.DataFrame:
    """Return the expression features of a face set, one row per frame.

    Args:
        reader: see `omote.load` and `omote.open_reader`.
        axes: a column for each; those that come with the model if None.
    Returns:
        The columns of ``face_set.frames``, then ``model`` (only features of one model can be compared), ``ood`` (the
        out-of-distribution score; 1 is the limit), ``axis_...`` of the axes (0 to 1), ``z_e_00`` ... (the posterior
        mean: the feature) and ``z_e_deviation_00`` ... (the posterior standard deviation; 0 if the code is a point).
    Raises:
        OmoteError: If the faces have another size than the reader takes, the axes are of another model, or the method
            needs to know the subject and was not trained on all of them.
    """
    outputs = reader.read(face_set.faces, face_set.frames["subject"].tolist())
    parts = [code_columns(outputs.mean, "z_e"), code_columns(outputs.deviation, "z_e_deviation")]
    if axes := axes or axes_of(reader):
        axes.check(reader.model)
        parts.insert(0, axes.read(outputs.mean))
    codes = pd.concat(parts, axis=1)
    codes.insert(0, "ood", outputs.ood)
    codes.insert(0, "model", reader.model)
    return pd.concat([face_set.frames, codes.set_axis(face_set.frames.index)], axis=1)
