"""What a sweep will do, before anything runs: the runs, what is done already, hours and disk.

python -m sweeps.plan suite=atari      # with no sweep and no list of values: the paper's claims
python -m sweeps.plan +sweep=trial suite=mini
python -m sweeps.plan +sweep=latent suite=mini --probe
python -m sweeps.plan suite=atari --commands > jobs.txt     # one command a line, for any scheduler
"""

import json
import shlex
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import linear_regression, median

from omegaconf import DictConfig
from rich.filesize import decimal
from rich.table import Table

from agent.errors import UserError, complaint
from agent.run.compose import project_config
from agent.run.status import Status
from hydra_plugins.own_options import parsed
from sweeps import grid, machine, program
from sweeps.job import COMMAND, Engine, Job, chosen
from sweeps.state import Planned, check, planned
from sweeps.sweep import asked, console

PROBED_UPDATES = 12
WARM_UP_LINES = 3
Kind = tuple[str, ...]  # suite, size and task, or the first two


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan of the overrides given; returns the exit status."""
    parser = program("plan", __doc__)
    add = parser.add_argument
    add("--probe", action="store_true", help="time a few gradient steps where no run has finished")
    add("--commands", action="store_true", help="print the commands of the runs that are to do")
    try:
        given, unknown = parsed(parser, arguments)
        if unknown:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        with project_config():
            overrides = _with_sweep(given.overrides)
            Plan(overrides, grid.configured(overrides)).show(given.commands, given.probe)
    except UserError as error:
        print(complaint(error), file=sys.stderr)
        return 2
    return 0


def _with_sweep(overrides: list[str]) -> list[str]:
    named = any(override.startswith(("+sweep=", "hydra.sweeper.grid=")) for override in overrides)
    swept = named or grid.fixed(overrides) != overrides
    return overrides if swept else ["+sweep=claims", *overrides]


class Plan:
    """The runs that a command stands for; those of a trial up to its next round."""

    def __init__(self, overrides: list[str], config: DictConfig):
        self.overrides = overrides
        self.engine: Engine = chosen(config)
        self.sizes: list[int] = []  # runs up to each round of a trial
        sweeper = config.hydra.sweeper
        if sweeper.trial:
            from sweeps.trial import Trial  # pandas: only where runs are judged

            trial = Trial(overrides, sweeper)
            self.sizes = [trial.size(number) for number in trial.rounds]
            self.round, self.runs = trial.next() or (0, [])
        else:
            self.runs = asked(overrides, sweeper)
        check(self.runs, here=self.engine.is_here)

    def show(self, commands: bool, probe: bool) -> None:
        """Print the plan, or only the commands of the runs that are due."""
        due = [run for run in self.runs if run.is_due]
        if commands:
            sys.stdout.writelines(f"{COMMAND} {shlex.join(run.overrides)}\n" for run in due)
            return
        screen = console()
        if self.sizes:
            sizes = ", ".join(map(str, self.sizes))
            following = f"round {self.round} is next" if self.runs else "the trial has ended"
            screen.print(f"runs up to each round: {sizes}; {following}")
        if not self.runs:
            return
        screen.print(_table(self.runs, "task" if self.sizes else "arm"))
        for run in self.runs:
            if run.state in (Status.FAILED, Status.UNREADABLE):
                screen.print(f"{run.state}: {run.identity}: {run.error}")
        count = Counter(run.state for run in self.runs)
        states = ", ".join(f"{count[state]} {state}" for state in Status)
        screen.print(f"{states}; {len(self.runs)} runs in all")
        if due:
            self._show_cost(screen, due, probe)

    def _show_cost(self, screen, due: Sequence[Planned], is_probed: bool) -> None:
        places = self.engine.places()
        under_way = min(places, len(due))
        known, source = rates(self.runs), "finished runs"
        lacking = {_kind(run)[:2]: run for run in reversed(due) if _kind(run)[:2] not in known}
        if lacking and is_probed:
            threads = machine.threads_each(under_way)
            known |= {kind: probe(run, threads) for kind, run in lacking.items()}
            source = "finished runs and a probe without evaluations"
            lacking = {}
        if lacking:
            suite, size = list(lacking)[-1]
            unknown = f"no run of suite={suite} with size={size} has finished yet"
            screen.print(f"expected hours: {unknown}; --probe times a few gradient steps")
        else:
            total = hours(due, known)
            at_a_time = f"{places} runs at a time on run.device={due[0].cfg.run.device}"
            some = f"{total / places:.1f} with {at_a_time} ({total:.1f} in all)"
            screen.print(f"expected hours: {some}, from {source}")
            if self.sizes:
                left = self.sizes[-1] - len(self.runs)
                later = left * hours(due, known, whole=True) / len(due)
                screen.print(f"of later rounds at most: {later / places:.1f} ({later:.1f} in all)")
        disk = max(replay_bytes(run) for run in {run.identity.task: run for run in due}.values())
        peak = decimal(disk * under_way)
        screen.print(f"peak disk: {peak} for the replay of {under_way} runs under way")
        screen.print(f"start: {COMMAND} -m {shlex.join(self.overrides)}")


def _table(runs: Sequence[Planned], by: str) -> Table:
    shown = [state for state in Status if any(run.state == state for run in runs)]
    other = {"arm": "task", "task": "arm"}[by]
    table = Table("suite", by, f"{other}s", "seeds", "runs", *shown, box=None)
    rows = defaultdict(list)
    for run in runs:
        rows[run.identity.suite, getattr(run.identity, by)].append(run)
    for names, own in rows.items():
        count = Counter(run.state for run in own)
        others, seeds = ({getattr(run.identity, name) for run in own} for name in (other, "seed"))
        numbers = (len(others), len(seeds), len(own), *(count[state] for state in shown))
        table.add_row(*names, *map(str, numbers))
    return table


def rates(runs: Sequence[Planned]) -> dict[Kind, float]:
    """Seconds per agent step by kind of run, the medians of the done runs; a task's, or all's."""
    found = defaultdict(list)
    for run in runs:
        if run.state == Status.DONE and run.fields.get("steps"):
            for kind in (_kind(run), _kind(run)[:2]):
                found[kind].append(run.fields["wall_seconds"] / run.fields["steps"])
    return {kind: median(own) for kind, own in found.items()}


def hours(runs: Sequence[Planned], known: dict[Kind, float], whole: bool = False) -> float:
    """Hours, one run at a time, for what is left of the runs or for the `whole` of them."""
    seconds = 0.0
    for run in runs:
        done = 0 if whole else (run.fields or {}).get("steps", 0)
        rate = known.get(_kind(run)) or known[_kind(run)[:2]]
        seconds += rate * (run.cfg.run.steps - done)
    return seconds / 3600


def _kind(run: Planned) -> Kind:
    return run.identity.suite, run.cfg.size.name, run.identity.task


def probe(run: Planned, threads: int) -> float:
    """Seconds per agent step of a run, without evaluations, measured on a dozen gradient steps in
    another folder; UserError with what the probe said when it fails."""
    recipe, every = run.cfg.recipe, max(1, int(run.cfg.run.train_every))
    prefill = recipe.length + 1
    short = [
        f"recipe.prefill={prefill}",
        f"run.steps={prefill + PROBED_UPDATES * every}",
        f"run.log_every={every}",
        *("run.eval_episodes=1", "run.predict_every=0", "run.keep_replay=false", "tracker=none"),
    ]
    environment = machine.thread_environment(run.cfg.run.threads or threads)
    with tempfile.TemporaryDirectory(prefix="probe-") as root:
        (other,) = planned([[*run.overrides, *short, f"run.root={root}"]])
        stop = Path(root, "stop")
        outcome = Job("", other.folder, other.overrides, stop, environment=environment)()
        if outcome.status != Status.DONE:
            raise UserError(f"the probe of {run.identity} failed: {outcome.error}")
        lines = list(map(json.loads, (other.folder / "metrics.jsonl").open()))
    learning = [line for line in lines if line["step"] > prefill][WARM_UP_LINES:]
    seconds = [line["wall_seconds"] for line in learning]
    return linear_regression([line["step"] for line in learning], seconds).slope


def replay_bytes(run: Planned) -> int:
    """Most bytes that the replay of a run takes on disk."""
    from gymnasium.spaces import flatdim

    from agent import build
    from agent.run.replay import Replay

    with (
        closing(build.environment(run.cfg)) as env,
        tempfile.TemporaryDirectory(prefix="replay-") as folder,
    ):
        given = env.observation_space, flatdim(env.action_space), run.cfg.recipe.capacity
        with closing(Replay(Path(folder), *given)) as replay:
            return replay.disk_bytes(run.cfg.run.steps, run.cfg.run.checkpoint_every)


if __name__ == "__main__":
    sys.exit(main())
