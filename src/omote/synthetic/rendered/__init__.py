"""Faces rendered from the ICT Face Model Light with known factors: identity, expression and nuisance.

`render_subject` renders all clips of one person; `Head(...).render` one image from explicit factors.
"""

from omote.synthetic.rendered.factors import Appearance, Nuisance
from omote.synthetic.rendered.model import read_face_model
from omote.synthetic.rendered.scene import Head
from omote.synthetic.rendered.subject import RenderedOptions, render_subject

__all__ = ["Appearance", "Head", "Nuisance", "RenderedOptions", "read_face_model", "render_subject"]
