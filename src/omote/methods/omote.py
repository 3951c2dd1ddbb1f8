"""omote's own method: the paper's stages and switch loss, a contrast within a subject, and a stage for the usual look.

The contrast and, as an option, the motion are terms of the expression stage. They are not in the paper; all other
terms of the two stages are. The decoder makes the expression code hold what an image needs beside the identity code,
which includes what the identity code lacks of the person. The contrast tells frames of one person apart, so it makes
the code leave out what all of them share. It may tell them apart by something else in every person; the motion makes
the same change of the code the same change of the face in everybody. A third stage removes the rest of the person
(`Relative`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from omote.methods.method import Batch, Stage, Terms
from omote.methods.relative import Relative, RelativeOptions
from omote.methods.sharpening import Sharpened, SharpeningOptions
from omote.models.encoder import Posterior
from omote.models.motion import Motion
from omote.objectives.motion import motion_error, other_frames

MOTION_SIZE = 32  # pixels along a side of a face that is moved; 64 are slower and no better (docs/log.md)


class OmoteOptions(SharpeningOptions, RelativeOptions):
    """Options of Eq. 5, of the two terms within a subject and of the two later stages."""

    # by default no term decodes samples of the prior, and all results of this method have this weight
    kl_weight: float = Field(0.01, ge=0, description="alpha_1, on the KL divergence summed over the code")
    adversarial_weight: float = Field(0.0, ge=0, description="beta; 0 leaves L_gan and the discriminator out")
    contrast_weight: float = Field(
        400.0, ge=0, description="of the contrast between an image's code and its view's"
    )
    motion_weight: float = Field(
        0.0,
        ge=0,
        description="of the motion from another image of the subject; 60 times contrast_weight is a good value, 0 "
        "leaves it out",
    )


class Omote(Sharpened, Relative):
    """`Proposed` without L_gan, with a contrast and, if asked, a motion in the expression stage; two more stages."""

    Options = OmoteOptions
    options: OmoteOptions
    motion: Motion  # during an expression stage

    def stages(self) -> list[Stage]:
        return [
            self.expression_stage(stage) if stage.name == "expression" else stage
            for stage in super().stages()
        ]

    def expression_stage(self, stage: Stage) -> Stage:
        """Return the stage with frames of a subject in each batch, and with the module that moves faces."""
        c = self.options
        if not c.motion_weight:
            return replace(stage, frames_per_subject=c.frames_together)
        motion = Motion(c.latent_size)
        generator, *others = stage.phases
        phases = (replace(generator, trains=(*generator.trains, motion)), *others)
        during = partial(self.keep_motion, motion)
        return replace(stage, phases=phases, frames_per_subject=c.frames_per_subject, during=during)

    @contextmanager
    def keep_motion(self, motion: Motion) -> Iterator[None]:
        """Keep the module that moves faces for the time of the stage; nothing needs it afterwards."""
        self.motion = motion.to(next(self.expression_encoder.parameters()).device)
        try:
            yield
        finally:
            del self.motion

    def expression_terms(self, batch: Batch) -> Terms:
        """Return L_e' of Eq. 5, the contrast and, if asked, the motion, each term (B,)."""
        c = self.options
        # images and views in one call, so that they share BatchNorm statistics
        codes = self.represent(torch.cat([self.to_encode(batch.images), c.draw_views(batch.images)]))
        (mean, of_view), (logvar, _) = codes.mean.chunk(2), codes.logvar.chunk(2)
        terms = self.generator_terms(batch, Posterior(mean, logvar))
        terms["contrast"] = c.contrast_weight * c.contrast(mean, of_view, batch.subjects)
        if c.motion_weight:
            terms["motion"] = c.motion_weight * self.motion_from_others(batch, mean)
        return terms

    def motion_from_others(self, batch: Batch, codes: Tensor) -> Tensor:
        """Return the error of each face when another face of the subject is moved by the change of the code, (B,)."""
        faces = F.avg_pool2d(batch.images, self.image_size // MOTION_SIZE)
        other, has_other = other_frames(batch.subjects)
        return has_other * motion_error(self.motion(faces[other], codes - codes[other]), faces)
