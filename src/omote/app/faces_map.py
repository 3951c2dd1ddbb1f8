"""The map of a face set's codes on the tab "Faces", and the faces nearest to one of them or to a photo."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from omote.app.faces_swap import Photos, encode_face
from omote.app.folders import find_folder
from omote.app.jobs import Job
from omote.app.pages import render, say_error
from omote.app.state import State
from omote.data.face_set import FaceSet, open_face_set
from omote.data.outputs import Floats, code_names
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.evaluation.swaps import why_no_images
from omote.features.extract import extract_features
from omote.features.nearest import find_nearest
from omote.figures.code_map import Projection, project_codes
from omote.figures.style import COLOURS, GREY, PEOPLE_COLOURS, sort_expressions
from omote.runs.trained import Trained

BLOCK = 512  # faces read between two reports of progress
MOST_DOTS = 3000  # on the map
WIDTH, EDGE = 1000, 24  # of the map and of its border, in its own units
LOWEST, HIGHEST = 0.5, 1.0  # height of the map, as a share of its width
NEAREST = 6  # faces shown
COLOURINGS = ("person", "expression")


@dataclass
class OpenedFaces:
    """A face set and its expression codes: the result of a job."""

    face_set: FaceSet
    features: pd.DataFrame  # as `extract_features` returns them
    projection: Projection | None  # None if all codes are equal


def start_map(state: State, name: str) -> str:
    """Start to read a face set, and return the id of the job.

    Raises:
        OmoteError: If it is no face set, or cannot be read by the model.
    """
    path = find_folder(state, name)
    face_set = open_face_set(path)
    return state.jobs.start(path.name, _read_faces, state, face_set)


def _read_faces(job: Job, state: State, face_set: FaceSet) -> OpenedFaces:
    job.report(0, 1, "loading the model")
    reader = state.reader
    parts = []
    for begin in range(0, len(face_set), BLOCK):
        rows = slice(begin, begin + BLOCK)
        part = replace(face_set, faces=face_set.faces[rows], frames=face_set.frames.iloc[rows])
        with state.lock:
            parts.append(extract_features(reader, part))
        job.report(min(begin + BLOCK, len(face_set)), len(face_set), "reading faces")
    features = pd.concat(parts, ignore_index=True)
    return OpenedFaces(face_set, features, project_codes(codes_of(features)))


def codes_of(features: pd.DataFrame) -> Floats:
    """Return the (N, Z) expression codes of a feature table."""
    codes: Floats = features[code_names(list(features.columns))].to_numpy(np.float32, copy=True)
    return codes


def draw_map(opened: OpenedFaces, by: str) -> str:
    """Return the HTML of the map: a dot for each face at the first two principal directions of the codes.

    Args:
        by: one of `COLOURINGS`.
    """
    features, projection = opened.features, opened.projection
    if projection is None:
        return say_error("no map: all faces have the same code, so the training of this model has failed")
    rows = np.array(evenly_spaced(len(features), MOST_DOTS))
    groups, colours = _find_groups(features, by)
    places = projection.places * [1, -1]
    places -= places.min(axis=0)
    wide, high = places.max(axis=0)
    height = float(np.clip(high / (wide or 1), LOWEST, HIGHEST)) * WIDTH
    scale = min((WIDTH - 2 * EDGE) / (wide or 1), (height - 2 * EDGE) / (high or 1))
    x, y = (places * scale + (np.array([WIDTH, height]) - scale * np.array([wide, high])) / 2).T
    column = "subject" if by == "person" else "expression"
    dots = [
        (
            row,
            round(x[row], 1),
            round(y[row], 1),
            colours.get(features[column].iloc[row], GREY),
            name_frame(features.iloc[row]),
        )
        for row in rows.tolist()
    ]
    return render(
        "faces_map.html", dots=dots, width=WIDTH, height=round(height), legend=list(colours.items()),
        others=len(groups) - len(colours), rest=GREY, total=len(features), share=round(100 * projection.shares.sum()),
        by=by,
    )  # fmt: skip


def _find_groups(features: pd.DataFrame, by: str) -> tuple[list[str], dict[str, str]]:
    """Return all people or expressions, and the colours of those that have one: people are evenly spaced."""
    if by == "person":
        everyone = sorted(features["subject"].unique())
        coloured = [everyone[k] for k in evenly_spaced(len(everyone), len(PEOPLE_COLOURS))]
        return everyone, dict(zip(coloured, PEOPLE_COLOURS, strict=False))
    labels = sort_expressions(features["expression"].dropna())
    return labels, dict(zip(labels, COLOURS, strict=False))


def name_frame(row: Any) -> str:
    """Return who a frame shows, and where it is from."""
    expression = row["expression"]
    said = f", {expression}" if isinstance(expression, str) and expression not in row["clip"] else ""
    return f"{row['subject']}, {row['clip']}, frame {row['frame']}{said}"


def describe_face(state: State, opened: OpenedFaces, row: object) -> str:
    """Return the HTML of a face of the map, what the model draws from its codes, and the nearest faces of others.

    Args:
        row: of the features, as the page sent it.
    Raises:
        OmoteError: If there is no such row.
    """
    features = opened.features
    if not isinstance(row, int) or not 0 <= row < len(features):
        raise OmoteError("there is no such face on the map; click on a dot")
    face, who = np.asarray(opened.face_set.faces[row]), features.iloc[row]
    others = features[features["subject"] != who["subject"]]
    code = codes_of(features.iloc[[row]])[0]
    decoded, model = "", state.reader
    if isinstance(model, Trained) and not why_no_images(model):
        with state.lock:
            decoded = encode_face(model.decode(model.identify(face[None])[0], code[None])[0])
    return render(
        "faces_chosen.html", name=name_frame(who), face=encode_face(face), decoded=decoded,
        nearest=_list_nearest(opened, others, code),
    )  # fmt: skip


def describe_nearest(opened: OpenedFaces, photos: Photos | None) -> str:
    """Return the HTML of the faces that are nearest to each photo.

    Raises:
        OmoteError: If there is no photo.
    """
    if photos is None:
        raise OmoteError("no photo was given; give one or two at the top of this page")
    found = [
        {"name": name, "photo": encode_face(crop), "nearest": _list_nearest(opened, opened.features, code)}
        for name, crop, code in zip(photos.names, photos.crops, photos.codes, strict=True)
    ]
    return render("faces_nearest.html", photos=found)


def _list_nearest(opened: OpenedFaces, features: pd.DataFrame, code: Floats) -> list[dict[str, Any]]:
    if features.empty:
        return []
    nearest = find_nearest(features, code, NEAREST)
    return [
        {
            "face": encode_face(opened.face_set.faces[row]),
            "name": name_frame(frame),
            "distance": frame["distance"],
        }
        for row, frame in zip(nearest.index.tolist(), nearest.to_dict("records"), strict=True)
    ]
