"""Faces painted in 2D from known factors: identity, action units and nuisance.

`draw_subject` draws all clips of one person; `draw_face` draws one image from explicit factors.
"""

from omote.synthetic.drawn.factors import Identity, Nuisance
from omote.synthetic.drawn.paint import draw_face
from omote.synthetic.drawn.subject import DrawnOptions, draw_subject

__all__ = ["DrawnOptions", "Identity", "Nuisance", "draw_face", "draw_subject"]
