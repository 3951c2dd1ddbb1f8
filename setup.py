"""The one setting that pyproject.toml cannot hold: the long description, which package indexes show.

It is README.md without what works only beside the other files: relative links become their text, and relative pictures
go, with the caption below them.
"""

import re
from pathlib import Path

from setuptools import setup

RELATIVE = r"\((?!https?://|#)[^)]*\)"  # a link's target

text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
text = re.sub(rf"!\[[^\]]*\]{RELATIVE}\n\n(\*[^*]+\*\n\n)?", "", text)
text = re.sub(rf"\[([^\]]*)\]{RELATIVE}", r"\1", text)
setup(long_description=text, long_description_content_type="text/markdown")
