"""Hydra's sweeper for this project: a grid whose runs are skipped, resumed, waited for and reported."""

import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

WAIT_SECONDS = 2.0  # between looks at runs that another sweep trains


class AblationSweeper(Sweeper):
    """Launches the runs of a command that are not done, and ends with a table of those that did not get done.

    `params` are sweeps that the command line may replace; `claims` is a claims file whose arms are swept: all of
    them, or those that the claims with the ids `rows` name. `grid` is a W&B sweep file, which takes the place of both.
    """

    def __init__(self, params: dict[str, str], claims: str | None, rows: list[str] | None, grid: str | None):
        self.params, self.claims, self.rows, self.grid = params, claims, rows, grid
        self.config: DictConfig | None = None
        self.context: HydraContext | None = None
        self.task: TaskFunction | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what a launcher needs."""
        self.config, self.context, self.task = config, hydra_context, task_function

    def sweep(self, arguments: list[str]) -> list:
        """Run every job of the command; exits with status 1 unless all are done at the end."""
        from agent.errors import UserError

        try:
            all_done = self._sweep(arguments)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            print("interrupted: the same command goes on from the last checkpoints", file=sys.stderr)
            sys.exit(130)
        if not all_done:
            sys.exit(1)
        return []

    def _sweep(self, arguments: list[str]) -> bool:
        from sweeps import job, parallel, report, state

        parallel.check(self.config.run.threads, self.config.run.jobs_per_gpu)
        started = time.monotonic()
        runs = state.planned(self._jobs(arguments))
        todo = [run for run in runs if run.state != state.DONE]
        print(f"{len(runs)} runs, {len(runs) - len(todo)} of them done; {len(todo)} to launch", flush=True)
        outcomes = self._launch(todo)
        while waiting := [index for index, outcome in enumerate(outcomes) if outcome.status == job.BUSY]:
            self._wait_for_one([outcomes[index].folder for index in waiting])
            free = [index for index in waiting if not _busy(outcomes[index].folder)]
            for index, again in zip(free, self._launch([todo[index] for index in free]), strict=True):
                outcomes[index] = again
        return report.report(outcomes, len(runs) - len(todo), time.monotonic() - started)

    def _jobs(self, arguments: list[str]) -> list[list[str]]:
        from sweeps import grid, wandb_grids

        if self.grid is None:
            return grid.jobs(arguments, self.params, self.claims, self.rows)
        return [[*job, *grid.fixed(arguments)] for job in wandb_grids.expand(self.grid)]

    def _launch(self, runs: Sequence) -> list:
        if not runs:
            return []
        from sweeps import job

        stop = Path(self.config.run.root).resolve() / f".sweep-{uuid.uuid4().hex}.stop"
        environment = {job.STOP_FILE: str(stop), **self._local_environment(len(runs))}
        passed = [f"+hydra.job.env_set.{name}={_quoted(value)}" for name, value in environment.items()]
        launcher = Plugins.instance().instantiate_launcher(self.context, self.task, self.config)
        try:
            returns = launcher.launch([[*run.overrides, *passed] for run in runs], initial_job_idx=0)
            return [_outcome(run, returned) for run, returned in zip(runs, returns, strict=True)]
        except Exception as error:  # of the launcher: a worker that was killed, a node that was lost
            print(f"error: {type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
            return [job.found(run) for run in runs]
        finally:
            stop.unlink(missing_ok=True)

    def _local_environment(self, jobs: int) -> dict[str, str]:
        """Of jobs on this machine, whose cores and GPUs the sweep shares out; a cluster's scheduler does it itself."""
        from sweeps import job, parallel

        target = self.config.hydra.launcher._target_
        if not target.endswith(("BasicLauncher", "JoblibLauncher")):
            return {}
        limit = self.config.hydra.launcher.get("n_jobs", 1)
        limit = parallel.cores() if limit < 0 else limit
        threads = self.config.run.threads or parallel.threads_each(min(limit, jobs))
        return {job.LOCAL: "1", **{name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}}

    def _wait_for_one(self, folders: list[str]) -> None:
        print(f"waiting for {len(folders)} runs that other processes train", flush=True)
        while all(_busy(folder) for folder in folders):
            time.sleep(WAIT_SECONDS)


def _outcome(run, returned: JobReturn):
    from sweeps import job

    try:
        return returned.return_value
    except Exception as error:
        return job.Outcome(str(run.identity), str(run.folder), job.FAILED, f"{type(error).__name__}: {error}", 0.0)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "\\'") + "'"


def _busy(folder: str) -> bool:
    from agent.runfolder import RunFolder

    return RunFolder(folder).holder() is not None
