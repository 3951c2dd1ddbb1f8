"""The model card: README.md of a run, made of nothing but what the run's own files say.

The form is the Hugging Face hub's: Markdown below a head of YAML. The same files give the same card, to the byte, and
it names nobody.
"""

import json
from typing import Any

from omote.data.face_set import About
from omote.errors import OmoteError
from omote.files import write_text
from omote.runs.trained import Trained, read_training

GIVEN = {"folder": "photos or videos in a folder", "arrays": "arrays"}  # importers of what someone has
MARK = "<!-- Written by omote, and anew when the run is scored. Without this line it stays as it is. -->"
SCORES = {  # code and score -> in words
    (
        "expression",
        "accuracy",
    ): "expression: images that clusters of the feature name rightly",
    ("expression", "probe_accuracy"): "expression: read off the feature by a linear probe",
    ("expression", "subject_nearest_neighbour_across_expressions"): (
        "person: given away by the nearest feature of another expression"
    ),
    ("expression", "subject_probe"): "person: read off the feature by a linear probe",
    ("identity", "subject_nearest_neighbour_across_expressions"): (
        "person: found by the nearest identity code of another expression"
    ),
    ("identity", "probe_accuracy"): "expression: read off the identity code by a linear probe",
}
INTENDED = """\
Research on how faces move: comparing expressions between pictures, over a video or between people, grouping them,
finding pictures that look alike, preparing annotation by people. Look at the faces behind the numbers before you draw a
conclusion from them. It is not meant for decisions about a person, and not for telling who someone is."""
LAW = """\
This is no legal advice, and other laws may hold where you are.

- In the European Union the AI Act, Regulation (EU) 2024/1689, prohibits AI systems that infer the emotions of people at
  work and in education, except for medical or safety reasons (Article 5(1)(f)). Elsewhere it counts systems meant for
  emotion recognition from biometric data among the high-risk ones (Annex III, point 1(c)), and those who use one have
  to tell the people exposed to it (Article 50(3)). These features describe how a face looks; a system that infers
  emotions or intentions from them may fall under these rules.
- Pictures and features of people who can be identified are personal data. Biometric data that are processed to identify
  someone are a special category of them (GDPR, Regulation (EU) 2016/679, Article 9). Do not take the features for
  anonymous: they may give away whose face it is.
- Ask people before you record them, read their faces or publish what was read, and tell them what for."""


def write_card(trained: Trained) -> None:
    """Write README.md into the folder of a run or of a published model; one that someone took over by hand stays.

    Raises:
        OmoteError: If the scores there are damaged.
    """
    path = trained.path / "README.md"
    if not path.is_file() or MARK in path.read_text(encoding="utf-8", errors="replace"):
        write_text(path, card(trained))


def card(trained: Trained) -> str:
    """Return the text of the card; see `write_card`."""
    sections = {
        "Use": _use(trained),
        "What it was trained on": _trained_on(trained),
        "How it was trained": _settings(trained),
        "Scores": _scores(trained),
        "Intended use": INTENDED,
        "Limits": _limits(trained),
        "Consent and law": LAW,
    }
    title = f"# {trained.name}: features of facial expressions, from faces of {trained.size} px"
    parts = [_head(trained), title, _what(trained)]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections.items()]
    return "\n\n".join([*parts, MARK]) + "\n"


def _head(trained: Trained) -> str:
    """Return what the hub reads. On which terms the weights are given is not for a program to say."""
    lines = ["library_name: omote", "license: unknown", "pipeline_tag: image-feature-extraction", "tags:"]
    tags = ("face", "facial-expression", "disentanglement")
    return "\n".join(["---", *lines, *(f"- {tag}" for tag in tags), "---"])


def _what(trained: Trained) -> str:
    last = trained.info.config.options.latent_size - 1
    text = (
        f"Model `{trained.model}`. It reads a face cut out to {trained.size} x {trained.size} px and gives the numbers "
        f"`z_e_00` to `z_e_{last:02d}`: features of its expression, learned without any label of an expression."
    )
    if trained.needs_subject:
        text += " It has to be told who is in each picture, and knows only the people of its training."
    elif trained.has_identity:
        text += " Beside them it has a code of whose face it is."
    return text + (" It makes images of codes." if trained.has_decoder else " It makes no images.")


def _use(trained: Trained) -> str:
    given = f"(N, {trained.size}, {trained.size}, 3) uint8 RGB"
    lines = ["With `folder` for the one that holds this file:", "", "    import omote"]
    lines.append('    model = omote.load("folder")')
    if trained.needs_subject:
        lines.append(f"    mean, logvar = model.represent(faces, subjects)  # faces {given}, N ids")
        return "\n".join(lines)
    lines.append(f"    features = model.transform(faces)  # {given}; a pandas DataFrame")
    cropped = " --cropped" if trained.face_set.is_cropped else ""
    command = f"omote embed folder photos video.mp4{cropped} --to features.parquet"
    return "\n".join([*lines, "", "Of photos and videos as they are:", "", f"    {command}"])


def _trained_on(trained: Trained) -> str:
    info, about = trained.info, trained.face_set
    frames = read_training(trained.path).get("frames")
    seen = _number(len(info.train_subjects), "person", "people")
    lines = [f"- Trained on {seen}{f', {frames} frames of theirs' if frames else ''}."]
    held_out = len(info.test_subjects)
    lines.append(f"- {_number(held_out, 'person', 'people') if held_out else 'Nobody'} held out.")
    for source in about.parts:
        lines += [f"- {line}" for line in _source(source)]
    lines.append(f"- {_cut(about)}")
    lines.append(
        "- The terms of the weights are not stated: who publishes them sets `license` in the head of this file."
    )
    return "\n".join(lines)


def _source(about: About) -> list[str]:
    """Return what one face set says of itself."""
    importer, counts = about.importer, about.counts
    if about.is_synthetic:
        what = f"Faces {importer} by omote: made faces, no person is shown"
    elif about.published is not None:
        what = f"Faces of the data set {importer}: pictures of people"
    elif importer:
        what = f"Faces from {GIVEN.get(importer, importer)}; whether they show real people was not recorded"
    else:
        what = "Not recorded whose faces"
    kinds = {"subjects": ("person", "people"), "clips": ("clip", "clips"), "frames": ("frame", "frames")}
    told = [_number(getattr(counts, kind), *words) for kind, words in kinds.items()] if counts else []
    lines = [f"{what}. In all {', '.join(told)}." if told else f"{what}."]
    if counts and (expressions := counts.expressions):
        labels = ", ".join(f"{name} {count}" for name, count in expressions.items())
        lines.append(f"Labelled frames, whose labels the training did not see: {labels}.")
    lines.append(f"Terms of these faces: {' '.join((about.licence or 'not recorded').split())}")
    return lines if about.is_synthetic else [*lines, "Whether the people agreed to this use was not recorded."]


def _cut(about: About) -> str:
    """Return how the faces were cut out."""
    if all(source.is_synthetic for source in about.parts):
        return "The faces fill the picture; nothing was detected."
    if about.is_cropped:
        return "The pictures were faces already; nothing was detected."
    if about.margin is None:
        return "How the faces were cut out was not recorded."
    how = "turned so that the eyes lie level" if about.align == "eyes" else "not turned"
    margin = f"{100 * about.margin:g} % of the side more on each side"
    return f"Cut out round the box of the face detector (YuNet), {margin}; {how}."


def _settings(trained: Trained) -> str:
    settings = trained.info.config.model_dump(mode="json", exclude={"test_subjects"})
    settings |= {f"options.{name}": value for name, value in settings.pop("options").items()}
    lines = [f"    {name} = {json.dumps(value)}" for name, value in settings.items()]
    seconds = read_training(trained.path).get("seconds")
    took = f"It took {_duration(seconds)}" if seconds is not None else "How long it took was not recorded"
    return "\n".join([f"{took}. `omote options {trained.name}` says what each setting is.", "", *lines])


def _scores(trained: Trained) -> str:
    path = trained.path / "scores.json"
    if not path.is_file():
        return "Not scored yet: `omote evaluate folder faces` does it, on a face set."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        about, rows = content["about"], {(r["code"], r["score"], r["people"]): r for r in content["scores"]}
        people = [kind for kind in ("train", "test") if any(r["people"] == kind for r in rows.values())]
        titles = {"train": "trained on", "test": "not trained on"}
        lines = [_scored_on(trained, about, people), ""]
        lines.append("| " + " | ".join(["", *(f"{titles[p]} | by chance" for p in people)]) + " |")
        lines.append("| --- |" + " ---: | ---: |" * len(people))
        for (code, score), words in SCORES.items():
            found = [rows.get((code, score, kind)) or {} for kind in people]
            if any(row.get("value") is not None for row in found):
                cells = [_digits(row.get(key)) for row in found for key in ("value", "chance")]
                lines.append(f"| {' | '.join([words, *cells])} |")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OmoteError(
            f"{path} is damaged ({type(error).__name__}: {error}); score the run again with `omote evaluate`"
        ) from None
    return "\n".join([*lines, "", "– where there is no score; `scores.json` has all of them, and why."])


def _scored_on(trained: Trained, about: dict[str, Any], people: list[str]) -> str:
    """Return which faces the scores are of: of the training's face set, or of another."""
    face_set = About.model_validate(about.get("face_set") or {})
    same = _same(face_set) == _same(trained.face_set)
    where = "the face set of the training" if same else f"another face set ({face_set.importer or 'unknown'})"
    counted = {"train": "trained on", "test": "not trained on"}
    groups = [
        f"{_number(about[kind]['subjects'], 'person', 'people')} {counted[kind]} ({about[kind]['images']} images)"
        for kind in people
        if about[kind]["images"]
    ]
    settings = f"k-means with k = {about['k']}, {_number(about['seeds'], 'run')}"
    return f"Shares, 1 is all. Of {where}: {' and '.join(groups) or 'nobody'}; {settings}."


def _same(about: About) -> list[Any]:
    """Return what tells a face set from another one, published or not."""
    counts = about.counts and about.counts.model_dump(exclude={"skipped"})
    return [about.importer, about.options, counts]


def _limits(trained: Trained) -> str:
    about = trained.face_set
    lines = [
        "The features tell how a face looks, not what someone feels: people who smile need not be happy, and happy "
        "people need not smile.",
        "They hold for faces like those it was trained on, in look, light, pose and size. On others they may mean "
        "nothing, and nothing here says how well they do.",
    ]
    if all(source.is_synthetic for source in about.parts):
        lines.append(
            "It was trained on made faces alone: what it does with photographs of people is another question."
        )
    else:
        lines.append(
            "Of which age, sex or origin the people were is not recorded, so neither is for whom it works less well."
        )
    if not trained.info.test_subjects:
        lines.append(
            "Nobody was held out, so what it does with people it never saw cannot be scored on these faces."
        )
    if not trained.needs_subject:
        lines.append(
            "A face unlike those of the training is marked by `ood`, where 1 is the limit; not all that is unlike is."
            if trained.reference
            else "It cannot tell a face unlike those of the training: it was trained without a reference."
        )
    if trained.reference and not all(source.is_synthetic for source in about.parts):
        lines.append(
            "`reference.safetensors` holds what small pictures of the training's faces have in common and how they "
            "differ most; like the weights it may show something of these people, the more the fewer they are."
        )
    lines.append("Features of two models cannot be compared: each has axes of its own.")
    return "\n".join(f"- {line}" for line in lines)


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return _number(round(seconds), "second")
    return _number(round(seconds / 60), "minute") if seconds < 7200 else f"{seconds / 3600:.1f} hours"
