"""Several prepared face sets in one, as the paper trains on MUG, CK+ and RAVDESS together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from omote.data.build import DEFAULT_LICENCE, Part, Progress, build_face_set
from omote.data.face_set import SCHEMA, About, FaceSet, open_face_set
from omote.data.resize import Stretch, carried_about, origin, read_part, stretches
from omote.errors import OmoteError

IMPORTER = "combined"


class _Source(NamedTuple):
    face_set: FaceSet
    label: str | None  # the data set's name; None for a combined face set, whose people have it already

    @property
    def datasets(self) -> list[str]:
        return [self.label] if self.label else sorted(self.face_set.frames["dataset"].unique())


class _Job(NamedTuple):
    source: int
    stretch: Stretch


def combine_face_sets(
    face_sets: Sequence[str | Path | FaceSet],
    to: str | Path,
    *,
    names: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FaceSet:
    """Return one face set with the frames of all `face_sets`, in that order, written to the folder `to`.

    A subject is called "dataset/subject", so that ids of two data sets do not clash; clips, and the words for
    expressions, are left as they are. Further columns (true factors, codes of a file name) are united: missing
    where a source does not have one, text where two have it with different kinds of values. What was skipped is
    listed with the data set before its source. `about.json` has the licences, options and counts of every source.
    A combined face set can be combined again; its people keep their names.

    Args:
        face_sets: at least two, opened or as paths, of one size and alignment.
        names: of the data sets, one a face set, instead of the names in their column `dataset`.
        overwrite: replace a face set at `to`, once the new one is whole.
        progress: called with (jobs done, jobs in all); a job is some hundred frames.
    Raises:
        OmoteError: If there are fewer than two, if sizes, alignments or margins differ, if two are of the same data
            set (their people may be the same people), or as `open_face_set` and `build_face_set`.
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
    _check_alike(opened)
    jobs = [_Job(i, stretch) for i, face_set in enumerate(opened) for stretch in stretches(face_set)]
    make = partial(_named, sources=sources, as_text=_clashing_columns(opened))
    return build_face_set(
        to,
        jobs,
        make,
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


def _check_alike(face_sets: list[FaceSet]) -> None:
    def told(face_set: FaceSet) -> dict[str, Any]:
        about = face_set.about
        told = {"size": face_set.size, "align": about.align}
        # Where no detector was used there is no choice of a margin.
        return told | ({"margin": about.margin} if about.detector_sha256 else {})

    for name in ("size", "align", "margin"):
        values = {
            str(face_set.path): told(face_set)[name] for face_set in face_sets if name in told(face_set)
        }
        if len(set(values.values())) > 1:
            advice = f"Prepare them with the same {name}."
            if name == "size":
                advice = "Prepare them with the same size, or make the larger ones smaller (resize_face_set)."
            each = ", ".join(f"{value} in {path}" for path, value in values.items())
            raise OmoteError(f"Face sets that are combined must be cut out alike; {name} is {each}. {advice}")


def _clashing_columns(face_sets: list[FaceSet]) -> list[str]:
    """Return the further columns with kinds of values that cannot stand in one column, as text and numbers."""
    schemas = [pa.Schema.from_pandas(face_set.frames, preserve_index=False) for face_set in face_sets]
    clashing = []
    for name in dict.fromkeys(
        name for schema in schemas for name in schema.names if name not in SCHEMA.names
    ):
        kinds = [pa.schema([schema.field(name)]) for schema in schemas if name in schema.names]
        try:
            pa.unify_schemas(kinds, promote_options="permissive")
        except pa.ArrowTypeError:
            clashing.append(name)
    return clashing


def _about(sources: list[_Source]) -> About:
    abouts = [source.face_set.about for source in sources]
    titles = [" and ".join(source.datasets) for source in sources]
    licences = [about.licence or DEFAULT_LICENCE for about in abouts]
    margins = {about.margin for about in abouts if about.detector_sha256}
    return About(
        dataset=" and ".join(titles),
        importer=IMPORTER,
        # read, like the next two, when photos are to be cut out like these faces
        options={"cropped": all(about.is_cropped for about in abouts)},
        align=abouts[0].align,
        margin=margins.pop() if margins else None,
        detector_sha256=next((about.detector_sha256 for about in abouts if about.detector_sha256), None),
        licence="\n".join(f"{title}: {licence}" for title, licence in zip(titles, licences, strict=True)),
        sources=[
            About.model_validate(
                {
                    **carried_about(face_set),
                    **origin(face_set),
                    "counts": face_set.about.counts,
                    "dataset": title,
                }
            )
            for (face_set, _), title in zip(sources, titles, strict=True)
        ],
    )


def _named(job: _Job, sources: list[_Source], as_text: list[str]) -> Iterator[Part]:
    face_set, label = sources[job.source]
    part = read_part(face_set, job.stretch)
    frames = part.frames.copy()
    for name in as_text:
        if name in frames:
            frames[name] = frames[name].astype("string")
    if label:
        frames["subject"] = label + "/" + frames["subject"]
        frames["dataset"] = label
        for row in part.skipped:
            row["source"] = f"{label}/{row['source']}"
    part.frames = frames
    yield part
