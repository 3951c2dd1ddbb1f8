"""Train a judge of made faces with labels, on other people, and read the images of `omote audit --write-swaps`.

    python benchmarks/judges/labelled.py FACES FOLDER --to labelled.parquet [--epochs 6]
    omote audit RUN --judge-table labelled.parquet

FACES is a face set of people who took no part in the runs or their scores, made with another `--seed` of
`omote prepare drawn` or `rendered`. The judge is one convolutional network with two outputs, trained by cross-entropy
on the labels: who the person is, and which expression the frame shows. A tenth of the people is kept aside and shows
whether it learned the expressions. For unknown people its answers are the activations before each output. It shares the
layers of an encoder with the methods of omote, but no weights, faces or objective.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn

from omote.data.face_set import open_face_set
from omote.data.splits import split_subjects
from omote.files import write_beside
from omote.models.encoder import Encoder

CODE, WIDTH, BATCH, RATE = 64, 16, 32, 1e-3
SHIFT, LIGHT = 3, 0.2  # of the views that it is trained on: pixels, and change of contrast and brightness


class Judge(nn.Module):
    """Two encoders with a linear output each: of the person, and of the expression."""

    def __init__(self, size: int, people: int, expressions: int) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(Encoder(size, latent_size=CODE, width=WIDTH) for _ in range(2))
        self.outputs = nn.ModuleList(nn.Linear(CODE, count) for count in (people, expressions))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, people) and (B, expressions) logits."""
        who, what = (output(code) for output, code in zip(self.outputs, self.encode(images), strict=True))
        return who, what

    def encode(self, images: Tensor) -> list[Tensor]:
        """Return (B, CODE) activations before each output."""
        return [torch.relu(encoder(images).mean) for encoder in self.encoders]


def to_tensor(faces: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(faces)).permute(0, 3, 1, 2).float() / 255


def vary(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the images moved by up to SHIFT pixels, with another light."""
    padded = nn.functional.pad(images, (SHIFT,) * 4, mode="replicate")
    x, y = rng.integers(2 * SHIFT + 1, size=2)
    moved = padded[..., y : y + images.shape[2], x : x + images.shape[3]]
    contrast, brightness = (
        torch.from_numpy(rng.uniform(-LIGHT, LIGHT, (len(images), 1, 1, 1)).astype(np.float32))
        for _ in range(2)
    )
    return (moved * (1 + contrast) + brightness).clamp(0, 1)


def train(judge: Judge, faces: np.ndarray, who: np.ndarray, what: np.ndarray, epochs: int) -> None:
    rng = np.random.default_rng(0)
    steps = epochs * (len(faces) // BATCH)
    adam = torch.optim.Adam(judge.parameters(), RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for epoch in range(epochs):
        judge.train()
        order, total = rng.permutation(len(faces)), 0.0
        for start in range(0, len(order) - BATCH + 1, BATCH):
            rows = order[start : start + BATCH]
            person, expression = judge(vary(to_tensor(faces[rows]), rng))
            loss = nn.functional.cross_entropy(person, torch.from_numpy(who[rows]))
            loss = loss + nn.functional.cross_entropy(expression, torch.from_numpy(what[rows]))
            adam.zero_grad()
            loss.backward()
            adam.step()
            decay.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1} of {epochs}: loss {total * BATCH / len(faces):.3f}",
            file=sys.stderr,
            flush=True,
        )
    judge.eval()


@torch.inference_mode()
def read(judge: Judge, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the codes of person and expression, (N, CODE) each, and the (N,) expression named."""
    who, what, named = [], [], []
    for start in range(0, len(faces), 256):
        images = to_tensor(faces[start : start + 256])
        person, expression = judge.encode(images)
        who.append(person.numpy())
        what.append(expression.numpy())
        named.append(judge(images)[1].argmax(1).numpy())
    return np.concatenate(who), np.concatenate(what), np.concatenate(named)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    face_set = open_face_set(arguments.faces)
    frames = face_set.frames
    labelled = frames["expression"].notna()
    aside = split_subjects(frames[labelled], max(2, len(face_set.subjects) // 10), 0)[1]
    kept = np.flatnonzero(labelled & ~frames["subject"].isin(aside))
    tested = np.flatnonzero(labelled & frames["subject"].isin(aside))
    if len(kept) < BATCH:
        sys.exit(
            f"{arguments.faces} has {len(kept)} labelled frames to train on; a judge needs {BATCH} and many more"
        )
    people, who = np.unique(frames["subject"].iloc[kept].astype(str), return_inverse=True)
    expressions, what = np.unique(frames["expression"].iloc[kept].astype(str), return_inverse=True)
    judge = Judge(face_set.size, len(people), len(expressions))
    train(judge, face_set.faces[kept], who, what, arguments.epochs)
    named = expressions[read(judge, face_set.faces[tested])[2]]
    right = (named == frames["expression"].iloc[tested].astype(str)).mean()
    print(f"{len(people)} people; names {right:.1%} of {len(expressions)} expressions of {len(aside)} others")

    names = pd.read_csv(arguments.folder / "images.csv", dtype=str)["image"]
    faces = np.stack([np.asarray(Image.open(arguments.folder / name).convert("RGB")) for name in names])
    who_codes, what_codes, _ = read(judge, faces)
    columns = {f"identity_{k:02d}": column for k, column in enumerate(who_codes.T)}
    columns |= {f"expression_{k:02d}": column for k, column in enumerate(what_codes.T)}
    with write_beside(arguments.to) as beside:
        pd.DataFrame({"image": names, **columns}).to_parquet(beside)


if __name__ == "__main__":
    main()
