"""The rules of the house: who reads the configuration, and who imports whom."""

import ast
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
CODE = [
    path.relative_to(ROOT)
    for folder in ("agent", "analysis", "sweeps", "hydra_plugins", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]

READS_CONFIG = (*("agent/build.py", "agent/run/identity.py", "agent/run/compose.py"),)

EXAMPLE = "conf/latent/laplace.yaml"  # of CONTRIBUTING.md


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def file(name: str) -> Path:
    """The file or folder of a module, or of the module that a name is imported from."""
    path = name.replace(".", "/")
    candidates = (f"{path}.py", path, f"{path.rpartition('/')[0]}.py", path.rpartition("/")[0])
    return next((Path(found) for found in candidates if (ROOT / found).exists()), Path(name))


def box(path: str, boxes: dict[str, str]) -> str | None:
    """The box of the longest path that holds a file."""
    inside = [name for name, label in boxes.items() if f"{path}/".startswith(f"{label}/")]
    return max(inside, key=lambda name: len(boxes[name]), default=None)


@pytest.mark.parametrize("path", [path for path in CODE if path.parts[0] == "agent"], ids=str)
def test_config_stops_at_the_door(path):
    names = {name.split(".")[0] for name in imported(path)} & {"hydra", "omegaconf"}
    assert not names or path.as_posix() in READS_CONFIG


def test_the_picture_shows_who_imports_whom():
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = page.split("```mermaid")[2].split("```")[0]
    boxes = dict(re.findall(r'(\w+)\["([^"]+)"\]', picture))  # the label of each
    arrows = set(re.findall(r'(\w+)(?:\["[^"]+"\])? --> (\w+)', picture))
    found = set()
    for path in (*CODE, Path("run.py")):
        own = box(path.as_posix(), boxes)
        others = {box(file(name).as_posix(), boxes) for name in imported(path)}
        found |= {(own, other) for other in others - {own, None} if own}
    assert arrows == found


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "README.md"])
def test_what_a_page_names_is_there(page):
    named = set(
        re.findall(r"[`\"]((?:agent|analysis|conf|sweeps)/[\w./]*)", (ROOT / page).read_text())
    )
    assert named and {path for path in named if not (ROOT / path).exists()} <= {EXAMPLE}


@pytest.mark.parametrize("path", [path for path in CODE if path.parts[0] == "analysis"], ids=str)
def test_the_analysis_reads_files_only(path):
    forbidden = {"torch", "hydra", "omegaconf", "agent", "sweeps"}
    assert not {name.split(".")[0] for name in imported(path)} & forbidden


def test_a_group_stands_below_those_that_its_options_choose():
    """What the naming of arms relies on."""
    entries = OmegaConf.load(ROOT / "conf" / "config.yaml").defaults
    order = [key for entry in entries if entry != "_self_" for key in entry]
    for group in order:
        for file in (ROOT / "conf" / group).rglob("*.yaml"):
            for entry in OmegaConf.load(file).get("defaults", []):
                for key in [] if isinstance(entry, str) else entry:
                    chosen = key.removeprefix("override /")
                    assert order.index(chosen) < order.index(group), f"{file} chooses {chosen}"
