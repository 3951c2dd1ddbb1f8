"""The model card: README.md of a run, generated from the other files in its folder.

Markdown with a YAML head, as the Hugging Face hub reads it. The same files give the same card, byte for byte, and it
contains no names of people.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omote.data.face_set import About
from omote.errors import OmoteError
from omote.files import write_text
from omote.runs.info import (
    AboutScores,
    RunInfo,
    file_digest,
    model_id,
    read_info_and_digest,
    read_scores,
    read_training,
    weights_file,
)

USER_DATA = {"folder": "photos or videos in a folder", "arrays": "arrays"}  # importers of the user's own data
# The line by which `write_card` recognises its own cards, also those of earlier versions: do not change it.
MARK = "<!-- Written by omote, and anew when the run is scored. Without this line it stays as it is. -->"
TERMS = re.compile(r"^license: .*\n(datasets:\n(- .*\n)+)?", re.MULTILINE)  # in the head of a card
SCORES = {  # (code, score) -> row heading
    ("expression", "accuracy"): "expression: images in a cluster named after their expression",
    ("expression", "probe_accuracy"): "expression: predicted from the feature by a linear probe",
    ("expression", "subject_nearest_neighbour_across_expressions"): (
        "person: the nearest feature with another expression is the same person's"
    ),
    ("expression", "subject_probe"): "person: predicted from the feature by a linear probe",
    ("identity", "subject_nearest_neighbour_across_expressions"): (
        "person: the nearest identity code with another expression is the same person's"
    ),
    ("identity", "probe_accuracy"): "expression: predicted from the identity code by a linear probe",
}
INTENDED = """\
Research on facial movement: comparing expressions between pictures, over a video or between people, grouping them,
finding pictures that look alike, preparing annotation by people. Look at the faces behind the numbers before you draw a
conclusion. Do not use it for decisions about a person or to identify people."""
LAW = """\
This is not legal advice, and other laws may apply where you are.

- In the European Union, the AI Act, Regulation (EU) 2024/1689, prohibits AI systems that infer people's emotions at
  work and in education, except for medical or safety reasons (Article 5(1)(f)). Elsewhere it classes systems intended
  for emotion recognition from biometric data as high-risk (Annex III, point 1(c)), and whoever uses one has to inform
  the people exposed to it (Article 50(3)). These features describe how a face looks; a system that infers emotions or
  intentions from them may fall under these rules.
- Pictures and features of identifiable people are personal data. Biometric data processed to identify someone are a
  special category of personal data (GDPR, Regulation (EU) 2016/679, Article 9). Do not treat the features as
  anonymous: they may reveal whose face it is.
- Ask people before you record them, extract features of their faces or publish results, and tell them the purpose."""


def write_card(folder: Path) -> None:
    """Write README.md into the folder of a run or a published model, unless the one there was edited by hand.

    Raises:
        OmoteError: If the folder's files are damaged.
    """
    path = folder / "README.md"
    if not path.is_file() or MARK in path.read_text(encoding="utf-8", errors="replace"):
        info, published = read_info_and_digest(folder)
        digest = file_digest(folder / weights_file(published=published is not None))
        has_ood = (folder / "reference.safetensors").is_file()
        write_text(path, model_card(folder, info, model_id(info, digest), has_ood=has_ood))


def model_card(folder: Path, info: RunInfo, model: str, *, has_ood: bool) -> str:
    """Return the text of the card.

    Args:
        folder: where training.json and scores.json are, if there are any.
        info: of the run.
        model: see `omote.runs.info.model_id`.
        has_ood: whether the run has an out-of-distribution model.
    Raises:
        OmoteError: If scores.json is damaged.
    """
    sections = {
        "Use": _use(info),
        "Training data": _training_data(folder, info),
        "Training": _training(folder, info),
        "Scores": _scores(folder, info),
        "Intended use": INTENDED,
        "Limits": _limits(info, has_ood),
        "Consent and law": LAW,
    }
    size, name = info.image_size, info.config.method
    title = f"# {name}: features of facial expressions, from faces of {size} px"
    parts = [_head(folder), title, _summary(info, model)]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections.items()]
    return "\n\n".join([*parts, MARK]) + "\n"


def state_terms(folder: Path, licence: str, datasets: Sequence[str]) -> None:
    """Write the licence of the weights, and the hub's names of the data sets, into the head of a card, where they stay.

    Raises:
        OmoteError: If one of them is no such name, or the card was edited by hand and has no head.
    """
    for name in (licence, *datasets):
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
            raise OmoteError(
                f'"{name}" is no licence or data set of the hub; write it as in cc-by-4.0 or ORG/NAME'
            )
    path = folder / "README.md"
    text = path.read_text(encoding="utf-8", errors="replace")
    terms = f"license: {licence}\n" + _as_list("datasets", datasets)
    text, found = re.subn(TERMS, terms, text, count=1)
    if not found:
        raise OmoteError(
            f"{path} was edited by hand and has no line `license:`; add it to the head of the file"
        )
    write_text(path, text)
    write_card(folder)


def _head(folder: Path) -> str:
    """Return the metadata for the hub. Licence and data sets are those of the card that is there (`state_terms`)."""
    path = folder / "README.md"
    card = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    stated = re.search(TERMS, card)
    terms = stated[0] if stated else "license: unknown\n"
    tags = _as_list("tags", ("face", "facial-expression", "disentanglement"))
    return f"---\nlibrary_name: omote\n{terms}pipeline_tag: image-feature-extraction\n{tags}---"


def _as_list(key: str, values: Sequence[str]) -> str:
    return "".join([f"{key}:\n", *(f"- {value}\n" for value in values)]) if values else ""


def _summary(info: RunInfo, model: str) -> str:
    size, last, method = info.image_size, info.config.options.latent_size - 1, info.method_class
    text = (
        f"Model `{model}`. It turns a face crop of {size} x {size} px into the numbers `z_e_00` to `z_e_{last:02d}`: "
        "features of its expression, learned without expression labels."
    )
    if method.needs_subject:
        text += " It has to be told who is in each picture, and knows only its training subjects."
    elif method.has_identity:
        text += " It also has an identity code, which describes whose face it is."
    return text + (
        " It can make images from codes." if method.has_decoder else " It cannot make images from codes."
    )


def _use(info: RunInfo) -> str:
    shape = f"(N, {info.image_size}, {info.image_size}, 3) uint8 RGB"
    lines = ["`folder` stands for the folder that contains this file:", "", "    import omote"]
    lines.append('    model = omote.load("folder")')
    if info.method_class.needs_subject:
        lines.append(f"    mean, logvar = model.represent(faces, subjects)  # faces {shape}, N ids")
        return "\n".join(lines)
    lines.append(f"    features = model.transform(faces)  # {shape}; a pandas DataFrame")
    cropped = " --cropped" if info.face_set.is_cropped else ""
    command = f"omote embed folder photos video.mp4{cropped} --to features.parquet"
    return "\n".join([*lines, "", "From photos and videos directly:", "", f"    {command}"])


def _training_data(folder: Path, info: RunInfo) -> str:
    about, frames = info.face_set, read_training(folder).frames
    people = _number(len(info.train_subjects), "person", "people")
    lines = [f"- Trained on {people}{f', {frames} frames' if frames else ''}."]
    held_out = len(info.test_subjects)
    lines.append(f"- {_number(held_out, 'person', 'people') if held_out else 'Nobody'} held out.")
    for source in about.parts:
        lines += [f"- {line}" for line in _describe_source(source)]
    lines.append(f"- {_describe_crop(about)}")
    if "\nlicense: unknown\n" in _head(folder):
        lines.append(
            "- The licence of the weights is not stated: whoever publishes them sets `license` in the head of this "
            "file."
        )
    return "\n".join(lines)


def _describe_source(about: About) -> list[str]:
    """Return what is known about one face set, a line each."""
    importer, counts = _escape(about.importer or ""), about.counts
    if about.is_synthetic:
        what = f"Faces {importer} by omote: synthetic faces, no real person is shown"
    elif about.published is not None:
        what = f"Faces of the data set {importer}: pictures of people"
    elif importer:
        what = f"Faces from {USER_DATA.get(importer, importer)}; not recorded whether they show real people"
    else:
        what = "The source of the faces was not recorded"
    kinds = {"subjects": ("person", "people"), "clips": ("clip", "clips"), "frames": ("frame", "frames")}
    numbers = [_number(getattr(counts, kind), *words) for kind, words in kinds.items()] if counts else []
    lines = [f"{what}. In all {', '.join(numbers)}." if numbers else f"{what}."]
    if counts and (expressions := counts.expressions):
        labels = ", ".join(f"{_escape(name)} {count}" for name, count in expressions.items())
        lines.append(f"Labelled frames (training did not use the labels): {labels}.")
    lines.append(f"Licence of these faces: {_escape(about.licence or 'not recorded')}")
    return (
        lines if about.is_synthetic else [*lines, "Whether the people agreed to this use was not recorded."]
    )


def _describe_crop(about: About) -> str:
    if all(source.is_synthetic for source in about.parts):
        return "The faces fill the picture; no detector was used."
    if about.is_cropped:
        return "The pictures were face crops already; no detector was used."
    if about.margin is None:
        return "How the faces were cropped was not recorded."
    how = "rotated so that the eyes are level" if about.align == "eyes" else "not rotated"
    margin = f"{100 * about.margin:g} % of its side added on each side"
    return f"Cropped to the square round the box of the face detector (YuNet), {margin}; {how}."


def _training(folder: Path, info: RunInfo) -> str:
    settings = info.config.model_dump(mode="json", exclude={"test_subjects"})
    settings |= {f"options.{name}": value for name, value in settings.pop("options").items()}
    lines = [f"    {name} = {json.dumps(value)}" for name, value in settings.items()]
    seconds = read_training(folder).seconds
    took = (
        f"Training took {_duration(seconds)}" if seconds is not None else "The training time was not recorded"
    )
    began = f" It began with the weights of model `{info.start}`." if info.start else ""
    return "\n".join(
        [f"{took}.{began} `omote options {info.config.method}` explains each setting.", "", *lines]
    )


def _scores(folder: Path, info: RunInfo) -> str:
    if not (folder / "scores.json").is_file():
        return "Not scored yet; run `omote evaluate folder faces` with a face set."
    saved = read_scores(folder)
    rows = {(row.code, row.score, row.people): row for row in saved.scores}
    people = [kind for kind in ("train", "test") if any(row.people == kind for row in saved.scores)]
    titles = {"train": "training people", "test": "other people"}
    lines = [_describe_scores(info, saved.about, people), ""]
    lines.append("| " + " | ".join(["", *(f"{titles[p]} | chance" for p in people)]) + " |")
    lines.append("| --- |" + " ---: | ---: |" * len(people))
    for (code, score), heading in SCORES.items():
        found = [rows.get((code, score, kind)) for kind in people]
        if any(row and row.value is not None for row in found):
            cells = [
                _digits(value)
                for row in found
                for value in ((row.value, row.chance) if row else (None, None))
            ]
            lines.append(f"| {' | '.join([heading, *cells])} |")
    return "\n".join([*lines, "", "– means no score; `scores.json` has all scores, and the reasons."])


def _describe_scores(info: RunInfo, about: AboutScores, people: list[str]) -> str:
    """Return which faces were scored, and how."""
    face_set = About.model_validate(about.face_set or {})
    same = _fingerprint(face_set) == _fingerprint(info.face_set)
    where = (
        "the training face set" if same else f"another face set ({_escape(face_set.importer or 'unknown')})"
    )
    groups = [
        f"{_number(scored.subjects, 'person', 'people')} {title} ({scored.images} images)"
        for kind, title, scored in (
            ("train", "trained on", about.train),
            ("test", "not trained on", about.test),
        )
        if kind in people and scored.images
    ]
    settings = f"k-means with k = {about.k}, {_number(about.seeds, 'run')}"
    return f"Proportions, 0 to 1. From {where}: {' and '.join(groups) or 'nobody'}; {settings}."


def _fingerprint(about: About) -> list[Any]:
    """Return what distinguishes a face set from others, with or without names."""
    counts = about.counts and about.counts.model_dump(exclude={"skipped"})
    return [about.importer, about.options, counts]


def _limits(info: RunInfo, has_ood: bool) -> str:
    is_synthetic = all(source.is_synthetic for source in info.face_set.parts)
    lines = [
        "The features describe how a face looks, not what someone feels: people who smile need not be happy, and happy "
        "people need not smile.",
        "They are valid for faces like those in training: similar appearance, light, pose and size. On others they may "
        "be meaningless.",
    ]
    if is_synthetic:
        lines.append(
            "It was trained on synthetic faces only; how it does on photographs of people is not known."
        )
    else:
        lines.append(
            "Age, sex and origin of the people were not recorded, so it is not known for whom it works less well."
        )
    if not info.test_subjects:
        lines.append("Nobody was held out, so these faces cannot show how well it does on new people.")
    if not info.method_class.needs_subject:
        lines.append(
            "`ood` marks faces unlike those in training (the limit is 1); it does not find all of them."
            if has_ood
            else "It cannot mark faces unlike those in training: the run has no out-of-distribution model."
        )
    if has_ood and not is_synthetic:
        lines.append(
            "`reference.safetensors` holds the average and the main variations of thumbnails of the training faces. "
            "Like the weights, it may reveal something about these people, the more so the fewer they are."
        )
    lines.append("Features of two models cannot be compared: each model has its own axes.")
    return "\n".join(f"- {line}" for line in lines)


def _escape(text: str) -> str:
    """Return text from elsewhere as one line that Markdown shows as it is, without control characters."""
    text = "".join(sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C")
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(text.split()))


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return _number(round(seconds), "second")
    return _number(round(seconds / 60), "minute") if seconds < 7200 else f"{seconds / 3600:.1f} hours"
