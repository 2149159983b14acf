"""Write docs/toggles.md from the docstrings of agent/toggles and the files of conf: `python
docs/toggles.py`."""

import importlib
import inspect
from pathlib import Path

import yaml
from hydra.utils import get_class
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
GROUPS = ["latent", "kl", "actor_grad", "gru", "schedule", "entropy", "explore", "gradients"]
YAML_ONLY = {"size": "Numbers of every component.", "preset": "Several groups and numbers at once."}
HEAD = """\
# The toggles

One toggle is one folder of `conf` and one module of `agent/toggles`; one option is one YAML and one
small class. Choose with `group=option`, change a number with `group.number=value`, compare with
`-m group=one,two`. This page is generated: `python docs/toggles.py`.
"""


def page() -> str:
    """The whole page as Markdown."""
    defaults = baseline()
    sections = [toggle(group, defaults[group]) for group in GROUPS]
    sections += [numbers(group, what, defaults[group]) for group, what in YAML_ONLY.items()]
    return "\n".join([HEAD, *sections])


def baseline() -> dict[str, str]:
    """The chosen option of each group in conf/config.yaml."""
    entries = yaml.safe_load((ROOT / "conf" / "config.yaml").read_text())["defaults"]
    return {
        group: option
        for entry in entries
        if isinstance(entry, dict)
        for group, option in entry.items()
    }


def options(group: str) -> list[Path]:
    """The YAML files of a group."""
    return sorted((ROOT / "conf" / group).glob("*.yaml"))


def toggle(group: str, default: str) -> str:
    """One section: what the paper did and found, the equations, the options with their defaults."""
    module = importlib.import_module(f"agent.toggles.{group}")
    title, _, body = inspect.getdoc(module).partition("\n\n")
    code = f"[`agent/toggles/{group}.py`](../agent/toggles/{group}.py)"
    parts = [f"## `{group}`\n\n**{title}** Code: {code}.\n\n{body}\n"]
    for path in options(group):
        doc = inspect.getdoc(get_class(target(path))).partition("\n\n")[0].replace("\n", " ")
        parts.append(f"{heading(group, path, default)}\n\n{doc}\n\n{listing(path)}")
    return "\n".join(parts)


def numbers(group: str, what: str, default: str) -> str:
    """One section of a group that has no class."""
    parts = [f"## `{group}`\n\n{what} YAML only.\n"]
    parts += [f"{heading(group, path, default)}\n\n{listing(path)}" for path in options(group)]
    return "\n".join(parts)


def heading(group: str, path: Path, default: str) -> str:
    """The line that names an option and its file."""
    mark = " (baseline)" if path.stem == default else ""
    return (
        f"### `{group}={path.stem}`{mark} [`{path.relative_to(ROOT)}`](../{path.relative_to(ROOT)})"
    )


def listing(path: Path) -> str:
    """The file itself."""
    return f"```yaml\n{path.read_text().strip()}\n```\n"


def target(path: Path) -> str:
    """The class of an option, which a file may inherit from the file that it extends."""
    node = OmegaConf.load(path)
    node = node.get(path.parent.name, node)
    return node._target_ if "_target_" in node else target(path.with_name("constant.yaml"))


if __name__ == "__main__":
    (ROOT / "docs" / "toggles.md").write_text(page())
