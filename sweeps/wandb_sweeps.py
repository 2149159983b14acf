"""The sweeps of conf/sweep/ as W&B sweeps, W&B grids as jobs, and what a W&B agent starts.

python -m sweeps.wandb_sweeps write            # sweeps/wandb/*.yaml, which `wandb sweep` takes
python -m sweeps.wandb_sweeps write suite=atari --out my_sweeps
python -m sweeps.wandb_sweeps run sweeps/wandb/latent.yaml run.root=runs    # without any server
"""

import os
import signal
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig

from agent.errors import UserError, complaint
from agent.run.compose import CONF, composed, project_config, whole
from agent.run.identity import BASELINE, parts
from agent.run.status import AGENT_JOB, PARENT, SIGNALS, Exit
from sweeps import grid, program
from sweeps.job import PROGRAM

FOLDER = Path(__file__).parent / "wandb"
ARM = "arm"  # a parameter that stands for the overrides of an arm's name


def sweeps(suite: str) -> dict[str, dict[str, Any]]:
    """W&B sweeps by name: those of conf/sweep/, claims and trial split by kind of actions."""
    tasks = composed((f"suite={suite}",))[0].suite.tasks
    kinds = {task: composed((f"suite={suite}", f"task={task}"))[0].task.actions for task in tasks}
    found = {}
    for name in sorted(file.stem for file in (CONF / "sweep").glob("*.yaml")):
        sweeper = whole([f"+sweep={name}"]).hydra.sweeper
        if sweeper.pilot:
            continue
        if not sweeper.claims:
            axes = grid.axes(sweeper.params) | {"task": list(tasks)}
            found[name] = _sweep(suite, name, _lists(axes))
            continue
        of_kind = _draws if sweeper.trial else _arms
        for kind in sorted(set(kinds.values())):
            own = [task for task in tasks if kinds[task] == kind]
            if axes := of_kind(sweeper, suite, own, kind):
                found[f"{name}_{kind}"] = _sweep(suite, f"{name}_{kind}", axes, sweeper.trial)
    return found


def text(sweep: dict[str, Any]) -> str:
    """The file of a W&B sweep."""
    written = yaml.safe_dump(sweep, sort_keys=False, width=120)
    return f"# Written by `python -m sweeps.wandb_sweeps write`.\n{written}"


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


def command(arguments: Sequence[str]) -> list[str]:
    """The command for an agent's arguments, with `arm=NAME` and `x0.5` written out."""
    given = (argument.partition("=") for argument in arguments)
    several = (parts(value) if key == ARM else [key + sign + value] for key, sign, value in given)
    expanded = [override for own in several for override in own]
    if any(grid.FACTOR.fullmatch(given.partition("=")[2]) for given in expanded):
        chosen = [given for given in expanded if given.startswith(("suite=", "task="))]
        with project_config():
            expanded = [grid.multiplied(chosen, given) for given in expanded]
    return [sys.executable, str(PROGRAM), *expanded]


def job(arguments: Sequence[str], is_drawn: bool) -> int:
    """Run what an agent asks for; returns its exit status, but 0 for a run that was asked to stop
    and for a draw that is refused: an agent gives up after a few failures."""
    environment = {**os.environ, PARENT: str(os.getpid()), AGENT_JOB: str(os.getpid())}
    run = subprocess.Popen(command(arguments), env=environment, process_group=0)
    for number in SIGNALS:
        signal.signal(number, lambda given, _: run.send_signal(given))
    code = run.wait()
    if code == Exit.BAD_INPUT and is_drawn:
        print("skipped: this draw is refused")
        return Exit.DONE
    if code == Exit.INTERRUPTED:
        return Exit.DONE
    return code if code >= 0 else 128 - code


def _arms(sweeper: DictConfig, suite: str, tasks: list[str], kind: str) -> dict[str, dict]:
    named = grid.of_claims(sweeper.claims, sweeper.rows, suite, kind)
    arms = [",".join(overrides) or BASELINE for overrides in named]
    return _lists(grid.axes(sweeper.params) | {"task": tasks, ARM: arms}) if arms else {}


def _draws(sweeper: DictConfig, suite: str, tasks: list[str], kind: str) -> dict[str, dict]:
    """The factors of the trial with their probabilities; the first option is the suite's."""
    trial = grid.registered(sweeper.claims).trial
    choices = composed((f"suite={suite}", f"task={tasks[0]}"))[1]
    seeds = {"distribution": "int_uniform", "min": 0, "max": 999_999}
    found: dict[str, dict] = {**_lists({"task": tasks}), "run.seed": seeds}
    for factor in trial.weights:
        weights = trial.options(factor, kind)
        first, *others = weights
        values = [yaml.safe_load(option) for option in (choices.get(factor, first), *others)]
        shares = [weight / sum(weights.values()) for weight in weights.values()]
        found[factor] = {"values": values, "probabilities": shares}
    return found


def _sweep(suite: str, name: str, axes: dict[str, dict], is_drawn: bool = False) -> dict[str, Any]:
    start = "draw" if is_drawn else "job"
    return {
        "name": f"{name} ({suite})",
        "project": "dreamer-ablation",
        "program": "run.py",
        "method": "random" if is_drawn else "grid",
        "metric": {"name": "eval/score", "goal": "maximize"},
        "command": [
            *("${env}", "${interpreter}", "-m", "sweeps.wandb_sweeps", start),
            *("tracker=wandb", "${args_no_hyphens}"),
        ],
        "parameters": {"suite": {"value": suite}, **axes},
    }


def _lists(axes: dict[str, list]) -> dict[str, dict]:
    return {key: {"values": values} for key, values in axes.items()}


def _values(path: str | Path, key: str, given: Any) -> list[Any]:
    if isinstance(given, dict) and set(given) == {"value"}:
        return [given["value"]]
    several = given.get("values") if isinstance(given, dict) and len(given) == 1 else None
    if isinstance(several, list) and several:
        return several
    raise UserError(f"{path}: parameter {key} is {given}; a grid takes a value or a list of values")


def _parsed(arguments: Sequence[str] | None) -> Namespace:
    parser = program("wandb_sweeps", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write the W&B sweeps of a suite")
    write.add_argument("suite", nargs="?", default="suite=mini", help="suite=NAME")
    write.add_argument("--out", type=Path, default=FOLDER)
    run = commands.add_parser("run", help="run a W&B sweep file without any server")
    run.add_argument("file", type=Path, help="a W&B sweep file of method grid")
    agents = [commands.add_parser(name, help="what an agent starts") for name in ("job", "draw")]
    for command in (run, *agents):
        command.add_argument("overrides", nargs="*", help="as for run.py")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command asks for; returns the exit status."""
    given = _parsed(arguments)
    try:
        if given.command == "write":
            given.out.mkdir(parents=True, exist_ok=True)
            with project_config():
                for name, sweep in sweeps(given.suite.removeprefix("suite=")).items():
                    (given.out / f"{name}.yaml").write_text(text(sweep))
        elif given.command == "run":
            quoted = str(given.file.resolve()).replace("'", "\\'")
            sweep = [f"hydra.sweeper.grid='{quoted}'", *given.overrides]
            os.execv(sys.executable, [sys.executable, str(PROGRAM), "-m", *sweep])
        else:
            return job(given.overrides, given.command == "draw")
    except (OSError, UserError) as error:
        print(complaint(error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
