"""Batches of an epoch, x_rand_id, partners and evenly spaced rows."""

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omote.data.sampling import Indices, SameSubject, epoch_batches, evenly_spaced, other_subject


@given(st.integers(1, 300), st.integers(1, 70), st.integers(0, 5), st.integers(1, 20))
def test_an_epoch_has_every_frame_once_in_batches_of_nearly_equal_size(
    frames: int, size: int, seed: int, together: int
) -> None:
    subjects = np.random.default_rng(seed).integers(0, 7, frames)
    rng = np.random.default_rng(seed)
    batches = [batch for [batch] in epoch_batches(subjects, size, rng, frames_per_subject=together)]
    assert sorted(np.concatenate(batches)) == list(range(frames))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_frames_of_a_subject_stand_together_in_groups_that_differ_between_epochs() -> None:
    subjects = np.arange(120) % 5  # 24 frames each
    epochs = [
        epoch_batches(subjects, 120, np.random.default_rng(seed), frames_per_subject=8)[0][0]
        for seed in (0, 1)
    ]
    for order in epochs:
        groups = order.reshape(-1, 8)
        assert all(len(set(subjects[group])) == 1 for group in groups)
        assert len({subjects[group][0] for group in groups[:4]}) > 1  # the groups are mixed
    assert {frozenset(group) for group in epochs[0].reshape(-1, 8)}.isdisjoint(
        frozenset(group) for group in epochs[1].reshape(-1, 8)
    )


def test_subjects_with_few_frames_share_a_batch() -> None:
    subjects = np.repeat(np.arange(40), 2)
    rng = np.random.default_rng(0)
    batches = [batch for [batch] in epoch_batches(subjects, 16, rng, frames_per_subject=16)]
    assert [len(batch) for batch in batches] == [16] * 5
    assert all(len(set(subjects[batch])) == 8 for batch in batches)


@given(st.integers(2, 5), st.sampled_from([1, 3, 8]), st.integers(16, 90), st.integers(0, 5))
def test_the_parts_of_a_batch_are_of_whole_groups_and_together_the_batch_of_one_process(
    parts: int, together: int, size: int, seed: int
) -> None:
    counts = np.random.default_rng(seed).integers(1, together + 1, 150)
    subjects = np.repeat(np.arange(150), counts)  # each subject's frames are one group

    def batches(num_parts: int) -> list[list[Indices]]:
        rng = np.random.default_rng(seed)
        return epoch_batches(subjects, size, rng, frames_per_subject=together, num_parts=num_parts)

    whole = [batch for [batch] in batches(1)]
    if min(map(len, whole)) < 2 * together * parts:
        with pytest.raises(ValueError, match=f"expected at least {2 * together} frames in each"):
            batches(parts)
        return
    for batch, split in zip(whole, batches(parts), strict=True):
        np.testing.assert_array_equal(np.concatenate(split), batch)
        assert len(split) == parts
        assert all(abs(len(part) - len(batch) / parts) <= together for part in split)
        for part, after in pairwise(split):
            assert subjects[part[-1]] != subjects[after[0]]


SUBJECTS = ["b", "a", "b", "b", "a", "b"]
CLIPS = ["1", "1", "1", "2", "9", "1"]


@pytest.mark.parametrize("draw", ["uniform", "balanced"])
def test_x_rand_id_is_of_the_same_subject_and_reaches_all_its_frames(
    draw: Literal["uniform", "balanced"],
) -> None:
    sampler, rng = SameSubject(SUBJECTS, CLIPS, draw), np.random.default_rng(0)
    drawn = sampler(np.repeat(np.arange(6), 500), rng).reshape(6, 500)
    for frame, others in enumerate(drawn):
        assert set(others) == {i for i in range(6) if SUBJECTS[i] == SUBJECTS[frame]}


def test_uniform_weights_frames_equally_and_balanced_weights_clips_equally() -> None:
    # subject b: clip 1 has frames 0, 2, 5 and clip 2 has frame 3
    shares = {}
    for draw in ("uniform", "balanced"):
        drawn = SameSubject(SUBJECTS, CLIPS, draw)(np.zeros(20_000, int), np.random.default_rng(1))
        shares[draw] = (drawn == 3).mean()
    assert shares["uniform"] == pytest.approx(1 / 4, abs=0.02)
    assert shares["balanced"] == pytest.approx(1 / 2, abs=0.02)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(0, 5))
def test_a_partner_is_of_another_subject_if_there_is_one(subjects: list[int], seed: int) -> None:
    subject = np.array(subjects)
    partner, found = other_subject(subject, np.random.default_rng(seed))
    assert found.all() == (len(set(subjects)) > 1)
    assert (subject[partner] != subject)[found].all()
    assert (partner == np.arange(len(subject)))[~found].all()


@given(st.integers(1, 60), st.integers(1, 60))
def test_evenly_spaced_numbers_have_the_ends_and_nearly_equal_gaps(count: int, chosen: int) -> None:
    numbers = evenly_spaced(count, chosen)
    assert len(numbers) == min(count, chosen)
    assert numbers[0] == 0
    if chosen > 1:
        assert numbers[-1] == count - 1
    gaps = np.diff(numbers)
    assert len(gaps) == 0 or (gaps.min() > 0 and np.ptp(gaps) <= 1)
