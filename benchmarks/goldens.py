"""Whether a change of the code changed a result: every command on small inputs, and digests of all it writes.

    python benchmarks/goldens.py --to before.json        # on the code before the change
    python benchmarks/goldens.py --against before.json   # on the code after it, on the same machine

Digests are of contents, not of files: pixels of pictures, values of tables column by column, weights tensor by tensor.
Only the command line is used, so the script runs on both sides of any change behind it. Weights differ between
processors, so a file of digests is good on the machine that wrote it. Needs the shared data for photos, videos and
rendered faces (the folder OMOTE_SHARED, or ../shared); what it lacks is left out on both sides.
"""

import argparse
import base64
import hashlib
import html
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import load_file

SHARED = Path(os.environ.get("OMOTE_SHARED", Path(__file__).parents[2] / "shared"))
METHODS = (
    "vae", "cvae", "conventional", "proposed", "contrast", "omote", "beta_vae", "ml_vae", "gvae", "adversarial_vae",
)  # fmt: skip
SMALL = (
    "--test-subjects", "2", "--epochs", "1", "--batch-size", "12", "--set", "options.width=8",
    "--set", "options.latent_size=8", "--set", "device=cpu", "--set", "precision=32-true",
)  # fmt: skip
TIMES = ("seconds", "minutes", "started", "took")  # columns and keys that differ from run to run


def digest(content: bytes) -> str:
    """Return the first digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:16]


def column_digest(column: "pd.Series[Any]") -> str:
    """Return the digest of a column's values, whatever type pandas gave it."""
    if column.dtype.kind == "f":
        return digest(column.to_numpy(np.float64).tobytes())
    return digest(repr(column.tolist()).encode())


def contents(file: Path) -> dict[str, str]:
    """Return a digest of every part of a file; of a page, its pictures and its numbers."""
    name = file.suffix.lower()
    if name == ".npy":
        return {"": digest(np.load(file).tobytes())}
    if name == ".safetensors":
        return {key: digest(value.tobytes()) for key, value in load_file(file).items()}
    if name in (".parquet", ".csv"):
        try:
            table = pd.read_parquet(file) if name == ".parquet" else pd.read_csv(file)
        except pd.errors.EmptyDataError:
            return {"": "empty"}
        return {str(key): column_digest(table[key]) for key in table if not str(key).startswith(TIMES)}
    if name == ".png":
        return {"": digest(np.asarray(Image.open(file).convert("RGBA")).tobytes())}
    if name == ".html":
        text = file.read_text(encoding="utf-8")
        pictures = re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", text)
        found = {f"picture {i}": picture_digest(base64.b64decode(one)) for i, one in enumerate(pictures)}
        cells = [
            html.unescape(re.sub("<[^>]+>", "", cell))
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", text, re.S)
        ]
        numbers = [
            cell.strip() for cell in cells if re.search(r"\d", cell) and not re.search(r"\d s\b|min\b", cell)
        ]
        return {**found, "numbers": digest(repr(numbers).encode())}
    if name == ".json":
        content = without_times(json.loads(file.read_text(encoding="utf-8")))
        return {"": digest(json.dumps(content, sort_keys=True).encode())}
    return {}


def picture_digest(content: bytes) -> str:
    """Return the digest of a picture's pixels."""
    return digest(np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).tobytes())


def without_times(value: Any) -> Any:
    """Return JSON without what differs from run to run: times and the folder."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if not key.startswith(TIMES)}
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def commands() -> list[list[str]]:
    """Return every command, in order; paths are relative to the working folder."""
    photos, videos = SHARED / "data" / "london", SHARED / "data" / "videos"
    detector = ["--detector", str(SHARED / "models" / "face_detection_yunet_2023mar.onnx")]
    some = [str(path) for path in sorted(photos.glob("00*_0[38].jpg"))]
    real = bool(some) and Path(detector[1]).is_file()
    model = SHARED / "data" / "ict_facekit" / "ict_facekit.npz"
    run = [["prepare", "drawn", "--to", "drawn", "--subjects", "8", "--clips", "4", "--mixtures", "1", "--frames", "4",
            "--workers", "1"]]  # fmt: skip
    run += [["train", "drawn", "--method", method, "--to", method, *SMALL] for method in METHODS]
    run += [["evaluate", method, "drawn", "--kmeans-runs", "5", "--clusters", "4"] for method in METHODS]
    run += [
        ["evaluate", "vae", "drawn", "--kmeans-runs", "5", "--clusters", "4", "--centred"],
        ["audit", "proposed", "omote", "--judge", "conventional", "--faces", "drawn", "--to", "audit",
         "--kmeans-runs", "3", "--clusters", "4"],
        ["choose", "omote", "proposed", "vae", "--faces", "drawn", "--to", "choose.csv"],
        ["swap", "omote", "proposed", "--faces", "drawn", "--to", "swap.png"],
        ["interpolate", "omote", "proposed", "--faces", "drawn", "--to", "interpolation.png"],
        ["embed", "omote", "drawn", "--to", "drawn.parquet"],
        ["plot", "drawn.parquet", "--to", "plot_drawn", "--faces", "drawn"],
        ["audit", "drawn.parquet", "--to", "audit_table", "--kmeans-runs", "3", "--clusters", "4"],
        ["export", "omote", "--to", "omote.onnx"],
        ["embed", "omote.onnx", "drawn", "--to", "drawn_onnx.parquet"],
        ["reproduce", "drawn", "--to", "paper", "--scale", "tiny", "--rows", "1,3,4", "--seeds", "2",
         "--test-subjects", "2", "--workers", "1"],
    ]  # fmt: skip
    if model.is_file():
        run += [["prepare", "rendered", "--model", str(model), "--to", "rendered", "--subjects", "2", "--clips", "2",
                 "--mixtures", "1", "--frames", "4", "--workers", "1"]]  # fmt: skip
    if real:
        for name, options in {
            "photos": [],
            "aligned": ["--align", "eyes"],
            "wide": ["--margin", "0.3"],
        }.items():
            run += [["prepare", "folder", "london", "--pattern", "{subject}_{expression}.jpg", "--to", name,
                     "--workers", "1", *options, *detector]]  # fmt: skip
        run += [
            ["prepare", "folder", "london", "--pattern", "{subject}_{expression}.jpg", "--to", "cropped", "--cropped",
             "--workers", "1"],
            ["train", "aligned", "--method", "omote", "--to", "run_aligned", *SMALL],
            ["embed", "omote", *some, "--to", "photos.parquet", *detector],
            ["embed", "run_aligned", *some, "--to", "aligned.parquet", *detector],
            ["embed", "omote", *some, "--cropped", "--to", "cropped.csv"],
            ["embed", "omote", str(videos / "single_face.mp4"), str(videos / "face_noface.mov"), "--fps", "3", "--to",
             "video.parquet", *detector],
            ["plot", "video.parquet", "--to", "plot_video", "--clusters", "3"],
            ["profile", "video.parquet", "--to", "person.json", "--name", "person"],
            ["embed", "omote", str(videos / "single_face.mp4"), "--fps", "3", "--profile", "person.json", "--to",
             "relative.parquet", *detector],
            ["swap", "omote", "--identity", some[0], "--expression", some[1], "--to", "swap_photos.png", *detector],
        ]  # fmt: skip
    return run


def run_all(work: Path) -> dict[str, str]:
    """Run every command in a folder; return the digest of every part of what they wrote, and how they ended."""
    photos = SHARED / "data" / "london"
    if photos.is_dir():
        (work / "london").mkdir()
        for path in sorted(photos.glob("00*_0[38].jpg")):
            (work / "london" / path.name).symlink_to(path)
    found = {}
    for command in commands():
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", "from omote.cli.main import main; main()", *command],
            cwd=work, capture_output=True, text=True, check=False,
        )  # fmt: skip
        named = " ".join(Path(word).name for word in command)
        found[f"$ {named}"] = str(done.returncode)
        print(f"{time.monotonic() - begin:6.1f} s  {done.returncode}  {named[:110]}", flush=True)
        if done.returncode:
            print(done.stderr[-2000:], flush=True)
    for file in sorted(work.rglob("*")):
        if file.is_file() and "london" not in file.parts and "tensorboard" not in file.parts:
            for part, value in contents(file).items():
                found[f"{file.relative_to(work)} {part}".strip()] = value
    return found


def main() -> None:
    """Write the digests, or compare with those of before."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--to", type=Path, help="write the digests here")
    parser.add_argument("--against", type=Path, help="compare with the digests here")
    parser.add_argument("--keep", type=Path, help="a new folder to keep everything that was made in")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = given.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        found = run_all(work.resolve())
    if given.to:
        given.to.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.against:
        before = json.loads(given.against.read_text(encoding="utf-8"))
        differing = [key for key in sorted(before | found) if before.get(key) != found.get(key)]
        for key in differing:
            print(f"differs: {key}: {before.get(key, 'was not there')} -> {found.get(key, 'is gone')}")
        print(f"{len(before | found) - len(differing)} equal, {len(differing)} differ")
        sys.exit(bool(differing))


if __name__ == "__main__":
    main()
