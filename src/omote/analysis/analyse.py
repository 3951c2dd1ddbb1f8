"""From a folder of people to a table of features, events, people compared, and a report: `omote analyse`.

Each step is a public function that has a command of its own; `steps` says which.
"""

import hashlib
import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from omote.analysis.footage import Chosen, Footage, count, estimate_seconds, find_footage
from omote.analysis.people import summarise_people
from omote.analysis.report import Report, summarise_measures, write_report
from omote.analysis.workbook import check_workbooks, write_workbook
from omote.data.build import Progress, Skipped, write_skipped
from omote.data.outputs import code_names
from omote.data.parts import Parts, claim_parts
from omote.data.shards import Shares
from omote.data.videos import GAP, Excerpt
from omote.errors import OmoteError
from omote.features.axes import Axes, axis_columns, gather_axes
from omote.features.comparison import PeopleComparison, compare_people
from omote.features.embed import embed_share, embed_to, join_features, open_reader
from omote.features.event_files import write_events
from omote.features.events import find_events, find_measures
from omote.features.people import list_names
from omote.features.profile import DISTANCE, LEAST_FRAMES, Profiles, make_profiles
from omote.features.reader import Reader
from omote.features.summary import EmbedSummary
from omote.features.table import FLOAT_FORMAT, read_table
from omote.figures.page import format_duration
from omote.files import file_state, write_text
from omote.formulas import restore_formulas, write_csv
from omote.runs.shipped import SHIPPED

FEATURES, EVENTS, PEOPLE, COMPARISON = "features.parquet", "events.csv", "people.csv", "comparison.csv"
REPORT, WORKBOOK, PROFILES, SKIPPED = "report.html", "results.xlsx", "profiles", "skipped.csv"
LEAD = "How often, when and how far the faces of these people move, and whether they move alike."
MOST_NAMED = 20  # files that were left out, on the report; skipped.csv has all
TEXTS = dict.fromkeys(
    ("person", "first", "second", "source", "reason"), str
)  # also if they look like numbers

Tell = Callable[[str], None]
Steps = Callable[[str, int, int], None]  # name of a step, done, total


class Analysis(NamedTuple):
    """What an analysis wrote to a folder."""

    folder: Path
    people: pd.DataFrame  # people.csv
    events: pd.DataFrame | None  # events.csv; None where `left_out` says why
    comparison: pd.DataFrame | None  # comparison.csv; the same
    summary: list[str]  # sentences
    left_out: list[str]  # sentences: files, faces and steps that were left out
    commands: list[str]  # that do the same step by step

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / REPORT


def analyse(
    folder: str | Path,
    to: str | Path,
    *,
    run: Reader | str | Path = SHIPPED,
    manifest: str | Path | None = None,
    fps: float | None = None,
    face: int | None = None,
    photo: str | Path | None = None,
    conditions: tuple[str, str] | None = None,
    axes: Sequence[Axes] = (),
    xlsx: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
    tell: Tell | None = None,
    progress: Steps | None = None,
) -> Analysis:
    """Write features, events, usual looks, people, their comparison and a report of people's videos and photos.

    The folder `to` gets features.parquet (with columns person, from_usual and those of axes), events.csv, people.csv,
    comparison.csv, profiles (usual looks), report.html, skipped.csv and searched.csv. Everything appears at once, when
    it is whole; after an interruption the same call goes on.

    Args:
        folder: FOLDER/PERSON/files; or any folder, with a manifest.
        run: a run, an ONNX file, or what `open_reader` returned; by default the model that comes with omote.
        manifest: as for `omote.prepare`: a CSV file with the columns path and subject. Further columns, such as
            condition, go into the table.
        fps: frames per second of videos; None for all.
        face: number of the person's face in each file; by default 0, the largest of the first picture with a face.
        photo: of the person, whose face is looked for by its appearance; or a folder with PERSON.jpg for everybody.
        conditions: two conditions to compare within people; see `omote.compare_people`.
        axes: own axes, besides those that come with the model.
        xlsx: write people, events and comparison to results.xlsx too (extra `xlsx`).
        overwrite: replace an older analysis at `to`, once the new one is whole.
        workers: threads that detect faces; None for one per core.
        tell: called with sentences before the work begins: how much there is, and about how long it will take.
        progress: called with the name of a step, how much of it is done, and of how much.
    Raises:
        OmoteError: If it is unknown who is on a file, `to` exists, an option makes no sense, no face was found at all,
            or `<to>.partial` holds something else or is in use. What cannot be done with these people, such as a
            comparison of one, is left out and said.
    """
    to = Path(to)
    asked = _prepare(folder, run, manifest, fps, face, photo, conditions, axes, xlsx)
    say = tell or (lambda sentence: None)
    with claim_parts(to, asked.request(), "analysis", lambda: _check_target(to, overwrite)) as parts:
        if parts.outcome is None:
            embedded = parts.part(0) / FEATURES
            say(f"{asked.footage.describe()}.")
            if not embedded.is_file():
                goes_on = "An interrupted analysis goes on. " if parts.part(0).exists() else ""
                seconds = estimate_seconds(asked.reader, asked.footage, asked.excerpt, workers)
                say(f"{goes_on}About {_say_about(seconds)} for all of it on this machine.")
                parts.part(0).mkdir(exist_ok=True)
                embed_to(
                    asked.reader, list(asked.footage.people), embedded, excerpt=asked.excerpt, axes=axes,
                    workers=workers,
                    progress=progress and (lambda done, total: progress("faces and features", done, total)),
                )  # fmt: skip
            work = _Work(
                parts, embedded, asked.footage, asked.chosen, conditions, xlsx, asked.commands, progress
            )
            parts.finish(work.write())
        parts.replace(parts.result, to)
        outcome = parts.outcome
    return _read_analysis(to, outcome)


def analyse_share(
    folder: str | Path,
    to: str | Path,
    shard: tuple[int, int],
    *,
    run: Reader | str | Path = SHIPPED,
    manifest: str | Path | None = None,
    fps: float | None = None,
    face: int | None = None,
    photo: str | Path | None = None,
    conditions: tuple[str, str] | None = None,
    axes: Sequence[Axes] = (),
    xlsx: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> EmbedSummary:
    """Compute the features of a share of the files, as a part in the folder `to`, and return how many there are.

    `join_analysis` makes the analysis of all parts, which need the arguments of `analyse`, the same for each.

    Args:
        shard: (K, N) for the K-th of N shares, from 1.
        progress: called with (frames done, frames in all).
    Raises:
        OmoteError: As `analyse` and `embed_share`.
    """
    asked = _prepare(folder, run, manifest, fps, face, photo, conditions, axes, xlsx)
    arguments = {
        "folder": str(folder),
        "manifest": manifest and str(manifest),
        "photo": photo and str(photo),
        "commands": asked.commands,
        **asked.request(),
    }
    return embed_share(
        asked.reader, list(asked.footage.people), to, shard, analysis=arguments, excerpt=asked.excerpt, axes=axes,
        workers=workers, progress=progress,
    )  # fmt: skip


def join_analysis(
    shares: Shares, to: str | Path, *, overwrite: bool = False, progress: Steps | None = None
) -> Analysis:
    """Return the analysis of all parts, written to the folder `to`; see `analyse` for it and for the arguments.

    Raises:
        OmoteError: If the photos and videos are not there any more, or have changed; and as `analyse`.
    """
    to, arguments = Path(to), shares.request["analysis"]
    face, photo = arguments["person's face"][0], arguments["photo"]
    excerpt, conditions = Excerpt(fps=arguments["fps"]), arguments["conditions"]
    footage = find_footage(arguments["folder"], arguments["manifest"], excerpt)
    chosen = Chosen(face, photo and Path(photo))
    chosen.check(footage)
    changed = _digest(footage) != arguments["inputs"]
    if changed or json.loads(json.dumps(chosen.state())) != arguments["person's face"]:
        raise OmoteError(
            f"the files in {arguments['folder']}, the manifest or the photo of the person have changed since the parts "
            "were made; make them again, in a new folder"
        )
    request = {"parts": shares.request}
    with claim_parts(to, request, "analysis", lambda: _check_target(to, overwrite)) as parts:
        if parts.outcome is None:
            embedded = parts.part(0) / FEATURES
            if not embedded.is_file():
                parts.part(0).mkdir(exist_ok=True)
                join_features(shares, embedded)
            work = _Work(
                parts, embedded, footage, chosen, conditions and tuple(conditions), arguments["xlsx"],
                arguments["commands"], progress,
            )  # fmt: skip
            parts.finish(work.write())
        parts.replace(parts.result, to)
        outcome = parts.outcome
    return _read_analysis(to, outcome)


class _Asked(NamedTuple):
    """The checked arguments of an analysis."""

    reader: Reader
    footage: Footage
    excerpt: Excerpt
    chosen: Chosen
    conditions: tuple[str, str] | None
    axes: Sequence[Axes]
    xlsx: bool
    commands: list[str]

    def request(self) -> dict[str, Any]:
        """Return what must be the same for an interrupted analysis to be resumed."""
        return {
            "model": self.reader.model,
            "inputs": _digest(self.footage),
            "number of inputs": len(self.footage.people),
            "fps": self.excerpt.fps,
            "person's face": self.chosen.state(),
            "conditions": self.conditions,
            "axes": [own.digest() for own in self.axes],
            "xlsx": self.xlsx,
        }


def _prepare(
    folder: str | Path,
    run: Reader | str | Path,
    manifest: str | Path | None,
    fps: float | None,
    face: int | None,
    photo: str | Path | None,
    conditions: tuple[str, str] | None,
    axes: Sequence[Axes],
    xlsx: bool,
) -> _Asked:
    """Return the arguments of an analysis, checked as far as possible without looking at a picture."""
    if xlsx:
        check_workbooks()
    excerpt = Excerpt(fps=fps)
    excerpt.check()
    footage = find_footage(folder, manifest, excerpt)
    reader = open_reader(run) if isinstance(run, str | Path) else run
    gather_axes(reader, axes)  # raises if they are of another model
    chosen = Chosen(face, None if photo is None else Path(photo))
    chosen.check(footage)
    named = run if isinstance(run, str | Path) else "RUN"
    commands = steps(folder, named, manifest, fps, conditions, axes)
    return _Asked(reader, footage, excerpt, chosen, conditions, axes, xlsx, commands)


def _digest(footage: Footage) -> str:
    """Return what changes with the files, their people and the manifest."""
    files = [(path, person, file_state(path)) for path, person in footage.people.items()]
    return hashlib.sha256(repr((files, footage.further)).encode()).hexdigest()


def _read_analysis(to: Path, outcome: dict[str, list[str]]) -> Analysis:
    tables = {name: _read_csv(to / name) if (to / name).is_file() else None for name in (EVENTS, COMPARISON)}
    return Analysis(to, _read_csv(to / PEOPLE), tables[EVENTS], tables[COMPARISON], **outcome)


def steps(
    folder: str | Path,
    run: str | Path,
    manifest: str | Path | None,
    fps: float | None,
    conditions: tuple[str, str] | None,
    axes: Sequence[Axes] = (),
) -> list[str]:
    """Return the commands that do the same step by step."""
    model = "" if str(run) == SHIPPED else f"{shlex.quote(str(run))} "
    options = "" if fps is None else f" --fps {fps:g}"
    options += " --axis FILE" * len(axes)
    inputs = shlex.quote(str(folder)) if manifest is None else "FILE..."
    named = "" if manifest is None else "  # then add a column person, by the manifest"
    compared = "" if conditions is None else f" --conditions {shlex.quote(','.join(conditions))}"
    return [
        f"omote embed {model}{inputs} --to features.parquet{options}{named}",
        "omote profile features.parquet --to profiles",
        f"omote embed {model}PERSON_FILES --profile profiles/PERSON.json --to PERSON.parquet{options}  # from_usual",
        "omote events features.parquet --to events.csv",
        f"omote compare features.parquet --to comparison.csv{compared}",
        "omote plot features.parquet",
    ]


def _check_target(to: Path, overwrite: bool) -> None:
    if not to.name or (to.exists() and not to.is_dir()):
        raise OmoteError(f"{to} was given for the results, and is no folder; name a new folder")
    if not to.is_dir() or not any(to.iterdir()):
        return
    if not overwrite:
        raise OmoteError(f"{to} exists already; name a new folder, or ask to overwrite it (--overwrite)")
    if not all((to / name).is_file() for name in (FEATURES, PEOPLE, REPORT)):
        raise OmoteError(
            f"{to} is no analysis, so it is not overwritten; name a new folder, or remove it yourself"
        )


class _Work:
    """What is done with the features of everybody."""

    def __init__(
        self,
        parts: Parts,
        embedded: Path,
        footage: Footage,
        chosen: Chosen,
        conditions: tuple[str, str] | None,
        xlsx: bool,
        commands: list[str],
        progress: Steps | None,
    ) -> None:
        self.to, self.embedded, self.footage, self.chosen = parts.new_result(), embedded, footage, chosen
        self.conditions, self.xlsx, self.commands, self.progress = conditions, xlsx, commands, progress
        self.left_out: list[str] = []

    def write(self) -> dict[str, list[str]]:
        """Write everything, and return the sentences of an `Analysis`."""
        searched = _read_csv(self.embedded.with_name(f"{FEATURES}.searched.csv"))
        self._write_skipped()
        searched.to_csv(self.to / "searched.csv", index=False)
        table = self._name_people(read_table(self.embedded))
        profiles = self._make_profiles(table)
        table = add_distance(table, profiles)
        table.to_parquet(self.to / FEATURES, index=False)
        self._count_doubts(table)
        measures = find_measures(table) if DISTANCE in table or axis_columns(list(table.columns)) else {}
        events = self._find_events(table)
        people = summarise_people(table, events, measures, searched, self.footage.people, profiles)
        _write_csv(people, self.to / PEOPLE)
        comparison = self._compare(table)
        if self.xlsx:
            found = {"people": people, "events": events, "comparison": comparison and comparison.table}
            write_workbook(self.to / WORKBOOK, {name: one for name, one in found.items() if one is not None})
        summary = self._summarise(table)
        in_short = summarise_measures(people, measures)
        report = Report(
            f"Faces of {count(len(people), 'person', 'people')}", [LEAD, *summary, self.chosen.describe()], in_short,
            people, measures, comparison, self.left_out, self.commands,
        )  # fmt: skip
        step, progress = "the report", self.progress
        self.left_out += write_report(
            self.to / REPORT, report, table, progress and (lambda done, total: progress(step, done, total))
        )
        return {"summary": summary + in_short, "left_out": self.left_out, "commands": self.commands}

    def _name_people(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the table with a column person first, and then the further columns of a manifest."""
        names = self.chosen.name_rows(table, self.footage.people)
        if (others := names.isna() & table["face"].notna()).any():
            sources = [self.footage.short(source) for source in table["source"][others].astype(str).unique()]
            self.left_out.append(
                f"{count(int(others.sum()), 'face')} of others in {list_names(sources)}: in the table without a "
                "name in the column person, and in no number of a person."
            )
        if longer := _find_longer(table, names):
            self.left_out.append(
                f"{list_names(map(self.footage.short, longer))}: another face is in more frames than the one that "
                "counts; if it is the person, choose it with --face or --photo."
            )
        if nobody := sorted({*self.footage.people.values()} - {*names.dropna()}):
            self.left_out.append(f"{list_names(nobody)}: no face was found.")
        table.insert(0, "person", names)
        for place, (name, values) in enumerate(self.footage.further.items(), 1):
            if name in table:
                raise OmoteError(f"the manifest has a column {name}, as the table of features has; rename it")
            table.insert(place, name, table["source"].astype(str).map(values).astype("str"))
        return table

    def _make_profiles(self, table: pd.DataFrame) -> Profiles:
        try:
            found = make_profiles(table)
        except OmoteError as error:
            few = f"fewer than {LEAST_FRAMES} faces"
            found = Profiles({}, dict.fromkeys(table["person"].dropna().unique(), few), [])
            self.left_out.append(f"No usual look of anybody: {_sentence(error)}")
            return found
        found.save(self.to / PROFILES)
        self.left_out += [f"No usual look of {name}: {reason}." for name, reason in found.left_out.items()]
        doubted = [name for name, profile in found.profiles.items() if profile.num_doubted]
        if doubted:
            self.left_out.append(
                f"The usual look of {list_names(doubted)} is of faces that are not to be trusted: there are hardly "
                "others."
            )
        return found

    def _find_events(self, table: pd.DataFrame) -> pd.DataFrame | None:
        try:
            events = find_events(table)
        except OmoteError as error:
            self.left_out.append(f"No events: {_sentence(error)}")
            return None
        write_events(events, self.to / EVENTS)
        return events

    def _compare(self, table: pd.DataFrame) -> PeopleComparison | None:
        try:
            found = compare_people(table, conditions=self.conditions)
        except OmoteError as error:
            self.left_out.append(f"No comparison of people: {_sentence(error)}")
            return None
        found.save(self.to / COMPARISON)
        return found

    def _write_skipped(self) -> None:
        file = self.embedded.with_name(f"{FEATURES}.skipped.csv")
        rows: list[Skipped] = [*self.footage.skipped]
        if file.is_file():
            for row in _read_csv(file).to_dict("records"):
                frame = None if pd.isna(row["frame"]) else int(row["frame"])
                rows.append(Skipped(source=row["source"], frame=frame, reason=row["reason"]))
        write_skipped(self.to / SKIPPED, rows)
        files = [row for row in rows if row["frame"] is None]
        self.left_out += [
            f"{self.footage.short(row['source'])}: {row['reason']}." for row in files[:MOST_NAMED]
        ]
        if len(files) > MOST_NAMED:
            self.left_out.append(
                f"{len(files) - MOST_NAMED} more files or parts of files; skipped.csv lists all."
            )
        frames = pd.Series(
            [row["reason"] for row in rows if row["frame"] is not None and row["reason"] != GAP], dtype=str
        )
        for reason, number in frames.value_counts().items():
            self.left_out.append(f"{count(number, 'frame')} of videos: {reason}.")

    def _count_doubts(self, table: pd.DataFrame) -> None:
        doubted = table[table["person"].notna() & ~table["trusted"].astype(bool)]
        if len(doubted):
            reasons = doubted["doubt"].astype(str).str.split("; ").explode().value_counts()
            said = ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())
            self.left_out.append(f"{count(len(doubted), 'face')} not to be trusted (column doubt): {said}.")

    def _summarise(self, table: pd.DataFrame) -> list[str]:
        named = table["person"].notna()
        trusted = 100 * float(table["trusted"][named].mean()) if named.any() else 0.0
        return [
            f"{self.footage.describe()}.",
            f"{count(int(named.sum()), 'face')} of them, of which {trusted:.0f} % are to be trusted and count.",
        ]


def add_distance(table: pd.DataFrame, profiles: Profiles) -> pd.DataFrame:
    """Return the table with the column from_usual after ood: how far each face is from its person's usual look.

    It is missing for other faces and for people without a usual look; without any usual look there is no such column.
    """
    if not profiles.profiles:
        return table
    names = code_names(list(table.columns))
    distances = np.full(len(table), np.nan, np.float32)
    for person, profile in profiles.profiles.items():
        rows = (table["person"] == person).to_numpy(bool, na_value=False)
        distances[rows] = np.linalg.norm(
            profile.relative(table.loc[rows, names].to_numpy(np.float32)), axis=1
        )
    table.insert(list(table.columns).index("ood") + 1, DISTANCE, distances)
    return table


def _find_longer(table: pd.DataFrame, names: pd.Series) -> list[str]:
    """Return the sources in which a face without a name is in more frames than the one with a name."""
    counts = pd.DataFrame(
        {"source": table["source"].astype(str), "face": table["face"], "named": names.notna()}
    )
    most = (
        counts.groupby(["source", "named", "face"])
        .size()
        .groupby(["source", "named"])
        .max()
        .unstack(fill_value=0)
    )
    if not {True, False} <= set(most.columns):
        return []
    return [str(source) for source in most.index[most[False] > most[True]]]


def _say_about(seconds: float) -> str:
    """Return "40 s", "3 min" or "2 h 10 min"."""
    if seconds < 55:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else format_duration(seconds)


def _sentence(error: OmoteError) -> str:
    return f"{str(error).rstrip('.')}."


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    write_text(path, write_csv(table, float_format=FLOAT_FORMAT))


def _read_csv(path: Path) -> pd.DataFrame:
    return restore_formulas(pd.read_csv(path, dtype=TEXTS, keep_default_na=False, na_values=[""]))
