"""The counts of an embedding: faces, doubts, and what was left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from omote.data.build import Skipped
from omote.data.media import NO_KIND
from omote.data.videos import GAP


class EmbedSummary(NamedTuple):
    """Counts of an embedding."""

    num_faces: int
    num_doubted: int  # faces that are not trusted; with a profile, only those of the person
    doubts: Counter[str]  # reason -> number of these faces
    num_others: int  # with a profile: rows of other people, without codes
    knows_ood: bool  # whether the model can measure how far a face is from its training faces
    skipped_frames: Counter[str]  # reason -> number of video frames
    skipped_files: list[Skipped]  # whole files
    turned: dict[str, int]  # degrees -> number of photos and videos that were turned so

    @staticmethod
    def restore(saved: dict[str, Any]) -> "EmbedSummary":
        """Return the summary of which `_asdict` was saved as JSON."""
        summary = EmbedSummary(**saved)
        return summary._replace(
            doubts=Counter(summary.doubts),
            skipped_frames=Counter(summary.skipped_frames),
            turned=Counter(summary.turned),
        )


def summarise(skipped: list[Skipped], descriptions: Iterable[dict[str, Any]]) -> EmbedSummary:
    """Return the counts of all pieces together; `skipped` are the files that were left out before the first."""
    faces = doubted = others = 0
    knows_ood = False
    doubts: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    files = list(skipped)
    turned: dict[str, str] = {}
    for piece in descriptions:
        faces, doubted, others = faces + piece["faces"], doubted + piece["doubted"], others + piece["others"]
        doubts.update(piece["doubts"])
        knows_ood = knows_ood or piece["knows_ood"]
        left_out = (row["reason"] for row in piece["skipped"] if row["frame"] is not None)
        frames.update(reason for reason in left_out if reason != GAP)  # no frame is there
        files += [row for row in piece["skipped"] if row["frame"] is None]
        turned |= {row["source"]: str(row["turned"]) for row in piece["searched"] if row["turned"]}
    files.sort(key=_is_no_picture)
    return EmbedSummary(faces, doubted, doubts, others, knows_ood, frames, files, Counter(turned.values()))


def _is_no_picture(row: Skipped) -> bool:
    """Return whether a file is neither photo nor video; such files are last, as messages name the first."""
    return row["reason"].startswith(NO_KIND)


def add_summaries(summaries: Sequence[EmbedSummary]) -> EmbedSummary:
    """Return the counts of all parts together."""
    counts = [Counter[str]() for _ in range(3)]
    for one in summaries:
        for total, count in zip(counts, (one.doubts, one.skipped_frames, one.turned), strict=True):
            total.update(count)
    return EmbedSummary(
        num_faces=sum(one.num_faces for one in summaries),
        num_doubted=sum(one.num_doubted for one in summaries),
        doubts=counts[0],
        num_others=sum(one.num_others for one in summaries),
        knows_ood=any(one.knows_ood for one in summaries),
        skipped_frames=counts[1],
        skipped_files=sorted((row for one in summaries for row in one.skipped_files), key=_is_no_picture),
        turned=counts[2],
    )
