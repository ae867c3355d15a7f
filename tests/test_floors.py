"""The rule of the house (DESIGN.md): a module imports lower floors only, and heavy libraries
are imported in their own rooms only, when they are first used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "inbedder_core"

FLOORS = (
    {"errors", "schema"},
    {
        "texts", "samples", "prompts", "answers", "registry", "heads", "layers", "devices", "cache",
        "similarity", "projection", "clustering", "comparison", "rows", "wire",
    },
    {"encoder", "figures", "export", "parts"},
    {"exploration", "bulk"},
    {"payload"},
    {"__init__", "__main__", "recipes"},
    {"ui", "app"},
)  # fmt: skip
SIDESTEPS = {("schema", "errors"), ("layers", "heads"), ("recipes", "__init__"), ("app", "ui")}
HOMES = {
    "torch": {"heads", "layers", "devices", "encoder", "recipes"},
    "transformers": {"registry", "recipes"},
    "umap": {"projection"},
    "plotly": {"figures"},
    "gradio": {"ui", "app"},
    "ray": {"bulk"},
}
HEAVY = {"torch", "transformers", "umap", "sklearn", "pandas", "plotly", "gradio", "pyarrow", "ray"}
COMMANDS = {"recipes", "__main__"}  # what a terminal runs may print

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted([*CORE.rglob("*.py"), *(ROOT / "ui").rglob("*.py"), ROOT / "app.py"])
every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))


def room_of(path):
    """The module or folder of inbedder_core that a file belongs to; or "ui", or "app"."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == CORE.name else parts[0]


def imports(source, package=""):
    """Full dotted names of all that a source imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = [*(above if node.level else []), *([node.module] if node.module else [])]
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def rooms_in(names):
    """The rooms that dotted names lead to; what the package itself re-exports is in __init__."""
    for name in names:
        first, _, rest = name.partition(".")
        if first == CORE.name:
            inner = rest.partition(".")[0]
            yield inner if inner in FLOOR_OF else "__init__"
        elif first in ("ui", "app"):
            yield first


def trespasses(room, names):
    """What a room imports against the rule, in words."""
    for other in sorted(set(rooms_in(names)) - {room}):
        if other == "recipes":
            yield "nobody imports recipes"
        elif FLOOR_OF[other] >= FLOOR_OF[room] and (room, other) not in SIDESTEPS:
            yield f"{room} (floor {FLOOR_OF[room]}) imports {other} (floor {FLOOR_OF[other]})"
    for library in sorted({name.partition(".")[0] for name in names} & HOMES.keys()):
        if room not in HOMES[library]:
            yield f"{room} imports {library}, which belongs to {sorted(HOMES[library])}"


def test_every_module_has_its_floor():
    assert {room_of(path) for path in FILES} == FLOOR_OF.keys()


@every_file
def test_imports_lower_floors_and_own_libraries_only(path):
    package = ".".join(path.relative_to(ROOT).parent.parts)
    names = imports(path.read_text(encoding="utf-8"), package)
    assert list(trespasses(room_of(path), names)) == []


@every_file
def test_short_and_silent(path):
    source = path.read_text(encoding="utf-8")
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    prints = [func.lineno for func in called if isinstance(func, ast.Name) and func.id == "print"]
    assert len(source.splitlines()) <= 400
    assert room_of(path) in COMMANDS or prints == []


@pytest.mark.parametrize("module", ["", ".schema", ".registry", ".bulk", ".__main__"])
def test_import_stays_light(module):
    code = f"import sys, inbedder_core{module}; print(*sys.modules)"
    run = [sys.executable, "-c", code]
    loaded = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert HEAVY & set(loaded.split()) == set()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("texts", "from .prompts import build"),
        ("similarity", "def f():\n    from inbedder_core.exploration import explore"),
        ("exploration", "from inbedder_core import InBedder"),
        ("exploration", "from . import recipes"),
        ("ui", "import inbedder_core.recipes.train"),
        ("schema", "import torch.nn as nn"),
        ("exploration", "import ui.page"),
    ],
)
def test_the_rule_bites(room, source):
    assert list(trespasses(room, imports(source, "inbedder_core"))) != []


def test_the_rule_lets_pass():
    source = "import numpy as np\nfrom . import schema, texts\nfrom .encoder import InBedder"
    assert list(trespasses("exploration", imports(source, "inbedder_core"))) == []
