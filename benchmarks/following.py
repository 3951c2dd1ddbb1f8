"""Measure how well faces are tracked (`omote.data.track`), and which are not trusted (`omote.data.trust`).

    python benchmarks/following.py PHOTOS MODEL [--detector FILE]

PHOTOS is the folder of the London Set: NNN_03.jpg shows person NNN neutral, NNN_08.jpg smiling. MODEL is the ICT face
model, as for `omote prepare rendered --model`. The limits of the tracker's appearance distance were set on people with
odd numbers; people with even numbers are held out and appear in the synthetic videos. The limits of quality were set on
all photos. The detector is found as by any other command.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from omote.data import quality, track, trust
from omote.data.detect import Face, find_detector, find_faces, find_only_face
from omote.data.images import read_photo
from omote.data.pose import estimate_pose
from omote.data.track import MAX_DISTANCE, Tracker
from omote.synthetic.rendered import Head, read_face_model
from omote.synthetic.rendered.expressions import animate, random_mixture
from omote.synthetic.rendered.factors import random_appearance, random_nuisance

Array = np.ndarray[Any, Any]
NEUTRAL, SMILE = "03", "08"
ROUNDS, WIDTH, HEIGHT = 8, 640, 480  # of the synthetic videos
HEADS, TURNS = 12, 9  # rendered people, and random head poses of each


class DetectedPhoto(NamedTuple):
    image: Array
    face: Face


class RenderedPose(NamedTuple):
    person: int
    angles: tuple[float, float, float]  # degrees of yaw, pitch, roll
    shown: DetectedPhoto | None  # None if no face was found


def read_photos(folder: Path, detector: Path) -> dict[str, DetectedPhoto]:
    photos = {}
    for file in sorted(folder.glob(f"*_{NEUTRAL}.jpg")) + sorted(folder.glob(f"*_{SMILE}.jpg")):
        image = read_photo(file)
        face = find_only_face(image, detector)
        if isinstance(face, Face):
            photos[file.stem] = DetectedPhoto(image, face)
    return {
        name: shown
        for name, shown in photos.items()
        if {f"{name[:3]}_{n}" for n in (NEUTRAL, SMILE)} <= set(photos)
    }


def render_heads(model: Path, detector: Path) -> list[RenderedPose]:
    """Render people in rooms: facing the camera, and in random poses."""
    face_model, pictures = read_face_model(model), []
    for person in range(HEADS):
        rng = np.random.default_rng([1, person])
        head = Head(face_model, np.clip(rng.normal(0, 1, 100), -2.5, 2.5), random_appearance(rng))
        session = random_nuisance(rng)
        at_random = rng.uniform((-30, -20, -15), (30, 20, 15), (TURNS, 3)).tolist()
        for yaw, pitch, roll in [(0, 0, 0), *at_random]:
            amounts = animate(random_mixture(rng), np.ones(1), 0.0, rng)[0]
            now = replace(session, yaw=yaw, pitch=pitch, roll=roll, scale=0.6, shift_x=0.0, shift_y=0.0)
            image = head.render(amounts, now, 256).image
            face = find_only_face(image, detector)
            shown = DetectedPhoto(image, face) if isinstance(face, Face) else None
            pictures.append(RenderedPose(person, (yaw, pitch, roll), shown))
    return pictures


def percent(values: Any) -> str:
    return f"{100 * np.mean(values):.1f} %"


def keeps_number(one: DetectedPhoto, others: list[DetectedPhoto]) -> Array:
    """Return for each of ``others`` whether the tracker gives it the same number when it follows ``one`` in a video."""
    tracker = Tracker()
    tracker.follow(one.image, [one.face])
    state = tracker.state()
    return np.array([Tracker.from_state(state).follow(image, [face]) == [0] for image, face in others])


def print_looks(photos: dict[str, DetectedPhoto], pictures: list[RenderedPose]) -> None:
    people = sorted({name[:3] for name in photos})
    for rest, kind in ((1, "odd people, limits found on them"), (0, "even people, held out")):
        some = [person for person in people if int(person) % 2 == rest]
        before, after = ([photos[f"{person}_{photo}"] for person in some] for photo in (NEUTRAL, SMILE))
        ours, theirs = (
            np.array([track.describe_appearance(*one) for one in of], float) / 255 for of in (before, after)
        )
        distances = np.linalg.norm(ours[:, None] - theirs, axis=2)
        near = np.stack([keeps_number(one, after) for one in before])
        same = np.eye(len(some), dtype=bool)
        print(f"{kind} ({len(some)})")
        middle, most = np.median(distances[same]), distances[same].max()
        print(f"    distance of a person's photos {middle:.2f} (median), {most:.2f} (most)")
        print(f"    distance of two people's {np.median(distances[~same]):.2f} (median)")
        for place, alike in (("elsewhere", distances < MAX_DISTANCE), ("same place", near)):
            print(f"    {place}: missed {percent(~alike[same])}, others taken {percent(alike[~same])}")

    kept: dict[str, list[bool]] = {}
    changes: dict[bool, list[float]] = {True: [], False: []}
    straight = [(one, one.shown, track._make_thumbnail(one.shown.image)) for one in pictures if one.shown]
    for (a, now, scene), (b, later, later_scene) in permutations(straight, 2):
        turn = np.abs(np.subtract(a.angles, b.angles))
        if a.person == b.person:
            yaw, tilt = 20 * int(turn[0] // 20), "less" if turn[1:].max() < 15 else "more"
            kind = f"{yaw}-{yaw + 20} degrees of yaw, {tilt} than 15 of pitch and roll"
            kept.setdefault(kind, []).append(bool(keeps_number(now, [later])[0]))
        changes[a.person == b.person].append(float(np.abs(scene - later_scene).mean()))
    for kind, known in sorted(kept.items()):
        print(f"rendered heads turned at once by {kind}: missed {percent(~np.array(known))} of {len(known)}")
    beyond, middle = percent(np.array(changes[False]) > track.SCENE_CHANGE), np.median(changes[False])
    print(f"change of the picture: {max(changes[True]):.0f} (most) as the head turns")
    print(f"    {middle:.0f} (median) to another person and room, {beyond} beyond SCENE_CHANGE")


PlacedFace = tuple[str, float, float, float]  # name of the photo; centre (x, y) and height of the box
Video = list[tuple[int, list[PlacedFace]]]  # per frame: the room, and the faces in it, the last in front
WARM = 2  # room 0 in warmer light


def paste(image: Array, shown: DetectedPhoto, x: float, y: float, height: float) -> Array:
    """Return the (H, W, 3) float image with head and neck of the photo pasted in as a soft ellipse."""
    (left, top, width, high), scale = shown.face.box, height / shown.face.box[3]
    row, column = np.mgrid[: shown.image.shape[0], : shown.image.shape[1]]
    across, down = column - left - width / 2, row - top - high * 0.45
    far = (across / (0.78 * width)) ** 2 + (down / (0.85 * high)) ** 2
    layers: Array = np.dstack([shown.image, 255 * np.clip((1.15 - far) / 0.15, 0, 1)]).astype(np.float32)
    layers = cv2.GaussianBlur(layers, (0, 0), 0.4 / scale)
    move = np.array([[scale, 0, x - scale * (left + width / 2)], [0, scale, y - scale * (top + high / 2)]])
    layers = cv2.warpAffine(layers, move, (WIDTH, HEIGHT))
    share = layers[..., 3:] / 255
    return np.asarray(image * (1 - share) + layers[..., :3] * share)


def make_videos(rng: np.random.Generator, one: str, other: str) -> dict[str, Video]:
    both = one, other

    def turn(k: int) -> int:
        return k // 20 % 2

    def at(person: str, k: int, x: float, y: float, height: float) -> PlacedFace:
        return f"{person}_{SMILE if k // 12 % 2 else NEUTRAL}", x, y, height

    def moving(k: int) -> list[PlacedFace]:
        there = not (50 <= k < 65 or 90 <= k < 93)
        moved = 320 + 220 * np.sin(k / 17), 240 + 60 * np.sin(k / 11), 130 + 50 * np.sin(k / 23)
        return [at(one, k, *moved)] if there else []

    def crossing(k: int) -> list[PlacedFace]:
        return [at(one, k, 100 + 4.4 * k, 220, 120), at(other, k + 12, 540 - 4.4 * k, 240, 150)]

    def still(k: int, person: str) -> list[PlacedFace]:
        return [at(person, k, 320 + rng.uniform(-5, 5), 240, 170)]

    return {
        "one who moves, smiles, leaves and comes back": [(0, moving(k)) for k in range(120)],
        "cuts between two people in two rooms": [(turn(k), still(k, both[turn(k)])) for k in range(80)],
        "two who cross, one hiding the other": [(0, crossing(k)) for k in range(100)],
        "another in the same place at once": [(0, still(k, both[turn(k)])) for k in range(40)],
        "one, and warmer white balance at once": [(k // 20 * WARM, still(k, one)) for k in range(40)],
    }


def render_frames(
    video: Video, photos: dict[str, DetectedPhoto], rng: np.random.Generator
) -> Iterator[Array]:
    coarse = rng.uniform(0, 128, (2, 6, 8, 3)) + rng.uniform(30, 120, (2, 1, 1, 1))
    rooms = [cv2.resize(room, (WIDTH, HEIGHT)) for room in coarse]
    for room, people in video:
        image: Array = rooms[room % WARM]
        for name, x, y, height in people:
            image = paste(image, photos[name], x, y, height)
        image = image * ((1.1, 1, 0.9) if room == WARM else 1)
        yield np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)


def who(face: Face, people: list[PlacedFace]) -> str | None:
    """Return the person nearest to the face, None if nobody is near."""
    x, y = face.box[:2] + face.box[2:] / 2
    distances = [(float(np.hypot(x - px, y - py)) / height, name[:3]) for name, px, py, height in people]
    return min(distances)[1] if distances and min(distances)[0] < 0.4 else None


def print_videos(photos: dict[str, DetectedPhoto], detector: Path) -> None:
    """Print how many faces have another track number than most faces of the same person in that video."""
    rng = np.random.default_rng(2)
    people = sorted({name[:3] for name in photos if int(name[:3]) % 2 == 0})
    counts: dict[str, Counter[str]] = {}
    for _ in range(ROUNDS):
        both = rng.choice(people, 2, replace=False).tolist()
        for kind, video in make_videos(rng, *both).items():
            images = list(render_frames(video, photos, rng))
            found = [find_faces(image, detector) for image in images]
            for every in (1, 10):
                tracker, ids = Tracker(), np.zeros((2, 1000))
                for k in range(0, len(video), every):
                    for face, number in zip(found[k], tracker.follow(images[k], found[k]), strict=True):
                        person = who(face, video[k][1])
                        if person:
                            ids[both.index(person), number] += 1
                wrong = int(ids.sum() - ids[linear_sum_assignment(ids, maximize=True)].sum())
                count = counts.setdefault(f"{kind}, every {every}", Counter())
                count.update(wrong=wrong, faces=int(ids.sum()), videos=int(wrong > 0))
    for kind, count in counts.items():
        print(f"{kind}: {count['wrong']} of {count['faces']}, in {count['videos']} of {ROUNDS} videos")


def blur_face(width: float, image: Array, face: Face) -> Array:
    return cv2.GaussianBlur(image, (0, 0), width * face.box[3] / quality.SIDE)


def shrink(height: float, image: Array, face: Face) -> Array:
    scale = height / face.box[3]
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def cover_lower_half(image: Array, face: Face) -> Array:
    x, y, width, height = face.box.round().astype(int)
    image = image.copy()
    image[y + height // 2 : y + height * 11 // 10, max(0, x - width // 10) : x + width * 11 // 10] = 90
    return image


def cut_off(image: Array, face: Face) -> Array:
    return np.ascontiguousarray(image[:, : int(face.box[0] + face.box[2] * 2 / 3)])


CHANGES: dict[str, Callable[[Array, Face], Array]] = {
    "as they are": lambda image, face: image,
    **{f"Gaussian of {width} of 64 pixels": partial(blur_face, width) for width in (1, 2, 3)},
    **{f"{height} pixels high": partial(shrink, height) for height in (32, 24, 16)},
    "lower half covered": cover_lower_half,
    "a third cut off": cut_off,
}


def print_doubts(photos: dict[str, DetectedPhoto], detector: Path) -> None:
    for change, changed in CHANGES.items():
        numbers, reasons = [], []
        for shown in photos.values():
            image = changed(*shown)
            face = find_only_face(image, detector)
            if isinstance(face, Face):
                found = trust.measure_quality(image, face)
                numbers.append((*np.abs(found), face.score))
                reasons.append(trust.find_doubts(face, found))
        least, mean, most = (pick(numbers, axis=0) for pick in (np.min, np.mean, np.max))
        why = {reason: percent([reason in one for one in reasons]) for one in reasons for reason in one}
        print(
            f"{change}: {len(reasons)} found, doubted {percent([bool(one) for one in reasons])} {why or ''}"
        )
        names = (*trust.Quality._fields, "score")
        told = [
            f"{name} {a:.2f}-{b:.2f} ({m:.2f})"
            for name, a, b, m in zip(names, least, most, mean, strict=True)
        ]
        print(f"    {', '.join(told)}")


def print_times(shown: DetectedPhoto) -> None:
    tracker = Tracker()
    jobs: dict[str, Callable[[], object]] = {
        "follow": lambda: tracker.follow(shown.image, [shown.face]),
        "blur": lambda: quality.measure_blur(*shown),
        "pose": lambda: estimate_pose(*shown),
    }
    for name, job in jobs.items():
        times = []
        for _ in range(300):
            start = time.perf_counter()
            job()
            times.append(time.perf_counter() - start)
        print(f"{name}: {1000 * np.median(times):.2f} ms a face (median)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="?")
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--detector", type=Path)
    args = parser.parse_args()
    if args.model is None:
        print("nothing measured: give the folder of the London Set and the ICT Face Model Light")
        return
    cv2.setNumThreads(1)
    detector = find_detector(args.detector)
    photos = read_photos(args.photos, detector)
    if len({int(name[:3]) % 2 for name in photos}) < 2:
        parser.error(
            f"{args.photos} needs photos NNN_03.jpg and NNN_08.jpg of people with odd and with even numbers."
        )
    pictures = render_heads(args.model, detector)
    print(f"{len(photos)} photos and {len(pictures)} rendered pictures; faces found in", end=" ")
    print(f"{sum(one.shown is not None for one in pictures)} of the rendered ones")
    print("\nAppearance distance")
    print_looks(photos, pictures)
    print("\nSynthetic videos: faces with another track number than their person's")
    print_videos(photos, detector)
    print("\nAltered photos, detected again")
    print_doubts(photos, detector)
    print("\nTime")
    print_times(next(iter(photos.values())))


if __name__ == "__main__":
    main()
