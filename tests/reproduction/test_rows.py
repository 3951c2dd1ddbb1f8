"""The configurations of Table 3 at every scale."""

import pytest

from omote.reproduction.rows import ROWS, SCALES, row_config
from omote.runs.config import TrainConfig


@pytest.mark.parametrize("number", ROWS)
def test_the_paper_scale_is_the_published_configuration_of_the_row(number: int) -> None:
    config = row_config(ROWS[number], "paper", num_frames=29_085, seed=0, test_subjects=[])
    assert config == TrainConfig.read(f"row{number}", {"test_subjects": []})


def test_the_rows_differ_from_the_defaults_in_what_the_paper_says() -> None:
    def options(number: int) -> dict[str, object]:
        config = row_config(ROWS[number], "paper", num_frames=1, seed=0, test_subjects=[])
        default = type(config.options)().model_dump()
        return {key: value for key, value in config.options.model_dump().items() if value != default[key]}

    assert options(1) == options(3) == options(6) == options(8) == {}
    assert options(2) == {"switch_weight": 0.0}
    assert options(4) == options(5) == {"repetitions": 5, "epochs": 50}
    assert [row.number for row in ROWS.values() if row.size == 128] == [5]
    assert [row.number for row in ROWS.values() if row.test is None] == [7, 8]


def test_a_setting_overrides_those_of_every_row() -> None:
    settings = {"options.kl_weight": 0.01, "options.epochs": 3, "batch_size": 32}
    for row in ROWS.values():
        config = row_config(row, "small", num_frames=100, seed=0, test_subjects=[], settings=settings)
        plain = row_config(row, "small", num_frames=100, seed=0, test_subjects=[])
        assert config.batch_size == 32
        options = {**plain.options.model_dump(), "kl_weight": 0.01, "epochs": 3}
        assert config.options.model_dump() == options


@pytest.mark.parametrize(
    ("num_frames", "epochs"), [(100, (102, 51)), (1_536, (8, 4)), (29_085, (2, 1))]
)  # 7, 96 and 1,818 steps an epoch
def test_a_scale_with_steps_keeps_the_proportions_of_the_paper(
    num_frames: int, epochs: tuple[int, int]
) -> None:
    assert SCALES["small"].steps == 720
    for number, expected in zip((3, 4), epochs, strict=True):
        config = row_config(ROWS[number], "small", num_frames=num_frames, seed=1, test_subjects=["a"])
        assert config.options.epochs == expected
        assert (config.seed, config.test_subjects) == (1, ("a",))
