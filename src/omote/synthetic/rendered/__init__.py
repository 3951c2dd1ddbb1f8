"""Faces rendered from the ICT Face Model Light, with every true factor known: person, expression, circumstances.

`render_subject` renders all clips of one person; `Head(...).render` one picture from explicit factors.
"""

from omote.synthetic.rendered.expressions import EXPRESSIONS, PROTOTYPES, SHAPES
from omote.synthetic.rendered.look import Circumstances, Look
from omote.synthetic.rendered.model import FaceModel, read_face_model
from omote.synthetic.rendered.scene import Head, Rendered
from omote.synthetic.rendered.subject import RenderedOptions, render_subject

__all__ = [
    "EXPRESSIONS",
    "PROTOTYPES",
    "SHAPES",
    "Circumstances",
    "FaceModel",
    "Head",
    "Look",
    "Rendered",
    "RenderedOptions",
    "read_face_model",
    "render_subject",
]
