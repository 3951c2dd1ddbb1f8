"""Contrastive loss within a subject: the negatives of a frame are other frames of the same subject.

Not in the paper. NT-Xent (Chen et al., 2020, "A Simple Framework for Contrastive Learning of Visual Representations")
takes all other images as negatives. With negatives of one subject, identity cannot lower the loss and is not learned.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def contrast_within_subject(one: Tensor, other: Tensor, subjects: Tensor, temperature: float) -> Tensor:
    """Return the cross entropy of finding each view's positive among the views of its subject's frames, per frame.

    The logits are cosine / temperature. The loss is the mean over both directions, from ``one`` to ``other`` and back.

    Args:
        one: (B, Z) codes of a view of each frame.
        other: (B, Z) codes of another view of the same frames.
        subjects: (B,) subject number of each frame.
        temperature: above 0; a lower one puts more weight on the most similar frames.
    Returns:
        (B,) in nats, non-negative; 0 for a subject's only frame, log n if the codes of its n frames are equal.
    Raises:
        ValueError: If the shapes differ.
    """
    if one.shape != other.shape or len(one) != len(subjects):
        raise ValueError(
            f"codes {tuple(one.shape)} and {tuple(other.shape)} of {len(subjects)} subjects were given; their shapes "
            "must agree"
        )
    a, b = F.normalize(one.float(), dim=1), F.normalize(other.float(), dim=1)
    with torch.autocast(a.device.type, enabled=False):  # bfloat16 cannot resolve cosines near 1
        logits = a @ b.T / temperature
    logits = logits.masked_fill(subjects[:, None] != subjects, -torch.inf)
    positive = torch.arange(len(logits), device=logits.device)
    there, back = (F.cross_entropy(each, positive, reduction="none") for each in (logits, logits.T))
    return (there + back) / 2
