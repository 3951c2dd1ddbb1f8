"""Faces drawn by our own code, with every true factor known: person, action units, circumstances.

`draw_subject` draws all clips of one person; `draw_face` draws one picture from explicit factors.
"""

from omote.synthetic.drawn.expressions import ACTION_UNITS, EXPRESSIONS, PROTOTYPES
from omote.synthetic.drawn.paint import draw_face, paint
from omote.synthetic.drawn.people import IDENTITY_NAMES, NUISANCE_NAMES, Identity, Nuisance
from omote.synthetic.drawn.subject import DrawnOptions, draw_subject

__all__ = [
    "ACTION_UNITS",
    "EXPRESSIONS",
    "IDENTITY_NAMES",
    "NUISANCE_NAMES",
    "PROTOTYPES",
    "DrawnOptions",
    "Identity",
    "Nuisance",
    "draw_face",
    "draw_subject",
    "paint",
]
