"""A grid of runs: those that are done are skipped, the others launched, resumed, waited for and
reported."""

import signal
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from agent.errors import UserError
from agent.storage.runfolder import RunFolder
from agent.storage.status import Status
from sweeps import check, grid, job, parallel, report, state, wandb_grids

WAIT_SECONDS = 2.0  # between looks at runs that another sweep trains


class Sweep:
    """Launches the runs of a command that are not done, and ends with a table of those that did not
    get done.

    `params` are sweeps that the command line may replace; `claims` is a claims file whose arms are
    swept: all of them, or those that the claims with the ids `rows` name. `grid` is a W&B sweep
    file, which takes the place of both.
    """

    def __init__(
        self,
        context: HydraContext,
        task: TaskFunction,
        config: DictConfig,
        params: dict[str, str],
        claims: str | None,
        rows: list[str] | None,
        grid: str | None,
    ):
        self.context, self.task, self.config = context, task, config
        self.params, self.claims, self.rows, self.grid = params, claims, rows, grid
        self.stop_file = Path(config.run.root).resolve() / f".sweep-{uuid.uuid4().hex}.stop"
        self.stopped = False

    def sweep(self, arguments: list[str]) -> list:
        """Run every job of the command; exits with status 1 unless all are done at the end."""
        try:
            with self._stopped_by_signals():
                all_done = self._sweep(arguments)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            self.stopped = True
        if self.stopped:
            print("stopped: the same command goes on from the last checkpoints", file=sys.stderr)
            sys.exit(130)
        if not all_done:
            sys.exit(1)
        return []

    def _sweep(self, arguments: list[str]) -> bool:
        parallel.check(self.config.run.threads, self.config.run.jobs_per_gpu)
        started = time.monotonic()
        runs = state.planned(self._jobs(arguments))
        if not runs:
            raise UserError("no claim is about the tasks of this suite: nothing to run")
        check.check(runs, here=self._runs_here())
        todo = [run for run in runs if run.state != Status.DONE]
        print(
            f"{len(runs)} runs, {len(runs) - len(todo)} of them done; {len(todo)} to launch",
            flush=True,
        )
        outcomes = self._launch(todo)
        while not self.stopped and (
            busy := [run for run in todo if outcomes[run.folder].status == Status.UNDER_WAY]
        ):
            outcomes |= self._launch(self._wait_for_one(busy))
        return report.report(
            list(outcomes.values()), len(runs) - len(todo), time.monotonic() - started
        )

    @contextmanager
    def _stopped_by_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM let running jobs write their checkpoints and start no more; Ctrl-C
        again ends at once."""

        def stop(*_) -> None:
            self.stopped = True
            self.stop_file.parent.mkdir(parents=True, exist_ok=True)
            self.stop_file.touch()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print(
                "stopping after the next checkpoints; again: at once", file=sys.stderr, flush=True
            )

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            self.stop_file.unlink(missing_ok=True)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _jobs(self, arguments: list[str]) -> list[list[str]]:
        if self.grid is None:
            return grid.jobs(arguments, self.params, self.claims, self.rows)
        if swept := [override for override in arguments if override not in grid.fixed([override])]:
            raise UserError(f"{swept[0]}: {self.grid} says what is swept; give one value here")
        return [[*job, *arguments] for job in wandb_grids.expand(self.grid)]

    def _launch(self, runs: Sequence[state.Planned]) -> dict[Path, job.Outcome]:
        """Outcomes by folder."""
        if not runs:
            return {}
        environment = {job.STOP_FILE: str(self.stop_file), **self._local_environment(len(runs))}
        passed = [
            f"+hydra.job.env_set.{name}={_quoted(value)}" for name, value in environment.items()
        ]
        launcher = Plugins.instance().instantiate_launcher(self.context, self.task, self.config)
        try:
            returns = launcher.launch(
                [[*run.overrides, *passed] for run in runs], initial_job_idx=0
            )
            return {
                run.folder: _outcome(run, returned)
                for run, returned in zip(runs, returns, strict=True)
            }
        except (
            Exception
        ) as error:  # of the launcher: a worker that was killed, a node that was lost
            print(f"error: {type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
            return {run.folder: job.found(run) for run in runs}

    def _local_environment(self, jobs: int) -> dict[str, str]:
        """Of jobs on this machine, whose cores and GPUs the sweep shares out; a cluster's scheduler
        does it itself."""
        if not self._runs_here():
            return {}
        limit = self.config.hydra.launcher.get("n_jobs", 1)
        limit = parallel.cores() if limit < 0 else limit
        threads = self.config.run.threads or parallel.threads_each(min(limit, jobs))
        return {job.LOCAL: "1", **parallel.thread_environment(threads)}

    def _runs_here(self) -> bool:
        target = self.config.hydra.launcher._target_
        return target.endswith(("BasicLauncher", "JoblibLauncher"))

    def _wait_for_one(self, runs: Sequence[state.Planned]) -> list[state.Planned]:
        """Those of the runs that no other process trains any more: at least one, unless the sweep
        is stopped."""
        print(f"waiting for {len(runs)} runs that other processes train", flush=True)
        while not self.stopped:
            if free := [run for run in runs if RunFolder(run.folder).holder() is None]:
                return free
            time.sleep(WAIT_SECONDS)
        return []


def _outcome(run: state.Planned, returned: JobReturn) -> job.Outcome:
    try:
        return returned.return_value
    except Exception as error:
        return job.Outcome(
            str(run.identity), str(run.folder), Status.FAILED, f"{type(error).__name__}: {error}"
        )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"
