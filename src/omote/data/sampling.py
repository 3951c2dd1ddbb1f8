"""Sampling of frames: batches of an epoch, x_rand_id of Eq. 1, partners of Eq. 4, and evenly spaced rows."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def epoch_batches(
    subjects: Indices,
    batch_size: int,
    rng: np.random.Generator,
    *,
    frames_per_subject: int = 1,
    num_parts: int = 1,
) -> list[list[Indices]]:
    """Return all frames once, in random order, as batches whose sizes differ by at most one, each in parts.

    A small last batch would give BatchNorm a poor estimate, and dropping it would lose frames; instead all batches are
    a little smaller than ``batch_size``.

    Args:
        subjects: (N,) subject number of each training frame, N at least 1.
        batch_size: largest number of frames in a batch, at least 1.
        rng: numpy generator; the same state gives the same batches, whatever their parts.
        frames_per_subject: for terms that compare frames of a subject: each subject's frames are grouped at random, at
            most this many in a group, and the frames of a group stand together. The end of a batch may cut a group.
        num_parts: number of parts of a batch, of about equal size, one for each process (torchrun). They cut no group.
    Raises:
        ValueError: If the smallest batch has less than two groups of ``frames_per_subject`` for each of several parts.
    """
    num_frames, num_batches = len(subjects), -(-len(subjects) // batch_size)
    if num_parts > 1 and num_frames // num_batches < 2 * frames_per_subject * num_parts:
        raise ValueError(
            f"{num_parts} parts of batches of {num_frames // num_batches} frames were asked for; expected at least "
            f"{2 * frames_per_subject} frames in each"
        )
    order = rng.permutation(num_frames)
    starts = np.arange(num_frames)  # of the groups in the order
    if frames_per_subject > 1:
        own = [order[subjects[order] == subject] for subject in np.unique(subjects)]
        groups = [
            group for each in own for group in np.array_split(each, -(-len(each) // frames_per_subject))
        ]
        groups = [groups[index] for index in rng.permutation(len(groups))]
        order = np.concatenate(groups)
        starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    batches = []
    for numbers in np.array_split(np.arange(num_frames), num_batches):
        ideal = numbers[0] + np.arange(1, num_parts) * len(numbers) / num_parts
        after = np.searchsorted(starts, ideal).clip(1, len(starts) - 1)
        before_is_nearer = ideal - starts[after - 1] <= starts[after] - ideal
        cuts = np.where(before_is_nearer, starts[after - 1], starts[after]) - numbers[0]
        batches.append(np.split(order[numbers], cuts))
    return batches


class SameSubject:
    """Draws x_rand_id: for each frame a random frame of the same subject, possibly itself (Eq. 1).

    Args:
        subjects: (N,) subject of each training frame.
        clips: (N,) clip of each training frame.
        draw: "uniform" over the subject's frames; or "balanced", first a clip, then a frame of it, so that long clips
            do not outweigh short ones.
    """

    def __init__(
        self, subjects: Sequence[str], clips: Sequence[str], draw: Literal["uniform", "balanced"] = "uniform"
    ) -> None:
        subject_of = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)[1]
        clip_of = np.unique(np.asarray(clips, dtype=str), return_inverse=True)[1]
        self.draw = draw
        self.subject_of: Indices = subject_of
        self.order: Indices = np.lexsort((clip_of, subject_of))  # frames by subject, then by clip
        self.start, self.count = _runs(subject_of[self.order])
        # runs of equal (subject, clip) in that order, and the runs of each subject
        pairs = subject_of[self.order] * (clip_of.max() + 1) + clip_of[self.order]
        self.clip_start, self.clip_count = _runs(pairs)
        self.first_clip, self.num_clips = _runs(subject_of[self.order][self.clip_start])

    def __call__(self, frames: Indices, rng: np.random.Generator) -> Indices:
        """Return (B,) frame indices, one of the same subject for each of the (B,) ``frames``."""
        subject = self.subject_of[frames]
        start, count = self.start[subject], self.count[subject]
        if self.draw == "balanced":
            clip = self.first_clip[subject] + rng.integers(self.num_clips[subject])
            start, count = self.clip_start[clip], self.clip_count[clip]
        chosen: Indices = self.order[start + rng.integers(count)]
        return chosen


def other_subject(subjects: Indices, rng: np.random.Generator) -> tuple[Indices, NDArray[np.bool_]]:
    """Return for each image a random image of another subject in the batch, the source of z_e^d in Eq. 4.

    Args:
        subjects: (B,) subject number of each image.
        rng: numpy generator.
    Returns:
        partner: (B,) index into the batch.
        found: (B,) False if the whole batch shows one subject; each image is then its own partner.
    """
    differs = subjects[:, None] != subjects[None, :]
    partner = np.where(differs, rng.random(differs.shape), -1.0).argmax(1)
    found = differs.any(1)
    return np.where(found, partner, np.arange(len(subjects))), found


def _runs(sorted_values: Indices) -> tuple[Indices, Indices]:
    """Return the start and the length of each run of equal values."""
    start = np.flatnonzero(np.r_[True, sorted_values[1:] != sorted_values[:-1]])
    return start, np.diff(np.r_[start, len(sorted_values)])


def evenly_spaced(count: int, chosen: int) -> list[int]:
    """Return `chosen` of the numbers 0 to `count` - 1 at equal intervals, with the first and the last.

    If `chosen` is 1, that is the first; if there are no more than `chosen`, all of them. Halves are rounded up.
    """
    if count <= chosen:
        return list(range(count))
    gaps = max(1, chosen - 1)
    return [(2 * i * (count - 1) + gaps) // (2 * gaps) for i in range(chosen)]
