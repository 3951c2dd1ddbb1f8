"""The tab Runs, in a browser."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from omote.app import runs_judging, runs_training
from omote.app.jobs import Job
from omote.app.runs_judging import COLUMNS, describe_run, draw_comparison, find_runs
from omote.app.state import State
from omote.data.face_set import FaceSet, open_face_set
from omote.errors import OmoteError
from omote.evaluation.audit import audit
from omote.evaluation.choose import choose
from omote.runs.config import TrainConfig
from omote.runs.info import read_run_info
from omote.synthetic.prepare import prepare_drawn
from omote.training.loop import is_trained, train
from tests.app.conftest import PATIENCE, Served, serving
from tests.conftest import Configure
from tests.features.conftest import scene

expect.set_options(timeout=PATIENCE)
NAMES = ("ann", "bob", "cem")
EPOCHS = 150  # so many that a training is not over before a page can cancel it


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the app is started: photos of 3 people, and 2 runs that were trained on drawn faces."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def drawn(home: Path) -> FaceSet:
    """5 drawn people, 2 clips each, 40 frames."""
    return prepare_drawn(home / "drawn", subjects=5, clips=2, mixtures=0, frames=4, workers=1)


@pytest.fixture(scope="module")
def photos(drawn: FaceSet, home: Path) -> Path:
    """4 photos of each of 3 people, and a file that is no photo."""
    for name, subject in zip(NAMES, drawn.subjects, strict=False):
        (home / "photos" / name).mkdir(parents=True)
        for number, face in enumerate(drawn.faces[(drawn.frames["subject"] == subject).to_numpy()][::2]):
            Image.fromarray(scene((np.asarray(face), 90, 70))).save(home / "photos" / name / f"{number}.png")
    (home / "photos" / "ann" / "notes.png").write_text("This is no photo.")
    return home / "photos"


@pytest.fixture(scope="module")
def study(drawn: FaceSet, home: Path, configure: Configure) -> Path:
    """Two runs, one of them with an audit."""
    for method in ("conventional", "vae"):
        train(drawn, home / "study" / method, configure(method=method, options__epochs=1, test_subjects=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_judging, "audit", partial(audit, seeds=2))
        runs_judging.audit_runs(Job("vae", home / "job"), Lock(), [home / "study" / "vae"])
    return home / "study"


@pytest.fixture(scope="module")
def server(home: Path, photos: Path, study: Path) -> Iterator[Served]:
    with serving(home) as served:
        yield served


@pytest.fixture
def tab(page: Page) -> Page:
    page.get_by_role("tab", name="Runs").click()
    return page


def ask_to_train(page: Page, source: str, to: str, epochs: int = 1) -> None:
    page.get_by_label("Folder of photos and videos, or a face set").fill(source)
    page.get_by_label("New run (folder)").fill(to)
    page.get_by_label("Method").click()
    page.get_by_role("option", name="vae", exact=True).click()
    page.get_by_label("Epochs per stage").fill(str(epochs))
    page.get_by_label("People held out for testing").fill("1")
    page.get_by_role("button", name="Train", exact=True).click()


def test_a_training_goes_on_when_the_page_is_closed_and_after_it_was_cancelled(
    tab: Page, open_page: Callable[..., Page], home: Path
) -> None:
    ask_to_train(tab, "photos", "run", epochs=EPOCHS)
    tab.get_by_role("progressbar", name="Progress of run").wait_for()
    again = tab.context.new_page()
    tab.close()
    again.goto(tab.url)
    again.get_by_role("tab", name="Runs").click()
    again.get_by_text(re.compile(r"stage 1 of 1 \(vae\)")).wait_for()
    other = open_page()  # of another user
    other.get_by_role("tab", name="Runs").click()
    again.get_by_role("button", name="Cancel").filter(visible=True).click()
    again.get_by_text("run: cancelled.").wait_for()
    assert not is_trained(home / "run")
    assert (home / "run" / "checkpoint.safetensors").is_file()
    assert other.get_by_text("run: cancelled.").count() == 0

    ask_to_train(again, "photos", "run", epochs=EPOCHS)
    again.get_by_text("Trained vae on 2 people, with 1 held out").wait_for()
    assert again.get_by_text("12 faces of 3 people").is_visible()
    assert again.get_by_text(re.compile(r"Left out.*unreadable.* 1\.")).is_visible()
    again.get_by_alt_text(re.compile("Swaps after stage 1")).wait_for()
    assert again.get_by_alt_text("The mean of each term of the objective over each epoch").is_visible()
    faces = open_face_set(home / "run_faces")
    assert faces.subjects == list(NAMES)
    resolved = read_run_info(home / "run").config
    expected = TrainConfig.read(None, {"method": "vae", "options.epochs": EPOCHS, "test_subjects": 1})
    assert resolved.model_copy(update={"device": "auto", "precision": "auto"}) == expected


def test_runs_are_compared_and_an_audit_is_read(tab: Page, study: Path) -> None:
    tab.get_by_label("Folder with runs").fill("study")
    tab.get_by_role("button", name="List the runs").click()
    boxes = tab.get_by_role("checkbox")
    tab.get_by_label("conventional: conventional, 64 px, 3 people and 2 held out").wait_for()
    assert boxes.count() == 2
    read = tab.get_by_role("button", name="Read the audit")
    read.click()
    expect(tab.get_by_role("alert")).to_contain_text("No run was chosen", ignore_case=True)
    boxes.first.check()
    read.click()
    expect(tab.get_by_role("alert")).to_contain_text("Conventional has no audit yet", ignore_case=True)

    boxes.last.check()
    tab.get_by_role("button", name="Compare", exact=True).click()
    table = tab.locator(".comparison tbody tr")
    table.first.wait_for()
    expected = choose([study / "conventional", study / "vae"])
    for shown, row in zip(table.all(), expected.to_dict("records"), strict=False):
        cells = shown.locator("td").all_inner_texts()
        assert shown.locator("th").inner_text().removesuffix(" *") == Path(row["run"]).name
        assert cells[1].startswith(f"{row['view_agreement']:.2f}")
        assert cells[2].startswith(f"{row['leakage']:.2f}")
    assert table.count() == 3  # the last is chance

    boxes.first.uncheck()
    read.click()
    audit_page = tab.frame_locator("iframe[title='Audit of vae']")
    audit_page.get_by_role("heading", name="Audit: what the codes contain").wait_for()
    assert tab.locator(".audit iframe").get_attribute("sandbox") == ""


def test_an_audit_is_made_where_the_command_line_makes_it(study: Path) -> None:
    run = study / "vae"
    about = json.loads((run / "audit" / "audit.json").read_text(encoding="utf-8"))["about"]
    assert about["commands"] == [f"omote audit {run}"]
    assert {file.name for file in (run / "audit").iterdir()} >= {"audit.csv", "audit.json", "report.html"}


def test_a_second_training_at_the_same_time_is_refused(study: Path, tmp_path: Path) -> None:
    turns = Lock()
    with turns, pytest.raises(OmoteError, match="another training, comparison or audit is going on"):
        runs_judging.compare_runs(Job("again", tmp_path), turns, [study / "vae"])


def test_what_cannot_be_trained_or_listed_gets_a_sentence(tab: Page, home: Path) -> None:
    (home / "empty").mkdir()
    for source, to, sentence in (
        ("", "new", "No folder was named"),
        ("nothing", "new", "There is no folder"),
        ("photos", "/new", "lies outside"),
        ("empty", "new", "empty"),
        ("photos", "photos", "photos exists and is not a run"),
        ("drawn", "study/vae", "study/vae is already trained"),
    ):
        ask_to_train(tab, source, to)
        expect(tab.get_by_role("alert")).to_contain_text(sentence, ignore_case=True)
    assert not (home / "photos_faces").exists()  # it was refused before any face was found
    tab.get_by_label("Folder with runs").fill("photos")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alert").last).to_contain_text("There is no run in", ignore_case=True)


def test_a_training_neither_reads_the_uploads_nor_writes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, state = tmp_path / "home", State("shipped", tmp_path / "home" / "uploads")
    (home / "photos").mkdir(parents=True)
    (home / "run_faces").symlink_to(tmp_path)
    monkeypatch.chdir(home)
    for source, sentence in ((".", "holds what was uploaded"), ("photos", "lies outside")):
        with pytest.raises(OmoteError, match=sentence):
            runs_training.start_training(state, Lock(), source, "run", "vae", 1, 0, 64)


def test_faces_of_another_folder_of_the_same_name_are_not_trained_on(photos: Path, tmp_path: Path) -> None:
    job = Job("run", tmp_path)
    faces = runs_training.prepare_faces(job, photos, tmp_path / "faces", 64)
    assert runs_training.prepare_faces(job, photos, tmp_path / "faces", 64).path == faces.path
    other = tmp_path / "photos"
    (other / "dan").mkdir(parents=True)
    (other / "dan" / "0.png").write_bytes((photos / "ann" / "0.png").read_bytes())
    with pytest.raises(OmoteError, match=r"and not those of .* at 64 px"):
        runs_training.prepare_faces(job, other, tmp_path / "faces", 64)


def test_a_damaged_audit_gets_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run" / "audit").mkdir(parents=True)
    (tmp_path / "run" / "audit" / "report.html").write_bytes(b"\xff")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OmoteError, match=r"report\.html is damaged"):
        runs_judging.show_audit(State("shipped", tmp_path / "uploads"), ["run"])


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(study: Path, tmp_path: Path) -> None:
    (tmp_path / "good").symlink_to(study / "vae")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.json").write_bytes((study / "vae" / "run.json").read_bytes())
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.json").write_text("{")
    found, problems = find_runs(tmp_path)
    assert [path.removeprefix(f"{tmp_path}/") for path in found] == ["begun", "good"]
    assert found[f"{tmp_path}/begun"] == "begun: vae, 64 px, 3 people and 2 held out, training not finished"
    assert found[f"{tmp_path}/good"].endswith(", audited")
    assert len(problems) == 1
    assert "damaged" in problems[0]
    with pytest.raises(OmoteError):
        describe_run(tmp_path / "damaged", tmp_path)


def test_names_of_runs_are_text_in_the_comparison() -> None:
    row: dict[str, object] = {"run": "a/<b>", "people": "test", "as_good": True, "reason": "leakage: 1 < 2"}
    for score in COLUMNS:
        row |= {score: 0.5, f"{score}_low": float("nan"), f"{score}_high": 0.75, f"{score}_chance": 0.25}
    page = draw_comparison(pd.DataFrame([row]))
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert "1 &lt; 2" in page
    assert page.count("<td>0.50</td>") == page.count("<td>0.25</td>") == len(COLUMNS)  # no interval
