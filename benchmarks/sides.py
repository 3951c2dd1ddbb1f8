"""What `speed.py` times: omote's sides and their references, each a function of its turn (see `measure.py`).

Each imports what it needs when it runs, so that its memory is its own.
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
PYTHAE = "python -m pip install --no-deps pythae==0.1.2 tqdm"  # it needs no other package that omote does not


def rounds_of(turn: Turn, count: float, call: Callable[[], object]) -> None:
    """Take rounds for ever, each a call that does ``count``."""
    turn()
    while True:
        call()
        turn(count)


def trained(turn: Turn, *, faces: str, to: str, method: str, stage: str, steps: int) -> None:
    """Train by `omote.train`; a round is ``steps`` steps of a stage, everything between two of them included."""
    from torch.utils.flop_counter import FlopCounterMode

    from omote.data.face_set import open_face_set
    from omote.runs.config import TrainConfig
    from omote.runs.trained import read_run_info
    from omote.training.loop import Progress, train

    counter, seen = FlopCounterMode(display=False), 0

    def after_step(done: Progress) -> None:
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


def trained_plainly(turn: Turn, *, photos: str, size: int, method: str, stage: str, steps: int) -> None:
    """Take the same steps as `plain.py` has them."""
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
    rounds_of(turn, steps * BATCH, lambda: [take() for _ in range(steps)])


def trained_by_pythae(turn: Turn, *, faces: str, to: str) -> None:
    """Train pythae's VAE with the paper's networks by its own trainer; a round is an epoch."""
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

    about = VAEConfig(input_dim=tuple(images.shape[1:]), latent_dim=m.common.latent_size)
    settings = BaseTrainerConfig(
        output_dir=to, num_epochs=10_000, learning_rate=m.common.learning_rate,
        per_device_train_batch_size=BATCH, no_cuda=True,
    )  # fmt: skip
    data = BaseDataset(images, torch.zeros(len(images)))
    BaseTrainer(VAE(about, Encoder(), Decoder()), data, None, settings, [Epochs()]).train()


def prepared(turn: Turn, *, videos: str, to: str) -> None:
    """Prepare the faces of every frame of a folder of videos by `omote.prepare`."""
    from omote.data.prepare import prepare

    def prepare_all() -> int:
        return len(prepare(videos, to, overwrite=True))

    rounds_of(turn, prepare_all(), prepare_all)


def prepared_plainly(turn: Turn, *, video: str, detector: str, side: int, frames: int) -> None:
    """Decode, detect at a long side of ``side`` pixels, and cut out, frame by frame, as one would with OpenCV."""
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
            half = 0.55 * max(width, height)  # with a margin of 5 % on each side
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

    rounds_of(turn, frames, prepare)


def detected(turn: Turn, *, video: str, detector: str, side: int, frames: int) -> None:
    """Run the detector alone on one core, on frames that are decoded and scaled down already; told for all cores."""
    import os

    import cv2

    cv2.setNumThreads(1)
    yunet = cv2.FaceDetectorYN.create(detector, "", (320, 320), 0.6, 0.3, 100)
    reader, images = cv2.VideoCapture(video), []
    for _ in range(frames):
        image = reader.read()[1]
        scale = side / max(image.shape)
        images.append(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    yunet.setInputSize(images[0].shape[1::-1])
    rounds_of(turn, frames * (os.cpu_count() or 1), lambda: [yunet.detect(image) for image in images])


def read_plainly(turn: Turn, *, model: str, batch: int, work: float) -> None:
    """Read features with the network as it was trained, in float32."""
    import torch

    from omote.runs.trained import load

    method, faces = load(model).method.eval(), noise(batch)

    def read() -> None:
        with torch.inference_mode():
            for _ in range(1024 // batch):
                method.represent(torch.from_numpy(faces).permute(0, 3, 1, 2).contiguous() / 255).mean.numpy()

    turn.work, turn.limit = work, "convolution fp32"
    rounds_of(turn, 1024, read)


def read_by_torch(turn: Turn, *, model: str, batch: int, work: float, bfloat16: bool) -> None:
    """Read features with PyTorch, as `omote.extract_features` does."""
    from omote.runs.trained import load

    _read(turn, replace(load(model), bfloat16=bfloat16), batch, work, bfloat16)


def read_by_file(turn: Turn, *, file: str, runtime: Any, batch: int, work: float, bfloat16: bool) -> None:
    """Read features with what `omote export` wrote, without torch."""
    from omote.features.onnx_reader import OnnxReader

    _read(turn, OnnxReader(file, runtime, bfloat16=bfloat16), batch, work, bfloat16)


def _read(turn: Turn, reader: Any, batch: int, work: float, bfloat16: bool) -> None:
    faces = noise(batch)
    turn.work, turn.limit = work, f"convolution {'bf16' if bfloat16 else 'fp32'}"
    rounds_of(turn, 1024, lambda: [reader.read(faces) for _ in range(1024 // batch)])


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def clustered(turn: Turn, *, features: str, labels: str, runs: int) -> None:
    """Run k-means by `omote.evaluation`."""
    from omote.metrics.clustering import Labelled, kmeans_runs

    given = Labelled(np.load(features), np.load(labels))
    passes = [model.n_iter_ for model, _ in kmeans_runs(given, seeds=runs).runs]
    turn.work, turn.limit = operations(given.features, passes), "matrix product fp64"
    rounds_of(turn, runs, lambda: kmeans_runs(given, seeds=runs))


def clustered_plainly(turn: Turn, *, features: str, runs: int) -> None:
    """Run scikit-learn's k-means on the same numbers, one run after another."""
    from sklearn.cluster import KMeans

    wide = np.load(features).astype(np.float64)

    def run() -> list[int]:
        return [KMeans(9, n_init=1, random_state=seed).fit(wide).n_iter_ for seed in range(runs)]

    turn.work, turn.limit = operations(wide, run()), "matrix product fp64"
    rounds_of(turn, runs, run)


def operations(features: np.ndarray, passes: list[int]) -> float:
    """Return the floating-point operations of a run, on average: the products of images and centres (9) alone.

    Every pass takes one product with all centres; k-means++ tries 2 + log(9), that is 4, for each centre but the first.
    """
    return float(2 * features.size * (9 * (np.mean(passes) + 1) + 1 + 4 * 8))


PEAK = "print(*[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line], file=sys.stderr)"


def started(turn: Turn, *, code: str, arguments: list[str]) -> None:
    """Run Python code in a new interpreter."""
    code = f"import sys\ntry:\n    {code}\nfinally:\n    {PEAK if Path('/proc/self/status').exists() else 'pass'}"

    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
        )
        turn.peak = int((done.stderr.split() or ["0"])[-1]) / 1024

    rounds_of(turn, 1, run)
