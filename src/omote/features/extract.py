"""Features of a face set: one row a frame with its expression code."""

import pandas as pd

from omote.data.face_set import FaceSet
from omote.data.outputs import code_columns
from omote.features.reader import Reader


def extract_features(reader: Reader, face_set: FaceSet) -> pd.DataFrame:
    """Return the expression feature of every frame of a face set.

    Args:
        reader: see `omote.load` and `omote.open_reader`.
    Returns:
        One row a frame, in order: the columns of ``face_set.frames``, then ``model`` (whose features can be compared),
        ``ood`` (how far from the faces of the training; 1 is the limit), ``z_e_00`` ... (the posterior mean, which is
        the feature) and ``z_e_deviation_00`` ... (the posterior's standard deviation, 0 where the code is a point).
    Raises:
        OmoteError: If the faces have another size than the run reads, or show people whom it has to know and does not.
    """
    reading = reader.read(face_set.faces, face_set.frames["subject"].tolist())
    codes = pd.concat(
        [code_columns(reading.mean, "z_e"), code_columns(reading.deviation, "z_e_deviation")], axis=1
    )
    codes.insert(0, "ood", reading.ood)
    codes.insert(0, "model", reader.model)
    return pd.concat([face_set.frames, codes.set_axis(face_set.frames.index)], axis=1)
