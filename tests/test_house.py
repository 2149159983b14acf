"""The rules of the house: who reads the configuration, and who imports whom."""

import ast
from pathlib import Path

import pytest
from omegaconf import OmegaConf

ROOT = Path(__file__).parents[1]
CODE = [
    path.relative_to(ROOT)
    for folder in ("agent", "analysis", "sweeps", "hydra_plugins", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
AGENT = [path for path in CODE if path.parts[0] == "agent"]
READS_CONFIG = (*("agent/build.py", "agent/run/identity.py", "agent/run/compose.py"),)
CONFIGURATION = ("hydra", "omegaconf")
ROOMS = {  # of agent/, from the ground floor up; a room imports none that stands below it here
    "paper": [],
    "run": [],
    "build": ["run"],
    "watch": ["run", "build"],
}


def imported(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room(module: str) -> str:
    """The room of a module of agent/: `agent.run.loop.Training` is in `run`."""
    part = module.split(".")[1] if "." in module else ""
    return part if part in ROOMS else "paper"


@pytest.mark.parametrize("path", AGENT, ids=str)
def test_config_stops_at_the_door(path):
    names = {name.split(".")[0] for name in imported(path)} & set(CONFIGURATION)
    assert not names or path.as_posix() in READS_CONFIG


@pytest.mark.parametrize("path", AGENT, ids=str)
def test_no_arrow_runs_back_up(path):
    own = room(".".join(path.with_suffix("").parts))
    others = {room(name) for name in imported(path) if name.split(".")[0] == "agent"}
    assert others <= {own, "paper", *ROOMS[own]}


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


def test_every_suite_says_the_same_things():
    files = sorted((ROOT / "conf" / "suite").glob("*.yaml"))
    budgets = {file.stem: OmegaConf.load(file) for file in files}
    asked = OmegaConf.load(ROOT / "conf" / "config.yaml").run
    open_keys = {key for key in asked if OmegaConf.is_missing(asked, key)}
    for name, suite in budgets.items():
        assert open_keys <= set(suite.run), name
        assert set(suite.suite) == {"name", "normalisation", "tasks"}, name
