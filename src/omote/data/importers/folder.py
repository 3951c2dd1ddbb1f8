"""Any folder of photos and videos: folder names, a pattern of names, or a manifest say who is on them."""

import csv
import io
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest
from pathlib import Path, PurePath, PurePosixPath

from omote.boundary import decode, one_sentence, reading
from omote.data.addresses import missing_folder
from omote.data.build import Skipped
from omote.data.clips import Clip, File, Listing, check_clips, natural_order, sort_clips
from omote.data.face_set import SCHEMA, USES
from omote.data.media import NO_KIND, Kind, find_kind
from omote.errors import OmoteError

FIELDS = ("subject", "clip", "frame", "expression")
MANIFEST_COLUMNS = ("path", *FIELDS, "use")
# Columns that the preparation fills in, which a manifest must not have.
RESERVED = tuple(name for name in SCHEMA.names if name not in MANIFEST_COLUMNS)


@dataclass(frozen=True)
class _Entry:
    """A file and what is known about it."""

    path: str
    kind: Kind
    subject: str
    clip: str
    alone: bool  # whether the file is a clip of its own, not one of several frames
    frame: str | None = None
    expression: str | None = None
    use: str = "both"
    further: tuple[tuple[str, str], ...] = ()


def list_folder(
    path: str | Path,
    *,
    pattern: str | None = None,
    manifest: str | Path | None = None,
    map_expression: Mapping[str, str] | None = None,
) -> Listing:
    """Return the clips of the photos and videos below `path`; see `prepare` for the rules.

    Raises:
        OmoteError: If `path` is no folder or has no photo or video, if a subject is unknown or ambiguous, if clips
            clash, or if the manifest is not as described.
    """
    root = Path(path)
    if not root.exists():
        raise missing_folder(root)
    if not root.is_dir():
        raise OmoteError(f"{root} is a file; expected a folder of photos or videos.")
    if pattern is not None and manifest is not None:
        raise OmoteError("Both a pattern and a manifest were given. Give one of them.")
    skipped: list[Skipped] = []
    if manifest is not None:
        entries = _read_manifest(root, Path(manifest), skipped)
    else:
        found = find_media(root, skipped)
        if not found:
            raise OmoteError(f"{root} has no photos or videos in it or its subfolders. Check the path.")
        entries = (
            _read_folders(root, found, skipped)
            if pattern is None
            else _match_pattern(pattern, found, skipped)
        )
    clips = _group(_map_expressions(entries, map_expression or {}))
    check_clips(clips)
    return Listing(root, clips, skipped)


def find_media(root: Path, skipped: list[Skipped]) -> dict[str, Kind]:
    """Return the photos, animations and videos below root and what they are, by content; see `find_files`."""
    found: dict[str, Kind] = {}
    for path in find_files(root, skipped):
        if kind := find_kind(root / path):
            found[path] = kind
        else:
            skipped.append(Skipped(source=path, frame=None, reason=NO_KIND))
    return found


def find_files(root: Path, skipped: list[Skipped]) -> list[str]:
    """Return the paths of all files below root, relative to it and in natural order; what cannot be read is skipped.

    Links are followed: a folder that two links lead to is found twice. Hidden files are left out, and the folders in
    which omote keeps interrupted work.
    """
    found = []
    inside = {str(root): {os.path.realpath(root)}}  # folder -> the real paths of it and of those above it

    def skip(path: str, reason: str) -> None:
        source = Path(path).relative_to(root).as_posix().encode(errors="backslashreplace").decode()
        skipped.append(Skipped(source=source, frame=None, reason=reason))

    def unreadable(error: OSError) -> None:
        skip(error.filename, f"unreadable: folder ({error.strerror})")

    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=unreadable):
        above = inside.pop(folder)
        for name in list(subfolders):
            path = os.path.join(folder, name)
            real = os.path.realpath(path)
            if name.startswith(".") or name == "__MACOSX" or name.endswith(".partial"):
                subfolders.remove(name)
            elif real in above:
                subfolders.remove(name)
                skip(path, "not followed: a link to a folder that it lies in")
            else:
                inside[path] = above | {real}
        for name in names:
            path = os.path.join(folder, name)
            relative = Path(path).relative_to(root).as_posix()
            if name.startswith("."):
                continue
            if not os.path.isfile(path):
                skip(path, "unreadable: not a file, or a link that leads nowhere")
            elif relative.encode(errors="replace").decode() != relative:
                skip(path, "file name is not UTF-8")
            else:
                found.append(relative)
    return sorted(found, key=natural_order)


def _read_folders(root: Path, found: dict[str, Kind], skipped: list[Skipped]) -> list[_Entry]:
    entries = []
    for path, kind in found.items():
        *folders, _ = PurePosixPath(path).parts
        if not folders:
            skipped.append(Skipped(source=path, frame=None, reason="no subject: not in a subfolder"))
            continue
        subject, *inner = folders
        alone = not inner or kind != "photo"
        clip = "/".join([*inner, PurePosixPath(path).stem] if alone else inner)
        entries.append(_Entry(path, kind, subject, clip, alone))
    if not entries:
        raise OmoteError(
            f"The {len(found)} files in {root} are in no subfolders, so their subjects are unknown. Sort "
            "them into a folder for each subject, or give a pattern of their names such as "
            '"{subject}_{expression}.jpg" (--pattern), or a manifest (--manifest). '
            f"The first file is {next(iter(found))}."
        )
    return entries


def _match_pattern(pattern: str, found: dict[str, Kind], skipped: list[Skipped]) -> list[_Entry]:
    greedy, lazy = _compile(pattern, "*"), _compile(pattern, "*?")
    entries = []
    for path, kind in found.items():
        text = path if "/" in pattern else PurePosixPath(path).name
        one, other = greedy.fullmatch(text), lazy.fullmatch(text)
        if one is None or other is None:
            skipped.append(Skipped(source=path, frame=None, reason="name does not match the pattern"))
            continue
        fields = {name: value.strip() for name, value in one.groupdict().items()}
        if one.groupdict() != other.groupdict():
            raise OmoteError(
                f"{text!r} can be read in several ways by the pattern {pattern!r}: {_describe(one)}, or "
                f"{_describe(other)}. Make the pattern more specific, for example {{subject:3}} for exactly 3 "
                "characters, or use a manifest."
            )
        if not fields["subject"]:
            skipped.append(Skipped(source=path, frame=None, reason="no subject: the pattern leaves it empty"))
            continue
        clip, frame = fields.get("clip"), fields.get("frame")
        stem = str(PurePosixPath(path).with_suffix(""))
        if frame is not None and not clip:  # the clip is the path without the number
            begin, end = (position + len(path) - len(text) for position in one.span("frame"))
            clip = (stem[:begin] + stem[end:]).strip("/_-. ")
        alone = not clip or kind != "photo"
        entries.append(
            _Entry(path, kind, fields["subject"], clip or stem, alone, frame, fields.get("expression"))
        )
    if not entries:
        raise OmoteError(
            f"The pattern {pattern!r} matches none of the {len(found)} files; the first is {next(iter(found))}. A "
            'pattern with a "/" is matched with the path in the folder, one without with the file name alone.'
        )
    return entries


def _describe(match: re.Match[str]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in match.groupdict().items())


def _compile(pattern: str, repeat: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression, with the quantifier `repeat`: greedy "*" or lazy "*?".

    Both give the same fields if and only if a name can be read in one way only.
    """
    last = pattern.rpartition("/")[2]
    suffix = pattern.rfind(".") if "." in last else len(pattern)
    text, end = "", 0
    fields: set[str] = set()
    for token in re.finditer(r"\{(\w*)(?::([0-9]{1,3}))?\}|\*", pattern):
        text += _literal(pattern[end : token.start()], end, suffix)
        end = token.end()
        name, width = token.group(1), token.group(2)
        characters = f"[^/]{{{width}}}" if width else f"[^/]{repeat}"
        if name and name not in FIELDS:
            raise OmoteError(
                f"The pattern {pattern!r} has an unknown field {{{name}}}. Fields are "
                f"{', '.join(f'{{{field}}}' for field in FIELDS)}, and {{}} or * for anything."
            )
        if not name:
            text += characters
        elif name in fields:
            text += f"(?P={name})"
        else:
            text += f"(?P<{name}>{characters})"
            fields.add(name)
    text += _literal(pattern[end:], end, suffix)
    if "subject" not in fields:
        raise OmoteError(f"The pattern {pattern!r} has no {{subject}}, which says who is on the photo.")
    return re.compile(text if suffix < len(pattern) else rf"{text}\.[^/.]+")


def _literal(text: str, start: int, suffix: int) -> str:
    """Return plain text of a pattern as a regular expression; case is ignored in the suffix."""
    if re.search(r"[{}]", text):
        raise OmoteError(
            f"The pattern cannot be read near {text!r}. Braces stand round the name of a field, or a name and its "
            "number of characters, at most 999: {subject:3}."
        )
    cut = max(0, suffix - start)
    head, tail = re.escape(text[:cut]), re.escape(text[cut:])
    return f"{head}(?i:{tail})" if tail else head


def _read_manifest(root: Path, manifest: Path, skipped: list[Skipped]) -> list[_Entry]:
    if not manifest.is_file():
        raise OmoteError(f"There is no manifest file {manifest}. Check the path.")
    with reading(manifest, "a CSV file in UTF-8", "Save it as such from the program that made it"):
        text = decode(manifest.read_bytes())
    (_, columns), *rows = _split_manifest(manifest, text)
    _check_columns(manifest, columns)
    entries: list[_Entry] = []
    lines: dict[str, int] = {}
    for line, cells in rows:
        if not any(cells):
            continue
        if any(cells[len(columns) :]):
            raise OmoteError(
                f"{manifest}, line {line}: {len(cells)} cells for {len(columns)} columns. Put quotes round a cell that "
                "holds the separator."
            )
        row = dict(zip_longest(columns, cells[: len(columns)], fillvalue=""))
        with one_sentence(f"{manifest}, line {line}", "Give the path of a photo or video"):
            path, exists = _locate(root, manifest, row["path"], line)
        if path in lines:
            raise OmoteError(
                f"{manifest}, lines {lines[path]} and {line}: {path} is there twice. Remove one."
            )
        lines[path] = line
        kind = find_kind(root / path) if exists else None
        entry = _entry(manifest, line, path, kind or "photo", row)
        if kind:
            entries.append(entry)
        else:
            reason = NO_KIND if exists else "file is missing"
            skipped.append(Skipped(source=path, frame=None, reason=reason))
    if not entries:
        raise OmoteError(
            f"The manifest {manifest} names no photo or video that is there ({len(skipped)} missing). Its "
            f"paths are looked for in {root} and beside the manifest."
        )
    return entries


def _split_manifest(manifest: Path, text: str) -> list[tuple[int, list[str]]]:
    """Return the cells of each row and the number of its first line, from 1; the names of the columns come first.

    The separator is the comma, semicolon or tab that makes columns path and subject of the header. Above the header
    Excel may have written "sep=;", PowerShell "#TYPE ...".

    Raises:
        OmoteError: Naming the line, if a quote is not closed, or text follows a closing quote.
    """
    lines = list(io.StringIO(text, newline=""))
    above = len(list(takewhile(lambda line: line.lower().startswith(("sep=", "#type ")), lines)))

    def split(some: list[str], separator: str, strict: bool) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(some, delimiter=separator, skipinitialspace=True, strict=strict)
        line = above + 1
        try:
            for cells in reader:
                yield line, [cell.strip() for cell in cells]
                line = above + reader.line_num + 1
        except csv.Error as error:
            raise OmoteError(
                f"{manifest}, line {line}: a quote is not closed, or text follows a closing quote ({error}). Put "
                'quotes round the whole cell, and write "" for a quote in it.'
            ) from error

    header = lines[above : above + 1]
    for separator in ",;\t":
        if any({"path", "subject"} <= {*cells} for _, cells in split(header, separator, strict=False)):
            return list(split(lines[above:], separator, strict=True))
    return list(split(header, ",", strict=False)) or [(1, [])]


def _check_columns(manifest: Path, columns: list[str]) -> None:
    missing = [name for name in ("path", "subject") if name not in columns]
    if missing:
        raise OmoteError(
            f"The manifest {manifest} has no column {' and no column '.join(missing)}. Its first line must "
            f"name its columns: path and subject, optionally {', '.join(MANIFEST_COLUMNS[2:])}; others are "
            "kept as they are."
        )
    reserved = [name for name in columns if name in RESERVED]
    if reserved or len(set(columns)) < len(columns) or "" in columns:
        raise OmoteError(
            f"The manifest {manifest} has columns with no name, with the same name, or with a name that is "
            f"taken ({', '.join(RESERVED)}). Rename them."
        )
    if "frame" in columns and "clip" not in columns:
        raise OmoteError(f"The manifest {manifest} has a column frame and no column clip. Add clip.")


def _locate(root: Path, manifest: Path, name: str, line: int) -> tuple[str, bool]:
    """Return the file's path relative to root, and whether it exists (in root or beside the manifest)."""
    names = (name, name.replace("\\", "/"))  # the second if Windows wrote the path
    places = [[root / one, manifest.parent / one] for one in names]
    found = next(filter(None, ([file for file in pair if file.is_file()] for pair in places)), [])
    if len(found) == 2 and not found[0].samefile(found[1]):
        raise OmoteError(
            f"{manifest}, line {line}: both {found[0]} and {found[1]} exist. Give the full path of one of them."
        )
    relative = PurePath(os.path.relpath((found or places[0])[0], root))
    if not relative.name:
        raise OmoteError(f'{manifest}, line {line}: path is "{name}"; expected the path of a photo or video.')
    return relative.as_posix(), bool(found)


def _entry(manifest: Path, line: int, path: str, kind: Kind, row: dict[str, str]) -> _Entry:
    use, frame = row.get("use") or "both", row.get("frame") or None
    if not row["subject"]:
        raise OmoteError(f"{manifest}, line {line}: subject is empty.")
    if use not in USES:
        raise OmoteError(f"{manifest}, line {line}: use is {use!r}; expected one of {', '.join(USES)}.")
    if frame is not None and not (frame.isdecimal() and len(frame) <= 18):
        raise OmoteError(f"{manifest}, line {line}: frame is {frame!r}; expected a whole number.")
    if frame is not None and not row["clip"]:
        raise OmoteError(f"{manifest}, line {line}: a frame number and no clip. Name the clip.")
    further = tuple((name, value) for name, value in row.items() if name not in MANIFEST_COLUMNS)
    clip = row.get("clip") or str(PurePosixPath(path).with_suffix(""))
    expression = row.get("expression") or None
    return _Entry(path, kind, row["subject"], clip, not row.get("clip"), frame, expression, use, further)


def _map_expressions(entries: list[_Entry], mapping: Mapping[str, str]) -> list[_Entry]:
    """Return the entries with their expressions mapped; others are kept, an empty one becomes unknown."""
    present = {entry.expression for entry in entries if entry.expression}
    if mapping and not present & mapping.keys():
        found = f"found are {', '.join(sorted(present)[:20])}" if present else "none is known for any file"
        raise OmoteError(
            f"The map of expressions names {', '.join(sorted(mapping))}, but no file has any of them; {found}. "
            "Expressions come from a pattern's {expression} or a manifest's column."
        )
    return [
        replace(entry, expression=mapping.get(entry.expression or "", entry.expression) or None)
        for entry in entries
    ]


def _group(entries: list[_Entry]) -> list[Clip]:
    """Return the clips, sorted; the files of each are in the order of frame, then path.

    A file that is a clip of its own has its suffix in the clip's name if that would be the name of another clip, too:
    IMG_1.jpg beside IMG_1.mp4.
    """
    clips: list[Clip] = []
    groups: dict[tuple[str, str], list[_Entry]] = defaultdict(list)
    for entry in entries:
        if not entry.alone:
            groups[entry.subject, entry.clip].append(entry)
    named = Counter([*groups, *((entry.subject, entry.clip) for entry in entries if entry.alone)])
    for entry in entries:
        if entry.alone:
            suffix = PurePosixPath(entry.path).suffix if named[entry.subject, entry.clip] > 1 else ""
            clips.append(Clip(entry.subject, entry.clip + suffix, (_file(entry),)))
    for (subject, name), members in groups.items():
        members.sort(key=lambda entry: (natural_order(entry.frame or ""), natural_order(entry.path)))
        numbers: dict[str, str] = {}
        for entry in members:
            number = entry.frame and (str(int(entry.frame)) if entry.frame.isdecimal() else entry.frame)
            if number and numbers.setdefault(number, entry.path) != entry.path:
                raise OmoteError(
                    f"{numbers[number]} and {entry.path} are both frame {number} of clip {name!r} of subject "
                    f"{subject!r}. Tell them apart with a pattern's {{clip}} or a manifest."
                )
        clips.append(Clip(subject, name, tuple(_file(entry) for entry in members)))
    return sort_clips(clips)


def _file(entry: _Entry) -> File:
    return File(entry.path, entry.expression, entry.use, entry.further, is_clip=entry.kind != "photo")
