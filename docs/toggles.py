"""Write docs/toggles.md from the docstrings of agent/toggles and the files of conf: `python
docs/toggles.py`."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import yaml
from hydra.utils import get_class
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ["latent", "kl", "actor_grad", "gru", "schedule", "entropy", "explore", "gradients"]
LINEAR = "agent.toggles.schedule.Linear"  # the class of each scheduled factor
OF_HYDRA = ("_target_", "_partial_", "defaults", "# @package", "- constant@")
HEAD = """\
# The toggles

A toggle is a folder of `conf` and a module of `agent/toggles`. Choose with `group=option`, change a
number with `group.number=value`, compare with `-m group=one,two`. `${...}` is a number of the size
or the recipe. `python docs/toggles.py` writes this page.
"""


def page() -> str:
    """The whole page as Markdown."""
    defaults = baseline()
    sections = [toggle(group, defaults[group]) for group in GROUPS]
    return "\n".join([HEAD, *sections, sizes(defaults["size"]), presets(defaults["preset"])])


def baseline() -> dict[str, str]:
    """The chosen option of each group in conf/config.yaml."""
    entries = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())["defaults"]
    return {
        group: option
        for entry in entries
        if isinstance(entry, dict)
        for group, option in entry.items()
    }


def files(group: str) -> list[Path]:
    """The YAML files of a group."""
    return sorted((ROOT / "conf" / group).glob("*.yaml"))


def toggle(group: str, default: str) -> str:
    """One section: what the paper did and found, the equations, the options, their numbers."""
    module = importlib.import_module(f"agent.toggles.{group}")
    title, _, body = inspect.getdoc(module).partition("\n\n")
    code = f"[`agent/toggles/{group}.py`](../agent/toggles/{group}.py)"
    options = {}
    for path in files(group):
        doc = inspect.getdoc(get_class(target(path))).partition("\n\n")[0].replace("\n", " ")
        options.setdefault(doc, []).append(name(group, path, default))
    items = [f"- {', '.join(names)}: {doc}" for doc, names in options.items()]
    listed = [f"# {group}={path.stem}\n{text}" for path in files(group) if (text := numbers(path))]
    block = "\n```yaml\n" + "\n".join(listed) + "\n```\n" if listed else ""
    return (
        f"## `{group}`\n\n**{title}** Code: {code}.\n\n{body}\n\n" + "\n".join(items) + "\n" + block
    )


def name(group: str, path: Path, default: str) -> str:
    """An option as it is chosen, with a link to its file."""
    mark = " (baseline)" if path.stem == default else ""
    return f"[`{group}={path.stem}`](../{path.relative_to(ROOT)}){mark}"


def numbers(path: Path) -> str:
    """The lines of a file that give numbers, with their comments."""
    lines = path.read_text().strip().replace(f"_target_: {LINEAR}, ", "").splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith(OF_HYDRA))


def target(path: Path) -> str:
    """The class of an option, which a file may inherit from the file that it extends."""
    node = OmegaConf.load(path)
    node = node.get(path.parent.name, node)
    return node._target_ if "_target_" in node else target(path.with_name("constant.yaml"))


def sizes(default: str) -> str:
    """The numbers of all sizes side by side."""
    columns = {path: yaml.safe_load(path.read_text()) for path in files("size")}
    names = [name("size", path, default) for path in columns]
    rows = [["number", *names], ["---"] * (1 + len(names))]
    keys = [key for key in next(iter(columns.values())) if key != "name"]
    rows += [[f"`{key}`", *(str(column[key]) for column in columns.values())] for key in keys]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join(["## `size`\n", *(f"- {line}" for line in notes("size")), "", table + "\n"])


def notes(group: str) -> Iterator[str]:
    """What the files of a group say at their top, a paragraph each."""
    for path in files(group):
        lines = [line for line in path.read_text().splitlines() if not line.startswith(OF_HYDRA)]
        top = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
        if top:
            yield f"`{group}={path.stem}`: {' '.join(' '.join(top).split())}"


def presets(default: str) -> str:
    """What each preset is; its file has the numbers."""
    items = [
        f"- {name('preset', path, default)}: {note.partition(': ')[2]}"
        for path, note in zip(files("preset"), notes("preset"), strict=True)
    ]
    return "\n".join(["## `preset`\n", *items, ""])


if __name__ == "__main__":
    (ROOT / "docs" / "toggles.md").write_text(page())
