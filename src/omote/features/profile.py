"""A person's own neutral, from any footage of theirs and without labels: what makes features relative to the person.

What counts as neutral is the middle of the looks in the footage: a mean in which frames that look alike share a vote,
so that an hour of one smile counts little more than a minute of it. It is drawn toward the middle of all codes, 0, by
as much as it would move with other footage (James and Stein, "Estimation with quadratic loss", 1961), so that a few
frames change the features only a little. It is not the code of a face at rest, which gains less or does harm
(docs/results/profiles.md).
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omote.data.outputs import Floats, code_names, is_code
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.features.table import read_batches
from omote.files import write_text

FORMAT, FORMAT_VERSION = "omote profile", 1
SUFFIX = ".json"
LEAST_FRAMES = 5
MOST_FRAMES = 2000  # that are looked at, evenly over the footage: all pairs of them are
BLOCK_SECONDS = 10.0  # frames nearer than this are of one look: other footage would bring all of them or none
BLOCKS = 20  # left out in turn
SHARE_OF_ONE = 0.5  # of the middle of one block, of which nobody knows how far it would move
VARIED, UNIFORM = 4.0, 2.0  # looks
NO_SPREAD = 1e-6  # below it all looks are the same, but for rounding
OTHER_FACE = "not the person of the profile"
FIRST_CODE = "z_e_00"
TEXTS = dict.fromkeys(("source", "model", "profile", "subject", "clip"), str)
NUMBERS = {"time": np.float64, "face": np.int64, "trusted": np.bool_}
KINDS = {"time": "fiu", "face": "iu", "trusted": "b"}  # that their columns may be of (numpy.dtype.kind)


@dataclass(frozen=True)
class Profile:
    """The neutral of a person, and what it is worth."""

    name: str
    model: str  # whose codes they are, such as "omote-1a2b3c4d"
    num_frames: int  # trusted frames that there were
    num_sources: int  # videos and photos that they are from
    looks: float  # how many different looks the footage shows, at least 1
    share: float  # of the middle of its looks that the neutral is, 0-1
    error: float  # how far that middle would move with other such footage (standard error); nan: not known
    spread: float  # the usual distance of two looks of the footage
    neutral: Floats  # (Z,)

    def relative(self, codes: Floats) -> Floats:
        """Return (N, Z) codes less the neutral, float32.

        Raises:
            OmoteError: If the codes are of another length than the neutral.
        """
        if codes.shape[-1] != len(self.neutral):
            raise OmoteError(
                f"the profile of {self.name} is damaged: its neutral has {len(self.neutral)} numbers, and codes of "
                f"{self.model} have {codes.shape[-1]}; make the profile again (`omote profile`)"
            )
        return (codes - self.neutral).astype(np.float32)

    def check(self, model: str) -> None:
        """Raise OmoteError if the profile is of another model than the codes."""
        if model != self.model:
            raise OmoteError(
                f"the profile of {self.name} is of {self.model}, and the features are of {model}: codes of two models "
                "cannot be compared. Make a profile with the same model, from the same footage (`omote profile`)"
            )

    def statement(self) -> list[str]:
        """Return what the profile is worth, in sentences."""
        sources = f"{self.num_sources} sources" if self.num_sources > 1 else "one source"
        kind = (
            "hardly varied"
            if self.looks < UNIFORM
            else "varied"
            if self.looks >= VARIED
            else "somewhat varied"
        )
        said = [
            f"Neutral of {self.name} from {self.num_frames} trusted frames of {sources} ({self.model}).",
            f"To this model the footage is {kind}: about {self.looks:.1f} different looks. "
            f"{self.share:.0%} of their middle is taken off.",
        ]
        if kind != "varied":
            said.append(
                "Features relative to it need not be better than without; add footage with other expressions."
            )
        if math.isnan(self.error):
            said.append(
                f"From one stretch of {BLOCK_SECONDS:.0f} s nobody can tell how far that middle would move with other "
                "footage; add other videos."
            )
        elif self.spread < NO_SPREAD:
            said.append(
                "All its frames look the same to this model, so nobody can tell how far that middle would move with "
                "other footage; add other videos."
            )
        else:
            moved = self.error / self.spread
            said.append(
                f"With other such footage that middle would move by about {moved:.0%} of the usual distance of two "
                f"looks: smaller differences between {self.name} and other people mean little. Those among frames of "
                f"{self.name} do not depend on it."
            )
        if self.num_sources == 1:
            said.append("It is from one source only; another camera or day may move it further.")
        return said

    def save(self, path: str | Path) -> None:
        """Write the profile as JSON, beside and renamed.

        Raises:
            OmoteError: If the name does not end in .json.
        """
        path = check_profile_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, **vars(self)}
        content["error"] = None if math.isnan(self.error) else self.error
        content["neutral"] = [float(f"{value:.9g}") for value in self.neutral]  # 9 digits are a float32
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @staticmethod
    def load(path: str | Path) -> "Profile":
        """Return the profile in a file.

        Raises:
            OmoteError: If there is no such file, it is no profile, is damaged, or was written by a newer omote.
        """
        path = Path(path)
        if not path.is_file():
            raise OmoteError(f"there is no profile {path}; `omote profile` makes one")
        try:
            content: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
        if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
            raise OmoteError(f"{path} is not a profile; `omote profile` makes one")
        version = content.pop("format_version", None)
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise OmoteError(
                f"{path} is of format {version}, and this omote reads format {FORMAT_VERSION}. Update omote to read it"
            )
        try:
            error, neutral = content.pop("error"), np.array(content.pop("neutral"), np.float32)
            profile = Profile(**content, error=math.nan if error is None else float(error), neutral=neutral)
            whole = neutral.ndim == 1 and len(neutral) and bool(np.isfinite(neutral).all())
            if not whole or not isinstance(profile.name, str) or not isinstance(profile.model, str):
                raise ValueError("its neutral or its names are not what they should be")
            profile.statement()  # needs all the numbers
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as wrong:
            raise OmoteError(f"{path} is damaged ({wrong}); make the profile again") from None
        return profile


def check_profile_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if a profile cannot be written there."""
    path = Path(path)
    if path.suffix != SUFFIX or path.is_dir():
        raise OmoteError(f"{path} was given for the profile; give a file whose name ends in {SUFFIX}")
    return path


def make_profile(table: pd.DataFrame, name: str, face: int = 0) -> Profile:
    """Return the profile of a person from their footage.

    Args:
        table: as `omote embed` writes it; only trusted rows of that face count. In a table of a face set, which has a
            column subject, the rows of the subject `name` count.
        name: whose profile it is.
        face: the number of the person's face in each source.
    Raises:
        OmoteError: If the table is of no model or of several, is relative to a profile already, has rows of face sets
            and of videos, or fewer than `LEAST_FRAMES` frames of the person.
    """
    columns = _checked(table)
    return _made(table, lambda rows: table.iloc[rows][columns].to_numpy(np.float32), name, face)


def profile_of_tables(paths: Sequence[str | Path], name: str, face: int = 0) -> Profile:
    """Return the profile of a person from files of `omote embed`; of their codes only those looked at are held.

    Videos of one name in two tables are two sources.

    Raises:
        OmoteError: As `make_profile`, and if a file is missing or cannot be read.
    """
    files = [Path(path) for path in dict.fromkeys(paths)]
    types = defaultdict(lambda: np.float32, TEXTS | NUMBERS)  # codes are float32
    wanted = {*TEXTS, *NUMBERS, FIRST_CODE}.__contains__
    described = [
        part.assign(table=number)
        for number, path in enumerate(files)
        for part in read_batches(path, wanted, types)
    ]
    if not described:
        raise OmoteError(f"{', '.join(map(str, files))}: no rows; make the table with `omote embed`")
    table = pd.concat(described, ignore_index=True)
    _checked(table)

    def codes(rows: NDArray[np.int64]) -> Floats:
        found, begin = [], 0
        for batch in chain.from_iterable(read_batches(path, is_code, types) for path in files):
            inside = rows[(rows >= begin) & (rows < begin + len(batch))] - begin
            found.append(batch.iloc[inside][code_names(list(batch.columns))].to_numpy(np.float32))
            begin += len(batch)
        if len({part.shape[1] for part in found}) > 1:
            raise OmoteError("the tables have codes of different lengths; give those of one model")
        return np.concatenate(found)

    return _made(table, codes, name, face)


def _made(table: pd.DataFrame, codes: Callable[[NDArray[np.int64]], Floats], name: str, face: int) -> Profile:
    """Return the profile, from what a table says of its rows, and a function that gives the codes of some of them."""
    if "subject" in table and table["subject"].isna().any():
        raise OmoteError(
            "some rows have no subject: tables of face sets and of videos were given together; give those of one kind"
        )
    if table["model"].isna().any():
        raise OmoteError(
            "some rows have no model, which tells whose codes they are; make them with `omote embed`"
        )
    for column, kinds in KINDS.items():
        if column in table and table[column].dtype.kind not in kinds:
            raise OmoteError(
                f"the column {column} holds {table[column].dtype} instead of {np.dtype(NUMBERS[column])}; make the "
                "table with `omote embed`"
            )
    models = sorted(table["model"].astype(str).unique())
    if len(models) > 1:
        raise OmoteError(f"the table has codes of several models ({', '.join(models)}); give those of one")
    trusted = table["trusted"].to_numpy(bool) if "trusted" in table else np.ones(len(table), bool)
    kept = np.flatnonzero(_of_person(table, name, face) & trusted)
    if len(kept) < LEAST_FRAMES:
        raise OmoteError(
            f"of {name} there {'is' if len(kept) == 1 else 'are'} {len(kept)} trusted "
            f"frame{'s' * (len(kept) != 1)}; a profile takes at least {LEAST_FRAMES}. {_what_there_is(table, trusted)}"
        )
    chosen = kept[evenly_spaced(len(kept), MOST_FRAMES)]
    some = codes(chosen)
    if not np.isfinite(some).all():
        raise OmoteError(f"some codes of {name} are no numbers; make the table again with `omote embed`")
    sources = _sources(table)
    seconds = table["time"].to_numpy(np.float64)[chosen] if "time" in table else np.zeros(len(chosen))
    of_looks = _middle_of_looks(some, _blocks(sources[chosen], seconds))
    return Profile(name, models[0], len(kept), len(np.unique(sources[kept])), *of_looks)


def _checked(table: pd.DataFrame) -> list[str]:
    """Return the columns of the codes of a table that can be made relative."""
    columns = code_names(list(table.columns))
    if not columns or "model" not in table:
        missing = (
            "codes z_e_00, z_e_01, ..." if not columns else "column model, which tells whose codes they are"
        )
        raise OmoteError(f"the table has no {missing}; make it with `omote embed`")
    if "profile" in table:
        raise OmoteError("the table is relative to a profile already; make one without --profile")
    return columns


def _of_person(table: pd.DataFrame, name: str, face: int) -> NDArray[np.bool_]:
    """Return which rows are of the person, (N,)."""
    if "subject" in table:
        return (table["subject"].astype(str) == name).to_numpy(bool)
    if "face" in table:
        return (table["face"] == face).to_numpy(bool)
    return np.ones(len(table), bool)


def _what_there_is(table: pd.DataFrame, trusted: NDArray[np.bool_]) -> str:
    by = next((column for column in ("subject", "face") if column in table), None)
    if by is None:
        return f"The table has {len(table)} rows"
    counts = pd.Series(trusted).groupby(table[by].to_numpy()).agg(["sum", "size"]).head(5)
    each = ", ".join(f"{who} ({good} of {every})" for who, good, every in counts.itertuples())
    return f"Trusted frames of each {by}, the first ones: {each}" if len(counts) else "The table is empty"


def _sources(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return (N,) the number of each row's video, clip or photo."""
    named = [column for column in ("table", "source", "clip") if column in table]
    if not named:
        return np.zeros(len(table), np.int64)
    return np.asarray(table.groupby(named, sort=False, dropna=False).ngroup(), np.int64)


def _blocks(sources: NDArray[np.int64], seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (N,) the number of the stretch of `BLOCK_SECONDS` of a source that each row is in; at most `BLOCKS`."""
    stretch = np.floor(np.nan_to_num(seconds) / BLOCK_SECONDS)
    begins = (np.diff(sources) != 0) | (np.diff(stretch) != 0)
    number = np.concatenate([[0], np.cumsum(begins)])
    count = int(number[-1]) + 1
    return np.asarray(number * min(count, BLOCKS) // count, np.int64)


def _middle_of_looks(codes: Floats, blocks: NDArray[np.int64]) -> tuple[float, float, float, float, Floats]:
    """Return looks, share, error, spread and neutral of (N, Z) codes in blocks; see `Profile`.

    Two frames are alike by exp(-2 d^2 / Z), d the distance of their codes; Z is about the mean square of a code's
    distance from 0. A frame's vote is one over the number of frames that are like it. The number of looks is one over
    the mean likeness (Leinster and Cobbold, "Measuring diversity", 2012, order 2). The error is a jackknife over the
    blocks, as neighbouring frames are no news.
    """
    squares = (codes**2).sum(axis=1)
    alike = np.exp(-2 / codes.shape[1] * np.maximum(squares[:, None] + squares - 2 * codes @ codes.T, 0))
    sums = alike.sum(axis=1, dtype=np.float64)
    votes = 1 / sums / (1 / sums).sum()
    middle = votes @ codes
    spread = math.sqrt(2 * float(votes @ ((codes - middle) ** 2).sum(axis=1)))
    share, error = SHARE_OF_ONE, math.nan
    if count := int(blocks[-1]):
        without = []
        for block in range(count + 1):
            rows, out = np.flatnonzero(blocks != block), np.flatnonzero(blocks == block)
            of_rest = 1 / (sums[rows] - alike[np.ix_(rows, out)].sum(axis=1, dtype=np.float64))
            without.append(of_rest @ codes[rows] / of_rest.sum())
        moved = count / (count + 1) * float(((without - np.mean(without, axis=0)) ** 2).sum())
        share = max(0.0, 1 - moved / max(float(middle @ middle), 1e-12))
        error = math.sqrt(moved)
    return len(codes) ** 2 / float(sums.sum()), share, error, spread, (share * middle).astype(np.float32)
