"""Models on the Hugging Face hub: a stand-in of its HTTP interface on this machine takes them and gives them back."""

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

import omote
from omote.errors import OmoteError
from omote.runs.card import write_card
from omote.runs.trained import Trained

NAME = "the-lab/faces"


class Hub(ThreadingHTTPServer):
    """Repositories as the hub keeps them: each commit has all files; a revision is a commit or the branch main."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.commits: dict[str, dict[str, bytes]] = {}
        self.head = ""
        self.created: list[dict[str, Any]] = []

    def commit(self, files: dict[str, bytes]) -> str:
        """Add files to the newest commit, and return the name of the new one."""
        content = {**self.commits.get(self.head, {}), **files}
        self.head = hashlib.sha1(repr(sorted(content.items())).encode()).hexdigest()
        self.commits[self.head] = content
        return self.head


class Handler(BaseHTTPRequestHandler):
    """The few requests that huggingface_hub makes to download and to upload a model with small files."""

    server: Hub

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _answer(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if found := re.fullmatch(rf"/api/models/{NAME}/(revision|tree)/(\w+)/?", path):
            commit = self.server.head if found[2] == "main" else found[2]
            if commit not in self.server.commits:
                return self._answer({}, 404, **{"x-error-code": "RevisionNotFound"})
            files = self.server.commits[commit]
            if found[1] == "revision":
                return self._answer(
                    {"id": NAME, "sha": commit, "siblings": [{"rfilename": file} for file in files]}
                )
            return self._answer(
                [
                    {
                        "type": "file",
                        "path": file,
                        "size": len(content),
                        "oid": hashlib.sha1(content).hexdigest(),
                    }
                    for file, content in files.items()
                ]
            )
        if found := re.fullmatch(rf"/{NAME}/resolve/(\w+)/(.+)", path):
            content = self.server.commits[found[1]][found[2]]
            etag = hashlib.sha1(content).hexdigest()
            return self._answer(content, 200, **{"etag": f'"{etag}"', "x-repo-commit": found[1]})
        return self._answer({}, 404, **{"x-error-code": "RepoNotFound"})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers["authorization"] != "Bearer hf_secret":
            return self._answer({"error": "Invalid credentials"}, 401)
        if self.path == "/api/repos/create":
            self.server.created.append(json.loads(body))
            return self._answer({"url": f"{constants.ENDPOINT}/{NAME}"})
        if self.path.startswith(f"/api/models/{NAME}/preupload/"):
            files = [file["path"] for file in json.loads(body)["files"]]
            return self._answer(
                {"files": [{"path": file, "uploadMode": "regular", "shouldIgnore": False} for file in files]}
            )
        if self.path.startswith(f"/api/models/{NAME}/commit/"):
            lines = [json.loads(line) for line in body.splitlines()]
            added = {
                line["value"]["path"]: base64.b64decode(line["value"]["content"])
                for line in lines
                if line["key"] == "file"
            }
            oid = self.server.commit(added)
            return self._answer(
                {"commitUrl": f"{constants.ENDPOINT}/{NAME}/commit/{oid}", "commitOid": oid, "success": True}
            )
        return self._answer({})  # of the check of the card's head


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The stand-in; huggingface_hub talks to it, and keeps its files in a folder of the test."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.chdir(tmp_path)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    huggingface_hub.close_session()


def test_a_pushed_model_is_loaded_by_its_name_and_revision(hub: Hub, trained: Trained) -> None:
    address = trained.push_to_hub(NAME, licence="cc-by-4.0", datasets=["the-lab/photos"], private=True)
    first = hub.head
    assert address.endswith(f"/{NAME}/commit/{first}")
    assert hub.created[0]["name"] == "faces"
    assert set(hub.commits[first]) >= {"config.json", "model.safetensors", "README.md"}
    faces = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    loaded = omote.load(NAME)
    assert loaded.model == trained.model
    np.testing.assert_array_equal(loaded.represent(faces)[0], trained.represent(faces)[0])

    hub.commit({"config.json": b"{}"})
    with pytest.raises(OmoteError, match="not that of an omote model"):
        omote.load(NAME)
    assert Trained.from_pretrained(NAME, revision=first).model == trained.model
    with pytest.raises(OmoteError, match=rf"no folder {NAME}.* did not give a model.*RevisionNotFound"):
        omote.load(NAME, revision="v9")


def test_only_files_of_a_model_are_downloaded(hub: Hub, trained: Trained) -> None:
    trained.push_to_hub(NAME, licence="other")
    hub.commit({"weights.pkl": b"cos\nsystem\n"})
    assert not (omote.load(NAME).path / "weights.pkl").exists()


def test_licence_and_data_sets_stand_in_the_head_of_the_card_and_stay(
    hub: Hub, trained: Trained, tmp_path: Path
) -> None:
    trained.push_to_hub(NAME, licence="cc-by-4.0", datasets=["the-lab/photos", "mug"])
    card = hub.commits[hub.head]["README.md"].decode()
    assert "\nlicense: cc-by-4.0\ndatasets:\n- the-lab/photos\n- mug\npipeline_tag:" in card
    assert "licence of the weights is not stated" not in card
    copy = tmp_path / "copy"
    trained.save_pretrained(copy)
    (copy / "README.md").write_text(card, encoding="utf-8")
    write_card(copy)
    assert (copy / "README.md").read_text(encoding="utf-8") == card
    with pytest.raises(OmoteError, match='"all rights: mine" is no licence'):
        trained.push_to_hub(NAME, licence="all rights: mine")


def test_what_the_hub_refuses_is_one_sentence(
    hub: Hub, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OmoteError, match=r"no folder the-lab/none, .* did not give .*Check the name"):
        omote.load("the-lab/none")
    with pytest.raises(OmoteError, match="revision v1 was given with run; it is for models on the hub"):
        omote.load("run", revision="v1")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(OmoteError, match=r"did not take the model the-lab/faces .*hf auth login"):
        trained.push_to_hub(NAME, licence="other")
    assert not hub.commits
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(OmoteError, match=r'pip install "omote\[hub\]"'):
        omote.load(NAME)
