"""When a run is asked to stop: by a signal, or because its parent died."""

import os
import signal
import threading

from agent.errors import UserError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU)
SIGNALS += (signal.SIGUSR1, signal.SIGUSR2)  # by which Slurm warns
PARENT = "RUN_PARENT"  # environment variable: the pid of the process without which the run stops
AGENT_JOB = "RUN_WANDB_JOB"  # environment variable: pid of the job that a W&B agent started
PARENT_SECONDS = 0.5


class Stop:
    """Becomes true once the process is asked to stop; the same request by Ctrl-C again stops at
    once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in SIGNALS:
            if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN):  # nohup
                signal.signal(number, self._on_signal)
        if parent := os.environ.get(PARENT):
            if not parent.isdecimal():
                raise UserError(f"{PARENT}={parent} must be the number of a process")
            threading.Thread(
                target=self._watch_parent, args=(int(parent),), name="parent", daemon=True
            ).start()

    def __call__(self) -> bool:
        """Whether the process was asked to stop."""
        return self._asked.is_set()

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()

    def _watch_parent(self, parent: int) -> None:
        while os.getppid() == parent and not self._asked.wait(PARENT_SECONDS):
            pass
        self._asked.set()


class Interrupted(Exception):
    """The run was asked to stop; it can be resumed from its last checkpoint."""
