"""For mkdocs: the page of all commands, and links to files that are in the repository but not on the site."""

import re
import subprocess
import sys
from typing import Any

COMMANDS = [
    sys.executable,
    "-m",
    "typer",
    "omote.cli.main",
    "utils",
    "docs",
    "--name",
    "omote",
    "--title",
    "Commands",
]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Return the Markdown of a page as the site shows it: a link to a file outside docs/ becomes its text."""
    if page.file.src_uri == "commands.md":
        return subprocess.run(COMMANDS, capture_output=True, text=True, check=True).stdout
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?:src|benchmarks|examples|tests)/[^)]*\)", r"\1", markdown)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Return the HTML of a page; links of a notebook to files lead to their pages, as mkdocs does for Markdown."""
    if page.file.src_uri.endswith(".ipynb"):
        html = re.sub(r'href="((?:\.\./)*\w+)\.(?:md|ipynb)"', r'href="../\1/"', html)
    return html
