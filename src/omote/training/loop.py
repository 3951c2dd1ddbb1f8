"""The one training loop: it walks stages, epochs, batches and phases, and knows no method by name."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from omote.data.face_set import FaceSet
from omote.data.sampling import Indices, SameSubject, epoch_batches, other_subject
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.files import is_in_use, locked
from omote.interrupt import first_interrupt
from omote.methods.method import Batch, Method, Stage
from omote.models.encoder import Posterior
from omote.runs.card import write_card
from omote.runs.config import TrainConfig
from omote.runs.ood import make_reference
from omote.runs.trained import (
    RunInfo,
    Trained,
    after_stage,
    build_method,
    load,
    read_run_info,
    to_images,
    write_json,
    write_run_info,
    write_tensors,
)
from omote.training.checkpoint import Place, load_checkpoint, read_place, remove_checkpoint, save_checkpoint
from omote.training.fabric import kept_memory, make_fabric
from omote.training.faces import TrainingFaces, send
from omote.training.processes import any_process, num_processes, share_networks
from omote.training.step import begin_stage, remember, take_step

CHECKPOINT_SECONDS = 120  # between two checkpoints
CHECK_STEPS = 50  # between two looks for a NaN; each look waits for the device
SAMPLE_FACES = 8  # side of the swap picture in TensorBoard
REMEMBER_FACES = 256  # faces at once that frozen networks read when a stage begins


class Progress(NamedTuple):
    """What a progress display is told after every step."""

    stage: str
    stage_number: int  # from 1
    num_stages: int
    epoch: int  # from 1
    num_epochs: int
    step: int  # done in this stage, from 1
    num_steps: int  # in this stage
    num_images: int  # in this step


Listener = Callable[[Progress], None]


def train(
    face_set: FaceSet,
    to: str | Path,
    config: TrainConfig | None = None,
    *,
    progress: Listener | None = None,
    keep_stages: bool = False,
    overwrite: bool = False,
) -> Trained:
    """Train a method on a face set and return it.

    A run that was stopped (Ctrl-C, a crash, a power cut) goes on where its last checkpoint is when the same call is
    made again, and ends with the same weights as one that was never stopped (on the CPU, to the bit). Processes that
    torchrun started train one run together, each computing its share of every batch: see docs/speed.md.

    Args:
        face_set: the frames of the training people whose ``use`` is "train" or "both" are trained on.
        to: the run folder; made.
        config: what is trained and how; the default is `omote` with the paper's schedule.
        progress: called after every step.
        keep_stages: keep the weights after every stage too, for ``load(run, stage=n)`` (the paper's Figure 3).
        overwrite: begin anew where ``to`` already is a run.
    Returns:
        The trained method.
    Raises:
        OmoteError: If the run is there and finished, has another configuration or is being trained by another
            process, the face set has too few people or frames, or one frame a person and the method compares a
            person's frames, processes share a batch that is too small, or a term of the objective is no longer finite.
        KeyboardInterrupt: After Ctrl-C, once the checkpoint is written.
    """
    run, config = Path(to), config or TrainConfig()
    fabric = make_fabric(config.device, config.precision)
    first = fabric.is_global_zero  # of several processes; it writes the files
    if config.batch_size < 2 * fabric.world_size:
        raise OmoteError(
            f"batch_size is {config.batch_size} and there are {fabric.world_size} processes, which share each batch; "
            f"start fewer, or give a batch of at least {2 * fabric.world_size}"
        )
    info = _info(face_set, config)
    frames = face_set.frames
    used = frames["subject"].isin(info.train_subjects) & (frames["use"] != "evaluate")
    rows = np.flatnonzero(used.to_numpy())
    if len(rows) < 2:
        raise OmoteError(f"{face_set.path} has {len(rows)} frames to train on; at least 2 are needed")
    method = build_method(info)
    compares = any(stage.frames_per_subject > 1 for stage in method.stages())
    if compares and not frames["subject"].iloc[rows].duplicated().any():
        raise OmoteError(
            f"{face_set.path} has one frame a person to train on, and {info.config.method} learns from how a person's "
            "frames differ; prepare several of each person, or train --method proposed"
        )
    if first:
        _check_folder(run, overwrite)
        run.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        stopped = held.enter_context(first_interrupt())
        if first:
            held.enter_context(locked(run, "is training this run"))
            _begin_or_go_on(run, info, overwrite)
        fabric.barrier()
        faces = TrainingFaces(face_set, rows, fabric.device)
        held.callback(faces.close)
        training = _Training(
            run, info, fabric, method, faces, frames.iloc[rows], progress, stopped, keep_stages
        )
        log = held.enter_context(SummaryWriter(str(run / "tensorboard"))) if first else None
        with _preserved_random_state(fabric.device), kept_memory():
            training.all_stages(log)
        if first:
            took = {"frames": len(rows), "seconds": time.monotonic() - training.began}
            write_json(run / "training.json", {**took, "faces": face_set.path.resolve()})
            reference = make_reference(faces, frames["subject"].iloc[rows].tolist())
            reference.save(run / "reference.safetensors")
            write_tensors(run / "weights.safetensors", training.method.state_dict())
            remove_checkpoint(run)
            write_card(load(run))
        fabric.barrier()
        return load(run)


def train_or_load(
    face_set: FaceSet,
    to: str | Path,
    config: TrainConfig,
    *,
    progress: Listener | None = None,
    keep_stages: bool = False,
) -> Trained:
    """Return what `train` returns; a run that is finished already is loaded.

    Raises:
        OmoteError: As `train`, and if the finished run has another configuration or face set.
    """
    run = Path(to)
    if not (run / "weights.safetensors").is_file():
        return train(face_set, run, config, progress=progress, keep_stages=keep_stages)
    check_trained(face_set, run, config)
    return load(run)


def check_trained(face_set: FaceSet, run: Path, config: TrainConfig) -> None:
    """Raise OmoteError if a run was trained with another configuration or face set; the device may be another."""
    asked, found = _info(face_set, config), read_run_info(run)
    computed = {name: getattr(asked.config, name) for name in ("device", "precision")}
    if found._replace(config=found.config.model_copy(update=computed)) != asked:
        raise OmoteError(f"{run} was trained with another configuration or face set; choose another folder")


class _Training:
    """The state of one call of `train`."""

    def __init__(
        self,
        run: Path,
        info: RunInfo,
        fabric: Fabric,
        method: Method,
        faces: TrainingFaces,
        frames: pd.DataFrame,
        progress: Listener | None,
        stopped: threading.Event,
        keep_stages: bool,
    ) -> None:
        self.run, self.config, self.fabric, self.stopped = run, info.config, fabric, stopped
        self.progress = progress if fabric.is_global_zero else None
        self.keep_stages = keep_stages
        self.method, self.faces, self.device = method, faces, fabric.device
        self.method.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        share_networks(self.method)
        self.stages = self.method.stages()
        subjects, clips = (frames[name].tolist() for name in ("subject", "clip"))
        self.same_subject = SameSubject(subjects, clips, self.config.same_subject)
        number_of = {subject: number for number, subject in enumerate(info.train_subjects)}
        self.subjects = torch.as_tensor([number_of[subject] for subject in subjects], device=self.device)
        self.began = self.saved_at = time.monotonic()

    def all_stages(self, log: SummaryWriter | None) -> None:
        """Train every stage from where the checkpoint stands."""
        place = read_place(self.run)
        if place:
            self.began -= place.seconds
        for number in range(place.stage if place else 0, len(self.stages)):
            sums: dict[str, Tensor] = {}
            optimisers = begin_stage(self.method, self.stages[number])
            if place and place.stage == number:
                load_checkpoint(self.run, self.method, optimisers, sums)
                self.stage(place, optimisers, sums, log)
            else:
                self.stage(Place(number), optimisers, sums, log)

    def stage(
        self, place: Place, optimisers: list[Optimizer], sums: dict[str, Tensor], log: SummaryWriter | None
    ) -> None:
        """Train one stage from ``place`` to its end."""
        config, stage, seed = self.config, self.stages[place.stage], self.config.seed
        past = 0 if config.learning_rate_restarts else sum(s.epochs for s in self.stages[: place.stage])
        steps = -(-len(self.faces) // config.batch_size)
        remembered = self.remember(stage)
        for epoch in range(place.epoch, stage.epochs):
            for phase, optimiser in zip(stage.phases, optimisers, strict=True):
                for group in optimiser.param_groups:
                    group["lr"] = phase.learning_rate * config.learning_rate_decay ** (past + epoch)
            order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(place.stage, epoch)))
            subjects, together = self.same_subject.subject_of, stage.frames_per_subject
            batches = epoch_batches(subjects, config.batch_size, order, frames_per_subject=together)
            for step in range(place.step if epoch == place.epoch else 0, steps):
                # every step has a random state of its own, so a training that goes on draws the same numbers
                state = np.random.SeedSequence(seed, spawn_key=(place.stage, epoch, step))
                torch.manual_seed(int(state.generate_state(1, np.uint64)[0]))
                batch = self.batch(batches[step], np.random.default_rng(state), remembered)
                for name, mean in take_step(self.fabric, stage, optimisers, batch).items():
                    sums[name] = sums[name] + mean if name in sums else mean
                done = Place(place.stage, epoch, step + 1)
                if looks := self.device.type == "cpu" or (step + 1) % CHECK_STEPS == 0 or step + 1 == steps:
                    _refuse_nan(sums, stage, done)
                if self.progress:
                    count = epoch * steps + step + 1
                    self.progress(
                        Progress(
                            stage.name, place.stage + 1, len(self.stages), epoch + 1, stage.epochs,
                            count, stage.epochs * steps, len(batches[step]),
                        )
                    )  # fmt: skip
                stopped = self.is_stopped(looks)
                if stopped or time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
                    self.checkpoint(done, optimisers, sums)
                if stopped:
                    raise KeyboardInterrupt
            self.log_epoch(log, Place(place.stage, epoch, steps), sums)
        self.log_swaps(log, place.stage)
        if self.keep_stages and self.fabric.is_global_zero:
            write_tensors(self.run / after_stage(place.stage + 1), self.method.state_dict())
        if place.stage + 1 < len(self.stages):
            self.checkpoint(Place(place.stage + 1), [], {})

    def is_stopped(self, looks: bool) -> bool:
        """Return whether to stop after this step; several processes ask each other only where they wait anyway."""
        if num_processes() == 1:
            return self.stopped.is_set()
        return looks and any_process(self.stopped.is_set(), self.device)

    def remember(self, stage: Stage) -> dict[str, Posterior]:
        """Return what the stage's frozen modules say of every training frame."""
        if not stage.remembers:
            return {}
        said = []
        for start in range(0, len(self.faces), REMEMBER_FACES):
            some = np.arange(start, min(start + REMEMBER_FACES, len(self.faces)))
            with self.fabric.autocast():
                said.append(remember(stage, to_images(self.faces.to_device(some))))
        return {
            name: Posterior(*(torch.cat(parts) for parts in zip(*(each[name] for each in said), strict=True)))
            for name in stage.remembers
        }

    def batch(self, rows: Indices, rng: np.random.Generator, remembered: dict[str, Posterior]) -> Batch:
        """Return what the phases see of the (B,) training frames ``rows``."""
        partner, found = other_subject(self.same_subject.subject_of[rows], rng)
        same = self.same_subject(rows, rng)
        frames = send(rows, self.device)
        return Batch(
            images=to_images(self.faces.to_device(rows)),
            same_subject=to_images(self.faces.to_device(same)),
            partner=send(partner, self.device),
            has_partner=send(found, self.device).float(),
            subjects=self.subjects[frames],
            remembered={
                name: Posterior(*(each[frames] for each in said)) for name, said in remembered.items()
            },
        )

    def checkpoint(self, place: Place, optimisers: list[Optimizer], sums: dict[str, Tensor]) -> None:
        self.saved_at = time.monotonic()
        if not self.fabric.is_global_zero:
            return
        place = place._replace(seconds=self.saved_at - self.began)
        save_checkpoint(self.run, place, self.method, optimisers, sums)

    def log_epoch(self, log: SummaryWriter | None, place: Place, sums: dict[str, Tensor]) -> None:
        """Write each term's mean over the epoch, and begin the next one's sums."""
        name = f"{place.stage + 1}_{self.stages[place.stage].name}"
        for term, total in sums.items():
            if log:
                log.add_scalar(f"{name}/{term}", float(total) / place.step, place.epoch + 1)
        sums.clear()

    def log_swaps(self, log: SummaryWriter | None, stage: int) -> None:
        """Write a swap picture, where there is a decoder: columns are who, rows are which expression."""
        if not self.method.has_decoder:
            return
        pick = np.linspace(0, len(self.faces) - 1, min(SAMPLE_FACES, len(self.faces))).astype(int)
        faces, subjects = self.faces.to_device(pick), self.subjects[torch.as_tensor(pick, device=self.device)]
        modes = {module: module.training for module in self.method.modules()}
        self.method.eval()
        with torch.no_grad():
            images = to_images(faces)
            z_i = self.method.identify(images, subjects).mean
            z_e = self.method.represent(images, subjects).mean
            count = len(images)
            made = self.method.decode(z_i.repeat(count, 1), z_e.repeat_interleave(count, 0)).cpu()
        for module, mode in modes.items():
            module.training = mode
        lines = [torch.cat(list(row), 2) for row in made.chunk(count)]
        if log:
            log.add_image("swap", torch.cat(lines, 1), stage + 1)


def _info(face_set: FaceSet, config: TrainConfig) -> RunInfo:
    everyone = face_set.subjects
    if isinstance(config.test_subjects, int):
        train_subjects, test_subjects = split_subjects(everyone, config.test_subjects, config.seed)
    else:
        unknown = sorted(set(config.test_subjects) - set(everyone))
        if unknown:
            raise OmoteError(f"test subjects {', '.join(unknown)} are not in {face_set.path}")
        test_subjects = sorted(config.test_subjects)
        train_subjects = sorted(set(everyone) - set(test_subjects))
    if len(train_subjects) < 2:
        raise OmoteError(
            f"{face_set.path} leaves {len(train_subjects)} people to train on, and omote learns from how several "
            "people differ; hold out fewer with test_subjects, or prepare faces of more people"
        )
    fabric = make_fabric(config.device, config.precision)
    computed = {"device": fabric.device.type, "precision": fabric.strategy.precision.precision}
    config = config.model_copy(
        update=computed
    )  # what was computed with is part of the record, and of resuming
    return RunInfo(config, face_set.size, train_subjects, test_subjects, face_set.about)


def _check_folder(run: Path, overwrite: bool) -> None:
    """Refuse a folder that is something else than a run; nothing is written into it."""
    if not run.exists() or (run / "run.json").is_file():
        return
    if not run.is_dir() or is_in_use(run):
        refused = ", so it is not overwritten" if overwrite else ""
        raise OmoteError(f"{run} exists and is not a run{refused}; choose another folder")


def _begin_or_go_on(run: Path, info: RunInfo, overwrite: bool) -> None:
    """Write what the run is, or check that the one that is there can go on."""
    if overwrite:
        for path in run.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()
    if (run / "weights.safetensors").is_file():
        raise OmoteError(f"{run} is already trained; choose another folder, or overwrite it")
    if not (run / "run.json").is_file():
        write_run_info(run, info)
    elif read_run_info(run) != info:
        raise OmoteError(
            f"{run} was begun with another configuration or face set; choose another folder, or overwrite it"
        )


def _refuse_nan(sums: dict[str, Tensor], stage: Stage, place: Place) -> None:
    bad = [name for name, total in sums.items() if not torch.isfinite(total)]
    if bad:
        raise OmoteError(
            f'the term "{bad[0]}" of stage "{stage.name}" is no longer finite (epoch {place.epoch + 1}, step '
            f"{place.step}). A smaller learning rate, precision 32-true or a smaller weight of that term may help."
        )


@contextmanager
def _preserved_random_state(device: torch.device) -> Iterator[None]:
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield
