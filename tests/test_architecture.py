"""Imports go one way, the file map is true, and everything in docs/paper_map.md exists."""

import ast
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import omote
from omote.methods.registry import METHODS, method_class
from omote.runs.config import TrainConfig

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src/omote").rglob("*.py"))
# each may import from itself and from those before it
ORDER = [
    "errors",
    "boundary files fonts formulas interrupt",
    "data",
    "synthetic",
    "models",
    "objectives",
    "methods",
    "runs",
    "training",
    "metrics",
    "features",
    "evaluation",
    "figures",
    "export",
    "reproduction",
    "analysis",
    "app",
    "cli",
    "__main__",
]
PLACE = {name: place for place, names in enumerate(ORDER) for name in names.split()}


def _name(path: Path) -> str:
    """Return the module name of a file of the package."""
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> set[str]:
    """Return the modules of omote that a file imports, at its top, inside functions and for types."""
    modules = {_name(source) for source in SOURCES}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside & modules or {node.module}
    return {name for name in found if name.startswith("omote.")}


def test_imports_go_one_way() -> None:
    for path in SOURCES:
        if (name := _name(path)) == "omote":
            continue
        room = name.split(".")[1]
        for used in _imports(path):
            other = used.split(".")[1]
            assert other == room or PLACE[other] < PLACE[room], f"{path} imports {used}"


def test_no_files_import_each_other() -> None:
    sources = [path for path in SOURCES if path.parent != ROOT / "src/omote"]
    TopologicalSorter(
        {_name(path): _imports(path) for path in sources}
    ).prepare()  # CycleError names the circle


def test_data_needs_no_torch() -> None:
    code = "import sys, omote.data.prepare, omote.synthetic.drawn; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_is_loaded_without_torchs_compiler() -> None:
    # It takes 2 seconds, and drawing weights on the device "meta" would import it.
    code = "import sys, omote; omote.load(); assert not {'sympy', 'torch._dynamo'} & set(sys.modules)"
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


def test_the_reference_documents_every_public_name() -> None:
    reference = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: omote\.(\w+)$", reference, re.MULTILINE)) == sorted(omote.__all__)
    assert all(getattr(omote, name).__doc__ for name in omote.__all__)


def test_the_file_map_is_true() -> None:
    """Every file has a line in docs/architecture.md, below its folder, and every line a file."""
    listed: set[Path] = set()
    folder = ROOT
    for line in (ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"### `(.+)/`", line):
            folder = ROOT / heading[1]
        elif folder != ROOT and (file := re.match(r"\| `(.+?)` \| (.+) \|", line)):
            listed.add(folder / file[1])
    there = {path for path in SOURCES if path.name != "__init__.py"}
    for name in (
        "benchmarks/**/*.py",
        "src/omote/configs/*.toml",
        "docs/**/*.md",
        "docs/*.py",
        "docs/**/*.ipynb",
        "examples/*.py",
    ):
        there |= set(ROOT.glob(name))
    assert listed == {path for path in there if path.parent.parent != ROOT / "docs/results/methods"}


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
        elif name.startswith("src/"):
            assert (ROOT / name).is_file(), name
        elif name.startswith("tests/"):
            path, _, test = name.partition("::")
            assert (ROOT / path).is_file(), name
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8") or not test, name
    options = {f"options.{name}" for method in METHODS for name in method_class(method).Options.model_fields}
    options |= set(TrainConfig.model_fields) - {"method", "options", "seed", "device", "precision", "compile"}
    named = {name.split(" ")[0] for name in names}
    assert options <= named, options - named
    unknown = {name for name in named if name.startswith("options.")} - options
    assert not unknown
