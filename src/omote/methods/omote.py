"""omote's own method: the paper's stages and switch loss, a contrast within a subject, and a stage for the usual look.

The contrast is a term of the expression stage. It is not in the paper; all other terms of the two stages are. The
decoder makes the expression code hold what an image needs beside the identity code, which includes what the identity
code lacks of the person. The contrast tells frames of one person apart, so it makes the code leave out what all of them
share. A third stage removes the rest of it (`Relative`).
"""

from dataclasses import replace

import torch
from pydantic import Field

from omote.methods.method import Batch, Stage, Terms
from omote.methods.relative import Relative, RelativeOptions
from omote.methods.sharpening import Sharpened, SharpeningOptions
from omote.models.encoder import Posterior


class OmoteOptions(SharpeningOptions, RelativeOptions):
    """Options of Eq. 5, of the contrast and of the two later stages."""

    # by default no term decodes samples of the prior, and all results of this method have this weight
    kl_weight: float = Field(0.01, ge=0, description="alpha_1, on the KL divergence summed over the code")
    adversarial_weight: float = Field(0.0, ge=0, description="beta; 0 leaves L_gan and the discriminator out")
    contrast_weight: float = Field(
        400.0, ge=0, description="of the contrast between an image's code and its view's"
    )


class Omote(Sharpened, Relative):
    """`Proposed` without L_gan, with a contrast in the expression stage; then `Relative`, and `Sharpened` if asked."""

    Options = OmoteOptions
    options: OmoteOptions

    def stages(self) -> list[Stage]:
        together = {"expression": self.options.frames_together}
        return [replace(stage, frames_per_subject=together.get(stage.name, 1)) for stage in super().stages()]

    def expression_terms(self, batch: Batch) -> Terms:
        """Return L_e' of Eq. 5 and the contrast, each term (B,)."""
        c = self.options
        # images and views in one call, so that they share BatchNorm statistics
        codes = self.represent(torch.cat([self.to_encode(batch.images), c.draw_views(batch.images)]))
        (mean, of_view), (logvar, _) = codes.mean.chunk(2), codes.logvar.chunk(2)
        terms = self.generator_terms(batch, Posterior(mean, logvar))
        terms["contrast"] = c.contrast_weight * c.contrast(mean, of_view, batch.subjects)
        return terms
