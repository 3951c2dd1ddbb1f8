"""Several face sets in one, as the paper trains on MUG, CK+ and RAVDESS together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from omote.data.build import DEFAULT_LICENCE, FaceBatch, Progress, build_face_set
from omote.data.face_set import SCHEMA, About, FaceSet, open_face_set
from omote.data.resize import FrameRange, frame_ranges, read_frames
from omote.errors import OmoteError

IMPORTER = "combined"


class _Source(NamedTuple):
    face_set: FaceSet
    label: str | None  # the data set's name; None for a combined face set, whose people carry it already

    @property
    def datasets(self) -> list[str]:
        return [self.label] if self.label else sorted(self.face_set.frames["dataset"].unique())

    @property
    def title(self) -> str:
        return " and ".join(self.datasets)


class _Job(NamedTuple):
    source: int
    frames: FrameRange


def combine_face_sets(
    face_sets: Sequence[str | Path | FaceSet],
    to: str | Path,
    *,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return one face set with the frames of all `face_sets`, in that order, written to the folder `to`.

    A subject is called "dataset/subject", so that ids of two data sets do not clash; clips and expressions keep their
    names. Further columns (true factors, fields of a file name) are united: a value is missing where a source lacks the
    column, and is text where two sources have values of different kinds. Skipped frames are listed with the data set
    before their source. `about.json` has the licences, options and counts of every source. A combined face set can be
    combined again; its people keep their names.

    Args:
        face_sets: at least two, opened or as paths, of one size and alignment.
        names: of the data sets, one per face set, instead of the names in their column `dataset`.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is a few hundred frames.
    Raises:
        OmoteError: If there are fewer than two, if sizes, alignments or margins differ, if two are of the same data set
            (their people may be the same), or as `open_face_set` and `build_face_set`.
    """
    opened = [given if isinstance(given, FaceSet) else open_face_set(given) for given in face_sets]
    if len(opened) < 2:
        raise OmoteError(f"{len(opened)} face set was given to be combined; give at least two.")
    if names is not None and (len(names) != len(opened) or not all(names)):
        raise OmoteError(
            f"Names ({', '.join(names)}) were given; expected one for each of {len(opened)} face sets."
        )
    sources = [_Source(*pair) for pair in zip(opened, names or map(_label, opened), strict=True)]
    _check_names(sources)
    _check_same_cut(opened)
    return build_face_set(
        to,
        [_Job(i, frames) for i, face_set in enumerate(opened) for frames in frame_ranges(face_set)],
        partial(_read_renamed, sources=sources, as_text=_mixed_columns(opened)),
        size=opened[0].size,
        about=_about(sources),
        workers=1,
        overwrite=overwrite,
        progress=progress,
    )


def _label(face_set: FaceSet) -> str | None:
    if face_set.about.importer == IMPORTER:
        return None
    return " and ".join(sorted(face_set.frames["dataset"].unique())) or face_set.path.resolve().name


def _check_names(sources: list[_Source]) -> None:
    for name, count in Counter(name for source in sources for name in source.datasets).items():
        if count > 1:
            where = [str(source.face_set.path) for source in sources if name in source.datasets]
            raise OmoteError(
                f"{' and '.join(where)} are of data sets called {name!r}, so their people may be the same. If they "
                "are, prepare them as one face set from one folder; if not, give them different names (names)."
            )


def _check_same_cut(face_sets: list[FaceSet]) -> None:
    for name in ("size", "align", "margin"):
        values = {
            str(face_set.path): getattr(face_set.about, name)
            for face_set in face_sets
            if name != "margin"
            or face_set.about.detector_sha256  # without a detector there is no choice of a margin
        }
        if len(set(values.values())) > 1:
            advice = f"Prepare them with the same {name}."
            if name == "size":
                advice = "Prepare them with the same size, or make the larger ones smaller (resize_face_set)."
            each = ", ".join(f"{value} in {path}" for path, value in values.items())
            raise OmoteError(
                f"Face sets can be combined only if they were cut alike; {name} is {each}. {advice}"
            )


def _mixed_columns(face_sets: list[FaceSet]) -> list[str]:
    """Return the further columns whose values cannot share one type, such as text and numbers."""
    schemas = [pa.Schema.from_pandas(face_set.frames, preserve_index=False) for face_set in face_sets]
    mixed = []
    for name in dict.fromkeys(
        name for schema in schemas for name in schema.names if name not in SCHEMA.names
    ):
        kinds = [pa.schema([schema.field(name)]) for schema in schemas if name in schema.names]
        try:
            pa.unify_schemas(kinds, promote_options="permissive")
        except pa.ArrowTypeError:
            mixed.append(name)
    return mixed


def _about(sources: list[_Source]) -> About:
    abouts = [source.face_set.about for source in sources]
    detectors = [about.detector_sha256 for about in abouts if about.detector_sha256]
    margins = [about.margin for about in abouts if about.detector_sha256]
    return About(
        dataset=" and ".join(source.title for source in sources),
        importer=IMPORTER,
        # Like align and margin, read when photos are cut for a model of these faces.
        options={"cropped": all(about.is_cropped for about in abouts)},
        align=abouts[0].align,
        margin=margins[0] if margins else None,
        detector_sha256=detectors[0] if detectors else None,
        licence="\n".join(
            f"{source.title}: {about.licence or DEFAULT_LICENCE}"
            for source, about in zip(sources, abouts, strict=True)
        ),
        sources=[
            About(
                **about.model_dump(
                    exclude={"format", "format_version", "name", "dataset"}, exclude_unset=True
                ),
                name=source.face_set.path.resolve().name,
                dataset=source.title,
            )
            for source, about in zip(sources, abouts, strict=True)
        ],
    )


def _read_renamed(job: _Job, sources: list[_Source], as_text: list[str]) -> Iterator[FaceBatch]:
    face_set, label = sources[job.source]
    batch = read_frames(face_set, job.frames)
    frames = batch.frames.copy()
    for name in as_text:
        if name in frames:
            frames[name] = frames[name].astype("string")
    if label:
        frames["subject"] = label + "/" + frames["subject"]
        frames["dataset"] = label
        for row in batch.skipped:
            row["source"] = f"{label}/{row['source']}"
    batch.frames = frames
    yield batch
