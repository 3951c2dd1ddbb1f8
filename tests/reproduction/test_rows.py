"""Table 3 as a plan: the configurations, and what a scale makes of them."""

from pathlib import Path

import pytest

from omote.reproduction.rows import ROWS, SCALES, row_config
from omote.training.config import TrainConfig

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("number", ROWS)
def test_the_paper_scale_is_the_published_configuration_of_the_row(number: int) -> None:
    config = row_config(ROWS[number], "paper", num_frames=29_085, seed=0, test_subjects=[])
    assert config == TrainConfig.read(CONFIGS / f"row{number}.toml", {"test_subjects": []})


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


@pytest.mark.parametrize("num_frames", [100, 2_304, 29_085])
def test_a_scale_with_steps_gives_every_face_set_about_as_many(num_frames: int) -> None:
    scale = SCALES["small"]
    assert scale.steps is not None
    for number, share in ((3, 1.0), (4, 0.5)):
        config = row_config(ROWS[number], "small", num_frames=num_frames, seed=1, test_subjects=["a"])
        an_epoch = -(-num_frames // config.batch_size)
        assert abs(config.options.epochs * an_epoch - share * scale.steps) <= an_epoch
        assert (config.seed, config.test_subjects) == (1, ("a",))
