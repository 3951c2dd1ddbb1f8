"""A head in front of a camera, and the picture.

Triangles are drawn twice: once with their place on the chart of colours and the light of the lamp, once with their
normal and the light of the sky. Colours are then looked up pixel by pixel and lit. Hair in front and lashes lie over
that as a second layer with holes.
"""

from typing import NamedTuple

import cv2
import numpy as np
from scipy import sparse

from omote.synthetic.rendered import chart, hair, light, raster
from omote.synthetic.rendered.albedo import paint_head
from omote.synthetic.rendered.anatomy import EYEBALLS, SKIN_END, anatomy
from omote.synthetic.rendered.chart import Floats, smooth
from omote.synthetic.rendered.creases import creases
from omote.synthetic.rendered.look import Circumstances, Look
from omote.synthetic.rendered.model import FaceModel

DISTANCE = 110.0  # cm, from the camera to the face
NECK = np.array((0.0, -2.0, -1.0), np.float32)  # cm, round which the head turns
FINE = 1.5  # pixels drawn for one pixel shown, each way
BRIGHTEST = 3.0  # light that hair can be in
MARGIN = 0.05  # of the picture round the box of the neutral face, as a share of the box
EYES_TURN = {"eyeLookIn": 32.0, "eyeLookOut": 32.0, "eyeLookUp": 26.0, "eyeLookDown": 30.0}  # degrees


class Rendered(NamedTuple):
    """A picture and what is true of it, in pixels."""

    image: np.ndarray  # (S, S, 3) uint8 RGB
    landmarks: (
        np.ndarray
    )  # (5, 2) right eye (the person's), left eye, nose, right and left corner of the mouth
    box: np.ndarray  # (4,) x, y, width, height


class Head:
    """One person, ready to be rendered with any expression, under any circumstances."""

    def __init__(self, model: FaceModel, identity: Floats, look: Look) -> None:
        """Prepare a person, which takes as long as some twenty pictures.

        Args:
            identity: (100,) coefficients of the model's modes, each of deviation 1 over people.
        """
        self.names = model.expression_names
        self.anatomy = anatomy(model)
        kept = self.anatomy.kept
        person = model.base + np.tensordot(np.asarray(identity, np.float32), model.identity, 1)
        self.neutral = person[kept]
        self.shapes = model.expression[:, kept].reshape(len(model.expression), -1)

        self.eye_middles = [(person[ball].min(0) + person[ball].max(0)) / 2 for ball in EYEBALLS]

        grown = hair.grow(look, model.base[:SKIN_END], person[:SKIN_END])
        self.hair = grown.vertices
        hanging = grown.triangles + len(kept)
        behind = self.hair[grown.triangles, 2].max(1) < -0.5
        self.face = np.concatenate([self.anatomy.face, hanging[behind][:, ::-1], self.anatomy.mouth])
        self.closed = len(self.face) - len(self.anatomy.mouth)  # how many of them while the mouth is closed
        self.over = np.concatenate([self.anatomy.lashes, hanging[~behind]])
        self.triangles = np.concatenate([self.face, self.over])
        self.texels = np.concatenate([self.anatomy.texels, hair.atlas_texels(grown.texels)]) / chart.SIDE
        self.pupils = chart.widening(self.anatomy.texels) / chart.SIDE
        self.over_texels = np.concatenate([hair.lash_texels(model.base, kept), grown.texels]) / hair.SIDE

        places = chart.places_of_texels(
            model.base[:SKIN_END], model.triangles[(model.triangles < SKIN_END).all(1)]
        )
        self.over_paint = hair.paint_hair(look)
        self.paint = paint_head(look, places, self.over_paint[: hair.HAIR_ROWS, :, :3])
        self.crease_strengths, self.creases = creases(places, self.names)

        self.ends = np.ascontiguousarray(self.triangles.T)
        count = len(self.triangles)
        ones, of = np.ones(3 * count, np.float32), np.repeat(np.arange(count), 3)
        self.corners = sparse.csr_array(
            (ones, (self.triangles.ravel(), of)), (len(kept) + len(self.hair), count)
        )
        seen = light.seen_of_sky(np.concatenate([self.neutral, self.hair]), self.triangles)
        # A closed mouth sees no sky; an open one the more, the further to the front.
        inside = self.anatomy.inside
        seen[inside] = (0.08 + 0.8 * smooth(self.neutral[inside, 2], 7.0, 11.0))[:, None]
        self.seen = light.softened(0.1 + 0.9 * seen, self.corners)

        self.lips_apart = self._lips_apart(self.neutral, np.eye(3))
        box = self._box(self.neutral)
        self.middle = np.append((box[0] + box[1]) / 2, self.neutral[self.anatomy.box[2:], 2].mean())
        self.side = (1 + 2 * MARGIN) * (box[1] - box[0]).max()

    def _box(self, vertices: Floats) -> Floats:
        corners = vertices[self.anatomy.box, :2]
        return np.array(
            [(corners[:2, 0].min(), corners[2:, 1].min()), (corners[:2, 0].max(), corners[2:, 1].max())]
        )

    def render(self, expression: Floats, circumstances: Circumstances, size: int) -> Rendered:
        """Return the picture of an expression.

        The picture shows the box of the neutral face, so that it does not jump with the expression.

        Args:
            expression: (57,) coefficients of the model's shapes, in [0, 1].
            size: of the picture, in pixels.
        """
        c = circumstances
        expression = np.asarray(expression, np.float32)
        face = self.neutral + (expression @ self.shapes).reshape(-1, 3)
        self._turn_eyes(face, expression, c)

        rotation = turned(c.yaw, c.pitch, c.roll)
        side = self.side / c.scale
        shift = (c.shift_x * side, -c.shift_y * side, -DISTANCE) - (self.middle - NECK) @ rotation.T
        vertices = (np.concatenate([face, self.hair]) - NECK) @ rotation.T + shift.astype(np.float32)
        head, cover, strands, covered = self._drawn(vertices, expression, rotation, side, c, size)
        scene = light.room(c, size)
        scene = scene + (head - scene) * cover
        scene = scene * (1 - covered) + strands

        per_cm = size / side * DISTANCE / -vertices[: len(face), 2:]
        pixels = vertices[: len(face), :2] * per_cm * (1, -1) + size / 2
        box = pixels[self.anatomy.box]
        return Rendered(
            light.photograph(scene, c),
            pixels[self.anatomy.landmarks].mean(1),
            np.concatenate([box.min(0), np.ptp(box, axis=0)]),
        )

    def _drawn(
        self, vertices: Floats, expression: Floats, rotation: Floats, side: float, c: Circumstances, size: int
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the lit head (size, size, 3) and what it covers (size, size, 1), and the same of the hair over it.

        Args:
            vertices: before the camera; side: of the picture, in cm.
        """
        fine, view = int(size * FINE), 2 * float(np.arctan(side / 2 / DISTANCE))
        normals = self._normals(vertices)[:, :2]
        for eye in self.anatomy.eyes:  # the cornea is rounder than the model's, which keeps its glint small
            normals[eye] = np.clip(1.7 * normals[eye], -0.7, 0.7)
        opened = smooth((self._lips_apart(vertices, rotation) - self.lips_apart).max(), 0.05, 0.8)  # cm
        lamp = light.lamp_of(c)
        reaching = light.reaching(self.seen, lamp, rotation)
        reaching[self.anatomy.inside] *= 0.1 + 0.9 * opened
        texels = self.texels.copy()
        for name, eye in zip("LR", self.anatomy.eyes, strict=True):
            texels[eye] += expression[self.names.index(f"PupilDilate_{name}")] * self.pupils[eye]

        triangles = self.face if opened > 0 else self.face[: self.closed]
        values = np.column_stack([texels, reaching[:, 0]])
        where, depth = raster.draw(vertices, triangles, values, fine, view, culling=True)
        values = np.column_stack([normals * 0.5 + 0.5, reaching[:, 1]])
        facing, _ = raster.draw(vertices, triangles, values, fine, view, culling=True)
        values = np.column_stack([self.over_texels, light.on_hair(reaching, normals, lamp, c) / BRIGHTEST])
        over, near = raster.draw(vertices, self.over, values, fine, view, depth)

        cover: Floats = (depth < raster.FAR - 1).astype(np.float32)[..., None]
        paint = self._look_up(where, expression) * cover
        column, row = over[..., 0] * hair.SIDE, over[..., 1] * hair.SIDE
        strands: Floats = cv2.remap(self.over_paint, column, row, cv2.INTER_LINEAR)
        covered = strands[..., 3:] * (near < depth - 0.01)[..., None]
        strands = strands[..., :3] * (BRIGHTEST * covered * over[..., 2:])

        # From here on in the pixels of the picture.
        paint, where, facing, cover, strands, covered = (
            cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA).reshape(size, size, -1)
            for layer in (paint, where, facing, cover, strands, covered)
        )
        solid = np.maximum(cover, 1e-3)
        paint, facing = paint / solid, facing / solid
        reaching = np.dstack([where[..., 2:] / solid, facing[..., 2]])
        head = light.lit(paint[..., :3], paint[..., 3], reaching, facing[..., :2] * 2 - 1, lamp, c)
        return head, cover, strands, covered

    def _lips_apart(self, vertices: Floats, rotation: Floats) -> Floats:
        upper, lower = (vertices[self.anatomy.lips] @ rotation)[..., 1]
        gap: Floats = upper - lower
        return gap

    def _turn_eyes(self, face: Floats, expression: Floats, c: Circumstances) -> None:
        """Turn the eyeballs, which the model's shapes leave as they are: they move the lids only."""
        value = dict(zip(self.names, expression.tolist(), strict=True))
        for side, index, middle in zip("LR", self.anatomy.eyes, self.eye_middles, strict=True):
            turn = {name: degrees * value[f"{name}_{side}"] for name, degrees in EYES_TURN.items()}
            outwards = turn["eyeLookOut"] - turn["eyeLookIn"]
            yaw = c.gaze_x + (outwards if side == "L" else -outwards)
            pitch = turn["eyeLookDown"] - turn["eyeLookUp"] - c.gaze_y
            face[index] = (face[index] - middle) @ turned(yaw, pitch, 0.0).T + middle

    def _normals(self, vertices: Floats) -> Floats:
        places = np.ascontiguousarray(vertices.T)
        a, b, c = (places.take(corner, 1) for corner in self.ends)
        (ux, uy, uz), (vx, vy, vz) = b - a, c - a
        normals = self.corners @ np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], 1)
        normals /= (np.sqrt(np.einsum("ij,ij->i", normals, normals)) + 1e-9)[:, None]
        return np.asarray(normals)

    def _look_up(self, where: Floats, expression: Floats) -> Floats:
        """Return the colour and gloss (fine, fine, 4) of pixels, darker in the creases of the expression."""
        column, row = where[..., 0] * chart.SIDE, where[..., 1] * chart.SIDE
        paint: Floats = cv2.remap(self.paint, column, row, cv2.INTER_LINEAR)
        strengths = expression @ self.crease_strengths
        if strengths.any():
            lines = np.tensordot(strengths, self.creases, 1)
            dark = cv2.remap(lines, column / 2, row / 2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            paint[..., :3] *= np.exp(-0.42 * dark)[..., None]
        return paint


def turned(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the rotation (3, 3): degrees to the right of the picture, down, and clockwise."""
    y, p, r = np.deg2rad((yaw, pitch, -roll))
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)
