"""One job of a sweep: a child process, of which only its exit status and its files count."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from agent.config import check_value
from agent.errors import UserError
from agent.run.lock import RunFolder
from agent.run.status import PARENT, SIGNALS, STOPPED_BY_SERVER, Exit, Status
from sweeps import machine
from sweeps.grid import ROOT
from sweeps.state import ENDED, look

PROGRAM = ROOT / "run.py"
COMMAND = f"python {PROGRAM.name if Path.cwd() == PROGRAM.parent else PROGRAM}"  # as users give it
UNFINISHED = "the process ended with exit status 0 before the run was done"
POLL_SECONDS = 0.2
GRACE_SECONDS = 60.0  # for a child to write its checkpoint, after `stop_seconds`
STOPPED = (Exit.INTERRUPTED, *(-number for number in SIGNALS))  # exit statuses


def fresh(
    overrides: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
) -> subprocess.Popen:
    """A run's process, as a user starts one; it stops when this process is gone."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *overrides],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**environment, PARENT: str(os.getpid())},
    )


@dataclass(frozen=True)
class Outcome:
    """What came of one job."""

    name: str
    folder: Path
    status: Status
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.status}{f': {self.error}' if self.error else ''}"


@dataclass(frozen=True)
class Job:
    """A run for an engine to start, on this machine or another, by calling the job there."""

    name: str
    folder: Path
    overrides: tuple[str, ...]
    stop_file: Path  # once it is there, the job stops its run
    fail_fast: bool = False
    stop_seconds: float = 20.0  # that the run may go on after it is asked to stop
    environment: Mapping[str, str] = field(default_factory=dict)  # added to the child's
    gpus: tuple[str, ...] = ()  # shared with other jobs here; none where a scheduler does that
    gpu_places: int = 1  # on each
    start: Callable[[Sequence[str], IO[bytes], Mapping[str, str]], subprocess.Popen] = fresh

    def __call__(self) -> Outcome:
        """Run the child process and wait for it; never raises for what happens in the child."""
        if self.stop_file.exists():
            return self.outcome(Status.TODO)
        if held := self.held():
            return held
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            outcome = self.outcome(*result(*self._child(), self.folder))
        except machine.Lost as lost:
            outcome = self.lost(str(lost))
        except (OSError, UserError) as problem:
            outcome = self.outcome(Status.FAILED, str(problem))
        if self.fail_fast and outcome.status in ENDED:
            self.stop_file.touch()
        return outcome

    def outcome(self, status: Status, error: str | None = None) -> Outcome:
        return Outcome(self.name, self.folder, status, error)

    def held(self) -> Outcome | None:
        """The outcome of a job whose run another process trains; None where none does."""
        holder = RunFolder(self.folder).holder()
        return self.outcome(Status.UNDER_WAY, holder) if holder else None

    def lost(self, why: str) -> Outcome:
        """What the run's files say of a job that did not come back; else `why`."""
        state, error, _ = look(self.folder)
        ended = state in (Status.DONE, *ENDED)
        return self.outcome(state, error if ended else why or error)

    def _child(self) -> tuple[int, str]:
        """Exit status of the run's process, negative for a signal, and what it said last."""
        log = self.folder / "log.txt"
        with ExitStack() as stack:
            place = machine.pinned(self.gpus, self.gpu_places, self.stop_file.exists)
            pin = stack.enter_context(place)
            output = stack.enter_context(open(log, "ab", buffering=0))
            output.write(b"\n")  # where the disk is full, this says so
            start = output.tell()
            given = {**machine.slurm_environment(), **self.environment, **pin}
            child = self.start(self.overrides, output, {**os.environ, **given})
            try:
                while child.poll() is None and not self.stop_file.exists():
                    with suppress(subprocess.TimeoutExpired):
                        child.wait(POLL_SECONDS)
            finally:
                code = self._end(child)
        return code, last_line(log.read_bytes()[start:].decode(errors="replace"))

    def _end(self, child: subprocess.Popen) -> int:
        """Ask a child that still runs to stop, and wait for its checkpoint."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(self.stop_seconds + GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
        return child.wait()


def result(code: int, said: str, folder: Path) -> tuple[Status, str | None]:
    """Status and error of a run whose process ended with exit status `code` and `said` last."""
    state, error, _ = look(folder)
    told = said.removeprefix("error: ") or f"exit status {code}"
    if code == Exit.DONE and state == Status.DONE:
        return state, None
    if code == Exit.DONE:
        return Status.FAILED, error or UNFINISHED
    if code == Exit.BUSY:
        return Status.UNDER_WAY, told
    if code == Exit.INTERRUPTED:
        return Status.INTERRUPTED, error if error == STOPPED_BY_SERVER else None
    if code < 0:
        return Status.INTERRUPTED, f"killed by {signal.Signals(-code).name}"
    if code == Exit.BAD_INPUT:
        return Status.FAILED, told
    return (state if state in ENDED else Status.FAILED), error or told


def last_line(text: str) -> str:
    """The last line of a text that is not empty."""
    return text.rstrip().rpartition("\n")[2].strip()


NUMBERS = {  # of the launchers
    **dict.fromkeys(("n_jobs", "max_retries"), Annotated[int, Field(ge=-1)]),
    **dict.fromkeys(("array_parallelism", "cpus_per_task", "timeout_min"), PositiveInt),
    **dict.fromkeys(("max_num_timeout", "max_lost", "signal_delay_s"), NonNegativeInt),
    **dict.fromkeys(("num_cpus", "num_gpus", "mem_gb"), NonNegativeFloat),
}


class Engine(Protocol):
    """Starts jobs and waits for them."""

    is_here: bool = False  # whether jobs run on this machine
    submit_only: bool = False  # whether `run` yields what was submitted instead of waiting for it

    def places(self) -> int:
        """Jobs at a time."""

    def check(self) -> None:
        """UserError, before anything starts, where this engine cannot run jobs here."""
        return

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield the outcome of each job as it ends, in any order."""


def chosen(config: DictConfig) -> Engine:
    """The engine of a configuration's hydra/launcher; Hydra's `basic` is this machine with one run
    after another. UserError for any other."""
    launcher, settings = config.hydra.launcher, config.run
    for key, kind in NUMBERS.items():
        if launcher.get(key) is not None:
            check_value(f"hydra.launcher.{key}", launcher[key], kind)
    if launcher._target_.startswith("sweeps."):
        return instantiate(launcher)
    if (name := config.hydra.runtime.choices["hydra/launcher"]) == "basic":
        from sweeps.local import Local  # which starts jobs

        return Local(1, settings.threads, settings.device, settings.jobs_per_gpu)
    allowed = "local, basic, slurm, slurm_cpu, ray_cluster"
    raise UserError(f"hydra/launcher={name}: allowed here: {allowed}")
