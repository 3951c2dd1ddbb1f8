"""The contrast within a subject: of two views of each frame, each finds the other among the subject's frames.

Not of the paper. The loss of Chen et al. (2020), "A Simple Framework for Contrastive Learning of Visual
Representations" (NT-Xent), whose negatives are all other images; here they are of the same subject only, so that
knowing whose face it is does not help, and is not learned.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def contrast_within_subject(one: Tensor, other: Tensor, subjects: Tensor, temperature: float) -> Tensor:
    """Return -log of the probability that a view's twin is chosen among the views of its subject's frames, per frame.

    The probability goes with exp(cosine / temperature). Both directions are averaged: from ``one`` among ``other``, and
    back.

    Args:
        one: (B, Z) codes of a view of each frame.
        other: (B, Z) codes of another view of the same frames.
        subjects: (B,) subject number of each frame.
        temperature: above 0; the lower, the more count the frames most alike.
    Returns:
        (B,) in nats, non-negative; 0 for a frame alone of its subject, log n where n frames cannot be told apart.
    Raises:
        ValueError: If the shapes differ.
    """
    if one.shape != other.shape or len(one) != len(subjects):
        raise ValueError(
            f"codes {tuple(one.shape)} and {tuple(other.shape)} of {len(subjects)} subjects were given; they must go "
            "together"
        )
    a, b = F.normalize(one.float(), dim=1), F.normalize(other.float(), dim=1)
    with torch.autocast(
        a.device.type, enabled=False
    ):  # cosines near 1 differ by less than a step of bfloat16
        logits = a @ b.T / temperature
    logits = logits.masked_fill(subjects[:, None] != subjects, -torch.inf)
    twin = torch.arange(len(logits), device=logits.device)
    there, back = (F.cross_entropy(each, twin, reduction="none") for each in (logits, logits.T))
    return (there + back) / 2
