"""A stage after the paper's two that subtracts the usual look of a person from the expression code.

Not in the paper. The codes of the expression stage order the frames of one person well, and still hold a part of what
all frames of the person share. The mean code of a person's frames is their usual look. Codes less the usual look can be
compared between people, but to subtract it takes the person's id and several frames. So the encoder learns to give the
difference from one image: the codes before the stage, less the person's mean, are its targets. The decoder learns to
draw from the new codes.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from pydantic import Field

from omote.methods.contrast import ContrastOptions
from omote.methods.method import Batch, Phase, Stage, Terms
from omote.methods.proposed import Proposed, ProposedOptions
from omote.models.encoder import Posterior
from omote.objectives.switch import code_distance

VARIANCE_WEIGHT = 0.01  # of the distance of the log variance, beside 1 for that of the mean


class RelativeOptions(ProposedOptions, ContrastOptions):
    """Options of Eq. 5, of the views and of the stage; only the first are in the paper."""

    relative: float = Field(
        0.4,
        ge=0,
        le=100,
        description="length of the stage that subtracts the usual look, in epochs per epoch of the first two; 0 leaves "
        "it out",
    )


class Relative(Proposed):
    """`Proposed` with one more stage, in which the expression encoder learns its own codes less the usual look."""

    Options = RelativeOptions
    options: RelativeOptions

    def stages(self) -> list[Stage]:
        c = self.options
        if not c.relative:
            return super().stages()
        encoder = Phase("encoder", (self.expression_encoder,), c.learning_rate, self.relative_terms)
        generator, *others = self.expression_phases()
        decoder = replace(generator, trains=(self.decoder,), terms=self.decoder_terms)
        epochs = max(1, round(c.relative * c.epochs))
        # the learning rate falls as far as in the stages before
        phases = (replace(phase, decay=c.epochs / epochs) for phase in (encoder, decoder, *others))
        frozen = {"z_i": self.identify, "z_e": lambda images: self.teacher(images)}
        stage = Stage("relative", epochs, tuple(phases), frozen_encoders=frozen, during=self.keep_teacher)
        return [*super().stages(), stage]

    @contextmanager
    def keep_teacher(self) -> Iterator[None]:
        """Keep a copy of the expression encoder, which gives the targets, for the time of the stage."""
        self.teacher = copy.deepcopy(self.expression_encoder)
        try:
            yield
        finally:
            del self.teacher

    def relative_terms(self, batch: Batch) -> Terms:
        """Return the distances of the codes of images and of views from their targets, each (B,).

        The target of the mean is the teacher's mean less its mean over the frames of the person; that of the log
        variance is the teacher's. A person with one frame has no target: it would be zero.
        """
        c = self.options
        teacher = batch.cached_posteriors["z_e"]
        target = teacher.mean - batch.subject_means["z_e"]
        codes = self.represent(torch.cat([self.to_encode(batch.images), c.draw_views(batch.images)]))
        (mean, of_view), (logvar, _) = codes.mean.chunk(2), codes.logvar.chunk(2)
        batch.scratch |= {"mean": mean.detach(), "logvar": logvar.detach()}
        has_target = target.any(1)
        return {
            "image": has_target * code_distance(mean, target),
            "view": has_target * code_distance(of_view, target),
            "variance": VARIANCE_WEIGHT * has_target * code_distance(logvar, teacher.logvar),
        }

    def decoder_terms(self, batch: Batch) -> Terms:
        """Return L_e' of Eq. 5, of the codes before the encoder's step, without the divergence, each term (B,)."""
        terms = self.generator_terms(batch, Posterior(batch.scratch["mean"], batch.scratch["logvar"]))
        del terms["kl"]  # it does not depend on the decoder
        return terms
