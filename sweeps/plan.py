"""What a sweep will do, before anything runs: arms, tasks, seeds, what is done already, hours,
disk, the command.

python -m sweeps.plan suite=atari           # every arm of the paper's claims
python -m sweeps.plan +sweep=latent suite=mini --probe
python -m sweeps.plan suite=atari --commands > jobs.txt     # one command a line, for any scheduler
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from hydra import compose
from rich.filesize import decimal
from rich.table import Table

from agent.errors import UserError, complaint
from agent.run.compose import composed
from agent.run.status import Status
from sweeps import check, grid, machine
from sweeps.config import project_config
from sweeps.job import PROGRAM, chosen
from sweeps.state import Planned, planned
from sweeps.sweep import console


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan of the overrides given; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sweeps.plan", description=__doc__.splitlines()[0]
    )
    parser.add_argument(
        "overrides", nargs="*", help="as for run.py -m; without a sweep, +sweep=claims"
    )
    parser.add_argument(
        "--probe",
        action="store_true",
        help="measure a few gradient steps where no run has finished",
    )
    parser.add_argument(
        "--commands", action="store_true", help="print the commands of the runs that are to do"
    )
    given = parser.parse_args(arguments)
    try:
        with project_config():
            overrides = _with_sweep(given.overrides)
            check.check_numbers(composed(tuple(grid.fixed(overrides)))[0])
            config = compose("config", grid.fixed(overrides), return_hydra_config=True)
            engine, sweeper = chosen(config), config.hydra.sweeper
            if sweeper.grid:
                raise UserError(
                    f"hydra.sweeper.grid={sweeper.grid}: no plan of a W&B sweep file; "
                    "allowed: the sweeps of run.py -m"
                )
            runs = planned(grid.jobs(overrides, sweeper.params, sweeper.claims, sweeper.rows))
            check.check(runs, here=engine.is_here)
            if given.commands:
                sys.stdout.writelines(f"{command}\n" for command in commands(runs))
                return 0
            if runs:
                show(runs, overrides, given.probe, engine.places())
    except UserError as error:
        print(complaint(error), file=sys.stderr)
        return 2
    return 0


def commands(runs: Sequence[Planned]) -> list[str]:
    """A shell command for each run that a sweep starts; alike in any order, anywhere, twice."""
    return [f"python run.py {shlex.join(run.overrides)}" for run in runs if run.is_due]


def show(runs: Sequence[Planned], overrides: Sequence[str], probe: bool, places: int) -> None:
    """Print the plan for an engine that takes so many runs at a time."""
    screen = console()
    screen.print(_table(runs))
    for run in runs:
        if run.state in (Status.FAILED, Status.UNREADABLE):
            screen.print(f"{run.state}: {run.identity}: {run.error}")
    count = Counter(run.state for run in runs)
    screen.print(
        ", ".join(f"{count[state]} {state}" for state in Status) + f"; {len(runs)} runs in all"
    )
    todo = [run for run in runs if run.is_due]
    if not todo:
        return
    rates, source = _rates(runs, places, probe)
    screen.print(f"expected hours: {_hours(runs, places, rates, source)}")
    under_way = min(places, len(todo))
    disk = max(replay_bytes(run) for run in {run.identity.task: run for run in todo}.values())
    screen.print(
        f"peak disk: {decimal(disk * under_way)} for the replay of {under_way} runs under way"
    )
    screen.print(f"start: python run.py -m {shlex.join(overrides)}")


def _table(runs: Sequence[Planned]) -> Table:
    shown = [state for state in Status if any(run.state == state for run in runs)]
    table = Table("suite", "arm", "tasks", "seeds", "runs", *shown, box=None)
    for suite, arm in dict.fromkeys((run.identity.suite, run.identity.arm) for run in runs):
        own = [run for run in runs if (run.identity.suite, run.identity.arm) == (suite, arm)]
        count = Counter(run.state for run in own)
        tasks, seeds = ({getattr(run.identity, name) for run in own} for name in ("task", "seed"))
        table.add_row(
            suite,
            arm,
            *map(str, (len(tasks), len(seeds), len(own), *(count[state] for state in shown))),
        )
    return table


def _rates(
    runs: Sequence[Planned], places: int, probe: bool
) -> tuple[dict[tuple[str, ...], float], str]:
    """Seconds per agent step by kind of run, and where they are from."""
    rates, source = finished_rates(runs), "finished runs"
    due = [run for run in runs if run.is_due]
    if probe:
        threads = due[0].cfg.run.threads or machine.threads_each(min(places, len(due)))
        missing = {kind: run for kind, run in kinds(due).items() if kind not in rates}
        rates |= {kind: probe(run, threads) for kind, run in missing.items()}
        source = "finished runs and a probe without evaluations" if missing else source
    return rates, source


def _hours(
    runs: Sequence[Planned], places: int, rates: dict[tuple[str, ...], float], source: str
) -> str:
    total = hours([run for run in runs if run.is_due], rates)
    if total is None:
        return "no run has finished yet; --probe measures a few gradient steps"
    at_a_time = f"{total / places:.1f} with {places} runs at a time"
    return f"{at_a_time} ({total:.1f} in all), from {source}"


def _with_sweep(overrides: list[str]) -> list[str]:
    swept = (
        any(override.startswith("+sweep=") for override in overrides)
        or grid.fixed(overrides) != overrides
    )
    return overrides if swept else ["+sweep=claims", *overrides]


PROBED_UPDATES = 12
WARM_UP_LINES = 3


def finished_rates(runs: Sequence[Planned]) -> dict[tuple[str, ...], float]:
    """Median seconds per agent step of the done runs, by (suite, size, arm) and by (suite,
    size)."""
    seconds: dict[tuple[str, ...], list[float]] = {}
    for run in runs:
        if run.state == Status.DONE and run.fields.get("steps"):
            rate = run.fields["wall_seconds"] / run.fields["steps"]
            for key in ((*_kind(run), run.identity.arm), _kind(run)):
                seconds.setdefault(key, []).append(rate)
    return {key: median(rates) for key, rates in seconds.items()}


def probe(run: Planned, threads: int) -> float:
    """Seconds per agent step of a run, evaluations left out, measured on a dozen gradient steps in
    another folder.

    Raises UserError with what the probe said when it fails.
    """
    recipe, every = run.cfg.recipe, max(1, int(run.cfg.run.train_every))
    prefill = recipe.length + 1
    short = [
        f"recipe.prefill={prefill}",
        f"run.steps={prefill + PROBED_UPDATES * every}",
        f"run.log_every={every}",
    ]
    short += ["run.eval_episodes=1", "run.predict_every=0", "run.keep_replay=false", "tracker=none"]
    environment = {**os.environ, **machine.thread_environment(threads)}
    with tempfile.TemporaryDirectory(prefix="probe-") as root:
        command = [sys.executable, str(PROGRAM), *run.overrides, *short, f"run.root={root}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().split("\n")[-1]
            raise UserError(f"the probe of {run.identity} failed: {said.removeprefix('error: ')}")
        lines = [
            json.loads(line)
            for line in next(Path(root).rglob("metrics.jsonl")).read_text().splitlines()
        ]
    learning = [line for line in lines if line["step"] > prefill][WARM_UP_LINES:]
    pairs = zip(learning, learning[1:], strict=False)
    return median(
        (b["wall_seconds"] - a["wall_seconds"]) / (b["step"] - a["step"]) for a, b in pairs
    )


def hours(runs: Sequence[Planned], rates: dict[tuple[str, ...], float]) -> float | None:
    """Hours of one machine's place for the runs that are not done; None where a rate is missing."""
    total = 0.0
    for run in runs:
        if run.state == Status.DONE:
            continue
        rate = rates.get((*_kind(run), run.identity.arm), rates.get(_kind(run)))
        if rate is None:
            return None
        total += rate * (run.cfg.run.steps - (run.fields or {}).get("steps", 0))
    return total / 3600


def replay_bytes(run: Planned) -> int:
    """Most bytes that the replay of a run takes on disk."""
    from gymnasium.spaces import flatdim

    from agent import build
    from agent.run.replay import Replay

    env = build.environment(run.cfg)
    try:
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            replay = Replay(
                Path(folder),
                env.observation_space,
                flatdim(env.action_space),
                run.cfg.recipe.capacity,
            )
            size = replay.disk_bytes(run.cfg.run.steps, run.cfg.run.checkpoint_every)
            replay.close()
            return size
    finally:
        env.close()


def kinds(runs: Sequence[Planned]) -> dict[tuple[str, str], Planned]:
    """The first run of each (suite, size), of those given."""
    first: dict[tuple[str, str], Planned] = {}
    for run in runs:
        first.setdefault(_kind(run), run)
    return first


def _kind(run: Planned) -> tuple[str, str]:
    return run.identity.suite, run.cfg.size.name


if __name__ == "__main__":
    sys.exit(main())
