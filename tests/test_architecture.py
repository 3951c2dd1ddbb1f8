"""Imports go one way, the README's map names every file, and everything in docs/paper_map.md exists."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import omote
from omote.methods.registry import METHODS, method_class
from omote.runs.config import TrainConfig

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src/omote").rglob("*.py"))
# each may import from itself and from those before it; figures and export are side by side
ORDER = [
    "errors",
    "files interrupt",
    "data",
    "models",
    "objectives",
    "methods",
    "training",
    "evaluation",
    "figures export",
    "reproduction",
    "cli app",
]
PLACE = {name: place for place, names in enumerate(ORDER) for name in names.split()}


def test_imports_go_one_way() -> None:
    for path in SOURCES:
        module = path.relative_to(ROOT / "src/omote").parts[0].removesuffix(".py")
        if module == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                if name.startswith("omote."):
                    used = name.split(".")[1]
                    assert used == module or PLACE[used] < PLACE[module], f"{path} imports {name}"


def test_data_needs_no_torch() -> None:
    code = "import sys, omote.data.prepare, omote.synthetic.drawn; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_asking_for_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, omote.cli.main\n"
        "heavy = {'torch', 'numpy', 'pandas', 'sklearn', 'matplotlib', 'cv2', 'av', 'pydantic', 'rich.progress'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_are_listed_once_and_equal_the_names_inside() -> None:
    stub = ast.parse((ROOT / "src/omote/__init__.pyi").read_text(encoding="utf-8"))
    listed = [alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(listed) == dir(omote)
    assert [getattr(omote, name).__name__ for name in listed] == listed


def test_the_readme_has_every_file() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files = [path for path in SOURCES if path.name != "__init__.py"]
    files += [
        path
        for folder in ("benchmarks", "configs", "docs", "examples")
        for path in (ROOT / folder).rglob("*.*")
        if path.is_file()
    ]
    missing = [
        path.name for path in files if path.suffix in (".py", ".md", ".toml") and path.name not in text
    ]
    assert not missing
    listed = re.findall(r"([a-z_0-9]+\.(?:py|toml|md))\b", text)
    folders = ("src", "tests", "benchmarks", "configs", "docs", "examples")
    everywhere = {
        path.name for path in [*ROOT.glob("*.*"), *(p for f in folders for p in (ROOT / f).rglob("*.*"))]
    }
    assert set(listed) <= everywhere


def _exists(target: str) -> bool:
    parts = target.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            found = getattr(found, name)
        return True
    return False


def test_the_paper_map_names_what_exists_and_every_option() -> None:
    text = (ROOT / "docs/paper_map.md").read_text(encoding="utf-8")
    names = re.findall(r"`([^`]+)`", text)
    for name in names:
        if name.startswith("omote."):
            assert _exists(name), name
        elif name.startswith("configs/"):
            assert (ROOT / name).is_file(), name
        elif name.startswith("tests/"):
            path, _, test = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8") or not test, name
    options = {f"options.{name}" for method in METHODS for name in method_class(method).Options.model_fields}
    options |= set(TrainConfig.model_fields) - {"method", "options", "seed", "device", "precision"}
    named = {name.split(" ")[0] for name in names}
    assert options <= named, options - named
    unknown = {name for name in named if name.startswith("options.")} - options
    assert not unknown
