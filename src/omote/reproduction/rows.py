"""The rows of the paper's Table 3: methods, the paper's figures, and training configurations at three scales."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from omote.runs.config import TrainConfig

NO_SETTINGS: Mapping[str, Any] = MappingProxyType({})


class Row(NamedTuple):
    """A row of Table 3.

    Attributes:
        number: as in the paper, 1 to 8; 0 for `ONE_PASS`.
        title: name of the method.
        size: S, the side of the faces in pixels.
        changes: settings that differ from the defaults; ``src/omote/configs/row1.toml`` and so on hold the same.
        train: the paper's accuracy for training people: mean and deviation over 100 runs of k-means, in per cent.
        test: the same for people held out; None if the paper has no figure.
        trained_as: row whose training is scored here (row 7 is row 6 with each person's mean code subtracted).
    """

    number: int
    title: str
    size: int
    changes: dict[str, Any]
    train: tuple[float, float]
    test: tuple[float, float] | None
    trained_as: int


_ITERATED = {"method": "proposed", "options.repetitions": 5, "options.epochs": 50}
ROWS = {
    row.number: row
    for row in (
        Row(1, "conventional", 64, {"method": "conventional"}, (56.33, 2.54), (49.95, 3.58), 1),
        Row(
            2,
            "add L_gan",
            64,
            {"method": "proposed", "options.switch_weight": 0.0},
            (53.46, 2.66),
            (48.10, 3.26),
            2,
        ),
        Row(3, "add L_gan and L_switch", 64, {"method": "proposed"}, (62.64, 2.48), (59.95, 4.31), 3),
        Row(4, "as 3, stages iterated", 64, _ITERATED, (64.28, 2.81), (62.83, 5.24), 4),
        Row(5, "as 4", 128, _ITERATED, (67.95, 3.71), (65.92, 6.65), 5),
        Row(6, "VAE", 64, {"method": "vae"}, (38.08, 1.56), (22.07, 3.21), 6),
        Row(7, "VAE, subject mean subtracted", 64, {"method": "vae"}, (48.99, 2.76), None, 6),
        Row(8, "C-VAE", 64, {"method": "cvae"}, (59.05, 4.23), None, 8),
    )
}

# Not a row of the table: the paper's Figure 3 compares the repetitions of row 5 with a single pass at 128 px.
ONE_PASS = Row(0, "as 3", 128, {"method": "proposed"}, (math.nan, math.nan), None, 0)


class Scale(NamedTuple):
    """Amount of training.

    Attributes:
        steps: number of steps of a stage that has 100 epochs in the paper; None for the paper's epochs.
        changes: changes to the configuration of every row.
    """

    steps: int | None
    changes: dict[str, Any]


# Short trainings need small batches and a higher learning rate (docs/log.md). Tiny only shows that it runs.
SCALES = {
    "paper": Scale(None, {}),
    "small": Scale(720, {"batch_size": 16, "options.width": 16, "options.learning_rate": 2e-3}),
    "tiny": Scale(20, {"batch_size": 16, "options.width": 8, "options.learning_rate": 2e-3}),
}


def row_config(
    row: Row,
    scale: str,
    *,
    num_frames: int,
    seed: int,
    test_subjects: Sequence[str],
    settings: Mapping[str, Any] = NO_SETTINGS,
) -> TrainConfig:
    """Return the training configuration of a row.

    A scale with a number of steps keeps the proportions of the paper: a stage of 50 epochs gets half as many epochs as
    a stage of 100. The latter gets at least two, so on a large face set it has more steps than the scale says.

    Args:
        scale: a key of `SCALES`.
        num_frames: number of training frames.
        seed: random seed for weights, batches and noise.
        test_subjects: names of the people held out.
        settings: further changes, which override those of the row and the scale.
    Raises:
        OmoteError: If the row's method has no such setting.
    """
    steps, changes = SCALES[scale]
    changes = {**changes, **row.changes, "seed": seed, "test_subjects": list(test_subjects)}
    if steps is not None:
        half = max(1, round(steps / 2 / -(-num_frames // changes["batch_size"])))
        changes["options.epochs"] = half if row.changes.get("options.epochs") == 50 else 2 * half
    return TrainConfig.read(None, {**changes, **settings})
