"""A plain implementation of the paper's training steps: the reference of `speed.py` and of a test.

Float32, NCHW, a forward pass for each use, standard Adam, a DataLoader over PNG files, and PyTorch's default settings.
The networks belong to a method object, `Conventional` or `Proposed`. The equations are written out again from the
paper, with the default readings, as a check of the product's. Noise is drawn in the same order as there.
"""

import random
from collections.abc import Callable
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from omote.methods.conventional import Conventional
from omote.methods.proposed import Proposed

Terms = dict[str, Tensor]  # name -> weighted batch mean
Step = Callable[[Tensor, Tensor], Terms]


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    return (-0.5 * torch.sum(1 + logvar - mu**2 - logvar.exp(), 1)).mean()


def sample(mu: Tensor, logvar: Tensor) -> Tensor:
    return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)


def identity_terms(m: Conventional, x: Tensor, same_subject: Tensor) -> Terms:
    """Return the terms of Eq. 1 for (B, 3, S, S) images ``x`` and, for each, another image of its subject."""
    mu, logvar = m.identity_encoder(x)
    z_i = sample(mu, logvar)
    output = m.decoder(torch.cat([z_i, torch.zeros_like(z_i)], 1))
    return {
        "kl": m.options.kl_weight * kl(mu, logvar),
        "reconstruction": m.options.reconstruction_weight * F.mse_loss(output, same_subject),
    }


def expression_terms(
    m: Conventional, x: Tensor, partner: Tensor, *, one_decoder_call: bool = False
) -> tuple[Terms, list[Tensor]]:
    """Return the terms of Eq. 2, or of Eq. 5 for `Proposed`, and the fake images for its discriminator.

    Args:
        m: the networks and the weights of the terms.
        x: (B, 3, S, S) images in [0, 1].
        partner: (B,) index into the batch of an image of another subject.
        one_decoder_call: decode for all uses in one call, as the product does. BatchNorm statistics are then computed
            over all of them, so the result differs from separate calls.
    """
    c = m.options
    with torch.no_grad():
        z_i = m.identity_encoder(x).mean
    mu, logvar = m.expression_encoder(x)
    z_e = sample(mu, logvar)
    codes = [torch.cat([z_i, z_e], 1)]
    if isinstance(m, Proposed):
        codes.append(torch.cat([torch.randn_like(z_i), torch.randn_like(z_e)], 1))
        codes.append(torch.cat([z_i, z_e[partner]], 1))
    if one_decoder_call:
        outputs = list(m.decoder(torch.cat(codes)).chunk(len(codes)))
    else:
        outputs = [m.decoder(code) for code in codes]
    terms = {
        "kl": c.kl_weight * kl(mu, logvar),
        "reconstruction": c.reconstruction_weight * F.mse_loss(outputs[0], x),
    }
    if isinstance(m, Proposed):
        x_rec, x_p, swapped = outputs
        beta, gamma = m.options.adversarial_weight, m.options.switch_weight
        encoded_i, encoded_e = m.identity_encoder(swapped).mean, m.expression_encoder(swapped).mean
        as_real = F.softplus(-m.discriminator(x_rec)) + F.softplus(-m.discriminator(x_p))
        terms["adversarial"] = beta * as_real.mean()
        terms["switch_identity"] = gamma * F.mse_loss(encoded_i, z_i)
        terms["switch_expression"] = gamma * F.mse_loss(encoded_e, z_e[partner].detach())
    return terms, [image.detach() for image in outputs[:2]]


def discriminator_terms(m: Proposed, x: Tensor, x_rec: Tensor, x_p: Tensor) -> Terms:
    """Return the terms of Eq. 3 for the discriminator."""
    return {
        "real": F.softplus(-m.discriminator(x)).mean(),
        "reconstructed": F.softplus(m.discriminator(x_rec)).mean(),
        "prior": F.softplus(m.discriminator(x_p)).mean(),
    }


def identity_step(m: Conventional) -> Step:
    """Return a function of (x, same_subject) that takes one step of the identity stage.

    That function returns the mean of each term under the product's name, "generator/kl".
    """
    m.eval()
    adam = _adam(m, m.identity_encoder, m.decoder)

    def step(x: Tensor, same_subject: Tensor) -> Terms:
        return _descend(adam, "generator", identity_terms(m, x, same_subject))

    return step


def expression_step(m: Conventional, *, one_decoder_call: bool = False) -> Step:
    """Return a function of (x, partner) that takes one step of the expression stage, as `identity_step`."""
    m.eval()
    m.identity_encoder.requires_grad_(False)
    adam = _adam(m, m.expression_encoder, m.decoder)
    against = _adam(m, m.discriminator) if isinstance(m, Proposed) else None

    def step(x: Tensor, partner: Tensor) -> Terms:
        if isinstance(m, Proposed):
            m.discriminator.requires_grad_(False)
        terms, fakes = expression_terms(m, x, partner, one_decoder_call=one_decoder_call)
        means = _descend(adam, "generator", terms)
        if isinstance(m, Proposed) and against is not None:
            m.discriminator.requires_grad_(True)
            means |= _descend(against, "discriminator", discriminator_terms(m, x, *fakes))
        return means

    return step


def _adam(m: Conventional, *trained: nn.Module) -> torch.optim.Adam:
    parameters = [parameter for module in trained for parameter in module.train().parameters()]
    return torch.optim.Adam(parameters, m.options.learning_rate)


def _descend(adam: torch.optim.Adam, phase: str, terms: Terms) -> Terms:
    adam.zero_grad()
    torch.stack(list(terms.values())).sum().backward()
    adam.step()
    return {f"{phase}/{name}": term.detach() for name, term in terms.items()}


class Photos(Dataset[tuple[Tensor, Tensor, int]]):
    """PNG files in a folder per subject: image, another of its subject (``pairs``) or itself, and subject number."""

    def __init__(self, folder: Path, *, pairs: bool) -> None:
        self.people = [sorted(person.iterdir()) for person in sorted(folder.iterdir())]
        self.files = [(file, number) for number, person in enumerate(self.people) for file in person]
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int]:
        file, subject = self.files[index]
        image = read(file)
        return image, read(random.choice(self.people[subject])) if self.pairs else image, subject


def read(file: Path) -> Tensor:
    """Return (3, S, S) float32 in [0, 1]."""
    image = cv2.imread(str(file))
    assert image is not None, file
    return torch.from_numpy(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).permute(2, 0, 1).float() / 255


def partners(subjects: Tensor) -> Tensor:
    """Return, for each image of a batch, the index of a random image of another subject."""
    return torch.multinomial((subjects[:, None] != subjects).float(), 1)[:, 0]
