"""Exported ONNX files: their content, their agreement with PyTorch, and their readers."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from omote import files
from omote.data.cut import cut_out
from omote.data.detect import DETECTOR_NAME, DETECTOR_SHA256, Face, find_only_face
from omote.data.face_set import FaceSet
from omote.data.images import read_photo
from omote.errors import OmoteError
from omote.export import onnx as onnx_file
from omote.export.onnx import OnnxFile, export_onnx
from omote.features import onnx_reader
from omote.features.embed import open_reader
from omote.features.onnx_reader import OnnxReader, Runtime
from omote.runs.trained import Trained
from omote.training.loop import train
from tests.conftest import Configure

ROOT = Path(__file__).parents[2]
METHODS = ("vae", "proposed", "contrast", "omote")  # one code, two codes, no decoder, two decoders
RUNTIMES: tuple[Runtime, ...] = ("onnxruntime", "openvino")
Exports = dict[str, tuple[Trained, list[OnnxFile]]]


@pytest.fixture(scope="module")
def exports(faces: FaceSet, configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    """A run of each of METHODS and its exported files; the run of vae has no out-of-distribution model."""
    folder = tmp_path_factory.mktemp("exports")
    own = {"omote": {"options__sharpening": 1}}
    runs = {
        name: train(faces, folder / name, configure(method=name, options__epochs=1, **own.get(name, {})))
        for name in METHODS
    }
    runs["vae"] = replace(runs["vae"], ood_model=None)
    return {name: (run, export_onnx(run, folder / f"{name}.onnx")) for name, run in runs.items()}


def run_file(file: OnnxFile, **inputs: np.ndarray) -> list[np.ndarray]:
    """Return the outputs of a file in ONNX Runtime."""
    session = onnxruntime.InferenceSession(file.path, providers=["CPUExecutionProvider"])
    return list(session.run(None, inputs))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", METHODS)
def test_the_features_of_a_file_are_those_of_the_run(
    name: str, runtime: Runtime, exports: Exports, faces: FaceSet
) -> None:
    trained, (file, *_) = exports[name]
    reader = OnnxReader(file.path, runtime)
    ours, theirs = reader.read(faces.faces), trained.read(faces.faces)
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-4, rtol=0)
    np.testing.assert_allclose(ours.deviation, theirs.deviation, atol=1e-4, rtol=0)
    np.testing.assert_allclose(ours.ood, theirs.ood, rtol=1e-4)
    assert all(array.dtype == np.float32 for array in ours)
    assert np.ptp(ours.mean, axis=0).min() > 1e-3  # the features differ between faces
    assert (reader.name, reader.size, reader.model) == (name, trained.size, trained.model)
    assert reader.face_set == trained.face_set.without_names()


@pytest.mark.usefixtures("in_bfloat16")
def test_bfloat16_changes_the_features_of_a_file_a_little_and_nothing_else(
    exports: Exports, faces: FaceSet
) -> None:
    trained, (file, *_) = exports["proposed"]
    reader = open_reader(file.path, bfloat16=True)
    ours, exact = reader.read(faces.faces), trained.read(faces.faces)
    spread = exact.mean.std(axis=0)
    assert (np.abs(ours.mean - exact.mean).max(axis=0) < 0.5 * spread).all()
    np.testing.assert_allclose(ours.ood, exact.ood, rtol=1e-4)  # bfloat16 would destroy it
    assert reader.model == f"{trained.model}-bf16"
    with pytest.raises(OmoteError, match="onnxruntime does not compute in bfloat16; give openvino"):
        OnnxReader(file.path, bfloat16=True)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_exported_in_the_parts_it_has(name: str, exports: Exports) -> None:
    _, files = exports[name]
    suffixes = {
        "vae": ["", ".decoder"],
        "proposed": ["", ".identity", ".decoder"],
        "contrast": [""],
        "omote": ["", ".identity", ".decoder"],
    }[name]
    assert [file.path.name for file in files] == [f"{name}{suffix}.onnx" for suffix in suffixes]
    assert all(file.difference <= 1e-4 for file in files)
    assert files[0].inputs == ["faces uint8 (N, 64, 64, 3)"]
    for file in files:
        onnx.checker.check_model(file.path, full_check=True)
        graph = onnx.load(file.path).graph
        assert {value.name for value in graph.input} == {told.split()[0] for told in file.inputs}
        assert {node.domain for node in graph.node} == {""}
        assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_the_identity_and_the_images_of_the_files_are_those_of_the_run(
    exports: Exports, faces: FaceSet
) -> None:
    trained, (_, identity, decoder) = exports["proposed"]
    some = np.asarray(faces.faces[:9])
    mean, logvar = trained.identify(some)
    z_i, deviation = run_file(identity, faces=some)
    np.testing.assert_allclose(z_i, mean, atol=1e-4, rtol=0)
    np.testing.assert_allclose(deviation, np.exp(logvar / 2), atol=1e-4, rtol=0)
    z_e = trained.represent(some)[0]
    (images,) = run_file(decoder, z_i=mean, z_e=z_e)
    expected = trained.decode(mean, z_e)
    assert images.dtype == np.uint8
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert (images == expected).mean() > 0.99  # the others lie between two levels
    (swapped,) = run_file(decoder, z_i=mean, z_e=z_e[::-1].copy())
    assert (swapped != images).any()


def test_a_file_gives_the_ood_scores_of_the_run(exports: Exports, faces: FaceSet) -> None:
    trained, (file, *_) = exports["proposed"]
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), np.uint8)
    some = np.concatenate([faces.faces, noise, noise // 8])
    expected = trained.read(some).ood
    assert expected[: len(faces)].max() < expected[len(faces) :].min()
    for runtime in RUNTIMES:
        np.testing.assert_allclose(OnnxReader(file.path, runtime).read(some).ood, expected, rtol=1e-4)


def test_a_run_without_an_ood_model_gives_a_file_without_ood_scores(exports: Exports, faces: FaceSet) -> None:
    _, (file, *_) = exports["vae"]
    assert file.outputs == ["z_e float32 (N, 8)", "z_e_deviation float32 (N, 8)"]
    for runtime in RUNTIMES:
        assert np.isnan(OnnxReader(file.path, runtime).read(faces.faces).ood).all()


def test_a_method_without_an_identity_code_decodes_the_expression_alone(
    exports: Exports, faces: FaceSet
) -> None:
    trained, (_, decoder) = exports["vae"]
    z_e = trained.represent(faces.faces[:5])[0]
    (images,) = run_file(decoder, z_e=z_e)
    assert np.abs(images.astype(int) - trained.decode(z_e[:, :0], z_e)).max() <= 1


def test_a_file_describes_its_faces_and_has_no_path_of_this_machine(exports: Exports, faces: FaceSet) -> None:
    trained, files = exports["proposed"]
    for file in files:
        content = file.path.read_bytes()
        assert str(ROOT).encode() not in content
        assert b".py" not in content
        told = {prop.key: prop.value for prop in onnx.load(file.path).metadata_props}
        assert told["part"] == file.part
        assert (told["method"], told["model"], told["size"]) == ("proposed", trained.model, "64")
        assert json.loads(told["cut"]) == {
            "cropped": False,
            "align": "none",
            "margin": 0.05,
            "detector": DETECTOR_NAME,
            "detector_sha256": DETECTOR_SHA256,
        }
        assert "Trained on 4 people" in told["card"]
        assert json.loads(told["face_set"]) == faces.about.without_names().to_json()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_many_faces_are_read_in_batches_and_no_face_gives_no_row(
    runtime: Runtime, exports: Exports, faces: FaceSet
) -> None:
    reader = OnnxReader(exports["vae"][1][0].path, runtime, threads=1)
    count = 2 * onnx_reader.BATCH_SIZE + 3
    many = np.resize(faces.faces, (count, *faces.faces.shape[1:]))
    whole = reader.read(many).mean
    assert len(whole) == count
    for number in (0, onnx_reader.BATCH_SIZE, count - 1):
        np.testing.assert_allclose(whole[number], reader.read(many[[number]]).mean[0], atol=1e-5)
    nothing = reader.read(many[:0])
    assert (nothing.mean.shape, nothing.deviation.shape, nothing.ood.shape) == ((0, 8), (0, 8), (0,))


def test_features_are_read_without_torch_and_without_telemetry(
    exports: Exports, faces: FaceSet, tmp_path: Path
) -> None:
    code = (
        "import sys, numpy as np\n"
        "from omote.data.face_set import open_face_set\n"
        "from omote.features.extract import extract_features\n"
        "from omote.features.onnx_reader import OnnxReader\n"
        "_, file, faces, to, *runtimes = sys.argv\n"
        "for runtime in runtimes:\n"
        "    table = extract_features(OnnxReader(file, runtime), open_face_set(faces))\n"
        "    np.save(f'{to}/{runtime}.npy', table.filter(regex='z_e_[0-9]').to_numpy())\n"
        "assert not {'torch', 'openvino_telemetry'} & set(sys.modules)"
    )
    trained, (file, *_) = exports["contrast"]
    subprocess.run([sys.executable, "-c", code, file.path, faces.path, tmp_path, *RUNTIMES], check=True)
    for runtime in RUNTIMES:
        read = np.load(tmp_path / f"{runtime}.npy")
        np.testing.assert_allclose(read, trained.read(faces.faces).mean, atol=1e-4)


def test_the_number_of_threads_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, threads in (("3", 3), ("2,1", 2), ("", 0), ("many", 0)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert onnx_reader._read_thread_limit() == threads


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(
    runtime: Runtime, exports: Exports, faces: FaceSet, tmp_path: Path
) -> None:
    _, (file, _, decoder) = exports["proposed"]
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "text.onnx").write_text("no network")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "cut.onnx").write_bytes(file.path.read_bytes()[:1000])
    model = onnx.load(file.path)
    for prop in model.metadata_props:
        if prop.key == "omote_format":
            prop.value = "2"
    onnx.save(model, tmp_path / "newer.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    for path, message in (
        (tmp_path / "nowhere.onnx", "does not exist"),
        (tmp_path / "folder.onnx", "is a folder"),
        (tmp_path / "text.onnx", "damaged or not an ONNX file"),
        (tmp_path / "empty.onnx", "damaged or not an ONNX file|none that `omote export` wrote"),
        (tmp_path / "cut.onnx", "damaged or not an ONNX file"),
        (tmp_path / "newer.onnx", "has format 2; this omote reads format 1. Update omote"),
        (tmp_path / "foreign.onnx", "none that `omote export` wrote"),
        (decoder.path, r"is the decoder of an export; give .* expression encoder, proposed\.onnx"),
    ):
        with pytest.raises(OmoteError, match=message) as raised:
            OnnxReader(path, runtime)
        assert "\n" not in str(raised.value)
    reader = OnnxReader(file.path, runtime)
    wrongs: list[Any] = [faces.faces[0], faces.faces[:, :32], faces.faces[:1].astype(np.float32)]
    for wrong in wrongs:
        with pytest.raises(OmoteError, match=r"reads \(N, 64, 64, 3\) uint8"):
            reader.read(wrong)


def test_a_missing_package_is_named(
    exports: Exports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained, (file, *_) = exports["contrast"]
    monkeypatch.setattr(onnx_reader, "find_spec", lambda name: None)
    with pytest.raises(OmoteError, match=r"need openvino, .* pip install 'omote\[export\]'"):
        OnnxReader(file.path, "openvino")
    with pytest.raises(OmoteError, match="need onnx and onnxscript,"):
        export_onnx(trained, tmp_path / "model.onnx")
    OnnxReader(file.path)
    wrong: Any = "tensorrt"
    with pytest.raises(OmoteError, match="'tensorrt'; expected onnxruntime or openvino"):
        OnnxReader(file.path, wrong)


def test_a_file_that_differs_from_torch_is_not_written(
    exports: Exports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained, _ = exports["contrast"]
    of_another = exports["proposed"][1][0].path.read_bytes()
    monkeypatch.setattr(onnx_file, "_serialise", lambda part, metadata: of_another)
    with pytest.raises(
        OmoteError, match=r"expression encoder as ONNX differs from PyTorch by .* more than 1e-04"
    ):
        export_onnx(trained, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_an_export_that_is_impossible_writes_nothing(
    exports: Exports, faces: FaceSet, run: Path, configure: Configure, tmp_path: Path
) -> None:
    told = train(faces, run, configure(method="cvae", options__epochs=1, test_subjects=0))
    with pytest.raises(OmoteError, match="cvae, needs to know whose face it sees"):
        export_onnx(told, tmp_path / "model.onnx")
    trained, _ = exports["contrast"]
    with pytest.raises(OmoteError, match=r"must end in \.onnx"):
        export_onnx(trained, tmp_path / "model.pt")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "part.identity.onnx").mkdir()
    for name, run_of in (("folder", "contrast"), ("part", "proposed")):
        with pytest.raises(OmoteError, match=f"{name}.* was given for the export; it is a folder"):
            export_onnx(exports[run_of][0], tmp_path / f"{name}.onnx")
    (tmp_path / "model.decoder.onnx").touch()
    with pytest.raises(OmoteError, match=r"model\.decoder\.onnx is of another run"):
        export_onnx(trained, tmp_path / "model.onnx")
    assert {path.name for path in tmp_path.iterdir()} == {
        "run",
        "folder.onnx",
        "part.identity.onnx",
        "model.decoder.onnx",
    }


def test_a_failed_write_leaves_no_partial_file(
    exports: Exports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(onnx_file, "move", full)
    with pytest.raises(OmoteError, match=r"model.onnx cannot be written: no space left"):
        export_onnx(exports["contrast"][0], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_while_files_are_replaced_the_one_that_is_read_is_missing(
    exports: Exports, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def convert(_: Trained, part: onnx_file._Part, path: Path) -> tuple[OnnxFile, bytes]:
        return OnnxFile(path, part.name, [], [], 0.0), b"new"

    def killed(source: Path, to: Path) -> None:
        move(source, to)
        raise KeyboardInterrupt

    move, names = files.move, ["model.decoder.onnx", "model.identity.onnx", "model.onnx"]
    for name in names:
        (tmp_path / name).write_bytes(b"old")
    monkeypatch.setattr(onnx_file, "_convert", convert)
    with monkeypatch.context() as patch:
        patch.setattr(onnx_file, "move", killed)
        with pytest.raises(KeyboardInterrupt):
            export_onnx(exports["proposed"][0], tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()
    export_onnx(exports["proposed"][0], tmp_path / "model.onnx")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(names, b"new")


def test_the_example_in_the_docs_gives_the_features_of_omote(
    exports: Exports, london: Path, detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, (file, *_) = exports["contrast"]
    photo = london / "001_08.jpg"
    for name, source in (("model.onnx", file.path), ("photo.jpg", photo), (DETECTOR_NAME, detector)):
        (tmp_path / name).symlink_to(source)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    made: dict[str, Any] = {}
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    exec(page.split("```python\n")[1].split("```")[0], made)
    cv2.utils.logging.setLogLevel(level)
    image = read_photo(photo)
    face = find_only_face(image, detector)
    assert isinstance(face, Face)
    expected = trained.read(cut_out(image, face, 64, "none", 0.05)[None]).mean
    # The boxes of the two detectors differ by 0.0001 px, which may move a pixel of the crop by a grey level.
    np.testing.assert_allclose(made["z_e"], expected, atol=1e-3)
