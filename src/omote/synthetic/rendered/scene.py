"""A head in front of a camera, rendered to an image.

Triangles are rasterised twice: once with their texels and the visibility of the lamp, once with their normals and the
visibility of the sky. Albedo is then sampled and shaded per pixel. Hair in front of the head and lashes are a second
layer with an alpha channel.
"""

import cv2
import numpy as np
from scipy import sparse

from omote.synthetic.interpolation import smoothstep
from omote.synthetic.plan import FaceImage
from omote.synthetic.rendered import atlas, hair, light, raster
from omote.synthetic.rendered.albedo import paint_atlas
from omote.synthetic.rendered.anatomy import EYEBALLS, SKIN_END, select_anatomy
from omote.synthetic.rendered.atlas import Floats
from omote.synthetic.rendered.creases import crease_maps
from omote.synthetic.rendered.factors import Appearance, Nuisance
from omote.synthetic.rendered.model import FaceModel
from omote.synthetic.rendered.wild import Wild, develop, light_up, put_on

DISTANCE = 110.0  # from the camera to the face, cm
NECK = np.array((0.0, -2.0, -1.0), np.float32)  # centre of the head's rotation, cm
OVERSAMPLING = 1.5  # rasterised pixels per image pixel, each way
MAX_HAIR_LIGHT = 3.0  # scales the light on hair into [0, 1] for the rasteriser
MARGIN = 0.05  # of the image round the box of the neutral face, as a share of the box
AVERAGE_EYES, AVERAGE_BREADTH = np.array((0.0, 3.4, 8.9)), 14.8  # between the eyes, and of the face, cm
EYE_ROTATIONS = {
    "eyeLookIn": 32.0,
    "eyeLookOut": 32.0,
    "eyeLookUp": 26.0,
    "eyeLookDown": 30.0,
}  # degrees at 1


class Head:
    """One person, ready to be rendered with any expression and nuisance."""

    def __init__(self, model: FaceModel, identity: Floats, appearance: Appearance) -> None:
        """Prepare a person, which takes as long as rendering some twenty images.

        Args:
            identity: (100,) coefficients of the model's modes, each N(0, 1) over people.
        """
        self.names = model.expression_names
        self.anatomy = select_anatomy(model)
        kept = self.anatomy.kept
        person = model.base + np.tensordot(np.asarray(identity, np.float32), model.identity, 1)
        self.neutral = person[kept]
        self.shapes = model.expression[:, kept].reshape(len(model.expression), -1)
        self.eye_centres = [(person[ball].min(0) + person[ball].max(0)) / 2 for ball in EYEBALLS]

        mesh = hair.build_hair(appearance, model.base[:SKIN_END], person[:SKIN_END])
        self.hair = mesh.vertices
        hair_triangles = mesh.triangles + len(kept)
        behind = self.hair[mesh.triangles, 2].max(1) < -0.5
        self.solid = np.concatenate([self.anatomy.face, hair_triangles[behind][:, ::-1], self.anatomy.mouth])
        # While the mouth is closed, only the first triangles of `solid` are rendered.
        self.num_closed = len(self.solid) - len(self.anatomy.mouth)
        self.overlay = np.concatenate([self.anatomy.lashes, hair_triangles[~behind]])
        self.triangles = np.concatenate([self.solid, self.overlay])
        # Texture coordinates in [0, 1].
        self.texels = np.concatenate([self.anatomy.texels, hair.atlas_texels(mesh.texels)]) / atlas.ATLAS_SIZE
        self.pupil_offsets = atlas.pupil_offsets(self.anatomy.texels) / atlas.ATLAS_SIZE
        overlay_texels = np.concatenate([hair.lash_texels(model.base, kept), mesh.texels])
        self.overlay_texels = overlay_texels / hair.TEXTURE_SIZE

        skin = model.triangles[(model.triangles < SKIN_END).all(1)]
        points = atlas.texel_points(model.base[:SKIN_END], skin)
        self.overlay_texture = hair.paint_hair_texture(appearance)
        self.albedo = paint_atlas(appearance, points, self.overlay_texture[: hair.HAIR_ROWS, :, :3])
        self.crease_strengths, self.creases = crease_maps(points, self.names)

        self.corners = np.ascontiguousarray(self.triangles.T)
        count = len(self.triangles)
        ones, columns = np.ones(3 * count, np.float32), np.repeat(np.arange(count), 3)
        shape = (len(kept) + len(self.hair), count)
        self.incidence = sparse.csr_array((ones, (self.triangles.ravel(), columns)), shape)
        visibility = light.bake_visibility(np.concatenate([self.neutral, self.hair]), self.triangles)
        # The neutral mouth is closed and sees no sky, so its visibility is set as for an open one: by depth.
        inside = self.anatomy.inside
        visibility[inside] = (0.08 + 0.8 * smoothstep(self.neutral[inside, 2], 7.0, 11.0))[:, None]
        self.sky_visibility = light.smooth_over_mesh(0.1 + 0.9 * visibility, self.incidence)

        self.neutral_lip_gap = self._lip_gap(self.neutral, np.eye(3))
        box = self.neutral[self.anatomy.box]
        low = np.array((box[:2, 0].min(), box[2:, 1].min()))
        high = np.array((box[:2, 0].max(), box[2:, 1].max()))
        self.centre = np.append((low + high) / 2, box[2:, 2].mean())
        self.eyes = self.neutral[self.anatomy.landmarks[:2]].mean((0, 1))
        self.breadth = np.ptp(box[:2, 0]) / AVERAGE_BREADTH
        self.side = (1 + 2 * MARGIN) * (high - low).max()  # of the image, in cm at the face

    def render(
        self, expression: Floats, nuisance: Nuisance, size: int, wild: Wild | None = None
    ) -> FaceImage:
        """Return an image; its frame does not follow the expression, and (0, 0) is the image's upper left corner.

        Args:
            expression: (57,) coefficients of the model's shapes, in [0, 1].
            size: side of the image in pixels.
            wild: what a photo outside a studio adds; None for nothing.
        """
        expression = np.asarray(expression, np.float32)
        face = self.neutral + (expression @ self.shapes).reshape(-1, 3)
        self._turn_eyes(face, expression, nuisance)

        rotation = rotation_matrix(nuisance.yaw, nuisance.pitch, nuisance.roll)
        side = self.side / nuisance.scale
        position = (nuisance.shift_x * side, -nuisance.shift_y * side, -DISTANCE)
        shift = (position - (self.centre - NECK) @ rotation.T).astype(np.float32)
        vertices = (np.concatenate([face, self.hair]) - NECK) @ rotation.T + shift
        layers = self._render_layers(vertices, expression, rotation, side, nuisance, size)
        head, alpha, strands, strand_alpha = layers
        scene = light.paint_background(nuisance, size)
        scene = scene + (head - scene) * alpha
        scene = scene * (1 - strand_alpha) + strands

        def project(points: Floats) -> Floats:
            pixels_per_cm = size / side * DISTANCE / -points[:, 2:]
            projected: Floats = points[:, :2] * pixels_per_cm * (1, -1) + size / 2
            return projected

        if wild:

            def project_worn(points: Floats) -> Floats:
                worn = self.eyes + (points - AVERAGE_EYES) * self.breadth
                return project((worn - NECK) @ rotation.T + shift)

            scene = light_up(put_on(scene, wild, project_worn, size / side), wild)
        image = light.take_picture(scene, nuisance)
        pixels = project(vertices[: len(face)])
        box = pixels[self.anatomy.box]
        return FaceImage(
            develop(image, wild) if wild else image,
            pixels[self.anatomy.landmarks].mean(1),
            np.concatenate([box.min(0), np.ptp(box, axis=0)]),
        )

    def _render_layers(
        self,
        vertices: Floats,
        expression: Floats,
        rotation: Floats,
        side: float,
        nuisance: Nuisance,
        size: int,
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the shaded head (size, size, 3), its alpha (size, size, 1), and the same for the hair in front of it.

        The colour of the hair is premultiplied by its alpha.

        Args:
            vertices: (N, 3) in camera coordinates.
            side: of the image, in cm at the face.
        """
        fine, view = int(size * OVERSAMPLING), 2 * float(np.arctan(side / 2 / DISTANCE))
        normals = self._vertex_normals(vertices)[:, :2]
        for eye in self.anatomy.eyes:  # a cornea curved more than the model's, for a small highlight
            normals[eye] = np.clip(1.7 * normals[eye], -0.7, 0.7)
        opened = smoothstep((self._lip_gap(vertices, rotation) - self.neutral_lip_gap).max(), 0.05, 0.8)  # cm
        lamp = light.lamp_direction(nuisance)
        visibility = light.light_visibility(self.sky_visibility, lamp, rotation)
        visibility[self.anatomy.inside] *= 0.1 + 0.9 * opened
        texels = self.texels.copy()
        for name, eye in zip("LR", self.anatomy.eyes, strict=True):
            texels[eye] += expression[self.names.index(f"PupilDilate_{name}")] * self.pupil_offsets[eye]

        triangles = self.solid if opened > 0 else self.solid[: self.num_closed]
        values = np.column_stack([texels, visibility[:, 0]])
        surface, depth = raster.rasterise(vertices, triangles, values, fine, view, culling=True)
        values = np.column_stack([normals * 0.5 + 0.5, visibility[:, 1]])
        facing, _ = raster.rasterise(vertices, triangles, values, fine, view, culling=True)
        hair_light = light.shade_hair(visibility, normals, lamp, nuisance) / MAX_HAIR_LIGHT
        values = np.column_stack([self.overlay_texels, hair_light])
        overlay, overlay_depth = raster.rasterise(vertices, self.overlay, values, fine, view, depth)

        alpha: Floats = (depth < raster.FAR - 1).astype(np.float32)[..., None]
        albedo = self._sample_albedo(surface, expression) * alpha
        column, row = overlay[..., 0] * hair.TEXTURE_SIZE, overlay[..., 1] * hair.TEXTURE_SIZE
        strands: Floats = cv2.remap(self.overlay_texture, column, row, cv2.INTER_LINEAR)
        strand_alpha = strands[..., 3:] * (overlay_depth < depth - 0.01)[..., None]
        strands = strands[..., :3] * (MAX_HAIR_LIGHT * strand_alpha * overlay[..., 2:])

        # From here on in pixels of the image.
        albedo, surface, facing, alpha, strands, strand_alpha = (
            cv2.resize(layer, (size, size), interpolation=cv2.INTER_AREA).reshape(size, size, -1)
            for layer in (albedo, surface, facing, alpha, strands, strand_alpha)
        )
        weight = np.maximum(alpha, 1e-3)
        albedo, facing = albedo / weight, facing / weight
        visibility = np.dstack([surface[..., 2:] / weight, facing[..., 2]])
        normals = facing[..., :2] * 2 - 1
        head = light.shade_surface(albedo[..., :3], albedo[..., 3], visibility, normals, lamp, nuisance)
        return head, alpha, strands, strand_alpha

    def _lip_gap(self, vertices: Floats, rotation: Floats) -> Floats:
        """Return the distance (K,) between upper and lower lip along the upright axis of the head, cm."""
        upper, lower = (vertices[self.anatomy.lips] @ rotation)[..., 1]
        gap: Floats = upper - lower
        return gap

    def _turn_eyes(self, face: Floats, expression: Floats, nuisance: Nuisance) -> None:
        """Rotate the eyeballs in place; the shapes of the model move the lids only."""
        value = dict(zip(self.names, expression.tolist(), strict=True))
        for side, index, centre in zip("LR", self.anatomy.eyes, self.eye_centres, strict=True):
            angle = {name: degrees * value[f"{name}_{side}"] for name, degrees in EYE_ROTATIONS.items()}
            outwards = angle["eyeLookOut"] - angle["eyeLookIn"]
            yaw = nuisance.gaze_x + (outwards if side == "L" else -outwards)
            pitch = angle["eyeLookDown"] - angle["eyeLookUp"] - nuisance.gaze_y
            face[index] = (face[index] - centre) @ rotation_matrix(yaw, pitch, 0.0).T + centre

    def _vertex_normals(self, vertices: Floats) -> Floats:
        points = np.ascontiguousarray(vertices.T)
        a, b, c = (points.take(corner, 1) for corner in self.corners)
        (ux, uy, uz), (vx, vy, vz) = b - a, c - a
        normals = self.incidence @ np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], 1)
        normals /= (np.sqrt(np.einsum("ij,ij->i", normals, normals)) + 1e-9)[:, None]
        return np.asarray(normals)

    def _sample_albedo(self, surface: Floats, expression: Floats) -> Floats:
        """Return albedo and gloss (fine, fine, 4) of pixels, darkened in the creases of the expression."""
        column, row = surface[..., 0] * atlas.ATLAS_SIZE, surface[..., 1] * atlas.ATLAS_SIZE
        albedo: Floats = cv2.remap(self.albedo, column, row, cv2.INTER_LINEAR)
        strengths = expression @ self.crease_strengths
        if strengths.any():
            creases = np.tensordot(strengths, self.creases, 1)
            depth = cv2.remap(creases, column / 2, row / 2, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            albedo[..., :3] *= np.exp(-0.42 * depth)[..., None]
        return albedo


def rotation_matrix(yaw: float, pitch: float, roll: float) -> Floats:
    """Return the rotation (3, 3) of a head by degrees to the right of the image, down, and clockwise."""
    y, p, r = np.deg2rad((yaw, pitch, -roll))
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float32)
