"""The configuration: defaults, overrides and error messages."""

from pathlib import Path

import pytest

from omote.errors import OmoteError
from omote.methods.conventional import ConventionalOptions
from omote.methods.proposed import ProposedOptions
from omote.runs.config import TrainConfig


def test_the_defaults_are_the_papers() -> None:
    assert TrainConfig.read().method == "omote"
    config = TrainConfig.read(None, {"method": "proposed"})
    options = config.options
    assert (config.batch_size, config.learning_rate_decay) == (64, 0.95)
    assert isinstance(options, ProposedOptions)
    assert (options.epochs, options.learning_rate, options.latent_size, options.width) == (100, 5e-4, 64, 32)
    assert (options.reconstruction_weight, options.kl_weight) == (1e5, 0.01 * 64)
    assert (options.adversarial_weight, options.switch_weight) == (1, 10)


def test_a_bare_name_is_a_configuration_that_comes_with_omote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "london").mkdir()  # a face set, say: it does not matter
    assert TrainConfig.read("london").options.epochs == 150
    (tmp_path / "london.toml").write_text("[options]\nepochs = 3\n")
    assert TrainConfig.read("london.toml").options.epochs == 3
    with pytest.raises(OmoteError, match=r'no configuration "lodnon"; omote has drawn, london, .*, row8'):
        TrainConfig.read("lodnon")


def test_changes_override_the_file(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('method = "conventional"\nseed = 4\n[options]\nepochs = 7\nwidth = 16\n')
    config = TrainConfig.read(path, {"options.epochs": 9})
    assert isinstance(config.options, ConventionalOptions)
    assert (config.seed, config.options.epochs, config.options.width) == (4, 9, 16)


def test_a_written_configuration_reads_back_equal() -> None:
    config = TrainConfig.read(
        None, {"method": "proposed", "options.switch_weight": 0, "test_subjects": ["a"]}
    )
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('metod = "vae"', '"metod" is not an option'),
        ('method = "gan"', "there are omote, contrast, proposed, conventional, vae"),
        ('method = "vae"\n[options]\nswitch_weight = 1', '"switch_weight" is not an option'),
        ("batch_size = 1", "batch_size"),
        ("test_subjects = -1", "0 or more"),
        ("[options]\nepochs = 0.5", "epochs"),
        ("options = 3", "options"),
        ('test_subjects = "ann"', "or a list of their names"),
        ("test_subjects = true", "or a list of their names"),
        ('method = ["vae"]', "is not known"),
        ("method = ", "not a TOML file"),
    ],
)
def test_an_error_names_the_mistake(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(OmoteError, match=message):
        TrainConfig.read(path)


def test_an_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(OmoteError, match=r"nowhere\.toml .* there is no such file"):
        TrainConfig.read(tmp_path / "nowhere.toml")
