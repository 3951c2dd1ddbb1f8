"""The configuration of a training: a TOML file or keywords in, one checked and complete object out."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    field_validator,
    model_validator,
)

from omote.errors import OmoteError
from omote.methods.method import MethodOptions
from omote.methods.registry import METHODS, method_class


class TrainConfig(BaseModel):
    """What is trained, on whom, and how. Unknown keys are refused.

    ``options`` are those of the method: see `omote.methods.method.MethodOptions` and the method's own class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field("omote", description="one of the registry")
    options: SerializeAsAny[MethodOptions] = Field(default_factory=MethodOptions, description="of the method")
    test_subjects: int | tuple[str, ...] = Field(
        0, description="people held out: how many, drawn by the seed, or their names"
    )
    seed: int = Field(
        0, ge=0, description="of the weights, the batches and the noise; and of the split by subject"
    )
    batch_size: int = Field(64, ge=2, description="the most frames a step")
    learning_rate_decay: float = Field(
        0.95, gt=0, le=1, description="factor on the learning rate after every epoch"
    )
    learning_rate_restarts: bool = Field(
        True, description="whether every stage starts at the full learning rate"
    )
    same_subject: Literal["uniform", "balanced"] = Field(
        "uniform", description="x_rand_id is uniform over the subject's frames, or over its clips first"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train")
    precision: Literal["auto", "bf16-mixed", "32-true"] = Field(
        "auto", description='"auto" takes bfloat16 where the processor computes with it, else float32'
    )

    @model_validator(mode="before")
    @classmethod
    def _options_of_the_method(cls, values: dict[str, Any]) -> dict[str, Any]:
        method = values.get("method", "omote")
        if not isinstance(method, str) or method not in METHODS:
            raise ValueError(f"method {method!r} is not known; there are {', '.join(METHODS)}")
        options = values.get("options", {})
        if not isinstance(options, MethodOptions):
            if not isinstance(options, dict):
                raise ValueError(f"options is {options!r}; it takes a table of the method's options")
            options = method_class(method).Options.model_validate(options)
        elif type(options) is not method_class(method).Options:
            raise ValueError(
                f"{type(options).__name__} was given; {method} takes {method_class(method).Options.__name__}"
            )
        return {**values, "options": options}

    @field_validator("test_subjects", mode="before")
    @classmethod
    def _people(cls, value: Any) -> Any:
        names = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        if not names and not (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
            raise ValueError("takes how many people to hold out, 0 or more, or a list of their names")
        return value

    @classmethod
    def read(cls, path: str | Path | None = None, changes: dict[str, Any] | None = None) -> Self:
        """Return the configuration of a TOML file with ``changes`` on top.

        Args:
            path: a TOML file; None for the defaults.
            changes: keys to set over the file's; a key of the options is written ``options.epochs``. Options that
                the file sets and another method lacks are an error, as everywhere.
        Raises:
            OmoteError: If the file is missing, is not TOML, or names an unknown key or an impossible value.
        """
        values: dict[str, Any] = {}
        where = "the configuration"
        if path is not None:
            where = str(path)
            try:
                values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
            except OSError as error:
                raise OmoteError(f"the configuration {path} could not be read: {error.strerror}") from None
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise OmoteError(f"{path} is not a TOML file: {error}") from None
        for key, value in (changes or {}).items():
            table = values
            *parents, last = key.split(".")
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise OmoteError(
                        f"{where}: {parent} is {table!r}, so {key} cannot be set; {parent} takes a table"
                    )
            table[last] = value
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise OmoteError(f"{where}: {explain(error)}") from None


def explain(error: ValidationError) -> str:
    """Return what is wrong, one clause a field, for a person."""
    clauses = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            clauses.append(f'"{key}" is not an option here')
        else:
            given = "" if isinstance(problem["input"], dict) else f" (given: {problem['input']!r})"
            clauses.append(
                f"{key + ': ' if key else ''}{problem['msg'].removeprefix('Value error, ')}{given}"
            )
    return "; ".join(clauses)
