"""The training loop: it runs stages, epochs, batches and phases, and does not depend on any particular method."""

import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.tensorboard import SummaryWriter

from omote.data.face_set import FaceSet
from omote.data.sampling import Indices, SameSubject, epoch_batches, evenly_spaced, other_subject
from omote.data.splits import split_subjects
from omote.errors import OmoteError
from omote.files import is_in_use, locked, remove, write_json, writing
from omote.interrupt import first_interrupt
from omote.methods.method import Batch, Method, Stage
from omote.models.encoder import Posterior
from omote.runs.card import write_card
from omote.runs.config import TrainConfig
from omote.runs.info import RunInfo, info_to_json, read_run_info, weights_file, write_tensors
from omote.runs.ood import fit_ood_model
from omote.runs.trained import Trained, build_method, load, to_images
from omote.training.checkpoint import (
    CHECKPOINT,
    Position,
    load_checkpoint,
    read_position,
    remove_checkpoint,
    save_checkpoint,
)
from omote.training.compiled import compile_networks, uncompiled
from omote.training.engine import Engine, keep_freed_memory, make_engine
from omote.training.faces import TrainingFaces, send
from omote.training.processes import (
    any_process,
    average_gradients,
    mean_over_processes,
    share_buffers,
    synchronise_batchnorm,
    wait_for_all,
)
from omote.training.step import begin_stage, encode_frozen, subject_means, take_step

CHECKPOINT_SECONDS = 120  # between two checkpoints
CHECK_STEPS = 50  # between two checks for NaN on a GPU; each check waits for it
SAMPLE_FACES = 8  # side of the swap picture in TensorBoard
EMPTYING = "emptying.partial"  # marks a run that is being removed, to be trained anew
CACHE_BATCH = 256  # faces that frozen encoders encode at once


class TrainingProgress(NamedTuple):
    """The argument of a progress callback, after every step."""

    stage: str
    stage_number: int  # from 1
    num_stages: int
    epoch: int  # from 1
    num_epochs: int
    step: int  # done in this stage, from 1
    num_steps: int  # in this stage
    num_images: int  # in this step


OnProgress = Callable[[TrainingProgress], None]


def train(
    face_set: FaceSet,
    to: str | Path,
    config: TrainConfig | None = None,
    *,
    start: str | Path | None = None,
    progress: OnProgress | None = None,
    keep_stages: bool = False,
    overwrite: bool = False,
) -> Trained:
    """Train a method on a face set and return it.

    If a training was interrupted (Ctrl-C, crash, power cut), the same call resumes it from the last checkpoint. The
    final weights equal those of an uninterrupted training (on a CPU, bit for bit). Processes started by torchrun train
    one run together, each on its part of every batch: see docs/speed.md.

    Args:
        face_set: its frames of training subjects with ``use`` "train" or "both" are trained on.
        to: the run folder; created if missing.
        config: all other settings; the default is `omote` with the paper's schedule.
        start: a run or model whose weights the training begins with, instead of random ones. Its method, face size and
            networks must be those of this training.
        progress: called after every step. If it raises KeyboardInterrupt, the training stops as after Ctrl-C, which
            reaches only the main thread.
        keep_stages: also keep the weights after every stage, for ``load(run, stage=n)`` (the paper's Figure 3).
        overwrite: start again if ``to`` is a run already.
    Raises:
        OmoteError: If the run is finished, has another configuration or is being trained by another process; the face
            set has too few people or frames, or one frame per person while the method compares frames of a person; the
            batch is too small for the number of processes; networks cannot be compiled as asked; the weights of
            ``start`` do not fit; or a term of the objective is no longer finite.
        KeyboardInterrupt: After Ctrl-C, once the checkpoint is written.
    """
    run, config = Path(to), config or TrainConfig()
    engine = make_engine(config.device, config.precision, compiled=config.compile)
    is_first = engine.rank == 0  # the first process writes the files
    info = _make_info(face_set, config, engine)
    frames = face_set.frames
    used = frames["subject"].isin(info.train_subjects) & (frames["use"] != "evaluate")
    rows = np.flatnonzero(used.to_numpy())
    if len(rows) < 2:
        raise OmoteError(f"{face_set.path} has {len(rows)} frames to train on; at least 2 are needed")
    method = build_method(info)
    if start is not None:
        begun = load(start)
        info = info._replace(start=begun.model)
        _begin_with(method, info, begun)
    compares_frames = any(stage.frames_per_subject > 1 for stage in method.stages())
    if compares_frames and not frames["subject"].iloc[rows].duplicated().any():
        raise OmoteError(
            f"{face_set.path} has one frame a person to train on, and {info.config.method} learns from the differences "
            "between a person's frames; prepare several frames of each person, or train --method proposed"
        )
    _check_parts(method.stages(), len(rows), config.batch_size, engine.num_processes)
    synchronise_batchnorm(method, engine)
    compile_networks(method, engine)
    if is_first:
        check_folder(run, overwrite)
        run.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stopped = stack.enter_context(first_interrupt())
        if is_first:
            stack.enter_context(locked(run, "is training this run"))
            _start_or_resume(run, info, overwrite)
        wait_for_all(engine)
        faces = TrainingFaces(face_set, rows, engine.device)
        stack.callback(faces.close)
        training = _Training(
            run, info, engine, method, faces, frames.iloc[rows], progress, stopped, keep_stages
        )
        log = stack.enter_context(_open_log(run / "tensorboard")) if is_first else None
        devices = [engine.device] if engine.device.type == "cuda" else []
        with torch.random.fork_rng(devices), keep_freed_memory():
            training.run_stages(log)
        if is_first:
            record = {"frames": len(rows), "seconds": time.monotonic() - training.began}
            write_json(run / "training.json", {**record, "faces": str(face_set.path.resolve())})
            fit_ood_model(faces, frames["subject"].iloc[rows].tolist()).save(run / "reference.safetensors")
            write_tensors(run / weights_file(), training.method.state_dict())
            write_card(run)
    if is_first:
        remove_checkpoint(run)  # the last step: until then, the same call ends the training
    wait_for_all(engine)
    return load(run)


def train_or_load(
    face_set: FaceSet,
    to: str | Path,
    config: TrainConfig,
    *,
    progress: OnProgress | None = None,
    keep_stages: bool = False,
) -> Trained:
    """Return the result of `train`; load the run if it is finished already.

    Raises:
        OmoteError: As `train`, and if the finished run has another configuration or face set.
    """
    run = Path(to)
    if not is_trained(run):
        return train(face_set, run, config, progress=progress, keep_stages=keep_stages)
    check_trained(face_set, run, config)
    return load(run)


def is_trained(run: Path) -> bool:
    """Return whether a folder has a run whose training is finished."""
    return (run / weights_file()).is_file() and not (run / CHECKPOINT).is_file()


def check_trained(face_set: FaceSet, run: Path, config: TrainConfig) -> None:
    """Raise OmoteError if a run was trained with another configuration or face set.

    The device, the precision and whether networks were compiled may differ.
    """
    expected = _make_info(face_set, config, make_engine(config.device, config.precision))
    found = read_run_info(run)
    computed = {name: getattr(expected.config, name) for name in ("device", "precision", "compile")}
    found = found._replace(config=found.config.model_copy(update=computed))
    if found != expected:
        raise OmoteError(
            f"{run} was trained with other settings: {_differences(found, expected)}; choose another folder"
        )


def _differences(found: RunInfo, wanted: RunInfo) -> str:
    """Return the first settings that differ between a run and what is asked for, with both values."""

    def flatten(content: Any, prefix: str = "") -> dict[str, Any]:
        if not isinstance(content, dict):
            return {prefix.removeprefix("config."): content}
        return {
            key: value
            for name, part in content.items()
            for key, value in flatten(part, f"{prefix}.{name}".lstrip(".")).items()
        }

    there, here = flatten(info_to_json(found)), flatten(info_to_json(wanted))
    differing = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    said = [
        f"{key} is {' there, and '.join(textwrap.shorten(str(side.get(key)), 60) for side in (there, here))} here"
        for key in differing[:3]
    ]
    return "; ".join(said) + (f"; and {len(differing) - 3} more" if len(differing) > 3 else "")


class _Training:
    """The state of one call of `train`."""

    def __init__(
        self,
        run: Path,
        info: RunInfo,
        engine: Engine,
        method: Method,
        faces: TrainingFaces,
        frames: pd.DataFrame,
        progress: OnProgress | None,
        stopped: threading.Event,
        keep_stages: bool,
    ) -> None:
        self.run, self.config, self.engine, self.stopped = run, info.config, engine, stopped
        self.progress = progress if engine.rank == 0 else None
        self.keep_stages = keep_stages
        self.method, self.faces, self.device = method, faces, engine.device
        self.method.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.stages = self.method.stages()
        subjects, clips = (frames[name].tolist() for name in ("subject", "clip"))
        self.same_subject = SameSubject(subjects, clips, self.config.same_subject)
        number_of = {subject: number for number, subject in enumerate(info.train_subjects)}
        self.subjects = torch.as_tensor([number_of[subject] for subject in subjects], device=self.device)
        self.began = self.saved_at = time.monotonic()

    def run_stages(self, log: SummaryWriter | None) -> None:
        """Run all stages, from the checkpoint if there is one."""
        position = read_position(self.run)
        if position:
            self.began -= position.seconds
            if position.stage > len(self.stages):
                raise OmoteError(
                    f"{self.run / CHECKPOINT} is of stage {position.stage + 1}, and this method has "
                    f"{len(self.stages)}. Train with --overwrite to start again"
                )
            if position.is_between_stages:
                load_checkpoint(self.run, self.method, [], {})
        for number in range(position.stage if position else 0, len(self.stages)):
            sums: dict[str, Tensor] = {}
            share_buffers(self.method, self.engine)
            with self.stages[number].during():
                optimisers = begin_stage(self.method, self.stages[number])
                if position and position.stage == number and not position.is_between_stages:
                    load_checkpoint(self.run, self.method, optimisers, sums)
                    self.run_stage(position, optimisers, sums, log)
                else:
                    self.run_stage(Position(number), optimisers, sums, log)
            self.log_swaps(log, number)
            if self.keep_stages and self.engine.rank == 0:
                write_tensors(self.run / weights_file(number + 1), self.method.state_dict())
            self.save_checkpoint(Position(number + 1), [], {})

    def run_stage(
        self,
        position: Position,
        optimisers: list[Optimizer],
        sums: dict[str, Tensor],
        log: SummaryWriter | None,
    ) -> None:
        """Run a stage from ``position`` to its end."""
        config, engine, seed = self.config, self.engine, self.config.seed
        stage = average_gradients(self.stages[position.stage], engine)
        past = 0 if config.learning_rate_restarts else sum(s.epochs for s in self.stages[: position.stage])
        steps = -(-len(self.faces) // config.batch_size)
        posteriors = self.cache_posteriors(stage)
        means = {name: subject_means(posterior.mean, self.subjects) for name, posterior in posteriors.items()}
        for epoch in range(position.epoch, stage.epochs):
            for phase, optimiser in zip(stage.phases, optimisers, strict=True):
                passed = past + phase.decay * epoch if phase.decay else 0
                factor = config.learning_rate_decay**passed
                for group in optimiser.param_groups:
                    group["lr"] = phase.learning_rate * factor
            order = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(position.stage, epoch)))
            subjects, together = self.same_subject.subject_of, stage.frames_per_subject
            batches = epoch_batches(
                subjects,
                config.batch_size,
                order,
                frames_per_subject=together,
                num_parts=engine.num_processes,
            )
            for step in range(position.step if epoch == position.epoch else 0, steps):
                # each step has its own random state, so that a resumed training draws the same numbers
                own = (engine.rank,) if engine.rank else ()
                state = np.random.SeedSequence(seed, spawn_key=(position.stage, epoch, step, *own))
                torch.manual_seed(int(state.generate_state(1, np.uint64)[0]))
                batch = self.make_batch(
                    batches[step][engine.rank], np.random.default_rng(state), posteriors, means
                )
                for name, mean in take_step(engine, stage, optimisers, batch).items():
                    sums[name] = sums[name] + mean if name in sums else mean
                done = Position(position.stage, epoch, step + 1)
                is_check = self.device.type == "cpu" or (step + 1) % CHECK_STEPS == 0 or step + 1 == steps
                if is_check:
                    _check_finite(sums, stage, done)
                if self.progress:
                    count = epoch * steps + step + 1
                    now = TrainingProgress(
                        stage.name, position.stage + 1, len(self.stages), epoch + 1, stage.epochs,
                        count, stage.epochs * steps, sum(map(len, batches[step])),
                    )  # fmt: skip
                    try:
                        self.progress(now)
                    except KeyboardInterrupt:  # the way to stop a training that runs in a thread
                        self.stopped.set()
                # several processes synchronise only at checks, where they wait anyway
                can_stop = engine.num_processes == 1 or is_check
                is_stopped = can_stop and any_process(self.stopped.is_set(), engine)
                if is_stopped or time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
                    self.save_checkpoint(done, optimisers, sums)
                if is_stopped:
                    raise KeyboardInterrupt
            self.log_epoch(log, Position(position.stage, epoch, steps), sums)

    def cache_posteriors(self, stage: Stage) -> dict[str, Posterior]:
        """Return the posteriors of all training frames by the stage's frozen encoders."""
        if not stage.frozen_encoders:
            return {}
        parts = []
        for start in range(0, len(self.faces), CACHE_BATCH):
            numbers = np.arange(start, min(start + CACHE_BATCH, len(self.faces)))
            with self.engine.autocast(), uncompiled(self.engine):
                parts.append(encode_frozen(stage, to_images(self.faces.to_device(numbers))))
        return {
            name: Posterior(*(torch.cat(each) for each in zip(*(part[name] for part in parts), strict=True)))
            for name in stage.frozen_encoders
        }

    def make_batch(
        self,
        numbers: Indices,
        rng: np.random.Generator,
        posteriors: dict[str, Posterior],
        means: dict[str, Tensor],
    ) -> Batch:
        """Return the batch of training frames ``numbers`` (B,)."""
        partner, found = other_subject(self.same_subject.subject_of[numbers], rng)
        same = self.same_subject(numbers, rng)
        frames = send(numbers, self.device)
        return Batch(
            images=to_images(self.faces.to_device(numbers)),
            same_subject=to_images(self.faces.to_device(same)),
            partner=send(partner, self.device),
            has_partner=send(found, self.device).float(),
            subjects=self.subjects[frames],
            cached_posteriors={
                name: Posterior(*(each[frames] for each in posterior))
                for name, posterior in posteriors.items()
            },
            subject_means={name: mean[self.subjects[frames]] for name, mean in means.items()},
        )

    def save_checkpoint(
        self, position: Position, optimisers: list[Optimizer], sums: dict[str, Tensor]
    ) -> None:
        self.saved_at = time.monotonic()
        if self.engine.rank == 0:
            position = position._replace(seconds=self.saved_at - self.began)
            save_checkpoint(self.run, position, self.method, optimisers, sums)

    def log_epoch(self, log: SummaryWriter | None, position: Position, sums: dict[str, Tensor]) -> None:
        """Log the mean of each term over the epoch, and reset the sums."""
        name = f"{position.stage + 1}_{self.stages[position.stage].name}"
        totals = mean_over_processes(torch.stack(list(sums.values())), self.engine)
        for term, total in zip(sums, totals.tolist(), strict=True):
            if log:
                log.add_scalar(f"{name}/{term}", total / position.step, position.epoch + 1)
        if log:
            log.flush()  # for who reads it while the training goes on
        sums.clear()

    def log_swaps(self, log: SummaryWriter | None, stage: int) -> None:
        """Log a swap picture, identity by column and expression by row, if the method has a decoder."""
        if log is None or not self.method.has_decoder:
            return
        numbers = np.array(evenly_spaced(len(self.faces), SAMPLE_FACES))
        faces = self.faces.to_device(numbers)
        subjects = self.subjects[torch.as_tensor(numbers, device=self.device)]
        modes = {module: module.training for module in self.method.modules()}
        self.method.eval()
        with torch.no_grad(), uncompiled(self.engine):
            images, count = to_images(faces), len(faces)
            z_i = self.method.identify(images, subjects).mean
            z_e = self.method.represent(images, subjects).mean
            swaps = self.method.decode(z_i.repeat(count, 1), z_e.repeat_interleave(count, 0)).cpu()
        for module, mode in modes.items():
            module.training = mode
        rows = [torch.cat(list(row), 2) for row in swaps.chunk(count)]
        log.add_image("swap", torch.cat(rows, 1), stage + 1)
        log.flush()


@contextmanager
def _open_log(folder: Path) -> Iterator[SummaryWriter]:
    """Give a TensorBoard writer. An error of its thread is raised here, but not printed as a traceback as well."""
    print_error = threading.excepthook
    threading.excepthook = lambda error: None if isinstance(error.exc_value, OSError) else print_error(error)
    try:
        with writing(folder), SummaryWriter(str(folder)) as log:
            yield log
    finally:
        threading.excepthook = print_error


def _make_info(face_set: FaceSet, config: TrainConfig, engine: Engine) -> RunInfo:
    """Return the content of run.json, with subjects, device and precision resolved."""
    everyone = face_set.subjects
    if isinstance(config.test_subjects, int):
        train_subjects, test_subjects = split_subjects(face_set.frames, config.test_subjects, config.seed)
    else:
        unknown = sorted(set(config.test_subjects) - set(everyone))
        if unknown:
            raise OmoteError(f"test subjects {', '.join(unknown)} are not in {face_set.path}")
        test_subjects = sorted(config.test_subjects)
        train_subjects = sorted(set(everyone) - set(test_subjects))
    if len(train_subjects) < 2:
        raise OmoteError(
            f"{face_set.path} leaves {len(train_subjects)} people to train on, and omote learns from the differences "
            "between people; hold out fewer with test_subjects, or prepare faces of more people"
        )
    # recorded because the weights depend on them, so that they must not change when a training is resumed
    computed = {"device": engine.device.type, "precision": engine.precision}
    config = config.model_copy(update=computed)
    return RunInfo(config, face_set.size, train_subjects, test_subjects, face_set.about)


def _begin_with(method: Method, info: RunInfo, begun: Trained) -> None:
    """Give the method the weights of another run or model; networks that only one of them has are left as they are."""
    weights, own = begun.method.state_dict(), method.state_dict()
    what = f"{begun.path} is {begun.name} for faces of {begun.size} px"
    if begun.name != info.config.method or begun.size != info.image_size:
        raise OmoteError(
            f"{what}, and this training is {info.config.method} on faces of {info.image_size} px; to begin with its "
            "weights, both must be the same"
        )
    shared = {name.partition(".")[0] for name in weights}  # networks: an option may have left one out there
    own = {name: tensor for name, tensor in own.items() if name.partition(".")[0] in shared}
    if differing := [name for name in own if name not in weights or weights[name].shape != own[name].shape]:
        raise OmoteError(
            f"{what}, but its networks are not those of this training ({differing[0]} differs); set options.width, "
            "options.latent_size, options.normalisation and options.activation as there"
        )
    method.load_state_dict(weights, strict=False)


def _check_parts(stages: list[Stage], num_frames: int, batch_size: int, num_processes: int) -> None:
    """Refuse batches too small to give each of several processes two groups of frames."""
    smallest = num_frames // -(-num_frames // batch_size)
    own = 2 * max(stage.frames_per_subject for stage in stages)
    if num_processes > 1 and smallest < own * num_processes:
        raise OmoteError(
            f"{num_processes} processes share batches of {smallest} frames (batch_size is {batch_size}), and each "
            f"needs at least {own} of them; start at most {max(1, smallest // own)}, or set a larger batch_size"
        )


def check_folder(run: Path, overwrite: bool = False) -> None:
    """Raise OmoteError if a folder is there that is not a run, before anything is written into it."""
    if not run.exists() or (run / "run.json").is_file() or (run / EMPTYING).exists():
        return
    if not run.is_dir() or is_in_use(run):
        refused = ", so it is not overwritten" if overwrite else ""
        raise OmoteError(f"{run} exists and is not a run{refused}; choose another folder")


def _start_or_resume(run: Path, info: RunInfo, overwrite: bool) -> None:
    """Write run.json, or check that the run there can be resumed."""
    if overwrite:
        (run / EMPTYING).touch()
    if (run / EMPTYING).exists():  # also after a kill
        for path in sorted(run.iterdir(), key=lambda path: path.name != weights_file()):
            if path.name not in ("lock", EMPTYING):
                remove(path)
        (run / EMPTYING).unlink()
    if is_trained(run):
        raise OmoteError(f"{run} is already trained; choose another folder, or overwrite it")
    if not (run / "run.json").is_file():
        write_json(run / "run.json", info_to_json(info))
    elif (found := read_run_info(run)) != info:
        raise OmoteError(
            f"{run} was begun with other settings: {_differences(found, info)}; choose another folder, or overwrite it"
        )


def _check_finite(sums: dict[str, Tensor], stage: Stage, position: Position) -> None:
    bad = [name for name, total in sums.items() if not torch.isfinite(total)]
    if bad:
        raise OmoteError(
            f'the term "{bad[0]}" of stage "{stage.name}" is no longer finite (epoch {position.epoch + 1}, step '
            f"{position.step}). A smaller learning rate, precision 32-true or a smaller weight of this term may help."
        )
