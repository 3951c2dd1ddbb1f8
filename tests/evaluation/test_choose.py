"""Choosing without labels, among artificial methods whose codes hold exactly known parts of an artificial face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from omote.data.face_set import About, FaceSet
from omote.errors import OmoteError
from omote.evaluation import choose as choosing
from omote.evaluation.choose import (
    LABEL_FREE_SCORES,
    SHARED_SCORES,
    altered_views,
    choose,
    label_free_scores,
    nearest_hits,
)
from omote.methods.method import Method, MethodOptions
from omote.metrics.score import Score
from omote.models.encoder import Posterior
from omote.runs.config import TrainConfig
from omote.runs.info import RunInfo
from omote.runs.trained import Trained, load
from omote.training.loop import train

PEOPLE, CLIPS, FRAMES, SIZE = 4, 8, 3, 64
NEUTRAL = 0
PLACES = [(y, x) for y in (11, 32, 53) for x in (11, 32, 53)]  # of nine squares, a bright or a dark one each


def painted(bits: Tensor) -> Tensor:
    """Return (B, 3, S, S) images of (B, 7) bits: the first four who, the last three which expression."""
    always = torch.tensor([0.0, 1.0]).expand(len(bits), 2)  # so that dark and bright can be told apart
    squares = torch.cat([bits, always], 1).view(-1, 1, 3, 3)
    return nn.functional.interpolate(0.2 + 0.5 * squares, SIZE).expand(-1, 3, -1, -1)


def read(images: Tensor) -> Tensor:
    """Return the (B, 7) bits of images, in any light and a little out of place."""
    squares = torch.stack([images[:, :, y, x].mean(1) for y, x in PLACES], 1)
    middle = (squares.amax(1, keepdim=True) + squares.amin(1, keepdim=True)) / 2
    return (squares > middle).float()[:, :7]


def binary(number: int, digits: int) -> list[float]:
    return [float(number >> digit & 1) for digit in range(digits)]


class Made(Method):
    """A method whose codes are what `reads` makes of an image's bits; it draws what it is given."""

    reads: Callable[[Tensor, Tensor], Tensor]
    keeps_expression = keeps_person = True

    def __init__(self, **ways: Any) -> None:
        super().__init__(SIZE, MethodOptions())
        self.weight = nn.Parameter(torch.zeros(1))
        for name, way in ways.items():
            setattr(self, name, way)

    def represent(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        code = self.reads(read(images), images)
        return Posterior(code, torch.zeros_like(code))

    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        code = read(images)[:, :4]
        return Posterior(code, torch.zeros_like(code))

    def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
        shown = nn.functional.pad(z_e, (3 - z_e.shape[1], 0))  # what is not in the code is dark
        return painted(torch.cat([z_i * self.keeps_person, shown * self.keeps_expression], 1))


class NoIdentity(Made):
    def identify(self, images: Tensor, subjects: Tensor | None = None) -> Posterior:
        return Posterior(images.new_zeros(len(images), 0), images.new_zeros(len(images), 0))


class NoDecoder(Made):
    has_decoder = False


class Told(Made):
    needs_subject = True


def perfect(bits: Tensor, images: Tensor) -> Tensor:
    return bits[:, 4:]


def of_person(bits: Tensor, images: Tensor) -> Tensor:
    return bits[:, :4]


def of_both(bits: Tensor, images: Tensor) -> Tensor:
    return bits


def blunt(bits: Tensor, images: Tensor) -> Tensor:
    return bits[:, 5:]


def random(bits: Tensor, images: Tensor) -> Tensor:
    """Another place for every image, however alike they are."""
    sums = images.flatten(1) @ torch.sin(torch.arange(images[0].numel() * 8.0).view(-1, 8))
    return (1e4 * sums).sin()


def collapsed(bits: Tensor, images: Tensor) -> Tensor:
    return torch.ones_like(bits)


@pytest.fixture(scope="module")
def face_set() -> FaceSet:
    """4 people; each clip rises from neutral to another of eight expressions (one neutral throughout) and back."""
    rows, bits = [], []
    for who in range(PEOPLE):
        for clip in range(CLIPS):
            for frame in range(FRAMES):
                shown = clip if frame == 1 else NEUTRAL
                rows.append(
                    (f"p{who}", f"c{clip}", frame, f"e{shown}", "both" if frame == 1 else "train", shown / 8)
                )
                bits.append(binary(who + 1, 4) + binary(shown, 3))
    frames = pd.DataFrame(rows, columns=["subject", "clip", "frame", "expression", "use", "au_1"])
    images = (
        painted(torch.tensor(bits)) + torch.linspace(0, 0.05, len(bits))[:, None, None, None]
    )  # no two alike
    faces = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return FaceSet(Path("made"), faces, frames, About(size=SIZE))


def made(face_set: FaceSet, method: Method, held_out: int = 0, path: str = "made") -> Trained:
    people = face_set.subjects
    cut = len(people) - held_out
    info = RunInfo(TrainConfig(), SIZE, people[:cut], people[cut:], face_set.about)
    return Trained(Path(path), info, method.eval())


def scores(face_set: FaceSet, reads: Callable[[Tensor, Tensor], Tensor], **ways: Any) -> dict[str, Score]:
    return label_free_scores(made(face_set, Made(reads=reads, **ways)), face_set)


def test_the_made_faces_are_read_in_any_view(face_set: FaceSet) -> None:
    images = torch.as_tensor(altered_views(face_set.faces, 0)).permute(0, 3, 1, 2) / 255
    clean = torch.as_tensor(face_set.faces).permute(0, 3, 1, 2) / 255
    assert torch.equal(read(images), read(clean))


def test_a_code_of_the_expression_alone_is_perfect(face_set: FaceSet) -> None:
    found = scores(face_set, perfect)
    assert tuple(found) == LABEL_FREE_SCORES
    assert found["choice"].value == found["view_agreement"].value == found["switch_expression"].value == 1
    assert found["switch_identity"].value == 1
    assert found["leakage"].value <= found["leakage"].chance == 1 / PEOPLE
    assert found["view_agreement"].chance == found["switch_expression"].chance == 1 / CLIPS
    assert found["switch_identity"].chance == pytest.approx(1 / PEOPLE)
    assert all(score.low <= score.value <= score.high for score in found.values())


@pytest.mark.parametrize(
    ("reads", "agreement", "leakage"),
    [(of_person, 1 / CLIPS, 1), (of_both, 1, 1), (blunt, 1 / 2, None), (random, None, None)],
)
def test_known_codes_score_as_they_should(
    face_set: FaceSet,
    reads: Callable[[Tensor, Tensor], Tensor],
    agreement: float | None,
    leakage: float | None,
) -> None:
    found = scores(face_set, reads)
    if agreement is not None:  # of equally near frames the share that is right
        assert found["view_agreement"].value == pytest.approx(agreement)
    else:
        assert found["view_agreement"].value == pytest.approx(1 / CLIPS, abs=0.08)
    if leakage is not None:
        assert found["leakage"].value == leakage
        assert found["choice"].value == pytest.approx(0)
    elif reads is blunt:  # two expressions look alike: (1/2 - 1/8) / (1 - 1/8), and nobody is named
        assert found["choice"].value == pytest.approx(3 / 7)
    else:
        assert found["leakage"].value == pytest.approx(1 / PEOPLE, abs=0.12)
        assert found["choice"].value < 0.1


def test_a_collapsed_code_has_a_reason_and_no_score(face_set: FaceSet) -> None:
    for score in scores(face_set, collapsed).values():
        assert np.isnan(score.value)
        assert "collapsed" in score.reason


def test_nothing_but_subjects_and_clips_is_read(face_set: FaceSet) -> None:
    frames = face_set.frames
    first = scores(face_set, random)
    for other in (
        frames.drop(columns=["expression", "use", "au_1"]),
        frames.assign(expression=frames["expression"].to_numpy()[::-1], use="evaluate", au_1=0.0),
    ):
        assert scores(replace(face_set, frames=other), random) == first
    other = frames.assign(subject=frames["subject"].to_numpy()[::-1])
    assert scores(replace(face_set, frames=other), random) != first


def test_a_swap_that_ignores_a_code_is_read_at_chance(face_set: FaceSet) -> None:
    found = scores(face_set, perfect, keeps_expression=False)  # always neutral, which one in eight is
    assert found["switch_expression"].value == pytest.approx(1 / CLIPS)
    assert found["switch_identity"].value == 1
    found = scores(face_set, perfect, keeps_person=False)  # someone who is none of them
    assert found["switch_expression"].value == 1
    assert found["switch_identity"].value == pytest.approx(1 / PEOPLE, abs=0.2)
    assert found["choice"].value == 1  # it is not asked of the images


def test_the_person_in_z_e_does_not_help_a_swap_to_be_read(face_set: FaceSet) -> None:
    class Person(Made):
        def decode(self, z_i: Tensor, z_e: Tensor) -> Tensor:
            return painted(torch.cat([z_e, z_e[:, :3] * 0], 1))

    found = label_free_scores(made(face_set, Person(reads=of_person)), face_set)
    assert found["switch_expression"].value == pytest.approx(1 / CLIPS)  # among frames of the source only
    assert found["switch_identity"].value == 0  # the source's: the target never is the same person


@pytest.mark.parametrize(
    ("method", "reason"),
    [(NoIdentity, "no identity code"), (NoDecoder, "no decoder"), (Told, "has to be told")],
)
def test_methods_without_swaps_are_scored_on_what_they_share(
    face_set: FaceSet, method: type[Made], reason: str
) -> None:
    found = label_free_scores(made(face_set, method(reads=perfect)), face_set)
    assert {name: found[name] for name in SHARED_SCORES} == {
        name: score for name, score in scores(face_set, perfect).items() if name in SHARED_SCORES
    }
    for name in ("switch_expression", "switch_identity"):
        assert np.isnan(found[name].value)
        assert reason in found[name].reason


def test_people_held_out_are_scored_where_there_are_some(face_set: FaceSet) -> None:
    def fails_on_the_last(bits: Tensor, images: Tensor) -> Tensor:
        return bits[:, 4:] * (bits[:, :4] @ torch.tensor([1.0, 2, 4, 8]) <= 2)[:, None]  # who, counted from 1

    trained = made(face_set, Made(reads=fails_on_the_last), held_out=2)
    assert "collapsed" in label_free_scores(trained, face_set)["choice"].reason
    assert label_free_scores(trained, face_set, trained.info.train_subjects)["view_agreement"].value == 1
    everyone = made(face_set, Made(reads=fails_on_the_last))
    assert label_free_scores(everyone, face_set)["view_agreement"].value == pytest.approx((1 + 1 / CLIPS) / 2)
    with pytest.raises(OmoteError, match="no face of the people"):
        label_free_scores(everyone, face_set, ["nobody"])
    told = made(face_set, Told(reads=perfect), held_out=2)
    assert "knows only the people of its training" in label_free_scores(told, face_set)["choice"].reason


def test_nothing_is_scored_where_everyone_has_one_clip_only(face_set: FaceSet) -> None:
    for score in scores(replace(face_set, frames=face_set.frames.assign(clip="c")), perfect).values():
        assert np.isnan(score.value)
        assert "two clips" in score.reason or "one clip only" in score.reason


def test_a_person_with_one_clip_is_not_scored(face_set: FaceSet) -> None:
    frames = face_set.frames
    alone = frames.assign(clip=frames["clip"].where(frames["subject"] != "p0", "c"))
    agreement = scores(replace(face_set, frames=alone), perfect)["view_agreement"]
    assert (agreement.value, agreement.chance) == (1, 1 / CLIPS)
    assert "1 of 4 subjects have one clip only" in agreement.reason


def test_codes_that_are_not_numbers_are_refused(face_set: FaceSet) -> None:
    def not_numbers(bits: Tensor, images: Tensor) -> Tensor:
        return bits / 0

    with pytest.raises(OmoteError, match="codes that are not finite"):
        scores(face_set, not_numbers)


def test_many_frames_are_thinned_and_middle_frames_stay_so(
    face_set: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_of: list[int] = []

    def counted(bits: Tensor, images: Tensor) -> Tensor:
        read_of.append(len(images))
        return bits[:, 4:]

    monkeypatch.setattr(choosing, "MAX_FRAMES", 40)  # of 96, and all 32 in the middle
    found = scores(face_set, counted)
    assert found["view_agreement"].value == 1
    assert found["view_agreement"].chance == 1 / CLIPS
    assert 40 < read_of[0] < 72
    monkeypatch.setattr(choosing, "MAX_FRAMES", 16)  # every second clip
    assert scores(face_set, perfect)["view_agreement"].chance == 2 / CLIPS


def test_of_many_people_the_probe_is_fitted_once(face_set: FaceSet, monkeypatch: pytest.MonkeyPatch) -> None:
    jackknife = scores(face_set, blunt)
    monkeypatch.setattr(choosing, "GROUPS", PEOPLE - 1)
    once = scores(face_set, blunt)
    assert once["leakage"].value == jackknife["leakage"].value
    assert once["leakage"].low != jackknife["leakage"].low


def test_views_are_the_same_every_time_and_leave_the_random_state_alone(face_set: FaceSet) -> None:
    state = torch.get_rng_state()
    first, again, other = (altered_views(face_set.faces[:40], seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_array_equal(first, again)
    assert first.shape == face_set.faces[:40].shape
    assert first.dtype == np.uint8
    for one, two in ((first, other), (first, face_set.faces[:40])):
        assert np.abs(one.astype(int) - two).mean() > 5


def test_the_nearest_of_those_allowed_is_found_and_ties_are_shared() -> None:
    among = np.array([[0.0], [1], [1], [5]])
    allowed = np.array([[1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 1, 0]], bool)
    right = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]], bool)
    hits, chances = nearest_hits(np.array([[0.1], [4.0], [0.0]]), among, allowed, right)
    np.testing.assert_allclose(hits, [1, 1, 1 / 2])
    np.testing.assert_allclose(chances, [1 / 3, 1 / 4, 1 / 2])


@pytest.fixture
def runs(face_set: FaceSet, monkeypatch: pytest.MonkeyPatch) -> dict[str, Trained]:
    made_runs = {
        "collapsed": Made(reads=collapsed), "person": Made(reads=of_person), "random": Made(reads=random),
        "perfect": Made(reads=perfect), "both": Made(reads=of_both), "again": NoDecoder(reads=perfect),
        "blunt": Made(reads=blunt),
    }  # fmt: skip
    known = {name: made(face_set, method, path=name) for name, method in made_runs.items()}
    monkeypatch.setattr(choosing, "load", lambda run: known[str(run)])
    return known


def test_runs_are_ranked_and_ties_are_marked(face_set: FaceSet, runs: dict[str, Trained]) -> None:
    steps: list[tuple[int, int]] = []
    table = choose(list(runs), face_set, progress=lambda done, total: steps.append((done, total)))
    assert table["run"].tolist()[:3] == ["perfect", "again", "blunt"]  # of equal ones the one given first
    assert set(table["run"].tolist()[3:6]) == {"person", "random", "both"}
    assert table["run"].iloc[-1] == "collapsed"
    assert table["as_good"].tolist() == [True, True, False, False, False, False, False]
    of_run = {str(row["run"]): row for row in table.to_dict("records")}
    for name, score in label_free_scores(runs["blunt"], face_set).items():
        found = [of_run["blunt"][name + what] for what in ("", "_low", "_high", "_chance")]
        assert found == pytest.approx([score.value, score.low, score.high, score.chance])
    assert of_run["again"]["reason"].startswith("switch_expression: this method has no decoder")
    assert set(table["people"]) == {"train"}
    assert steps == [(k + 1, 12) for k in range(12)]  # seven runs, everyone, and without each of four


def test_a_run_that_is_a_little_worse_for_some_people_is_distinguished_from_one_that_is_worse_for_all(
    face_set: FaceSet, runs: dict[str, Trained]
) -> None:
    def worse_for_one(bits: Tensor, images: Tensor) -> Tensor:
        first = (bits[:, :4] @ torch.tensor([1.0, 2, 4, 8]) == 1)[:, None]
        return torch.where(first, bits[:, 4:] * torch.tensor([0.0, 1, 1]), bits[:, 4:])

    runs["worse for one"] = made(face_set, Made(reads=worse_for_one), path="worse for one")
    table = choose(["worse for one", "blunt", "perfect"], face_set)
    assert table["run"].tolist() == ["perfect", "worse for one", "blunt"]
    assert table["as_good"].tolist() == [True, True, False]


def test_one_run_alone_is_scored_and_none_is_refused(face_set: FaceSet, runs: dict[str, Trained]) -> None:
    table = choose(["perfect"], face_set)
    assert table[["run", "as_good", "choice"]].to_numpy().tolist() == [["perfect", True, 1.0]]
    with pytest.raises(OmoteError, match="no run was given"):
        choose([], face_set)


def test_runs_that_cannot_be_compared_are_refused(face_set: FaceSet, runs: dict[str, Trained]) -> None:
    runs["larger"] = replace(runs["perfect"], info=runs["perfect"].info._replace(image_size=128))
    runs["others"] = made(face_set, Made(reads=perfect), held_out=2, path="others")
    with pytest.raises(OmoteError, match="perfect reads faces of 128 px and made has 64 px"):
        choose(["blunt", "larger"], face_set)
    with pytest.raises(OmoteError, match="others and blunt were trained on different people"):
        choose(["blunt", "others"], face_set)
    with pytest.raises(OmoteError, match="--size 128"):
        choose(["larger"], face_set)
    with pytest.raises(OmoteError, match="trained on another face set"):
        choose(["blunt"], replace(face_set, about=About(size=SIZE, importer="another")))


def test_trained_runs_are_scored_on_the_faces_of_their_training(
    faces: FaceSet, tmp_path: Path, configure: Callable[..., TrainConfig]
) -> None:
    names = ("proposed", "vae", "contrast")
    for name in names:
        train(faces, tmp_path / name, configure(method=name, options__epochs=1, test_subjects=3))
    table = choose([tmp_path / name for name in names]).set_index("method")
    assert set(table.index) == set(names)
    assert set(table["people"]) == {"test"}
    assert table["choice"].between(0, 1).all()
    held_out = label_free_scores(
        load(tmp_path / "proposed"), faces, load(tmp_path / "proposed").info.test_subjects
    )
    for name, score in held_out.items():
        assert table.loc["proposed", name] == pytest.approx(score.value)
    assert table["switch_identity"].notna().to_dict() == {"proposed": True, "vae": False, "contrast": False}
