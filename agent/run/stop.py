"""When a run breaks off: a signal asks it to stop, its parent died, or another host took it
over."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agent.run.lock import ClaimLost

SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)  # Slurm warns by the last two
PARENT = "RUN_PARENT"  # environment variable: the pid of the process without which the run stops
PARENT_SECONDS = 0.5


class Stop:
    """Becomes true once the process is asked to stop; the same request by Ctrl-C again stops at
    once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        if parent := os.environ.get(PARENT):
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


class Interruption:
    """Watches `stop()`, which asks to stop, and `lost()`, which tells of another host.

    After the request the next end of an episode is worth a checkpoint, and after `patience`
    seconds the next step is, inside an episode.
    """

    def __init__(
        self, folder: Path, patience: float, stop: Callable[[], bool], lost: Callable[[], bool]
    ):
        self._folder = folder
        self._patience = patience
        self._stop = stop
        self._lost = lost
        self._asked_at: float | None = None

    @property
    def asked(self) -> bool:
        """Whether the run was asked to stop."""
        return self._asked_at is not None

    @property
    def pressing(self) -> bool:
        """Whether it was asked so long ago that it waits for no end of an episode any more."""
        return self.asked and time.monotonic() - self._asked_at >= self._patience

    def check_claim(self) -> None:
        """Raise ClaimLost where the run is another host's: nothing may be written any more."""
        if self._lost():
            raise ClaimLost(f"{self._folder} was taken over by a process on another host")

    def check(self, step: int, last_checkpoint: int, evaluating_since: float | None = None) -> None:
        """Raise Interrupted after the request to stop: on the checkpoint of `step`, or inside an
        evaluation that outlasts the patience, however long it was asked before."""
        self._listen()
        on_checkpoint = self.asked and step == last_checkpoint
        if on_checkpoint if evaluating_since is None else self._outlasted(evaluating_since):
            raise Interrupted(
                f"stopped at step {step}; the last checkpoint is of step {last_checkpoint}"
            )

    def _outlasted(self, since: float) -> bool:
        waiting_since = max(self._asked_at or math.inf, since)
        return time.monotonic() - waiting_since >= self._patience

    def _listen(self) -> None:
        self.check_claim()
        if self._asked_at is None and self._stop():
            self._asked_at = time.monotonic()
