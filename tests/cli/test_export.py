"""`omote export` from the command line."""

from pathlib import Path

import numpy as np
import pytest

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.features.onnx_reader import OnnxReader
from omote.training.loop import train
from tests.cli.test_commands import omote
from tests.conftest import Configure


def test_a_run_is_exported_and_only_the_files_and_the_difference_are_printed(
    faces: FaceSet, run: Path, configure: Configure, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trained = train(faces, run, configure(method="contrast", options__epochs=1))
    file = tmp_path / "new" / "model.onnx"
    capfd.readouterr()
    printed = omote("export", run, "--to", file).splitlines()
    assert capfd.readouterr() == ("", "")  # torch writes directly to the file descriptors; it must be silent
    outputs = "z_e float32 (N, 8), z_e_deviation float32 (N, 8), ood float32 (N)"
    assert printed[-2] == f"{file}: the expression encoder, faces uint8 (N, 64, 64, 3) -> {outputs}"
    assert float(printed[-1].split(" at most ")[1].removesuffix(".")) <= 1e-4
    assert [path.name for path in file.parent.iterdir()] == ["model.onnx"]
    np.testing.assert_allclose(
        OnnxReader(file).read(faces.faces).mean, trained.represent(faces.faces)[0], atol=1e-4
    )


@pytest.mark.parametrize(
    ("run", "to", "message"),
    [("nowhere", "model.onnx", "nowhere is not a run"), ("shipped", "model.pt", r"must end in \.onnx")],
)
def test_a_mistake_is_one_sentence(
    run: str, to: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OmoteError, match=message):
        omote("export", run, "--to", to)
    assert not list(tmp_path.iterdir())
