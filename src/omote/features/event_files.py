"""Files of events: a table (CSV), annotations of ELAN (.eaf) and a project of BORIS (.boris).

ELAN Annotation Format 3.0: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf. A project of BORIS
(Friard and Gamba, 2016) is JSON; its format 7.0 is that of BORIS 7 to 9.
"""

import json
import mimetypes
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from omote.data.images import Unreadable
from omote.data.videos import open_video
from omote.errors import OmoteError
from omote.files import write_text
from omote.formulas import write_csv

SUFFIXES = (".csv", ".eaf", ".boris")
XSI, SCHEMA = "http://www.w3.org/2001/XMLSchema-instance", "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
TIER_TYPE = "default-lt"
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")  # which XML cannot hold
SOURCE = "source"
FPS, FLOAT_FORMAT = 25.0, "%.6f"
BORIS_FORMAT = "7.0"


def write_events(events: pd.DataFrame, to: str | Path) -> list[Path]:
    """Write the events of `find_events` and return the files.

    Args:
        to: a .csv file, one row an event; a .eaf file for ELAN, with a tier for each face and measure, of which each
            source (video) gets one, with its name added if there are several; or a .boris file, a project for BORIS
            with an observation for each source.
    Raises:
        OmoteError: If the name has another suffix, or a file cannot be written.
    """
    to = check_events_path(to)
    to.parent.mkdir(parents=True, exist_ok=True)
    suffix = to.suffix.lower()
    if suffix == ".csv":
        write_text(to, write_csv(events, float_format=FLOAT_FORMAT))
        return [to]
    sources = _sources(events)
    if suffix == ".boris":
        write_text(
            to, json.dumps(_boris_project(events, sources, to.stem), indent=1, ensure_ascii=False) + "\n"
        )
        return [to]
    files = _name_files(to, sources)
    for source, own in _split(events, sources).items():
        write_text(files[source], _to_eaf(own, source))
    return list(files.values())


def check_events_path(to: str | Path) -> Path:
    """Return the path, or raise OmoteError if no events can be written there."""
    to = Path(to)
    if to.suffix.lower() not in SUFFIXES or to.is_dir():
        raise OmoteError(
            f"{to} was given for the events; give a file whose name ends in .csv, in .eaf for ELAN, or in .boris for "
            "BORIS"
        )
    return to


def _sources(events: pd.DataFrame) -> list[str]:
    """Return all sources that were looked at, also those without events; [""] if the table has none."""
    if SOURCE not in events:
        return [""]
    return list(events.attrs.get("sources", [])) or list(dict.fromkeys(events[SOURCE].astype(str)))


def _split(events: pd.DataFrame, sources: list[str]) -> dict[str, pd.DataFrame]:
    """Return the events of each source."""
    if SOURCE not in events:
        return dict.fromkeys(sources, events)
    # As text, as in `_sources`: a camera is a number, 0.
    rows = events.groupby(events[SOURCE].astype(str)).indices
    return {source: events.iloc[rows.get(source, [])] for source in sources}


def _name_files(to: Path, sources: list[str]) -> dict[str, Path]:
    """Return a file of its own for each source: `to`, or with the source's name added if there are several."""
    if len(sources) < 2:
        return dict.fromkeys(sources, to)
    files: dict[str, Path] = {}
    taken: set[str] = set()  # in small letters, because some file systems know no others
    for number, source in enumerate(sources, 1):
        stem = re.sub(r"[^\w.-]+", "_", Path(source).stem)[:80]
        while (name := f"{to.stem}-{stem}{to.suffix}").casefold() in taken:
            stem += f"-{number}"
        taken.add(name.casefold())
        files[source] = to.with_name(name)
    return files


def _faces(events: pd.DataFrame) -> "pd.Series[Any]":
    """Return in words whose each event is: "face 0", "ann, face 0"."""
    words = pd.Series("", events.index)
    for column in ("person", "subject", "clip"):
        if column in events:
            words += events[column].fillna("").astype(str) + ", "
    if "face" in events:
        words += "face " + events["face"].astype(str) + ", "
    return words.str.replace(r"^(, )+", "", regex=True).str.removesuffix(", ").replace("", "face")


def _to_eaf(events: pd.DataFrame, source: str) -> str:
    """Return the annotations of one source as XML: a tier for each face and measure, an annotation for each event."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    document = ET.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": "omote", "DATE": now, "FORMAT": "3.0", "VERSION": "3.0", "xmlns:xsi": XSI,
         "xsi:noNamespaceSchemaLocation": SCHEMA},
    )  # fmt: skip
    header = ET.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    if kind := _video_type(source):
        path = Path(source)
        media = {
            "MEDIA_URL": path.absolute().as_uri(),
            "MIME_TYPE": kind,
            "RELATIVE_MEDIA_URL": f"./{path.name}",
        }
        ET.SubElement(header, "MEDIA_DESCRIPTOR", {name: _clean(value) for name, value in media.items()})
    ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(len(events))
    order = ET.SubElement(document, "TIME_ORDER")
    tiers: dict[str, ET.Element] = {}
    for number, (face, event) in enumerate(zip(_faces(events), events.to_dict("records"), strict=True), 1):
        begin = round(1000 * event["onset"])
        slots = {
            f"ts{2 * number - 1}": begin,
            f"ts{2 * number}": max(round(1000 * event["offset"]), begin + 1),
        }
        for slot, milliseconds in slots.items():
            ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(max(milliseconds, 0))})
        name = _clean(f"{face}: {event['measure']}")
        if name not in tiers:
            tiers[name] = ET.Element("TIER", {"LINGUISTIC_TYPE_REF": TIER_TYPE, "TIER_ID": name})
        annotation = ET.SubElement(
            ET.SubElement(tiers[name], "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            {"ANNOTATION_ID": f"a{number}"}
            | dict(zip(("TIME_SLOT_REF1", "TIME_SLOT_REF2"), slots, strict=True)),
        )
        ET.SubElement(annotation, "ANNOTATION_VALUE").text = _clean(_say(event))
    document.extend(tiers.values())
    ET.SubElement(
        document,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": TIER_TYPE, "TIME_ALIGNABLE": "true"},
    )
    ET.indent(document, "    ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(document, encoding="unicode") + "\n"


def _say(event: Mapping[Any, Any]) -> str:
    """Return an event in words: "peak 0.81, amplitude 0.75, apex 3.24 s"."""
    said = f"peak {event['peak']:.2f}, amplitude {event['amplitude']:.2f}, apex {event['apex']:.2f} s"
    return said + (f"; {event['note']}" if event["note"] else "")


def _clean(text: str) -> str:
    return CONTROLS.sub("?", text)


def _video_type(source: str) -> str | None:
    """Return the MIME type of a source that is a video by its name."""
    kind = mimetypes.guess_type(source)[0] or ""
    return kind if kind.startswith("video/") else None


def _boris_project(events: pd.DataFrame, sources: list[str], name: str) -> dict[str, Any]:
    """Return a project of BORIS: measures are its behaviours (state events), faces its subjects."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    measures = list(dict.fromkeys(events["measure"]))
    subjects = sorted(set(_faces(events)))
    behaviours = [
        {"type": "State event", "key": "", "code": _clean(measure), "description": "", "color": "", "category": "",
         "modifiers": {}, "excluded": "", "coding map": ""}
        for measure in measures
    ]  # fmt: skip
    return {
        "time_format": "hh:mm:ss",
        "project_date": now,
        "project_name": name,
        "project_description": "Events found by omote; the rule is in its documentation (features).",
        "project_format_version": BORIS_FORMAT,
        "subjects_conf": _numbered(
            [{"key": "", "name": _clean(each), "description": ""} for each in subjects]
        ),
        "behaviors_conf": _numbered(behaviours),
        "observations": {
            _clean(source) or "events": _boris_observation(own, source, now)
            for source, own in _split(events, sources).items()
        },
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


def _numbered(values: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {str(number): value for number, value in enumerate(values)}


def _boris_observation(events: pd.DataFrame, source: str, now: str) -> dict[str, Any]:
    """Return one source: START and STOP of a state event are two rows with its time in seconds."""
    rows = []
    for face, event in zip(_faces(events), events.to_dict("records"), strict=True):
        begin = round(float(event["onset"]), 3)
        end = max(round(float(event["offset"]), 3), begin + 0.001)
        for time, comment in ((begin, _say(event)), (round(end, 3), "")):
            rows.append([time, _clean(face), _clean(event["measure"]), "", _clean(comment)])
    observation: dict[str, Any] = {
        "file": {"1": []}, "type": "LIVE", "date": now, "description": "", "time offset": 0.0,
        "events": sorted(rows), "observation time interval": [0, 0], "independent_variables": {},
        "visualize_spectrogram": False, "visualize_waveform": False, "close_behaviors_between_videos": False,
        "scan_sampling_time": 0, "start_from_current_time": False,
    }  # fmt: skip
    if _video_type(source):
        path = str(Path(source).absolute())
        length, fps = _measure_video(source, float(events["offset"].max()) if len(events) else 0.0)
        info = {"length": length, "fps": fps, "hasVideo": True, "hasAudio": False}
        media = {key: {path: value} for key, value in info.items()} | {"offset": {"1": 0.0}}
        observation |= {"type": "MEDIA", "file": {"1": [path]}, "media_info": media}
    return observation


def _measure_video(source: str, least: float) -> tuple[float, float]:
    """Return length (s) and frames a second of a video; guesses where the file is not there any more."""
    length, fps = least, FPS
    with suppress(Unreadable, OSError), open_video(source) as (container, stream, _):
        length = max(float(container.duration or 0) / 1e6, least)
        fps = float(stream.average_rate or FPS)
    return round(length, 3), round(fps, 3)
