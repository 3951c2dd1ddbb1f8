"""Fuzzing of every reader of files from outside: damaged files have to be read or refused in a sentence.

    python benchmarks/fuzz.py KIND N SEED [--keep FOLDER]
    python benchmarks/fuzz.py all 500 1 --media 1000

KIND is one of KINDS below, or "all". Valid samples are made first: drawn faces, a tiny run, a table of its features.
Each of N cases damages one file of the sample (damage.py) and reads it in another process, with limits on memory and
time. Right is a result, or OmoteError (of photos and videos, Unreadable) in one line. Any other exception, a crash,
more than MAX_SECONDS or MAX_MEMORY is a fault, and its file is kept.
"""

import argparse
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pyarrow as pa
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from damage import damage
from omote.cli.inputs import parse_setting, parse_test_subjects
from omote.data.build import FaceBatch, Progress, build_face_set
from omote.data.face_set import About, FaceSet, open_face_set
from omote.data.images import Unreadable
from omote.data.importers.folder import list_folder
from omote.data.media import read_frames
from omote.data.outputs import Faces, Outputs
from omote.data.videos import read_video
from omote.errors import OmoteError
from omote.evaluation.protocol import Scores
from omote.evaluation.representation import read_feature_table
from omote.features.axes import Axes, to_axis
from omote.features.embed import embed_to
from omote.features.events import find_events
from omote.features.extract import extract_features
from omote.features.onnx_reader import OnnxReader
from omote.features.profile import Profile, make_profile, make_profile_from_tables
from omote.features.table import read_table
from omote.figures.table.tracks import read_features
from omote.reproduction.execute import execute
from omote.reproduction.plan import make_plan
from omote.reproduction.summarise import summarise
from omote.runs.config import TrainConfig
from omote.runs.trained import load
from omote.synthetic.prepare import prepare_drawn
from omote.training.checkpoint import Position, load_checkpoint, read_position, save_checkpoint
from omote.training.loop import train

MAX_SECONDS = 20
MAX_MEMORY = 3 * 2**30  # bytes above those of a process that has read nothing
FACES: dict[str, Any] = {"subjects": 3, "clips": 2, "mixtures": 0, "frames": 4, "workers": 1}
BATCH = (
    25  # cases that share a process, unless one of them is a fault: starting one takes longer than most cases
)
READ, REFUSED, FAULT = range(3)
SIZE, RESIDENT = range(2)  # places in /proc/self/statm


class Kind(NamedTuple):
    """A kind of input.

    Attributes:
        make: writes the valid files into an empty folder.
        damaged: patterns of the files to damage.
        read: reads the files; also what is wrong with a result raises AssertionError.
    """

    make: Callable[[Path], object]
    damaged: tuple[str, ...]
    read: Callable[[Path], object]


class Fault(NamedTuple):
    """A case that went wrong: its number, the last lines of what happened, and the damaged file."""

    number: int
    what: str
    file: Path


_temporary = tempfile.TemporaryDirectory()
SHARED = Path(_temporary.name)


def make_faces(folder: Path) -> None:
    """Write a face set of drawn people."""
    prepare_drawn(folder / "faces", **FACES)


def read_faces(folder: Path) -> None:
    """Read everything of a face set."""
    face_set = open_face_set(folder / "faces")
    assert len(face_set.frames) == len(face_set), "rows and faces differ"
    _ = face_set.faces.sum(), face_set.subjects, face_set.skipped(), face_set.about.without_names().to_json()


def make_run(folder: Path) -> None:
    """Train for one epoch; the first sample that needs a run leaves it for the others."""
    if not (SHARED / "run").is_dir():
        _train(SHARED)
    for name in ("faces", "run"):
        shutil.copytree(SHARED / name, folder / name)


def _train(folder: Path) -> None:
    make_faces(folder)
    options = {"method": "proposed", "options.epochs": 1, "options.width": 8, "options.latent_size": 4}
    config = TrainConfig.read(None, {**options, "batch_size": 8, "device": "cpu", "precision": "32-true"})
    train(open_face_set(folder / "faces"), folder / "run", config)


def read_run(folder: Path, name: str = "run") -> None:
    """Load a run and compute features."""
    trained = load(folder / name)
    features = trained.read(np.full((2, trained.size, trained.size, 3), 99, np.uint8))
    assert np.isfinite(features.mean).all(), "codes are not finite"
    trained.model_card()


def make_model(folder: Path) -> None:
    """Write a model in the form of the hub."""
    make_run(folder)
    load(folder / "run").save_pretrained(folder / "model")


def read_model(folder: Path) -> None:
    """Load a published model."""
    read_run(folder, "model")


def make_scores(folder: Path) -> None:
    """Write scores of a run."""
    make_run(folder)
    about = {
        "k": 2,
        "seeds": 1,
        "train": {"subjects": 2, "images": 9},
        "test": {"subjects": 1, "images": 4},
        "face_set": {"importer": "drawn", "options": {"seed": 0}, "counts": None},
    }
    rows = [
        ("train", "expression", "accuracy", 0.5, 0.1, 0.2, ""),
        ("test", "expression", "accuracy", None, None, 0.2, "why"),
    ]
    names = ("people", "code", "score", "value", "deviation", "chance", "reason")
    person = {"people": "train", "subject": "ann", "images": 4, "accuracy": 0.5}
    content = {
        "about": about,
        "scores": [dict(zip(names, row, strict=True)) for row in rows],
        "by_subject": [person] * 2,
        "resampled": {"train": [{"0": 0.5, "1": 0.25}] * 3},
    }
    (folder / "run/scores.json").write_text(json.dumps(content))


def read_scores(folder: Path) -> None:
    """Read the scores as `omote evaluate`, the model card and `save_pretrained` do."""
    scores = Scores.load(folder / "run")
    _ = scores.table["value"].mean(), scores.by_subject["accuracy"].mean()
    trained = load(folder / "run")
    trained.model_card()
    trained.save_pretrained(folder / "model")


def _method_and_optimiser() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    method = torch.nn.Linear(4, 3)
    optimiser = torch.optim.Adam(method.parameters())
    method(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    return method, optimiser


def make_checkpoint(folder: Path) -> None:
    """Write a checkpoint."""
    method, optimiser = _method_and_optimiser()
    save_checkpoint(folder, Position(1, 2, 3, 4.0), method, [optimiser], {"a": torch.tensor(0.5)})


def read_checkpoint(folder: Path) -> None:
    """Continue from a checkpoint by one step."""
    method, optimiser = _method_and_optimiser()
    assert read_position(folder)
    load_checkpoint(folder, method, [optimiser], {})
    optimiser.step()


def make_onnx(folder: Path) -> None:
    """Write a network with the inputs, outputs and metadata of `omote export`."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(size=(3, 4)).astype(np.float32), "w"),
        numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
    ]
    nodes = [
        helper.make_node("Cast", ["faces"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["colour"], keepdims=0),
        helper.make_node("MatMul", ["colour", "w"], ["z_e"]),
        helper.make_node("Exp", ["small"], ["z_e_deviation"]),
        helper.make_node("Sigmoid", ["z_e"], ["small"]),
    ]
    nodes = [*nodes[:3], nodes[4], nodes[3]]
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 64, 64, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in ("z_e", "z_e_deviation")
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "omote", [faces], outputs, weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    metadata = {
        "omote_format": "1",
        "part": "expression encoder",
        "method": "omote",
        "model": "omote-12345678",
        "size": "64",
        "face_set": '{"size": 64, "counts": {"subjects": 1, "clips": 1, "frames": 9}}',
    }
    helper.set_model_props(model, metadata)
    onnx.save(model, folder / "model.onnx")


def read_onnx(folder: Path) -> None:
    """Compute features with an ONNX file."""
    onnxruntime.set_default_logger_severity(4)
    reader = OnnxReader(folder / "model.onnx", threads=1)
    features = reader.read(np.full((2, reader.size, reader.size, 3), 99, np.uint8))
    assert np.isfinite(features.mean).all(), "codes are not finite"


def _features(folder: Path) -> pd.DataFrame:
    """Return features, with few of the true factors of drawn faces."""
    make_run(folder)
    trained = load(folder / "run")
    table = extract_features(trained, open_face_set(folder / "faces"))
    factors = [name for name in table.columns if str(name).startswith(("au_", "id_", "nuisance_"))]
    return table.drop(columns=factors[2:]).assign(trusted=True, doubt="", model=trained.model, axis_smile=0.5)


def make_profile_file(folder: Path) -> None:
    """Write a profile of the first person."""
    table = _features(folder)
    make_profile(table, table["subject"].iloc[0]).save(folder / "ann.json")


def read_profile(folder: Path) -> None:
    """Read a profile and apply it."""
    profile = Profile.load(folder / "ann.json")
    profile.describe()
    assert np.isfinite(profile.relative(np.zeros((2, 4), np.float32))).all(), "codes are not finite"


def make_axes_file(folder: Path) -> None:
    """Write two axes."""
    axes = [to_axis(name, np.linspace(-1, 1, 4), 0.5) for name in ("lip corners up", "jaw open")]
    Axes(model="omote-12345678", axes=axes).save(folder / "axes.json")


def read_axes(folder: Path) -> None:
    """Read axes and apply them."""
    read = Axes.load(folder / "axes.json").read(np.ones((2, 4), np.float32))
    values = read.to_numpy()
    assert ((values >= 0) & (values <= 1)).all(), "values are not from 0 to 1"


def make_parquet(folder: Path) -> None:
    """Write a table of features."""
    _features(folder).to_parquet(folder / "table.parquet", index=False)


def make_csv(folder: Path) -> None:
    """Write the same as CSV."""
    _features(folder).to_csv(folder / "table.csv", index=False)


def read_tables(folder: Path) -> None:
    """Read a table as every command that takes one does."""
    path = next(folder.glob("table.*"))
    readers: list[Callable[[], Any]] = [
        lambda: read_table(path),
        lambda: make_profile_from_tables([path], "0000"),
        lambda: read_features(path),
        lambda: read_feature_table(path),
        lambda: find_events(read_table(path)),
    ]
    errors = []
    for reader in readers:
        try:
            reader()
        except OmoteError as error:  # what one command refuses, another may read
            errors.append(error)
    if errors:
        raise errors[-1]


def make_config(folder: Path) -> None:
    """Write a configuration with every kind of value."""
    (folder / "config.toml").write_text(
        'method = "proposed"\nseed = 3\nbatch_size = 64\n'
        'test_subjects = ["ann", "bob"]\nlearning_rate_decay = 0.95\n'
        "learning_rate_restarts = true\n\n[options]\nepochs = 10\nlearning_rate = 5e-4\n"
        "width = 32\nswitch_weight = 1.0\n"
    )


def read_config(folder: Path) -> None:
    """Read a configuration, and its lines as values of --set."""
    errors = []
    for line in (folder / "config.toml").read_text("utf-8", "replace").splitlines()[:20]:
        try:
            TrainConfig.read(None, dict([parse_setting(line.replace(" = ", "="))]))
            parse_test_subjects(line.partition("=")[2].strip())
        except OmoteError as error:
            errors.append(error)
    TrainConfig.read(folder / "config.toml").model_dump_json()


def make_manifest(folder: Path) -> None:
    """Write a manifest of photos and a video that are empty files."""
    (folder / "photos").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg", "d.mp4"):
        (folder / "photos" / name).touch()
    (folder / "who.csv").write_text(
        "path,subject,clip,frame,expression,use,age\na.jpg,ann,talk,1,joy,both,31\nb.jpg,ann,talk,2,,train,31\n"
        "c.jpg,bob,,,07,evaluate,\nd.mp4,bob,,,,,\n"
    )


def read_manifest(folder: Path) -> None:
    """List the clips of a manifest."""
    list_folder(folder / "photos", manifest=folder / "who.csv", map_expression={"07": "fear"})


def make_pattern(folder: Path) -> None:
    """Write a pattern of file names, and photos that fit it."""
    (folder / "photos").mkdir()
    for name in ("ann_joy_1.jpg", "bob_fear_22.jpg"):
        (folder / "photos" / name).touch()
    (folder / "pattern.txt").write_text("{subject:3}_{expression}_{frame}.jpg")


def read_pattern(folder: Path) -> None:
    """List the clips of a pattern."""
    list_folder(folder / "photos", pattern=(folder / "pattern.txt").read_text("utf-8", "replace"))


def make_reproduction(folder: Path) -> None:
    """Train and score one row of the paper."""
    make_faces(folder)
    plan = make_plan(
        open_face_set(folder / "faces"), folder / "paper", rows=[1], scale="tiny", test_subjects=1
    )
    execute(plan, workers=1)


def read_reproduction(folder: Path) -> None:
    """Summarise the scores again; nothing is trained."""
    plan = make_plan(
        open_face_set(folder / "faces"), folder / "paper", rows=[1], scale="tiny", test_subjects=1
    )
    summarise(plan)


def _make_noise(job: int) -> Iterator[FaceBatch]:
    faces = np.random.default_rng(job).integers(0, 256, (4, 64, 64, 3), np.uint8)
    yield FaceBatch(faces, pd.DataFrame({"subject": f"person {job}", "clip": "talk", "frame": range(4)}))


def _prepare(folder: Path, progress: Progress | None = None) -> FaceSet:
    """Write a face set of noise, which takes less time than drawing."""
    about = About(importer="noise")
    return build_face_set(folder, range(3), _make_noise, size=64, about=about, workers=1, progress=progress)


def _stop_at_the_end(done: int, total: int) -> None:
    if done == total:
        raise KeyboardInterrupt


def make_parts(folder: Path) -> None:
    """Stop a preparation before its parts are joined, and write beside it what it is to end with."""
    _prepare(folder / "right")
    with contextlib.suppress(KeyboardInterrupt):
        _prepare(folder / "faces", _stop_at_the_end)


def read_parts(folder: Path) -> None:
    """Resume the preparation."""
    made, right = _prepare(folder / "faces"), open_face_set(folder / "right")
    assert np.array_equal(made.faces, right.faces), "faces differ"
    assert made.frames.equals(right.frames), "frames differ"


class ColourReader:
    """A stand-in for a network: the code of a face is its mean colour."""

    name, size, model = "colours", 64, "colours-0"

    def __init__(self, face_set: FaceSet) -> None:
        self.face_set = face_set.about

    def read(self, faces: Faces, subjects: Sequence[str] | None = None) -> Outputs:
        """Return the codes."""
        colours = faces.mean((1, 2), dtype=np.float32)
        return Outputs(colours, np.ones_like(colours), np.zeros(len(faces), np.float32))


def _embed(folder: Path, to: str, progress: Progress | None = None) -> None:
    with contextlib.chdir(folder):  # the name of the face set is a part of the request
        embed_to(ColourReader(open_face_set("faces")), ["faces", "faces"], to, progress=progress)


def make_table_parts(folder: Path) -> None:
    """Stop an embedding before its parts are joined, and write beside it what it is to end with."""
    _prepare(folder / "faces")
    _embed(folder, "right.parquet")
    with contextlib.suppress(KeyboardInterrupt):
        _embed(folder, "table.parquet", _stop_at_the_end)


def read_table_parts(folder: Path) -> None:
    """Resume the embedding."""
    _embed(folder, "table.parquet")
    made, right = (pd.read_parquet(folder / f"{name}.parquet") for name in ("table", "right"))
    assert made.equals(right), "rows differ"


def make_photos(folder: Path) -> None:
    """Write photos and animations in several formats."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(12, 0).repeat(12, 1)
    for suffix in ("jpg", "png", "bmp", "tif", "webp", "gif"):
        Image.fromarray(pixels).save(folder / f"photo.{suffix}")
    frames = [Image.fromarray(pixels + np.uint8(number)) for number in range(4)]
    for suffix in ("gif", "png", "webp", "tif"):
        frames[0].save(folder / f"moving.{suffix}", save_all=True, append_images=frames[1:])
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 99).save(folder / "deep.png")


def read_photos(folder: Path) -> None:
    """Read the photos and animations; one is damaged."""
    for path in sorted(folder.iterdir()):
        for frame in read_frames(path):
            assert frame.image.dtype == np.uint8 and frame.image.ndim == 3, "no RGB pixels"  # noqa: PT018


def make_videos(folder: Path) -> None:
    """Write videos in several formats."""
    import av

    rng = np.random.default_rng(0)
    for name, codec in (("video.mp4", "mpeg4"), ("video.avi", "mjpeg"), ("video.mkv", "libx264")):
        with contextlib.suppress(Exception), av.open(str(folder / name), "w") as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = (
                64,
                48,
                "yuvj420p" if codec == "mjpeg" else "yuv420p",
            )
            for _ in range(8):
                pixels = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
            container.mux(stream.encode())


def read_videos(folder: Path) -> None:
    """Read the videos; one is damaged."""
    for path in sorted(folder.iterdir()):
        for number, frame in enumerate(read_video(path)):
            assert frame.image.dtype == np.uint8, "no RGB pixels"
            assert number < 10_000, "more frames than the file can hold"


KINDS = {
    "photo": Kind(make_photos, ("*",), read_photos),
    "video": Kind(make_videos, ("*",), read_videos),
    "face_set": Kind(make_faces, ("faces/*.*",), read_faces),
    "config": Kind(make_config, ("config.toml",), read_config),
    "run": Kind(make_run, ("run/run.json", "run/training.json", "run/*.safetensors"), read_run),
    "model": Kind(make_model, ("model/*.json", "model/*.safetensors"), read_model),
    "scores": Kind(make_scores, ("run/scores.json",), read_scores),
    "checkpoint": Kind(make_checkpoint, ("checkpoint.safetensors",), read_checkpoint),
    "onnx": Kind(make_onnx, ("model.onnx",), read_onnx),
    "profile": Kind(make_profile_file, ("ann.json",), read_profile),
    "axes": Kind(make_axes_file, ("axes.json",), read_axes),
    "parquet": Kind(make_parquet, ("table.parquet",), read_tables),
    "csv": Kind(make_csv, ("table.csv",), read_tables),
    "parts": Kind(make_parts, ("faces.partial/*.json", "faces.partial/part_*/*"), read_parts),
    "table_parts": Kind(
        make_table_parts, ("table.parquet.partial/*.json", "table.parquet.partial/part_*/*"), read_table_parts
    ),
    "reproduction": Kind(
        make_reproduction,
        (
            "paper/reproduce.json",
            "paper/scores/*/scores.json",
            "paper/runs/*/*.json",
            "paper/runs/*/*.safetensors",
        ),
        read_reproduction,
    ),
    "manifest": Kind(make_manifest, ("who.csv",), read_manifest),
    "pattern": Kind(make_pattern, ("pattern.txt",), read_pattern),
}
MEDIA = ("photo", "video")


def fuzz(kind: str, count: int, seed: int, keep: Path | None = None) -> tuple[Counter[str], list[Fault]]:
    """Return how many cases were read and refused, and the faults, whose files are kept in a folder."""
    torch.set_num_threads(1)  # threads do not survive a fork
    pa.set_cpu_count(1)
    read = KINDS[kind].read
    counts: Counter[str] = Counter()
    faults: list[Fault] = []
    with tempfile.TemporaryDirectory() as temporary:
        sample, case = Path(temporary) / "sample", Path(temporary) / "case"
        sample.mkdir()
        codes, said, _ = _in_a_process([lambda: KINDS[kind].make(sample)], seconds=300)
        assert codes == [READ], f"the sample could not be made: {said}"
        shutil.copytree(sample, Path(temporary) / "warm")
        read(Path(temporary) / "warm")  # what is loaded now, no process loads again
        files = sorted({path for pattern in KINDS[kind].damaged for path in sample.glob(pattern)})

        def damage_one(number: int) -> tuple[Path, bytes]:
            rng = random.Random(f"{kind} {seed} {number}")
            file = rng.choice(files)
            return file, damage(file.name, file.read_bytes(), rng)

        def read_case(number: int) -> None:
            file, data = damage_one(number)
            shutil.rmtree(case, ignore_errors=True)
            if kind in MEDIA:
                case.mkdir()
            else:
                shutil.copytree(sample, case)
            (case / file.relative_to(sample)).write_bytes(data)
            read(case)

        reads = [partial(read_case, number) for number in range(count)]
        outcomes = [each for start in range(0, count, BATCH) for each in _try(reads[start : start + BATCH])]
        for number, (code, said) in enumerate(outcomes):
            counts["read" if code == READ else "refused" if code == REFUSED else "fault"] += 1
            if code == FAULT:
                file, data = damage_one(number)
                kept = (keep or Path(tempfile.gettempdir())) / f"{kind}_{seed}_{number}_{file.name}"
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(data)
                faults.append(Fault(number, said, kept))
    return counts, faults


def _try(reads: Sequence[Callable[[], object]]) -> list[tuple[int, str]]:
    """Return code and last words of each case; if one of them is a fault, each had a process of its own."""
    codes, said, memory = _in_a_process(reads)
    if memory > MAX_MEMORY:
        codes, said = [FAULT], f"{memory / 1e9:.1f} GB of memory"
    if FAULT not in codes and len(codes) == len(reads):
        return [(code, "") for code in codes]
    if len(reads) == 1:
        return [(FAULT, said)]
    return [outcome for read in reads for outcome in _try([read])]


def _in_a_process(
    reads: Sequence[Callable[[], object]], seconds: int = MAX_SECONDS
) -> tuple[list[int], str, int]:
    """Return the codes of cases that a forked process reads, as far as it gets, its last words, and its memory."""
    held = _memory(RESIDENT)
    with tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as codes:
        child = os.fork()
        if not child:
            _read_and_report(reads, seconds, words.fileno(), codes.fileno())
            os._exit(0)
        _, status, usage = os.wait4(child, 0)
        words.seek(0)
        codes.seek(0)
        said, found = words.read().decode(errors="replace").strip(), [*codes.read()]
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        said = f"more than {seconds} s"
    elif code:
        said = f"{signal.Signals(-code).name if code < 0 else f'exit {code}'} {said}"
    return found, said, usage.ru_maxrss * 1024 - held


def _memory(which: int) -> int:
    """Return the bytes of memory that this process has asked for (SIZE) or holds (RESIDENT)."""
    return int(Path("/proc/self/statm").read_text().split()[which]) * os.sysconf("SC_PAGE_SIZE")


def _read_and_report(reads: Sequence[Callable[[], object]], seconds: int, words: int, codes: int) -> None:
    os.dup2(words, 1)
    os.dup2(words, 2)
    resource.setrlimit(resource.RLIMIT_AS, (_memory(SIZE) + 2 * MAX_MEMORY,) * 2)
    for read in reads:
        signal.alarm(seconds)
        os.lseek(words, 0, os.SEEK_SET)
        os.ftruncate(words, 0)
        os.write(codes, bytes([_code_of(read, words)]))


def _code_of(read: Callable[[], object], words: int) -> int:
    try:
        read()
        return READ
    except (OmoteError, Unreadable) as error:
        if "\n" not in str(error):
            return REFUSED
        os.write(words, f"several lines: {error}".encode(errors="replace"))
    except BaseException:  # also PanicException of libraries written in Rust
        os.write(words, traceback.format_exc(limit=-4).encode(errors="replace"))
    return FAULT


def main() -> None:
    """Print a line for each kind, and the faults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=[*KINDS, "all"])
    parser.add_argument("count", type=int, help="cases of each kind")
    parser.add_argument("seed", type=int)
    parser.add_argument("--media", type=int, help="cases of photos and of videos, if other than COUNT")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz_faults"), help="folder for the files of faults"
    )
    given = parser.parse_args()
    print("| kind | seed | tried | read | refused | faults |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    failed = False
    for kind in _chosen(given.kind):
        count = given.media if kind in MEDIA and given.media is not None else given.count
        counts, faults = fuzz(kind, count, given.seed, given.keep)
        print(
            f"| {kind} | {given.seed} | {count} | {counts['read']} | {counts['refused']} | {counts['fault']} |",
            flush=True,
        )
        for fault in faults:
            failed = True
            print(f"  case {fault.number}, {fault.file}: {fault.what}", file=sys.stderr, flush=True)
    sys.exit(failed)


def _chosen(kind: str) -> Iterator[str]:
    yield from KINDS if kind == "all" else [kind]


if __name__ == "__main__":
    main()
