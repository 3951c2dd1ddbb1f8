"""The configuration of a training: read from a TOML file or keywords, checked and completed with defaults."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from omote.boundary import one_sentence, read_text, reading
from omote.errors import OmoteError
from omote.methods.method import MethodOptions
from omote.methods.registry import DEFAULT_METHOD, METHODS, method_class

CONFIGS = Path(__file__).parents[1] / "configs"  # the configurations that come with omote
MEND = "Correct it; `omote options` lists all settings"


class TrainConfig(BaseModel):
    """All settings of a training except the face set. Unknown keys are refused.

    ``options`` belong to the method: see `omote.methods.method.MethodOptions` and the method's own ``Options``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: str = Field(DEFAULT_METHOD, description="name of the method")
    options: SerializeAsAny[MethodOptions] = Field(
        default_factory=MethodOptions, description="options of the method"
    )
    test_subjects: int | tuple[str, ...] = Field(
        0, description="people to hold out: a number of them, or their names"
    )
    seed: int = Field(
        0, ge=0, lt=2**63, description="seed of the initial weights, batches, noise and split by subject"
    )
    batch_size: int = Field(64, ge=2, le=2**20, description="maximum number of frames in a step")
    learning_rate_decay: float = Field(0.95, gt=0, le=1, description="factor on the learning rate per epoch")
    learning_rate_restarts: bool = Field(True, description="whether each stage starts at the full rate")
    same_subject: Literal["uniform", "balanced"] = Field(
        "uniform",
        description="how to draw x_rand_id: uniformly over the subject's frames, or first over its clips",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train")
    precision: Literal["auto", "bf16-mixed", "32-true"] = Field(
        "auto", description='"auto" takes bfloat16 if the processor computes in it, else float32'
    )
    compile: bool = Field(
        False,
        description="compile the networks by torch.compile, on a GPU with CUDA graphs; takes minutes to start",
    )

    @model_validator(mode="before")
    @classmethod
    def _validate_options(cls, values: dict[str, Any]) -> dict[str, Any]:
        method = values.get("method", DEFAULT_METHOD)
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method {method!r} is not known; there are {', '.join(METHODS)}")
        options = values.get("options", {})
        if not isinstance(options, MethodOptions):
            if not isinstance(options, dict):
                raise ValueError(f"options is {options!r}; expected a table of the method's options")
            options = method_class(method).Options.model_validate(options)
        elif type(options) is not method_class(method).Options:
            raise ValueError(
                f"{type(options).__name__} was given; {method} takes {method_class(method).Options.__name__}"
            )
        return {**values, "options": options}

    @field_validator("test_subjects", mode="before")
    @classmethod
    def _validate_test_subjects(cls, value: Any) -> Any:
        names = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        if not names and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            raise ValueError("expected how many people to hold out, 0 or more, or a list of their names")
        return value

    @classmethod
    def read(cls, path: str | Path | None = None, changes: dict[str, Any] | None = None) -> Self:
        """Return the configuration of a TOML file with ``changes`` on top.

        Args:
            path: a TOML file, or the name of a configuration that comes with omote (london, row3); None for the
                defaults.
            changes: values that override the file's; an option of the method is written ``options.epochs``. If they
                change the method, options of the file that the new method lacks are an error.
        Raises:
            OmoteError: If the file is missing, is not TOML, or has an unknown key or an invalid value.
        """
        values: dict[str, Any] = {}
        where = "the configuration"
        if path is not None:
            file = find_config(path)
            where = str(file)
            with reading(file, "a TOML file", MEND):
                values = tomllib.loads(read_text(file))
        for key, value in (changes or {}).items():
            table = values
            *parents, last = key.split(".")
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise OmoteError(
                        f"{where}: {parent} is {table!r}, so {key} cannot be set; {parent} has to be a table"
                    )
            table[last] = value
        with one_sentence(where, MEND):
            return cls.model_validate(values)


def find_config(path: str | Path) -> Path:
    """Return a TOML file: a bare name, without a folder or a suffix, names one that comes with omote.

    Raises:
        OmoteError: If there is no configuration of this name.
    """
    path = Path(path)
    if path.suffix or path.name != str(path):
        return path
    names = sorted(file.stem for file in CONFIGS.glob("*.toml"))
    if path.name not in names:
        raise OmoteError(
            f'there is no configuration "{path}"; omote has {", ".join(names)}. The name of a file of your own ends '
            "in .toml"
        )
    return CONFIGS / f"{path}.toml"
