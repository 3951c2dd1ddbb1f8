from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

import plain
from omote.methods.conventional import Conventional, ConventionalOptions
from omote.methods.proposed import Proposed, ProposedOptions


def test_photos_come_in_pairs_of_one_subject_as_rgb_between_0_and_1(tmp_path: Path) -> None:
    for person, level in (("ann", 0), ("ben", 51)):
        (tmp_path / person).mkdir()
        for number in range(3):
            pixels = np.full((64, 64, 3), (level, 102, 255 - number), np.uint8)
            cv2.imwrite(str(tmp_path / person / f"{number}.png"), pixels[..., ::-1])
    photos = plain.Photos(tmp_path, pairs=True)
    assert len(photos) == 6
    partners = set()
    for _ in range(20):
        image, same, subject = photos[4]
        assert image.shape == (3, 64, 64)
        assert image[:, 0, 0].tolist() == pytest.approx([0.2, 0.4, 254 / 255])
        assert subject == 1
        assert same[0, 0, 0] == image[0, 0, 0]
        partners.add(round(float(same[2, 0, 0]) * 255))
    assert partners == {253, 254, 255}


def test_partners_are_always_of_another_subject() -> None:
    subjects = torch.tensor([0, 0, 0, 1, 2, 2])
    for _ in range(20):
        assert (subjects[plain.partners(subjects)] != subjects).all()


def moved(m: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {
        name.split(".")[0] for name, value in m.state_dict().items() if not torch.equal(value, before[name])
    }


@pytest.mark.parametrize("one_decoder_call", [False, True])
def test_each_stage_moves_what_it_trains_and_nothing_else(one_decoder_call: bool) -> None:
    conventional = Conventional(64, ConventionalOptions(width=8))
    proposed = Proposed(64, ProposedOptions(width=8))
    x, partner = torch.rand(4, 3, 64, 64), torch.tensor([1, 2, 3, 0])
    for m, trained in ((conventional, set()), (proposed, {"discriminator"})):
        before = {name: value.clone() for name, value in m.state_dict().items()}
        terms = plain.identity_step(m)(x, x.flip(0))
        assert moved(m, before) == {"identity_encoder", "decoder"}
        assert terms.keys() == {"generator/kl", "generator/reconstruction"}
        before = {name: value.clone() for name, value in m.state_dict().items()}
        plain.expression_step(m, one_decoder_call=one_decoder_call)(x, partner)
        assert moved(m, before) == {"expression_encoder", "decoder"} | trained


def test_one_decoder_call_is_another_function_only_through_batch_norm() -> None:
    x, partner = torch.rand(4, 3, 64, 64), torch.tensor([1, 2, 3, 0])
    for normalisation, same in (("none", True), ("batch", False)):
        m = Proposed(64, ProposedOptions.model_validate({"width": 8, "normalisation": normalisation}))
        found = []
        for one in (False, True):
            torch.manual_seed(0)
            terms, _ = plain.expression_terms(m, x, partner, one_decoder_call=one)
            found.append(terms["reconstruction"].item())
        assert (found[0] == pytest.approx(found[1], rel=1e-6)) == same
