"""A transparent method, for which a face of one colour is its own code; and a parser of pages."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from omote.data.outputs import Faces, Floats


class Painter:
    """Red is the identity, green the expression: a generated face has the red of one face and the green of another."""

    def __init__(
        self, name: str = "painter", size: int = 8, blue: int = 0, has_identity: bool = True
    ) -> None:
        self.name, self.size, self.blue, self.has_identity = name, size, blue, has_identity

    def swap(self, identity_faces: Faces, expression_faces: Faces) -> Faces:
        return np.stack([self.paint(identity_faces, face[0, 0, 1]) for face in expression_faces])

    def interpolate(self, source: Faces, target: Faces, steps: int) -> Faces:
        greens = np.linspace(source[0, 0, 1], target[0, 0, 1], steps)
        return np.concatenate([self.paint(source[None], green) for green in greens])

    def represent(self, faces: Faces) -> tuple[Floats, Floats]:
        raise NotImplementedError

    def identify(self, faces: Faces) -> tuple[Floats, Floats]:
        raise NotImplementedError

    def decode_coarse(self, z_i: Floats, z_e: Floats) -> Faces:
        raise NotImplementedError

    def paint(self, who: Faces, green: float) -> Faces:
        """Return (N, size, size, 3) faces with the red of each given face and this green."""
        assert who.shape[1] == self.size
        return plain(
            *[(int(face[0, 0, 0]) * self.has_identity, round(green), self.blue) for face in who],
            size=self.size,
        )


def plain(*colours: tuple[int, int, int], size: int = 8) -> Faces:
    """Return (N, size, size, 3) faces of one colour each."""
    return np.tile(np.array(colours, np.uint8)[:, None, None], (1, size, size, 1))


class Page(HTMLParser):
    """The tags of a page with their attributes, in order; asserts that they are closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def cells(page: Page) -> list[list[str]]:
    """The contents of the cells in the first table's body, by row."""
    body = page.text.split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in body.split("</tr>")[:-1]]


@pytest.fixture
def painter() -> Painter:
    return Painter()
