"""The jobs that `speed.py` times: those of omote and their references, each a side as in `measure.py`.

Each imports its packages when it runs, so that its peak memory includes no other side's.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from measure import Missing, Turn

BATCH = 64
PYTHAE = (
    "python -m pip install --no-deps pythae==0.1.2 tqdm"  # omote already depends on all its other packages
)


def run_rounds(turn: Turn, count: float, call: Callable[[], object]) -> None:
    """Run rounds until the process is ended; each is a call that processes ``count`` images, frames or runs."""
    turn()
    while True:
        call()
        turn(count)


def train_omote(turn: Turn, *, faces: str, to: str, method: str, stage: str, steps: int) -> None:
    """Train by `omote.train`. A round is ``steps`` steps of a stage, including all that happens in between."""
    from torch.utils.flop_counter import FlopCounterMode

    from omote.data.face_set import open_face_set
    from omote.runs.config import TrainConfig
    from omote.runs.info import read_run_info
    from omote.training.loop import TrainingProgress, train

    counter, seen = FlopCounterMode(display=False), 0

    def after_step(done: TrainingProgress) -> None:
        nonlocal seen
        if done.stage != stage:
            return
        seen += 1
        if seen == 1:
            counter.__enter__()
        elif seen == 2:
            counter.__exit__(None, None, None)
            precision = read_run_info(Path(to)).config.precision
            turn.limit = f"convolution {'bf16' if precision == 'bf16-mixed' else 'fp32'}"
            turn.work = counter.get_total_flops() / done.num_images
            turn()
        elif (seen - 2) % steps == 0:
            turn(steps * done.num_images)

    options = {"method": method, "options.epochs": 1, "batch_size": BATCH, "device": "cpu"}
    train(open_face_set(faces), to, TrainConfig.read(None, options), progress=after_step)


def train_plainly(turn: Turn, *, photos: str, size: int, method: str, stage: str, steps: int) -> None:
    """Train with the plain PyTorch steps of `plain.py`."""
    from torch.utils.data import DataLoader
    from torch.utils.flop_counter import FlopCounterMode

    import plain
    from omote.methods.conventional import Conventional, ConventionalOptions
    from omote.methods.proposed import Proposed, ProposedOptions

    m = (
        Proposed(size, ProposedOptions())
        if method == "proposed"
        else Conventional(size, ConventionalOptions())
    )
    identity = stage == "identity"
    step = plain.identity_step(m) if identity else plain.expression_step(m)
    loader = DataLoader(plain.Photos(Path(photos), pairs=identity), BATCH, shuffle=True, drop_last=True)
    batches = (batch for _ in iter(int, 1) for batch in loader)

    def take() -> dict[str, float]:
        x, same_subject, subjects = next(batches)
        terms = step(x, same_subject if identity else plain.partners(subjects))
        return {name: float(term) for name, term in terms.items()}

    take()
    with FlopCounterMode(display=False) as counter:
        take()
    turn.work, turn.limit = counter.get_total_flops() / BATCH, "convolution fp32"
    run_rounds(turn, steps * BATCH, lambda: [take() for _ in range(steps)])


def train_pythae(turn: Turn, *, faces: str, to: str) -> None:
    """Train pythae's VAE, with the paper's networks, by pythae's own trainer. A round is an epoch."""
    try:
        from pythae.data.datasets import BaseDataset
        from pythae.models import VAE, VAEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig
        from pythae.trainers.training_callbacks import TrainingCallback
    except ImportError as error:
        raise Missing(f"no {error.name} here; {PYTHAE}") from None
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from omote.data.face_set import open_face_set
    from omote.methods.method import GenerativeOptions
    from omote.methods.vae import Vae

    images = torch.from_numpy(np.asarray(open_face_set(faces).faces)).permute(0, 3, 1, 2).contiguous() / 255
    m = Vae(images.shape[-1], GenerativeOptions())

    class Encoder(BaseEncoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = m.encoder

        def forward(self, x: torch.Tensor) -> Any:
            mean, logvar = self.inner(x)
            return ModelOutput(embedding=mean, log_covariance=logvar)

    class Decoder(BaseDecoder):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = m.decoder

        def forward(self, z: torch.Tensor) -> Any:
            return ModelOutput(reconstruction=self.inner(z))

    class Epochs(TrainingCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.begun, self.counter = 0, FlopCounterMode(display=False)

        def on_epoch_begin(self, *_: Any, **__: Any) -> None:
            self.begun += 1
            if self.begun == 1:
                self.counter.__enter__()
                return
            if self.begun == 2:
                self.counter.__exit__(None, None, None)
                turn.work, turn.limit = self.counter.get_total_flops() / len(images), "convolution fp32"
            turn(len(images) if self.begun > 2 else 0)

    about = VAEConfig(input_dim=tuple(images.shape[1:]), latent_dim=m.options.latent_size)
    settings = BaseTrainerConfig(
        output_dir=to, num_epochs=10_000, learning_rate=m.options.learning_rate,
        per_device_train_batch_size=BATCH, no_cuda=True,
    )  # fmt: skip
    data = BaseDataset(images, torch.zeros(len(images)))
    BaseTrainer(VAE(about, Encoder(), Decoder()), data, None, settings, [Epochs()]).train()


def prepare_omote(turn: Turn, *, videos: str, to: str) -> None:
    """Prepare the faces of all frames of a folder of videos by `omote.prepare`."""
    from omote.data.prepare import prepare

    def prepare_all() -> int:
        return len(prepare(videos, to, overwrite=True))

    run_rounds(turn, prepare_all(), prepare_all)


def prepare_plainly(turn: Turn, *, video: str, detector: str, side: int, frames: int) -> None:
    """Decode, detect and crop frame by frame with OpenCV; detection at a long side of ``side`` pixels."""
    import cv2

    yunet = cv2.FaceDetectorYN.create(detector, "", (320, 320), 0.6, 0.3, 100)

    def prepare() -> None:
        reader, faces = cv2.VideoCapture(video), []
        for _ in range(frames):
            there, image = reader.read()
            assert there, video
            scale = side / max(image.shape)
            small = (
                image
                if scale == 1
                else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            )
            yunet.setInputSize(small.shape[1::-1])
            found = yunet.detect(small)[1]
            assert found is not None, video
            x, y, width, height = (
                float(number) / scale for number in max(found, key=lambda face: face[3])[:4]
            )
            half = 0.55 * max(width, height)  # half of the square with a margin of 5 % on each side
            left, top, right, bottom = (
                max(0, round(place))
                for place in (
                    x + width / 2 - half,
                    y + height / 2 - half,
                    x + width / 2 + half,
                    y + height / 2 + half,
                )
            )
            face = cv2.resize(image[top:bottom, left:right], (64, 64), interpolation=cv2.INTER_AREA)
            faces.append(cv2.cvtColor(face, cv2.COLOR_BGR2RGB))
        assert np.stack(faces).shape == (frames, 64, 64, 3)

    run_rounds(turn, frames, prepare)


def detect(turn: Turn, *, video: str, detector: str, side: int, frames: int) -> None:
    """Run only the detector, on one core and on decoded, scaled frames. The rate is extrapolated to all cores."""
    import os

    import cv2

    from omote.data.detect import HINT_SCORE
    from omote.data.face_network import detect_candidates

    cv2.setNumThreads(1)
    reader, images = cv2.VideoCapture(video), []
    for _ in range(frames):
        image = reader.read()[1]
        scale = side / max(image.shape)
        images.append(cv2.resize(image[..., ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    run_rounds(
        turn,
        frames * (os.cpu_count() or 1),
        lambda: [detect_candidates(image, detector, HINT_SCORE) for image in images],
    )


def read_plainly(turn: Turn, *, model: str, batch: int, work: float) -> None:
    """Compute features with the unmodified trained network, in float32."""
    import torch

    from omote.runs.trained import load

    method, faces = load(model).method.eval(), noise(batch)

    def read() -> None:
        with torch.inference_mode():
            for _ in range(1024 // batch):
                method.represent(torch.from_numpy(faces).permute(0, 3, 1, 2).contiguous() / 255).mean.numpy()

    turn.work, turn.limit = work, "convolution fp32"
    run_rounds(turn, 1024, read)


def read_torch(turn: Turn, *, model: str, batch: int, work: float, bfloat16: bool) -> None:
    """Compute features with PyTorch, as `omote.extract_features` does."""
    from omote.runs.trained import load

    _read(turn, replace(load(model), bfloat16=bfloat16), batch, work, bfloat16)


def read_onnx(turn: Turn, *, file: str, runtime: Any, batch: int, work: float, bfloat16: bool) -> None:
    """Compute features with an exported ONNX file, without torch."""
    from omote.features.onnx_reader import OnnxReader

    _read(turn, OnnxReader(file, runtime, bfloat16=bfloat16), batch, work, bfloat16)


def _read(turn: Turn, reader: Any, batch: int, work: float, bfloat16: bool) -> None:
    faces = noise(batch)
    turn.work, turn.limit = work, f"convolution {'bf16' if bfloat16 else 'fp32'}"
    run_rounds(turn, 1024, lambda: [reader.read(faces) for _ in range(1024 // batch)])


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def cluster_omote(turn: Turn, *, features: str, labels: str, runs: int) -> None:
    """Run k-means as `omote.evaluate` does."""
    from omote.metrics.clustering import LabelledFeatures, run_kmeans

    given = LabelledFeatures(np.load(features), np.load(labels))
    passes = [model.n_iter_ for model, _ in run_kmeans(given, seeds=runs).runs]
    turn.work, turn.limit = operations(given.features, passes), "matrix product fp64"
    run_rounds(turn, runs, lambda: run_kmeans(given, seeds=runs))


def cluster_plainly(turn: Turn, *, features: str, runs: int) -> None:
    """Run scikit-learn's k-means on the same features, one run after another."""
    from sklearn.cluster import KMeans

    wide = np.load(features).astype(np.float64)

    def run() -> list[int]:
        return [KMeans(9, n_init=1, random_state=seed).fit(wide).n_iter_ for seed in range(runs)]

    turn.work, turn.limit = operations(wide, run()), "matrix product fp64"
    run_rounds(turn, runs, run)


def operations(features: np.ndarray, passes: list[int]) -> float:
    """Return the mean floating-point operations of a run, counting only the products of images and the 9 centres.

    Every pass needs one product with all centres. k-means++ tries 2 + log(9) = 4 candidates per centre after the first.
    """
    return float(2 * features.size * (9 * (np.mean(passes) + 1) + 1 + 4 * 8))


PEAK = "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line], file=sys.stderr)"


def start(turn: Turn, *, code: str, arguments: list[str]) -> None:
    """Run Python code in a new interpreter."""
    code = f"import sys\ntry:\n    {code}\nfinally:\n    {PEAK if Path('/proc/self/status').exists() else 'pass'}"

    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
        )
        turn.peak = int((done.stderr.split() or ["0"])[-1]) / 1024

    run_rounds(turn, 1, run)
