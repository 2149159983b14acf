"""A grid of runs: skipped where done, else launched, resumed, waited for and reported."""

import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Column, Table

from agent.errors import UserError
from agent.run.lock import RunFolder
from agent.run.status import Exit, Status
from sweeps import grid, state, wandb_sweeps
from sweeps.display import Display
from sweeps.job import Engine, Job, Outcome, chosen

WAIT_SECONDS = 2.0  # between looks at runs that another sweep trains
FILE_WIDTH = 200  # columns where the output is no terminal


class Sweep:
    """Launches the runs of a command that are not done, and ends with a table of those that did not
    get done. conf/hydra/sweeper/ablation.yaml explains the options of hydra/sweeper."""

    def __init__(self, config: DictConfig):
        self.config = config
        self.options = config.hydra.sweeper
        self.stop_file = Path(config.run.root).resolve() / f".sweep-{uuid.uuid4().hex}.stop"
        self.stopped = False

    def sweep(self, arguments: list[str]) -> int:
        """Run every job; returns the exit status, 0 where all are done, or submitted where that is
        all."""
        try:
            succeeded = self._sweep(arguments)
        except KeyboardInterrupt:
            self.stopped = True
        if self.stopped:
            print("stopped: the same command goes on from the last checkpoints", file=sys.stderr)
            return Exit.INTERRUPTED
        return Exit.DONE if succeeded else Exit.FAILED

    def _sweep(self, arguments: list[str]) -> bool:
        if self.options.trial:
            return self._try_out(arguments)
        if given := [key for key in ("weights", "rounds", "results", "pilot") if self.options[key]]:
            raise UserError(f"hydra.sweeper.{given[0]} is an option of +sweep=trial")
        runs = asked(arguments, self.options)
        if not runs:
            raise UserError("no claim is about the tasks of this suite: nothing to run")
        return self._carry_out(runs)

    def _try_out(self, arguments: list[str]) -> bool:
        """Run a trial round after round, until it has ended or a round does not get complete."""
        from sweeps.trial import Trial  # pandas: only where runs are judged

        trial, tried, carried_out = Trial(arguments, self.options), 0, True
        while (due := trial.next()) and due[0] > tried and not self.stopped:
            tried, runs = due
            print(f"round {tried} of {len(trial.rounds)}:", flush=True)
            carried_out = self._carry_out(runs)
        if due is None:
            print("the trial has ended", flush=True)
        return due is None or carried_out

    def _carry_out(self, runs: Sequence[state.Planned]) -> bool:
        """Launch the runs that are due and report; whether all are done, or submitted."""
        started = time.monotonic()
        todo = [run for run in runs if run.is_due]
        done = sum(run.state == Status.DONE for run in runs)
        engine = chosen(self.config)
        state.check(todo, here=engine.is_here)
        if todo:
            engine.check()
        print(f"{len(runs)} runs, {done} of them done; {len(todo)} to launch", flush=True)
        outcomes = {run.folder: _left_alone(run) for run in runs if run.is_over}
        with self._stopped_by_signals():  # before, while jobs are composed, Ctrl-C ends at once
            outcomes |= self._launch(engine, todo)
            while not (self.stop_file.exists() or engine.submit_only) and (
                busy := [run for run in todo if outcomes[run.folder].status == Status.UNDER_WAY]
            ):
                outcomes |= self._launch(engine, self._wait_for_one(busy))
        all_done = report(list(outcomes.values()), done, time.monotonic() - started)
        ended = any(outcome.status in state.ENDED for outcome in outcomes.values())
        return all_done or (engine.submit_only and not ended)

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM let running jobs write their checkpoints and start no more; Ctrl-C
        again ends at once."""

        def stop(*_) -> None:
            self.stopped = True
            self.stop_file.parent.mkdir(parents=True, exist_ok=True)
            self.stop_file.touch()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            told = "stopping after the next checkpoints; again: at once"
            print(told, file=sys.stderr, flush=True)

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self.stop_file.unlink(missing_ok=True)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _launch(self, engine: Engine, runs: Sequence[state.Planned]) -> dict[Path, Outcome]:
        """Outcomes by folder, each told as it comes."""
        outcomes: dict[Path, Outcome] = {}
        if not runs:
            return outcomes
        display = Display(runs, console())
        with display.shown(), closing(engine.run([self._job(run) for run in runs])) as ending:
            for outcome in ending:
                outcomes[outcome.folder], left = outcome, display.end(outcome)
                print(f"[{len(outcomes)}/{len(runs)}] {outcome}{left}", flush=True)
        return outcomes

    def _job(self, run: state.Planned) -> Job:
        return Job(
            str(run.identity),
            run.folder,
            run.overrides,
            self.stop_file,
            run.cfg.run.fail_fast,
            run.cfg.run.stop_seconds,
        )

    def _wait_for_one(self, runs: Sequence[state.Planned]) -> list[state.Planned]:
        """The runs that no other process trains any more: none only once the sweep is stopped."""
        print(f"waiting for {len(runs)} runs that other processes train", flush=True)
        while not self.stop_file.exists():
            if free := [run for run in runs if RunFolder(run.folder).holder() is None]:
                return free
            time.sleep(WAIT_SECONDS)
        return []


def asked(arguments: list[str], options: DictConfig) -> list[state.Planned]:
    """The runs that a command with the options of its sweep stands for, where that is no trial."""
    if options.grid is None:
        jobs = grid.jobs(arguments, options.params, options.claims, options.rows)
        return state.planned(jobs)
    if swept := [override for override in arguments if override not in grid.fixed([override])]:
        raise UserError(f"{swept[0]}: {options.grid} says what is swept; give one value here")
    return state.planned([*job, *arguments] for job in wandb_sweeps.expand(options.grid))


def _left_alone(run: state.Planned) -> Outcome:
    again = "; run.retry_failed=true tries again" if run.fields else ""
    return Outcome(str(run.identity), run.folder, run.state, f"{run.error}{again}")


def report(outcomes: Sequence[Outcome], already: int, seconds: float) -> bool:
    """Print a table of the runs that are not done and a line of counts; whether all are done."""
    screen = console()
    bad = [outcome for outcome in outcomes if outcome.status != Status.DONE]
    if bad:
        columns = [Column(name, overflow="fold") for name in ("run", "status", "error", "folder")]
        table = Table(*columns, title="not done", title_justify="left", box=None)
        for outcome in bad:
            table.add_row(outcome.name, outcome.status, outcome.error or "", str(outcome.folder))
        screen.print(table)
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{number} {status}" for status, number in sorted(counts.items())]
    screen.print(f"sweep: {', '.join([*parts, f'{already} done before'])} in {seconds:.0f} s")
    return not bad


def console() -> Console:
    """A console that wraps at the terminal's width, and hardly ever elsewhere."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else FILE_WIDTH)
