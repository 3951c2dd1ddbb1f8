"""A person's usual look from any footage of them, without labels, and features relative to it.

The usual look, `Profile.neutral`, is the mean over the distinct expressions in the footage: frames with similar codes
share one vote, so an hour of one smile counts little more than a minute of it. It is then shrunk toward the mean of all
codes, 0, the more the less certain it is (James and Stein, "Estimation with quadratic loss", 1961), so that a few
frames change the features only a little. It is not the code of a face at rest, which helps less or does harm
(docs/results/profiles.md).
"""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import pandas_dtype
from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from omote.boundary import one_sentence, read_versioned, reading
from omote.data.face_set import BOX
from omote.data.outputs import Floats, code_columns, code_names, is_code
from omote.data.sampling import evenly_spaced
from omote.errors import OmoteError
from omote.features.people import list_names, name_people
from omote.features.person import measure_unlike, select_person
from omote.features.table import read_batches
from omote.files import write_text

FORMAT, FORMAT_VERSION = "omote profile", 1
SUFFIX = ".json"
LEAST_FRAMES = 5  # frames of the person that a profile needs
MOST_FRAMES = 2000  # a larger number of frames is thinned to this, evenly, because all pairs are compared
ROWS_AT_ONCE = 200_000  # whose codes are held in memory, or all of one person
BLOCK_SECONDS = (
    10.0  # frames within this time are one unit of the jackknife: other footage would bring all or none
)
MAX_BLOCKS = 20  # of the jackknife
ONE_BLOCK_SHARE = 0.5  # `Profile.share` with a single block, where the error cannot be estimated
VARIED, UNIFORM = (
    4.0,
    2.0,
)  # distinct expressions from which footage counts as varied, and below which as hardly varied
NO_SPREAD = 1e-6  # below this spread all frames have the same code, but for rounding
UNLIKE = 0.5  # share of pairs of sources that look like different people, above which they are not one person
OTHER_FACE = "not the person of the profile"  # reason in the column `doubt`
DISTANCE, DISTANCE_WORDS = "from_usual", "distance from usual look"  # column: length of the relative code
FIRST_CODE = "z_e_00"
TEXTS = dict.fromkeys(("source", "model", "profile", "subject", "clip", "person"), str)
# Rows of frames without a face have no number of a face.
NUMBERS = {"time": np.float64, "frame": np.int64, "face": pd.Int64Dtype(), "trusted": np.bool_}
NUMBERS |= dict.fromkeys(BOX, np.float64) | dict.fromkeys(("stream", "turned"), np.int64)
KINDS = {"time": "fiu", "face": "iuf", "trusted": "b"}  # allowed numpy.dtype.kind of these columns


def _to_neutral(numbers: Any) -> Floats:
    neutral: Floats = np.asarray(numbers, np.float32)
    if neutral.ndim != 1 or not len(neutral) or not np.isfinite(neutral).all():
        raise ValueError("expected a list of finite numbers")
    return neutral


Count = Annotated[int, Field(ge=1, lt=2**63)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class Profile:
    """A person's usual look, and how well it is known. Field names are stored on disk."""

    name: str
    model: str  # that made the codes, such as "omote-1a2b3c4d"
    num_frames: Count  # frames of the person that were used
    num_sources: Count  # videos and photos with such frames
    looks: Size  # effective number of distinct expressions (diversity of order 2), at least 1
    share: Annotated[Size, Field(le=1)]  # shrinkage: neutral = share * mean over distinct expressions
    # standard error of that mean; NaN if unknown
    error: Annotated[float, BeforeValidator(lambda error: math.nan if error is None else error)]
    spread: Size  # root mean square distance between two distinct expressions
    neutral: Annotated[np.ndarray, BeforeValidator(_to_neutral)]  # (Z,) float32
    num_doubted: Annotated[int, Field(ge=0)] = 0  # of the frames, those that the table does not trust

    def relative(self, codes: Floats) -> Floats:
        """Return (N, Z) codes minus the usual look, float32.

        Raises:
            OmoteError: If the codes are not as long as the usual look.
        """
        if codes.shape[-1] != len(self.neutral):
            raise OmoteError(
                f"the profile of {self.name} is damaged: its neutral has {len(self.neutral)} numbers, and codes of "
                f"{self.model} have {codes.shape[-1]}; make the profile again (`omote profile`)"
            )
        relative: Floats = (codes - self.neutral).astype(np.float32)
        return relative

    def check(self, model: str) -> None:
        """Raise OmoteError if the profile was made with another model."""
        if model != self.model:
            raise OmoteError(
                f"the profile of {self.name} is of {self.model}, and the features are of {model}: codes of two models "
                "cannot be compared. Make a profile with the same model, from the same footage (`omote profile`)"
            )

    def describe(self) -> list[str]:
        """Return sentences that say how well the usual look is known."""
        sources = f"{self.num_sources} sources" if self.num_sources > 1 else "one source"
        variety = "hardly" if self.looks < UNIFORM else "" if self.looks >= VARIED else "somewhat"
        trusted = "" if self.num_doubted else "trusted "
        sentences = [
            f"Usual look of {self.name} from {self.num_frames} {trusted}frames of {sources} ({self.model}).",
            f"To this model the footage is {f'{variety} varied'.strip()}: about {self.looks:.1f} distinct expressions. "
            f"{self.share:.0%} of their mean is subtracted.",
        ]
        if self.num_doubted:
            sentences.append(
                f"{self.num_doubted} of these frames are not to be trusted (column doubt of the table), so the usual "
                "look may be wrong."
            )
        if variety:
            sentences.append(
                "Features relative to it may be no better than plain ones; add footage with other expressions."
            )
        if math.isnan(self.error):
            sentences.append(
                f"One stretch of {BLOCK_SECONDS:.0f} s cannot show how much that mean would change with other footage; "
                "add other videos."
            )
        elif self.spread < NO_SPREAD:
            sentences.append(
                "All frames have the same code, so it is unknown how much that mean would change with other footage; "
                "add other videos."
            )
        else:
            sentences.append(
                f"With other such footage that mean would change by about {self.error / self.spread:.0%} of the "
                f"typical distance between two expressions: smaller differences between {self.name} and other people "
                f"mean little. Differences among frames of {self.name} do not depend on it."
            )
        if self.num_sources == 1:
            sentences.append("It is from one source only; another camera or day may change it more.")
        return sentences

    def save(self, path: str | Path) -> None:
        """Write the profile as JSON.

        Raises:
            OmoteError: If the name does not end in .json.
        """
        path = check_profile_path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, **vars(self)}
        content["error"] = None if math.isnan(self.error) else self.error
        content["neutral"] = [float(f"{value:.9g}") for value in self.neutral]  # 9 digits restore a float32
        write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    @staticmethod
    def load(path: str | Path) -> "Profile":
        """Return the profile in a file.

        Raises:
            OmoteError: If the file is missing, is no profile, is damaged, or was written by a newer omote.
        """
        path = Path(path)
        if not path.is_file():
            raise OmoteError(f"there is no profile {path}; `omote profile` makes one")
        with reading(path, "a profile", "Make the profile again with `omote profile`"):
            refusal = "is not a profile; `omote profile` makes one"
            return Profile(**read_versioned(path, FORMAT, FORMAT_VERSION, refusal))


def apply_profile(table: pd.DataFrame, profile: Profile, face: int) -> pd.DataFrame:
    """Return a table of plain codes relative to a person's usual look, with the columns profile and from_usual.

    The rows of other faces have no codes, and are not trusted.

    Args:
        table: as `omote embed` writes it, of the model of the profile.
        face: number of the person's face in each source.
    """
    names = code_names(list(table.columns))
    is_person = (table["face"] == face).fillna(False).to_numpy(bool)
    is_other = table["face"].notna().to_numpy() & ~is_person
    codes = np.where(
        is_person[:, None], profile.relative(table[names].to_numpy(np.float32)), np.float32(np.nan)
    )
    doubts = [
        "; ".join(filter(None, [doubt, OTHER_FACE])) if other else doubt
        for doubt, other in zip(table["doubt"], is_other, strict=True)
    ]
    changed = {
        "trusted": table["trusted"].to_numpy(bool) & ~is_other,
        "doubt": pd.array(doubts, "str"),
        "profile": pd.array([profile.name] * len(table), "str"),
        DISTANCE: np.linalg.norm(codes, axis=1),
    }
    order = list(table.columns)
    order.insert(order.index("ood") + 1, DISTANCE)
    order.insert(order.index("model") + 1, "profile")
    parts = (
        table.drop(columns=[*names, "trusted", "doubt"]),
        pd.DataFrame(changed),
        code_columns(codes, "z_e"),
    )
    return pd.concat([part.set_axis(table.index) for part in parts], axis=1)[order]


def check_profile_path(path: str | Path) -> Path:
    """Return the path, or raise OmoteError if a profile cannot be written there."""
    path = Path(path)
    if path.suffix.lower() != SUFFIX or path.is_dir():
        raise OmoteError(f"{path} was given for the profile; give a file whose name ends in {SUFFIX}")
    return path


class PersonOptions(TypedDict, total=False):
    """Which rows of a table are the person's, and which of them to use; see `omote.features.person`."""

    face: int | None  # number of the person's face in each source; 0 if nothing else is given
    largest: int | None  # 1: the largest face of each picture
    photo: str | Path | None  # of the person
    detector: str | Path | None  # a local copy of the detector's model, for the photo
    # Whether rows that are not trusted count, too. They do in any case, and `Profile.describe` says so, if there are
    # fewer than `LEAST_FRAMES` others.
    use_doubted: bool
    one_person: bool  # whether to believe that it is one person, though the faces of most sources are unlike each other


def make_profile(table: pd.DataFrame, name: str, **options: Unpack[PersonOptions]) -> Profile:
    """Return the profile of a person from a table of their footage.

    Args:
        table: as `omote embed` writes it; trusted rows of the face count. In a table of a face set, which has a column
            subject, the rows of subject `name` count.
        name: of the person. A table with a column person must name it.
        options: see `PersonOptions`.
    Raises:
        OmoteError: If the table has a column person without this name, has no model or several, is relative to a
            profile already, mixes face sets and videos, or has fewer than `LEAST_FRAMES` frames of the person; or as
            `omote.features.person.select_person`.
    """
    columns = _check_columns(table)
    return _make_profile(table, lambda rows: table.iloc[rows][columns].to_numpy(np.float32), name, **options)


def make_profile_from_tables(
    paths: Sequence[str | Path], name: str, **options: Unpack[PersonOptions]
) -> Profile:
    """Return the profile of a person from files of `omote embed`; only the codes in use are held in memory.

    Videos with the same name in two tables count as two sources.

    Raises:
        OmoteError: As `make_profile`, and if a file is missing or cannot be read.
    """
    table, read_codes = _open_tables(paths)
    return _make_profile(table, read_codes, name, **options)


class Profiles(NamedTuple):
    """The profiles of several people."""

    profiles: dict[str, Profile]  # by the person's name
    left_out: dict[str, str]  # person -> why there is no profile of them
    notes: list[
        str
    ]  # sentences: how people were told apart, which rows were left out, and what was not checked

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write a file for each person, PERSON.json, and return the files by person.

        Raises:
            OmoteError: If two people would have the same file.
        """
        paths = {name: Path(folder) / f"{_file_name(name)}{SUFFIX}" for name in self.profiles}
        if len({str(path).casefold() for path in paths.values()}) < len(paths):
            raise OmoteError(
                f"two of the people would have the same file in {folder}: {', '.join(paths)}; rename one of them"
            )
        for name, made in self.profiles.items():
            made.save(paths[name])
        return paths


def _file_name(person: str) -> str:
    """Return the name of a person without what a file name cannot hold."""
    return re.sub(r"[^\w .()-]", "_", person).strip(" .") or "_"


def make_profiles(table: pd.DataFrame, **options: Unpack[PersonOptions]) -> Profiles:
    """Return a profile of each person in a table of `omote embed`.

    Who a row shows is told by the column person; without it by subject (face sets), or else by the folder that the
    source lies in: FOLDER/PERSON/files. Of tables without the first two, face 0 of each source counts, unless the
    options say otherwise.

    Raises:
        OmoteError: As `make_profile`; if nothing tells people apart, a person is in one picture twice, or there is
            nobody of whom a profile can be made.
    """
    columns = _check_columns(table)
    return _make_profiles(table, lambda rows: table.iloc[rows][columns].to_numpy(np.float32), **options)


def make_profiles_from_tables(paths: Sequence[str | Path], **options: Unpack[PersonOptions]) -> Profiles:
    """Return a profile of each person in files of `omote embed`; see `make_profiles`.

    About `ROWS_AT_ONCE` rows of codes are held in memory at a time; the files are read once for each that many.
    """
    return _make_profiles(*_open_tables(paths), **options)


def _make_profiles(
    table: pd.DataFrame,
    read_codes: Callable[[NDArray[np.int64]], Floats],
    *,
    use_doubted: bool = False,
    one_person: bool = False,
    **which: Any,
) -> Profiles:
    people = name_people(table, **which)
    footage = _check_footage(table)
    has_code = table[code_names(list(table.columns))[0]].notna().to_numpy()
    no_code = int((people.names.notna().to_numpy() & ~has_code).sum())
    kept: dict[str, NDArray[np.int64]] = {}
    left_out, unchecked = {}, []
    for name, every in people.names.groupby(people.names, sort=True).indices.items():
        rows = np.asarray(every, np.int64)
        rows = rows[has_code[rows]]
        if len(rows) < LEAST_FRAMES:
            frames = f"{len(rows)} frame{'s' * (len(rows) != 1)}"
            left_out[str(name)] = f"only {frames}; a profile takes at least {LEAST_FRAMES}"
            continue
        unlike = None if one_person else measure_unlike(table, rows)
        if unlike is None:
            unchecked.append(str(name))
        elif unlike > UNLIKE:
            left_out[str(name)] = (
                "the files look like different people (--one-person believes that they are one)"
            )
            continue
        kept[str(name)] = _drop_doubted(rows, footage, use_doubted)
    if not kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in [*left_out.items()][:5])
        raise OmoteError(f"there is nobody to make a profile of: {reasons or 'the table names nobody'}")
    made = _estimate_profiles(kept, footage, read_codes)
    notes = [f"{len(made)} people, told apart by {people.how}."]
    without = people.left_out | ({"without a code": no_code} if no_code else {})
    notes += [f"Left out: {count} rows {reason}." for reason, count in without.items()]
    if unchecked:
        notes.append(
            f"Of {list_names(unchecked)} it was not checked that all files show one person: that takes three files "
            "that can be read again, with the whole picture."
        )
    return Profiles(made, left_out, notes)


def _open_tables(
    paths: Sequence[str | Path],
) -> tuple[pd.DataFrame, Callable[[NDArray[np.int64]], Floats]]:
    """Return the rows of several tables without their codes, and a function that returns the codes of some rows."""
    files = [Path(path) for path in dict.fromkeys(paths)]
    types = defaultdict(lambda: np.float32, TEXTS | NUMBERS)  # codes are float32
    wanted = {*TEXTS, *NUMBERS, FIRST_CODE}.__contains__
    batches = [
        batch.assign(table=number)
        for number, path in enumerate(files)
        for batch in read_batches(path, wanted, types)
    ]
    if not batches:
        raise OmoteError(f"{', '.join(map(str, files))}: no rows; make the table with `omote embed`")
    table = pd.concat(batches, ignore_index=True)
    _check_columns(table)

    def read_codes(rows: NDArray[np.int64]) -> Floats:
        found, begin = [], 0
        for batch in chain.from_iterable(read_batches(path, is_code, types) for path in files):
            inside = rows[(rows >= begin) & (rows < begin + len(batch))] - begin
            found.append(batch.iloc[inside][code_names(list(batch.columns))].to_numpy(np.float32))
            begin += len(batch)
        if len({part.shape[1] for part in found}) > 1:
            raise OmoteError("the tables have codes of different lengths; give tables of one model")
        return np.concatenate(found)

    return table, read_codes


def _make_profile(
    table: pd.DataFrame,
    read_codes: Callable[[NDArray[np.int64]], Floats],
    name: str,
    *,
    use_doubted: bool = False,
    one_person: bool = False,
    **which: Any,
) -> Profile:
    """Return the profile from a table without its codes, and a function that returns the codes of some rows."""
    footage = _check_footage(table)
    kept = _drop_doubted(np.flatnonzero(_find_person(table, name, which)), footage, use_doubted)
    if len(kept) < LEAST_FRAMES:
        raise OmoteError(
            f"of {name} there {'is' if len(kept) == 1 else 'are'} {len(kept)} "
            f"frame{'s' * (len(kept) != 1)}; a profile takes at least {LEAST_FRAMES}. "
            f"{_count_people(table, footage.trusted)}"
        )
    if not one_person and (measure_unlike(table, kept) or 0) > UNLIKE:
        raise OmoteError(
            f"the files of {name} look like different people: most of those that were compared are as unlike as two "
            "people are. For several people, sort them into folders FOLDER/PERSON/files, or add a column person, and "
            "give a folder with --to. If it is one person all the same, give --one-person"
        )
    return _estimate_profiles({name: kept}, footage, read_codes)[name]


class _Footage(NamedTuple):
    """What profiles take from a table besides codes."""

    model: str
    trusted: NDArray[np.bool_]  # (N,)
    sources: NDArray[np.int64]  # (N,) numbers of videos, clips and photos
    seconds: NDArray[np.float64]  # (N,)


def _check_footage(table: pd.DataFrame) -> _Footage:
    """Return these, or raise OmoteError if rows are of two kinds or models, or a column is of a wrong type."""
    if "subject" in table and table["subject"].isna().any():
        raise OmoteError(
            "some rows have no subject: tables of face sets and of videos were given together; give those of one kind"
        )
    if table["model"].isna().any():
        raise OmoteError("some rows have no model; make them with `omote embed`")
    for column, kinds in KINDS.items():
        if column in table and table[column].dtype.kind not in kinds:
            raise OmoteError(
                f"the column {column} holds {table[column].dtype} instead of {pandas_dtype(NUMBERS[column])}; make the "
                "table with `omote embed`"
            )
    models = sorted(table["model"].astype(str).unique())
    if len(models) > 1:
        raise OmoteError(
            f"the table has codes of several models ({', '.join(models)}); give codes of one model"
        )
    trusted = table["trusted"].to_numpy(bool) if "trusted" in table else np.ones(len(table), bool)
    seconds = table["time"].to_numpy(np.float64) if "time" in table else np.zeros(len(table))
    return _Footage("".join(models), trusted, number_sources(table), seconds)


def _drop_doubted(rows: NDArray[np.int64], footage: _Footage, use_doubted: bool) -> NDArray[np.int64]:
    """Return the trusted ones of a person's rows, or all if these are asked for or too few are trusted."""
    trusted = rows[footage.trusted[rows]]
    return rows if use_doubted or len(trusted) < LEAST_FRAMES else trusted


def _estimate_profiles(
    kept: Mapping[str, NDArray[np.int64]],
    footage: _Footage,
    read_codes: Callable[[NDArray[np.int64]], Floats],
) -> dict[str, Profile]:
    """Return the profile of each person from the numbers of their rows."""
    chosen = {name: rows[evenly_spaced(len(rows), MOST_FRAMES)] for name, rows in kept.items()}
    made = {}
    for name, codes in _read_people(chosen, read_codes):
        if not np.isfinite(codes).all():
            raise OmoteError(f"some codes of {name} are no numbers; make the table again with `omote embed`")
        rows, used = kept[name], chosen[name]
        estimate = _estimate_neutral(codes, number_blocks(footage.sources[used], footage.seconds[used]))
        num_sources, num_doubted = len(np.unique(footage.sources[rows])), int((~footage.trusted[rows]).sum())
        made[name] = Profile(name, footage.model, len(rows), num_sources, *estimate, num_doubted=num_doubted)
    return made


def _read_people(
    chosen: Mapping[str, NDArray[np.int64]], read_codes: Callable[[NDArray[np.int64]], Floats]
) -> Iterator[tuple[str, Floats]]:
    """Yield the codes of each person's rows; one call of `read_codes` gives those of about `ROWS_AT_ONCE` rows."""
    batch = np.cumsum([len(rows) for rows in chosen.values()]) // ROWS_AT_ONCE
    for number in np.unique(batch):
        names = [name for name, own in zip(chosen, batch, strict=True) if own == number]
        rows = np.sort(np.concatenate([chosen[name] for name in names]))
        with one_sentence(
            f"some codes of {list_names(names)} are no numbers", "Make the table again with `omote embed`"
        ):
            codes = read_codes(rows)
        for name in names:
            yield name, codes[np.searchsorted(rows, chosen[name])]


def _find_person(table: pd.DataFrame, name: str, which: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return (N,) which rows are the person's; raise OmoteError if the table names people, but not this one."""
    if "person" not in table:
        if "subject" in table:
            return (table["subject"].astype(str) == name).to_numpy(bool)
        return select_person(table, **which)
    names = name_people(table, **which).names
    if not (is_person := (names == name).to_numpy(bool, na_value=False)).any():
        raise OmoteError(
            f"the table shows {list_names(names.dropna().unique())} (column person), and {name} is not among them. "
            "Name one of them with --name; or give a folder with --to, for a profile of each"
        )
    return is_person


def _check_columns(table: pd.DataFrame) -> list[str]:
    """Return the names of a table's code columns; raise OmoteError if a column is missing or codes are relative."""
    columns = code_names(list(table.columns))
    if not columns or "model" not in table:
        missing = "column model, which says what made its codes" if columns else "codes z_e_00, z_e_01, ..."
        raise OmoteError(f"the table has no {missing}; make it with `omote embed`")
    if "profile" in table:
        raise OmoteError("the table is relative to a profile already; make one without --profile")
    return columns


def _count_people(table: pd.DataFrame, trusted: NDArray[np.bool_]) -> str:
    by = next((column for column in ("subject", "face") if column in table), None)
    if by is None:
        return f"The table has {len(table)} rows"
    names = table[by].astype("Int64") if by == "face" else table[by]
    counts = pd.Series(trusted).groupby(names.to_numpy()).agg(["sum", "size"]).head(5)
    each = ", ".join(f"{who} ({good} of {every})" for who, good, every in counts.itertuples())
    return f"Trusted frames of each {by}, the first ones: {each}" if len(counts) else "The table is empty"


def number_sources(table: pd.DataFrame) -> NDArray[np.int64]:
    """Return (N,) the number of each row's video, clip or photo."""
    named = [column for column in ("table", "source", "clip") if column in table]
    if not named:
        return np.zeros(len(table), np.int64)
    return np.asarray(table.groupby(named, sort=False, dropna=False).ngroup(), np.int64)


def number_blocks(sources: NDArray[np.int64], seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return (N,) the number of each row's jackknife block: `BLOCK_SECONDS` of a source, merged to `MAX_BLOCKS`."""
    stretch = np.floor(np.nan_to_num(seconds) / BLOCK_SECONDS)
    begins = (np.diff(sources) != 0) | (np.diff(stretch) != 0)
    number = np.concatenate([[0], np.cumsum(begins)])
    count = int(number[-1]) + 1
    return np.asarray(number * min(count, MAX_BLOCKS) // count, np.int64)


def _estimate_neutral(codes: Floats, blocks: NDArray[np.int64]) -> tuple[float, float, float, float, Floats]:
    """Return looks, share, error, spread and neutral (see `Profile`) of (N, Z) codes in blocks.

    The similarity of two frames is exp(-2 d^2 / Z), where d is the distance of their codes; Z is about the mean squared
    distance of a code from 0. The weight of a frame is one over its summed similarity to all frames. The number of
    distinct expressions is one over the mean similarity (Leinster and Cobbold, "Measuring diversity", 2012, order 2).
    The error is a jackknife over blocks, because neighbouring frames are not independent.
    """
    similarity = _compare_frames(codes)
    sums = similarity.sum(axis=1, dtype=np.float64)
    weights = 1 / sums / (1 / sums).sum()
    mean = weights @ codes
    spread = math.sqrt(2 * float(weights @ ((codes - mean) ** 2).sum(axis=1)))
    share, error = ONE_BLOCK_SHARE, math.nan
    if count := int(blocks[-1]):
        replicates = []
        for block in range(count + 1):
            rows, out = np.flatnonzero(blocks != block), np.flatnonzero(blocks == block)
            rest = 1 / (sums[rows] - similarity[np.ix_(rows, out)].sum(axis=1, dtype=np.float64))
            replicates.append(rest @ codes[rows] / rest.sum())
        variance = count / (count + 1) * float(((replicates - np.mean(replicates, axis=0)) ** 2).sum())
        share = max(0.0, 1 - variance / max(float(mean @ mean), 1e-12))
        error = math.sqrt(variance)
    return len(codes) ** 2 / float(sums.sum()), share, error, spread, (share * mean).astype(np.float32)


def find_usual_look(codes: Floats) -> Floats:
    """Return (Z,) the mean over the distinct expressions in (N, Z) codes of a person, not shrunk toward 0."""
    codes = codes[evenly_spaced(len(codes), MOST_FRAMES)]
    weights = 1 / _compare_frames(codes).sum(axis=1, dtype=np.float64)
    usual: Floats = (weights @ codes / weights.sum()).astype(np.float32)
    return usual


def _compare_frames(codes: Floats) -> Floats:
    """Return (N, N) how similar each two frames are, 0 to 1."""
    squares = (codes**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * codes @ codes.T, 0)
    similarity: Floats = np.exp(-2 / codes.shape[1] * distances)
    return similarity
