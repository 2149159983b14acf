"""How far a run is, what asks it to stop, and how its process ended."""

import os
import signal
import threading
from enum import IntEnum, StrEnum

from agent.errors import UserError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU)
SIGNALS += (signal.SIGUSR1, signal.SIGUSR2)  # by which Slurm warns
PARENT = "RUN_PARENT"  # environment variable: the pid of the process without which the run stops
AGENT_JOB = "RUN_WANDB_JOB"  # environment variable: pid of the job that a W&B agent started
PARENT_SECONDS = 0.5
STOPPED_BY_SERVER = "stopped by the W&B server"  # error in run.json: nobody is to go on with it


class Status(StrEnum):
    """How far a run is; run.json holds all but the first and the last."""

    TODO = "not started"
    UNDER_WAY = "under way"
    INTERRUPTED = "interrupted"  # goes on from its last checkpoint
    DONE = "done"
    FAILED = "failed"  # does not go on by itself
    DIVERGED = "diverged"  # NaN or infinity in a loss: an end, scored like random play
    UNREADABLE = "unreadable"  # its run.json is broken


class Exit(IntEnum):
    """Exit statuses of a run's process."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    BUSY = 75  # EX_TEMPFAIL: another process owns the run
    INTERRUPTED = 130


class Interrupted(Exception):
    """The run was asked to stop; it can be resumed from its last checkpoint."""


class Stop:
    """Becomes true once the process is asked to stop, by a signal or by the death of its parent;
    Ctrl-C after such a request stops at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in SIGNALS:
            if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # nohup
                signal.signal(number, self._on_signal)
        if parent := os.environ.get(PARENT):
            if not parent.isdecimal():
                raise UserError(f"{PARENT}={parent} must be the number of a process")
            threading.Thread(target=self._watch, args=[parent], name="parent", daemon=True).start()

    def __call__(self) -> bool:
        """Whether the process was asked to stop."""
        return self._asked.is_set()

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()

    def _watch(self, parent: str) -> None:
        while os.getppid() == int(parent) and not self._asked.wait(PARENT_SECONDS):
            pass
        self._asked.set()
