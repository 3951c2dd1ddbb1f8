"""The log of a training, read back."""

import io
from pathlib import Path

import pytest
from PIL import Image

from omote.data.face_set import FaceSet
from omote.errors import OmoteError
from omote.training.log import TrainingLog, read_log
from omote.training.loop import TrainingProgress, train
from tests.conftest import Configure


def test_the_log_of_a_training_has_its_terms_and_pictures_also_while_it_goes_on(
    faces: FaceSet, run: Path, configure: Configure
) -> None:
    until: list[TrainingLog] = []

    def look(now: TrainingProgress) -> None:
        if (now.stage_number, now.epoch) == (2, 2):
            until.append(read_log(run))

    train(faces, run, configure(method="conventional"), progress=look)
    log = read_log(run)
    names = [(each.stage_number, each.stage, each.name) for each in log.terms]
    assert names == [
        (1, "identity", "generator/kl"),
        (1, "identity", "generator/reconstruction"),
        (2, "expression", "generator/kl"),
        (2, "expression", "generator/reconstruction"),
    ]
    assert all(each.values.index.tolist() == [1, 2] for each in log.terms)
    assert [each.values.index.tolist() for each in until[0].terms] == [[1, 2], [1, 2], [1], [1]]
    assert list(until[0].pictures) == [1]
    assert list(log.pictures) == [1, 2]
    with Image.open(io.BytesIO(log.pictures[2])) as picture:
        assert picture.size == (8 * 64, 8 * 64)


def test_a_run_without_a_log_has_no_terms(tmp_path: Path) -> None:
    assert read_log(tmp_path) == TrainingLog([], {})


def test_a_damaged_log_is_refused_in_a_sentence(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "tensorboard")) as log:
        log.add_scalar("no stage", 1.0, 1)
    with pytest.raises(OmoteError, match="is damaged or not the log of a training"):
        read_log(tmp_path)
