"""The sweeps of conf/sweep/ as W&B sweeps, and W&B grids as jobs.

python -m sweeps.wandb_sweeps              # write sweeps/wandb/*.yaml, which `wandb sweep` takes
python -m sweeps.wandb_sweeps suite=atari --out my_sweeps
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra import compose

from agent.errors import UserError
from agent.run.compose import composed
from agent.run.identity import BASELINE, parts
from sweeps import grid
from sweeps.config import CONF, project_config

FOLDER = Path(__file__).parent / "wandb"
ARM = "arm"  # a parameter that stands for the overrides of an arm's name
METRIC = {"name": "eval/score", "goal": "maximize"}
COMMAND = [
    *("${env}", "${interpreter}", "-m", "sweeps.wandb_job"),
    *("tracker=wandb", "${args_no_hyphens}"),
]


def grids(suite: str) -> dict[str, dict[str, Any]]:
    """W&B sweeps by name: one for each sweep of conf/sweep/; the arms of claims by kind of
    actions."""
    tasks = composed((f"suite={suite}",))[0].suite.tasks
    actions = {task: composed((f"suite={suite}", f"task={task}"))[0].task.actions for task in tasks}
    found = {}
    for name in sorted(file.stem for file in (CONF / "sweep").glob("*.yaml")):
        sweeper = compose("config", [f"+sweep={name}"], return_hydra_config=True).hydra.sweeper
        axes = {
            "task": list(tasks),
            **{key: values for key, values in grid.axes(sweeper.params).items() if key != "task"},
        }
        if not sweeper.claims:
            found[name] = _sweep(suite, name, axes)
            continue
        for kind in sorted(set(actions.values())):
            named = grid.of_claims(sweeper.claims, sweeper.rows, suite, kind)
            if named:
                own = {"task": [task for task in tasks if actions[task] == kind]}
                own[ARM] = [",".join(overrides) or BASELINE for overrides in named]
                found[f"{name}_{kind}"] = _sweep(suite, f"{name}_{kind}", {**axes, **own})
    return found


def text(sweep: dict[str, Any]) -> str:
    """The file of a W&B sweep."""
    return "# Written by `python -m sweeps.wandb_sweeps`.\n" + yaml.safe_dump(
        sweep, sort_keys=False, width=120
    )


def expand(path: str | Path) -> list[list[str]]:
    """The jobs of a W&B sweep file of method grid; UserError says what is wrong with the file."""
    try:
        sweep = yaml.safe_load(Path(path).read_text())
        method, parameters = sweep["method"], sweep["parameters"]
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no W&B sweep: {' '.join(str(error).split())}") from error
    if method != "grid":
        raise UserError(f"{path}: method {method} needs a W&B server; allowed here: grid")
    if not isinstance(parameters, dict) or not parameters:
        raise UserError(f"{path}: parameters are {parameters}; allowed: a table of values by name")
    axes = [
        [overrides(key, value) for value in _values(path, key, given)]
        for key, given in parameters.items()
    ]
    return [[override for part in job for override in part] for job in product(*axes)]


def overrides(key: str, value: Any) -> list[str]:
    """The overrides that a parameter of a W&B sweep stands for."""
    if key == ARM:
        if not isinstance(value, str):
            raise UserError(f"{ARM}={value}: allowed: an arm's name, such as latent=gaussian")
        return parts(value)
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True).split(chr(10))[0]}"]


def _sweep(suite: str, name: str, axes: dict[str, list]) -> dict[str, Any]:
    return {
        "name": f"{name} ({suite})",
        "project": "dreamer-ablation",
        "program": "run.py",
        "method": "grid",
        "metric": METRIC,
        "command": COMMAND,
        "parameters": {"suite": {"value": suite}}
        | {key: {"values": values} for key, values in axes.items()},
    }


def _values(path: str | Path, key: str, given: Any) -> list[Any]:
    if isinstance(given, dict) and set(given) == {"value"}:
        return [given["value"]]
    several = given.get("values") if isinstance(given, dict) and set(given) == {"values"} else None
    if isinstance(several, list) and several:
        return several
    raise UserError(f"{path}: parameter {key} is {given}; a grid takes a value or a list of values")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sweeps.wandb_sweeps", description=__doc__.splitlines()[0]
    )
    parser.add_argument("suite", nargs="?", default="suite=mini", help="suite=NAME")
    parser.add_argument("--out", type=Path, default=FOLDER)
    given = parser.parse_args(arguments)
    try:
        with project_config():
            given.out.mkdir(parents=True, exist_ok=True)
            for name, sweep in grids(given.suite.removeprefix("suite=")).items():
                (given.out / f"{name}.yaml").write_text(text(sweep))
    except OSError as error:
        print(f"error: --out {given.out}: {error}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
