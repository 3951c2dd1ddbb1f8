"""The speed of omote in one table: each line with a reference, timed in the same run, and the limit of the machine.

    python benchmarks/speed.py [--only TEXT] [--rounds 5] [--to FILE.md]

Every side runs in its own process, and the sides of a line take turns. A rate is the median over the rounds; a ratio
divides two rates of the same run. "limit" is the share of the machine's limit (measured first) that a side reaches: the
floating-point operations that it executes, relative to the fastest convolution in the same precision. Avoided work
therefore raises the speed, but not this share. For k-means the limit is the float64 matrix product; for videos, it is
the number of frames that the detector alone could process on all cores. "MiB" is the peak resident memory, including
child processes. Faces and films are made here. Lines whose detector or package is missing say how to get it.
"""

import argparse
import os
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import machine
import measure
from measure import Measurement, Side
from omote.errors import OmoteError
from omote.files import write_text

SUBJECTS = 16
FILM_FRAMES = 120  # frames per film for the plain loops and for the detector alone


class Line(NamedTuple):
    """A line of the table: sides of omote and references; at least one of the two lists has only one side."""

    group: str
    name: str
    cost: float  # approximate duration in seconds, to estimate the time left
    make: Callable[[Path, int], tuple[list[Side], list[Side]]]  # (folder for shared files, rounds) -> sides
    seconds: bool = False  # show seconds instead of a rate
    ceiling: Callable[[Path], Side] | None = None  # a side whose rate is the limit


def faces_of(size: int, count: int) -> np.ndarray:
    """Return (count, S, S, 3) uint8 images that are about as smooth as faces."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    smooth = np.stack([cv2.resize(each, (size, size), interpolation=cv2.INTER_CUBIC) for each in coarse])
    return np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def face_set(folder: Path, size: int, count: int) -> Path:
    """Return a face set of the images of `faces_of`."""
    from omote.data.arrays import prepare_arrays

    to = folder / f"faces_{size}_{count}"
    if not to.exists():
        prepare_arrays(faces_of(size, count), [i % SUBJECTS for i in range(count)], to)
    return to


def photos(folder: Path, size: int, count: int) -> Path:
    """Return a folder with the images of `faces_of` as PNG files."""
    to = folder / f"photos_{size}_{count}"
    if not to.exists():
        for number, image in enumerate(faces_of(size, count)):
            person = to / f"{number % SUBJECTS:02d}"
            person.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(person / f"{number:05d}.png"), image[..., ::-1])
    return to


def training(method: str, stage: str, size: int) -> Line:
    steps = 2 if size == 64 else 1

    def make(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
        count = 64 * (2 + steps * (rounds + 1))  # one epoch: two steps of warm-up, then the rounds
        about = {"method": method, "stage": stage, "steps": steps}
        to = folder / f"run_{method}_{stage}_{size}"
        ours = Side("omote", "sides.train_omote", {"faces": face_set(folder, size, count), "to": to, **about})
        plain = {"photos": photos(folder, size, 512), "size": size, **about}
        return [ours], [Side("plain PyTorch", "sides.train_plainly", plain)]

    cost = {"identity": 20, "expression": 55 if method == "proposed" else 25}[stage] * (
        1 if size == 64 else 2
    )
    return Line("training, images a second", f"{method}, {stage} stage, {size} px", cost, make)


def vae(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
    steps = 8
    ours = {"faces": face_set(folder, 64, 64 * (2 + steps * (rounds + 1))), "to": folder / "run_vae"}
    theirs = {"faces": face_set(folder, 64, 64 * steps), "to": folder / "pythae"}
    side = Side("omote", "sides.train_omote", {**ours, "method": "vae", "stage": "vae", "steps": steps})
    return [side], [Side("pythae's own trainer", "sides.train_pythae", theirs)]


@cache
def films(folder: Path) -> Path:
    """Return a folder with one film per core; the face is 200 of 480 pixels high."""
    from omote.synthetic.drawn import DrawnOptions, draw_subject
    from videos import film

    once = film(draw_subject(DrawnOptions(size=128), 0)[0][:24], (200,), (640, 480), folder / "film.mp4")
    for person in range(os.cpu_count() or 1):
        (folder / "films" / str(person)).mkdir(parents=True)
        shutil.copy(once, folder / "films" / str(person))
    return folder / "films"


def one_film(folder: Path, side: int) -> dict[str, object]:
    from omote.data.detect import find_detector

    about = {"video": films(folder) / "0" / "film.mp4", "detector": find_detector()}
    return {**about, "side": side, "frames": FILM_FRAMES}


def preparation(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
    plain = [
        Side(name, "sides.prepare_plainly", one_film(folder, side))
        for name, side in (("OpenCV loop, whole frames", 640), ("OpenCV loop, 320 px as omote", 320))
    ]
    return [Side("omote", "sides.prepare_omote", {"videos": films(folder), "to": folder / "prepared"})], plain


def detector_alone(folder: Path) -> Side:
    return Side("detector", "sides.detect", one_film(folder, 320))


def features(batch: int) -> Line:
    def make(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
        from omote.runs.device import multiplies_in_bfloat16

        model, file, work = exported(folder)
        about, ours = {"batch": batch, "work": work}, []
        halves = [False, True] if multiplies_in_bfloat16("cpu") else [False]
        for half in halves:
            name = "PyTorch bf16" if half else "PyTorch"
            ours.append(Side(name, "sides.read_torch", {**about, "model": model, "bfloat16": half}))
        by_file = [("ONNX Runtime", "onnxruntime", False)]
        by_file += [("OpenVINO bf16" if half else "OpenVINO", "openvino", half) for half in halves]
        for name, runtime, half in by_file:
            of_file = {"file": file, "runtime": runtime, "bfloat16": half}
            ours.append(Side(name, "sides.read_onnx", {**about, **of_file}))
        return ours, [Side("plain PyTorch float32", "sides.read_plainly", {**about, "model": model})]

    return Line("features, images a second", f"64 px, batch {batch}", 30, make)


@cache
def exported(folder: Path) -> tuple[Path, Path, float]:
    """Return an untrained model, its ONNX file, and its floating-point operations per image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from features import untrained
    from omote.export.onnx import export_onnx

    trained, model, file = untrained(64), folder / "model", folder / "model.onnx"
    trained.save_pretrained(model)
    export_onnx(trained, file)
    with FlopCounterMode(display=False) as counter:
        trained.method.represent(torch.rand(1, 3, 64, 64))
    return model, file, float(counter.get_total_flops())


def clustering(images: int, runs: int, cost: float) -> Line:
    def make(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
        from evaluation import make_features

        labelled, _ = make_features(images)
        files = {"features": folder / f"features_{images}.npy", "labels": folder / f"labels_{images}.npy"}
        np.save(files["features"], labelled.features)
        np.save(files["labels"], labelled.labels)
        plain = {"features": files["features"], "runs": runs}
        sides = Side("omote", "sides.cluster_omote", {**files, "runs": runs})
        return [sides], [Side("scikit-learn in a loop", "sides.cluster_plainly", plain)]

    return Line("k-means, runs a second", f"{images:,} x 64, {runs} runs a round", cost, make)


def start_up(folder: Path, rounds: int) -> tuple[list[Side], list[Side]]:
    ours = {"code": "from omote.cli.main import main; main()", "arguments": ["--help"]}
    nothing = {"code": "pass", "arguments": []}
    return [Side("omote", "sides.start", ours)], [Side("python -c pass", "sides.start", nothing)]


LINES = [
    *(
        training(method, stage, size)
        for size in (64, 128)
        for method in ("conventional", "proposed")
        for stage in ("identity", "expression")
    ),
    Line("training, images a second", "vae, 64 px", 50, vae),
    Line(
        "faces from video, frames a second",
        "640x480, face of 200 px",
        60,
        preparation,
        ceiling=detector_alone,
    ),
    features(1),
    features(64),
    clustering(2_037, 100, 20),
    clustering(100_000, 4, 45),
    Line("start-up, seconds", "omote --help; 0.3 is the aim", 8, start_up, seconds=True),
]


class Row(NamedTuple):
    """A printed row: one side of omote and one reference."""

    name: str
    ours: str = ""
    share: str = ""
    peak: str = ""
    reference: str = ""
    theirs: str = ""
    their_share: str = ""
    their_peak: str = ""
    ratio: str = ""
    note: str = ""  # why a number is missing

    def text(self) -> str:
        widths = (-38, 8, 7, 7, -29, 8, 7, 7, 7)
        cells = [
            f"{cell:{'<' if width < 0 else '>'}{abs(width)}}"
            for cell, width in zip(self, widths, strict=False)
        ]
        line = ("".join(cells[:4]) + "  " + "".join(cells[4:])).rstrip()
        return "\n".join([line, *textwrap.wrap(self.note, 118, initial_indent="  ", subsequent_indent="  ")])

    def markdown(self) -> str:
        return f"| {' | '.join(self[:-1])} |" + f"\n| {self.note} |" * bool(self.note)


HEAD = Row("", "omote", "limit", "MiB", "reference", "its own", "limit", "MiB", "ratio")


def number(value: float) -> str:
    """Return a number with three significant digits, "" for NaN and infinity."""
    if not np.isfinite(value):
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def share(side: Measurement, limits: dict[str, float], ceiling: float) -> str:
    """Return the share of the machine's limit, "" if there is no limit."""
    reached = side.rate / ceiling if ceiling else 0.0
    if side.limit in limits:
        reached = side.work * side.rate / 1e9 / limits[side.limit]
    return f"{100 * reached:.0f} %" if reached else ""


def rows_of(
    line: Line, folder: Path, rounds: int, limits: dict[str, float], progress: Callable[[float], None]
) -> list[Row]:
    """Measure a line and return its rows; if it cannot be measured, a row that says why."""
    try:
        ours, references = line.make(folder, rounds)
        limit = [line.ceiling(folder)] if line.ceiling else []
    except OmoteError as error:
        return [Row(line.name, note=str(error))]
    found = measure.take_turns([*ours, *references, *limit], rounds, progress)
    of_limit = found[len(ours) + len(references) :]
    ceiling = next((side.rate for side in of_limit if isinstance(side, Measurement)), 0.0)

    def cells_of(side: Measurement | str) -> tuple[str, str, str]:
        if isinstance(side, str):
            return "", "", ""
        return (
            number(1 / side.rate if line.seconds else side.rate),
            share(side, limits, ceiling),
            number(side.peak),
        )

    rows = []
    for side, mine in zip(ours, found, strict=False):
        name, cells = line.name if len(ours) == 1 else f"{line.name}, {side.name}", cells_of(mine)
        for reference, theirs in zip(references, found[len(ours) :], strict=False):
            row = Row(name, *cells, reference.name, *cells_of(theirs))
            if isinstance(mine, Measurement) and isinstance(theirs, Measurement):
                row = row._replace(ratio=f"{mine.rate / theirs.rate:.2f}x")
            else:
                why = ((side.name, mine), (reference.name, theirs))
                row = row._replace(
                    note="; ".join(f"{who}: {what}" for who, what in why if isinstance(what, str))
                )
            rows.append(row)
            name, cells = "", ("", "", "")
    return rows


class Clock:
    """Shows on standard error which line is measured, and an estimate of the time left."""

    def __init__(self, lines: list[Line]) -> None:
        self.whole, self.done, self.began = sum(line.cost for line in lines), 0.0, time.monotonic()

    def show(self, line: Line, share: float) -> None:
        """Show it; if standard error is not a terminal, only once per line."""
        done = self.done + share * line.cost
        passed = time.monotonic() - self.began
        left = (
            f", about {passed * (self.whole / done - 1) / 60:.0f} min left"
            if done > 0.05 * self.whole
            else ""
        )
        if sys.stderr.isatty():
            print(
                f"\r\033[K{line.name}{left}", end="" if share < 1 else "\r\033[K", file=sys.stderr, flush=True
            )
        elif share == 0:
            print(f"{line.name}{left}", file=sys.stderr, flush=True)


def about_processor() -> str:
    """Return which instructions the processor has for products, as AMX decides how fast training can be."""
    import torch

    has_amx, has_bfloat16 = torch.cpu._is_amx_tile_supported(), torch.cpu._is_avx512_bf16_supported()
    bfloat16 = "AMX" if has_amx else f"{'bfloat16' if has_bfloat16 else 'no bfloat16'} products, no AMX"
    return f"{os.cpu_count()} cores with {torch.backends.cpu.get_cpu_capability()}, {bfloat16}"


def about_machine() -> str:
    import sklearn
    import torch

    versions = f"torch {torch.__version__}, OpenCV {cv2.__version__}, scikit-learn {sklearn.__version__}"
    return f"{about_processor()}; {versions}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", default="", help="only lines that contain this text, in their name or group"
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds per side")
    parser.add_argument("--to", type=Path, help="Markdown file to write the table to")
    args = parser.parse_args()
    lines = [line for line in LINES if args.only.lower() in f"{line.group}: {line.name}".lower()]
    if not lines:
        parser.error(
            f"no line contains {args.only!r}; the lines are\n"
            + "\n".join(f"{x.group}: {x.name}" for x in LINES)
        )
    if args.rounds < 1:
        parser.error(f"--rounds is {args.rounds}; give 1 or more")
    print("measuring the limits of the machine ...", file=sys.stderr)
    limits = machine.limits()
    head = f"{about_machine()}\n{machine.limits_text(limits)}"
    print(head, flush=True)
    page, group, clock = [head, "", HEAD.markdown(), "| --- " * (len(HEAD) - 1) + "|"], "", Clock(lines)
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):  # finished lines are kept
        for line in lines:
            clock.show(line, 0)
            rows = rows_of(line, Path(folder), args.rounds, limits, partial(clock.show, line))
            clock.done += line.cost
            if line.group != group:
                group = line.group
                print(f"\n{HEAD._replace(name=group).text()}")
                page.append(Row(f"**{group}**").markdown())
            print(*(row.text() for row in rows), sep="\n", flush=True)
            page += [row.markdown() for row in rows]
        print(f"\nat the end: {machine.limits_text(machine.limits())}")
    if args.to:
        write_text(args.to, "\n".join(page) + "\n")


if __name__ == "__main__":
    main()
