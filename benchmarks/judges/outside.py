"""Read the images of `omote audit --write-swaps` by two judges from outside omote, for `--judge-table`.

    python3.11 -m venv judges && judges/bin/pip install -r benchmarks/judges/requirements.txt
    omote audit RUN --write-swaps FOLDER
    judges/bin/python benchmarks/judges/outside.py FOLDER --to outside.csv
    omote audit RUN --judge-table outside.csv

- identity: 128 numbers of dlib's face recognition network (King, dlib-models; face_recognition_models, public domain),
  on a face found by dlib's detector and aligned by five landmarks.
- expression: geometry of MediaPipe's face mesh (Apache-2.0): the coordinates of 28 points of brows, eyes, nose, cheeks,
  mouth and chin, turned until the outer eye corners are level, in units of their distance.

Neither has seen omote, its faces or its labels. Photographs only: drawn and rendered faces are strange to both. This
file imports nothing of omote, and omote nothing of it. Both judges see the image enlarged, with its border repeated.
Cells are empty where a judge finds no face.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import dlib
import face_recognition_models
import mediapipe
import numpy as np

SIDE, BORDER = 256, 96  # pixels: of the enlarged image, and of the border around it
LEFT_EYE, RIGHT_EYE = 33, 263  # outer corners, in the picture
POINTS = (
    *(70, 105, 107, 336, 334, 300),  # brows: outer, middle, inner; inner, middle, outer
    *(159, 145, 133, 362, 386, 374),  # eyes: upper and lower lid, inner corner; inner corner, lids
    *(98, 327, 2, 50, 280),  # wings and base of the nose, cheeks
    *(
        61,
        291,
        0,
        17,
        13,
        14,
        37,
        267,
        84,
        314,
    ),  # mouth: corners, outer and inner lips, lips beside the middle
    152,  # chin
)


def enlarge(path: Path) -> np.ndarray:
    """Return an (H, W, 3) uint8 RGB image of a face with a border, in which detectors find it."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        sys.exit(f"{path} cannot be read")
    image = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    image = cv2.copyMakeBorder(image, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(image[..., ::-1])


class Identity:
    """dlib's network: 128 numbers, or none where its detector finds no face."""

    length = 128

    def __init__(self) -> None:
        self.detect = dlib.get_frontal_face_detector()
        self.landmarks = dlib.shape_predictor(
            face_recognition_models.pose_predictor_five_point_model_location()
        )
        self.network = dlib.face_recognition_model_v1(
            face_recognition_models.face_recognition_model_location()
        )

    def __call__(self, image: np.ndarray) -> list[float]:
        faces = self.detect(image, 0)
        if not faces:
            return []
        face = max(faces, key=lambda box: box.area())
        return list(self.network.compute_face_descriptor(image, self.landmarks(image, face)))


class Expression:
    """Face mesh: x and y of `POINTS`, or none where it finds no face."""

    length = 2 * len(POINTS)

    def __init__(self) -> None:
        self.mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)

    def __call__(self, image: np.ndarray) -> list[float]:
        found = self.mesh.process(image).multi_face_landmarks
        if not found:
            return []
        points = np.array([(point.x, point.y) for point in found[0].landmark])
        return measure(points).ravel().tolist()


def measure(points: np.ndarray) -> np.ndarray:
    """Return (P, 2) `POINTS` of a (468, 2) mesh from the middle of the eyes, eyes level, in distances of the eyes."""
    (left, right), middle = points[[LEFT_EYE, RIGHT_EYE]], points[[LEFT_EYE, RIGHT_EYE]].mean(axis=0)
    across = right - left
    turn = np.array([[across[0], across[1]], [-across[1], across[0]]]) / (across @ across)
    level: np.ndarray = (points[list(POINTS)] - middle) @ turn.T
    return level


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    index = arguments.folder / "images.csv"
    if not index.is_file():
        sys.exit(f"{index} is missing; omote audit RUN --write-swaps {arguments.folder} makes it")
    with index.open(encoding="utf-8", newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    judges: dict[str, Identity | Expression] = {"identity": Identity(), "expression": Expression()}
    rows, without = [], dict.fromkeys(judges, 0)
    for done, name in enumerate(names, 1):
        image, row = enlarge(arguments.folder / name), [name]
        for code, judge in judges.items():
            answer = judge(image)
            without[code] += not answer
            row += [f"{number:.6g}" for number in answer] or [""] * judge.length
        rows.append(row)
        if done % 500 == 0:
            print(f"{done} of {len(names)}", file=sys.stderr, flush=True)
    partial = arguments.to.with_name(arguments.to.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["image", *(f"{code}_{k:03d}" for code, judge in judges.items() for k in range(judge.length))]
        )
        writer.writerows(rows)
    partial.replace(arguments.to)
    for code, count in without.items():
        print(f"{code}: no face found in {count} of {len(names)} images")


if __name__ == "__main__":
    main()
