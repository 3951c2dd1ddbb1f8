"""Train the network that measures the pose of a head (`omote.data.pose`), and test it on people it never saw.

    python benchmarks/pose.py train MODEL --to src/omote/data/pose.safetensors
    python benchmarks/pose.py test MODEL [--photos LONDON]

MODEL is the ICT Face Model Light, as for `omote prepare rendered --model`. `train` renders people in random poses with
random expressions and fits the network to their true pose. `test` renders other people: in random poses, each with a
neutral face and with every action unit at its greatest strength. It prints the error of yaw, pitch and roll, and for
each action unit how far it shifts the pitch and how much larger a share of faces it makes "turned away", at the same
pose: for the network, and for the five landmarks of the detector, from which the pose was estimated before. LONDON is
the folder of the London Set: NNN_03.jpg neutral, NNN_08.jpg smiling.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from joblib import Parallel, delayed
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from omote.data import trust
from omote.data.detect import Face, find_detector, find_faces
from omote.data.images import read_photo
from omote.data.pose import DEGREES, SIDE, SQUARE, SQUARE_MARGIN, Pose, cut_input, estimate_pose, normalise
from omote.data.quality import face_square
from omote.synthetic.rendered import Head, read_face_model
from omote.synthetic.rendered.expressions import MAX_STRENGTH, PROTOTYPES, animate, random_mixture
from omote.synthetic.rendered.factors import random_appearance, random_nuisance
from omote.synthetic.rendered.model import FaceModel

Array = np.ndarray[Any, Any]
PICTURE, SCALE = 192, 0.55  # pixels, side of a rendered picture; scale of the head in it
# Numbers of the people to train on: each renders 40 pictures. Held out are those of another seed.
TRAINED, PICTURES, SEED = (*range(54), *range(200, 254)), 40, 7
HELD_OUT, POSES, TEST_SEED = range(16), 6, 8
MAX_YAW, MAX_PITCH = 70.0, 50.0  # degrees, rendered for the training
EPOCHS, BATCH, RATE = 60, 128, 2e-3
ANY_ROLL = 0.3  # share of training inputs with any roll; the others are nearly upright
CHANNELS, HIDDEN = (16, 32, 64, 64), 64


def random_head(model: FaceModel, seed: int, person: int) -> tuple[Head, np.random.Generator]:
    rng = np.random.default_rng([seed, person])
    return Head(model, np.clip(rng.normal(0, 1, 100), -2.5, 2.5), random_appearance(rng)), rng


def random_angles(rng: np.random.Generator) -> tuple[float, float]:
    """Return yaw and pitch: half the heads look anywhere, the others nearly to the camera."""
    if rng.uniform() < 0.5:
        return float(rng.uniform(-MAX_YAW, MAX_YAW)), float(rng.uniform(-MAX_PITCH, MAX_PITCH))
    yaw, pitch = np.clip(rng.normal(0, (20, 16)), -MAX_YAW, MAX_YAW)
    return float(yaw), float(pitch)


def random_expression(rng: np.random.Generator) -> Array:
    units = (
        dict(PROTOTYPES[str(rng.choice(list(PROTOTYPES)))]) if rng.uniform() < 0.3 else random_mixture(rng)
    )
    if rng.uniform() < 0.2:
        units["eyeBlink"] = float(rng.uniform())
    gaze = rng.normal(0, 0.25)
    units |= {"eyeLookUp": max(0.0, gaze), "eyeLookDown": max(0.0, -gaze)}
    side = float(np.clip(rng.normal(0, 0.3), -1, 1))
    amounts: Array = np.clip(animate(units, np.ones(1), side, rng)[0], 0, 1)
    return amounts


def render_training(model: FaceModel, detector: Path, person: int) -> tuple[Array, Array]:
    """Return the squares (n, SQUARE, SQUARE) uint8 of one person's pictures, and yaw and pitch (n, 2) in degrees."""
    cv2.setNumThreads(1)
    head, rng = random_head(model, SEED, person)
    squares, angles = [], []
    for _ in range(PICTURES):
        yaw, pitch = random_angles(rng)
        amounts = random_expression(rng)
        now = replace(
            random_nuisance(rng), yaw=yaw, pitch=pitch, roll=0.0, scale=SCALE, shift_x=0.0, shift_y=0.0
        )
        image = head.render(amounts, now, PICTURE).image
        faces = find_faces(image, detector)
        if faces:
            square = face_square(image, faces[0], SQUARE_MARGIN, SQUARE)
            squares.append(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY))
            angles.append((yaw, pitch))
    return np.stack(squares), np.array(angles, np.float32)


class AugmentedFaces(Dataset[tuple[Array, Array]]):
    """Network inputs and targets; those of an epoch are the same in every run, whatever the number of processes."""

    def __init__(self, squares: Array, angles: Array) -> None:
        self.squares, self.angles, self.epoch = squares, angles, 0

    def __len__(self) -> int:
        return len(self.squares)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng([self.epoch, index])
        square, (yaw, pitch) = self.squares[index], self.angles[index].tolist()
        if rng.uniform() < 0.5:
            square, yaw = square[:, ::-1], -yaw
        roll = rng.uniform(-180, 180) if rng.uniform() < ANY_ROLL else rng.normal(0, 12)
        scale, shift = math.exp(rng.uniform(-0.15, 0.15)), rng.uniform(-0.08, 0.08, 2)
        image = cut_input(np.ascontiguousarray(square), roll, scale, (shift[0], shift[1]))
        target = yaw / DEGREES, pitch / DEGREES, math.cos(math.radians(roll)), math.sin(math.radians(roll))
        return normalise(spoil(image, rng))[None].astype(np.float32), np.array(target, np.float32)


def spoil(image: Array, rng: np.random.Generator) -> Array:
    """Return an input with other contrast, light, sharpness and noise, and sometimes something in front of it."""
    if rng.uniform() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.8))
    if rng.uniform() < 0.5:
        image = 255 * np.clip(image / 255, 0, 1) ** math.exp(rng.normal(0, 0.4))
    if rng.uniform() < 0.5:
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
        image = image * (1 + rng.normal(0, 0.6) * x + rng.normal(0, 0.6) * y)
    image = image + rng.normal(0, rng.uniform(0, 8), image.shape)
    if rng.uniform() < 0.25:
        width, height = rng.integers(6, 22, 2)
        x, y = rng.integers(0, SIDE - width), rng.integers(0, SIDE - height)
        image[y : y + height, x : x + width] = rng.uniform(0, 255)
    return np.asarray(image)


def make_network() -> nn.Sequential:
    layers: list[nn.Module] = []
    for inside, outside in zip((1, *CHANNELS), CHANNELS, strict=False):
        layers += [nn.Conv2d(inside, outside, 3, 2, 1), nn.BatchNorm2d(outside), nn.ReLU()]
    cells = (SIDE // 2 ** len(CHANNELS)) ** 2
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(cells * CHANNELS[-1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 4)
    )


def train(squares: Array, angles: Array, workers: int) -> nn.Sequential:
    torch.manual_seed(0)
    faces, network = AugmentedFaces(squares, angles), make_network()
    batches = DataLoader(faces, BATCH, shuffle=True, drop_last=True, num_workers=workers)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * len(batches))
    for epoch in range(EPOCHS):
        faces.epoch, losses = epoch, []
        for inputs, targets in batches:
            loss = nn.functional.smooth_l1_loss(network(inputs), targets, beta=0.2)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {np.mean(losses):.4f}", flush=True)
    return network.eval()


def to_tensors(network: nn.Sequential) -> dict[str, Array]:
    """Return the layers as `omote.data.pose` computes them, in float16: batch normalisation is part of the weights."""
    layers: list[tuple[Tensor, Tensor]] = []
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            layers.append((layer.weight.detach().double(), layer.bias.detach().double()))
        elif isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            factor = layer.weight.detach().double() / (layer.running_var.double() + layer.eps).sqrt()
            weight, bias = layers[-1]
            shift = layer.bias.detach().double() - layer.running_mean.double() * factor
            layers[-1] = weight * factor[:, None, None, None], bias * factor + shift
    tensors = {}
    for number, (weight, bias) in enumerate(layers):
        if number == len(CHANNELS):  # from channels first, as torch flattens, to channels last
            cells = SIDE // 2 ** len(CHANNELS)
            weight = weight.reshape(-1, CHANNELS[-1], cells, cells).permute(0, 2, 3, 1)
        tensors[f"weight_{number}"] = weight.reshape(len(weight), -1).T.numpy()
        tensors[f"bias_{number}"] = bias.numpy()
    return {name: np.ascontiguousarray(tensor, np.float16) for name, tensor in tensors.items()}


# The pose as it was estimated before the network: the head of average proportions that best fits five landmarks.
# In cm: x to the person's left, y up, z to the front, at the places where YuNet puts them.
POINTS = np.array(
    [
        [-3.18, 3.36, 8.92],
        [3.18, 3.36, 8.92],
        [0.0, -0.41, 13.09],
        [-2.43, -3.47, 10.23],
        [2.43, -3.47, 10.23],
    ]
)
CAMERA = 80.0  # cm, assumed distance of the camera from the head
MAX_PITCH_OF_LANDMARKS = 12.0  # degrees, beyond which a head counted as turned away; yaw as now


def pose_of_landmarks(image: Array, face: Face) -> Pose:
    head = (POINTS - POINTS.mean(0)) * (1, -1, -1)  # x right, y down, z away: OpenCV's axes
    marks = np.asarray(face.landmarks, np.float64) - np.mean(face.landmarks, axis=0)
    scale = float(np.sqrt((marks**2).sum() / (head[:, :2] ** 2).sum()))  # pixels per cm
    ahead = np.zeros(3), np.array([0.0, 0.0, CAMERA])  # start of the search
    camera = np.diag([CAMERA, CAMERA, 1.0])
    _, turn, _ = cv2.solvePnP(head, marks / scale, camera, None, *ahead, True, cv2.SOLVEPNP_ITERATIVE)
    r = cv2.Rodrigues(turn)[0] * np.outer((1, -1, -1), (1, -1, -1))
    yaw = math.asin(min(1.0, max(-1.0, -r[2, 0])))
    angles = yaw, math.atan2(r[2, 1], r[2, 2]), math.atan2(-r[1, 0], r[0, 0])
    return Pose(*map(math.degrees, angles))


class Method(NamedTuple):
    estimate: Callable[[Array, Face], Pose]
    max_pitch: float

    def is_doubted(self, pose: Pose) -> bool:
        return abs(pose.yaw) > trust.MAX_YAW or abs(pose.pitch) > self.max_pitch


METHODS = {
    "landmarks": Method(pose_of_landmarks, MAX_PITCH_OF_LANDMARKS),
    "network": Method(estimate_pose, trust.MAX_PITCH),
}


class Rendered(NamedTuple):
    """A held-out person in one pose with one action unit, as the methods see it."""

    pose: tuple[int, int]  # person, and number of the pose
    unit: str  # "" for neutral
    angles: Pose  # true
    found: dict[str, Pose]  # by method


def render_held_out(model: FaceModel, detector: Path, person: int) -> list[Rendered]:
    cv2.setNumThreads(1)
    head, rng = random_head(model, TEST_SEED, person)
    rendered = []
    for number in range(POSES):
        angles = Pose(*map(float, (rng.uniform(-40, 40), rng.uniform(-40, 40), rng.uniform(-15, 15))))
        now = replace(random_nuisance(rng), **angles._asdict(), scale=SCALE, shift_x=0.0, shift_y=0.0)
        for unit in ["", *MAX_STRENGTH]:
            strengths = {unit: MAX_STRENGTH[unit]} if unit else {}
            amounts = animate(strengths, np.ones(1), 0.0, np.random.default_rng(person))[0]
            image = head.render(np.clip(amounts, 0, 1), now, PICTURE).image
            faces = find_faces(image, detector)
            if faces:
                found = {name: method.estimate(image, faces[0]) for name, method in METHODS.items()}
                rendered.append(Rendered((person, number), unit, angles, found))
    return rendered


def print_errors(rendered: Sequence[Rendered]) -> None:
    true = np.array([one.angles for one in rendered])
    print(
        f"{len(rendered)} pictures of {len(HELD_OUT)} held-out people, turned by up to 40, 40 and 15 degrees"
    )
    for name in METHODS:
        found = np.array([one.found[name] for one in rendered])
        for i, angle in enumerate(Pose._fields):
            slope = np.polyfit(true[:, i], found[:, i], 1)[0]
            print(
                f"{name}: {angle} off by {np.abs(found - true)[:, i].mean():.1f} degrees, slope {slope:.2f}"
            )


def print_units(rendered: Sequence[Rendered]) -> None:
    """Print what each action unit changes at the same pose of the same person."""
    neutral = {one.pose: one for one in rendered if not one.unit}
    print(
        "action unit: shift of the pitch in degrees, share doubted minus that of the neutral faces in points"
    )
    differences: dict[str, list[tuple[float, float]]] = {name: [] for name in METHODS}
    for unit in MAX_STRENGTH:
        pairs = [(one, neutral[one.pose]) for one in rendered if one.unit == unit and one.pose in neutral]
        cells = []
        for name, method in METHODS.items():
            shift = np.mean([one.found[name].pitch - other.found[name].pitch for one, other in pairs])
            with_unit, without = np.mean(
                [[method.is_doubted(each.found[name]) for each in pair] for pair in pairs], axis=0
            )
            more = 100 * float(with_unit - without)
            differences[name].append((float(shift), more))
            cells.append(f"{name} {shift:+.1f} {more:+.0f}")
        print(f"{unit} ({len(pairs)}): {', '.join(cells)}")
    for name in METHODS:
        shifts, points = np.abs(differences[name]).T
        doubted = [METHODS[name].is_doubted(one.found[name]) for one in rendered if not one.unit]
        print(
            f"{name}: neutral faces doubted {100 * np.mean(doubted):.0f} %; over the action units, pitch is shifted "
            f"by {shifts.mean():.1f} (mean) and {shifts.max():.1f} (most), the share doubted by {points.mean():.1f} "
            f"and {points.max():.1f}"
        )


def print_photos(folder: Path, detector: Path) -> None:
    found: dict[str, dict[str, dict[str, Pose]]] = {name: {} for name in METHODS}
    turned: dict[int, list[float]] = {}
    for file in sorted(folder.glob("*_0[38].jpg")):
        image = read_photo(file)
        face = find_faces(image, detector)[0]
        for name, method in METHODS.items():
            found[name].setdefault(file.stem[:3], {})[file.stem[4:]] = method.estimate(image, face)
        for quarter in (1, 2, 3) if file.stem.endswith("03") else ():
            faces = find_faces(np.ascontiguousarray(np.rot90(image, -quarter)), detector)
            if faces:
                pose = estimate_pose(np.ascontiguousarray(np.rot90(image, -quarter)), faces[0])
                turned.setdefault(90 * quarter, []).append(abs(math.remainder(pose.roll - 90 * quarter, 360)))
    for name, method in METHODS.items():
        pairs = [(both["03"], both["08"]) for both in found[name].values() if len(both) == 2]
        pitches = np.array([(before.pitch, after.pitch) for before, after in pairs])
        more = sum(method.is_doubted(after) and not method.is_doubted(before) for before, after in pairs)
        shift = pitches[:, 1] - pitches[:, 0]
        print(
            f"{name}: {len(pairs)} people, pitch neutral {pitches[:, 0].mean():.1f} and smiling "
            f"{pitches[:, 1].mean():.1f} (mean), shifted by {shift.mean():+.1f} (deviation {shift.std():.1f}), at most "
            f"{np.abs(pitches).max():.1f}; "
            f"doubted only when smiling {more}"
        )
    for angle, errors in turned.items():
        print(
            f"photos turned by {angle} degrees: roll off by {np.mean(errors):.1f} (mean), {max(errors):.1f} (most)"
        )


def in_parallel(
    job: Callable[..., Any], model: FaceModel, detector: Path, people: Sequence[int]
) -> Iterator[Any]:
    return iter(Parallel(n_jobs=-1)(delayed(job)(model, detector, person) for person in people))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("train", "test"), nargs="?")
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--to", type=Path, default=Path("pose.safetensors"))
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--detector", type=Path)
    args = parser.parse_args()
    if args.model is None:
        print("nothing measured: give train or test, and the ICT Face Model Light")
        return
    cv2.setNumThreads(1)
    detector, model = find_detector(args.detector), read_face_model(args.model)
    if args.action == "train":
        torch.set_num_threads(1)
        parts = list(in_parallel(render_training, model, detector, TRAINED))
        squares, angles = (np.concatenate(part) for part in zip(*parts, strict=True))
        save_file(to_tensors(train(squares, angles, 2)), args.to)
        return
    rendered = [one for of in in_parallel(render_held_out, model, detector, HELD_OUT) for one in of]
    print_errors(rendered)
    print_units(rendered)
    if args.photos:
        print_photos(args.photos, detector)


if __name__ == "__main__":
    main()
