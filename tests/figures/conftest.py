"""A method that can be seen through: a face of one colour is its own code; and a page that is read back."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from omote.figures.picture import Faces, Floats


class Painter:
    """Red is who, green is the expression: decoding gives back the red of z_i and the green of z_e."""

    def __init__(self, name: str = "painter", size: int = 8, blue: int = 0, knows_who: bool = True) -> None:
        self.name, self.size, self.blue, self.knows_who = name, size, blue, knows_who

    def identify(self, faces: Faces) -> tuple[Floats, Floats]:
        assert faces.shape[1] == self.size
        z = faces[:, 0, 0, :1].astype(np.float32) if self.knows_who else np.zeros((len(faces), 0), np.float32)
        return z, np.zeros_like(z)

    def represent(self, faces: Faces) -> tuple[Floats, Floats]:
        assert faces.shape[1] == self.size
        z = faces[:, 0, 0, 1:2].astype(np.float32)
        return z, np.zeros_like(z)

    def decode(self, z_i: Floats, z_e: Floats) -> Faces:
        assert len(z_i) == len(z_e)
        red = z_i[:, 0] if self.knows_who else np.zeros(len(z_e))
        colour = np.stack([red, z_e[:, 0], np.full(len(z_e), self.blue)], axis=1)
        return np.tile(colour.round().astype(np.uint8)[:, None, None], (1, self.size, self.size, 1))


def plain(*colours: tuple[int, int, int], size: int = 8) -> Faces:
    """Return (N, size, size, 3) faces of one colour each."""
    return np.tile(np.array(colours, np.uint8)[:, None, None], (1, size, size, 1))


class Page(HTMLParser):
    """Tags in order with their attributes, checking that what is opened is closed."""

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
    """The rows of the table's body, text only."""
    body = page.text.split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in body.split("</tr>")[:-1]]


@pytest.fixture
def painter() -> Painter:
    return Painter()
