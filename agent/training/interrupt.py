"""When a run breaks off: it was asked to stop, or another host took it over."""

import time
from collections.abc import Callable
from pathlib import Path

from agent.storage.runfolder import ClaimLost

STOP_SECONDS = 20.0  # how long a run that is asked to stop waits for an episode's end


class Interrupted(Exception):
    """The run was asked to stop; it can be resumed from its last checkpoint."""


class Interruption:
    """Watches `stop()`, which asks to stop, and `lost()`, which tells of another host."""

    def __init__(self, folder: Path, stop: Callable[[], bool], lost: Callable[[], bool]):
        self._folder = folder
        self._stop = stop
        self._lost = lost
        self._asked_at: float | None = None

    @property
    def asked(self) -> bool:
        """Whether the run was asked to stop: the next episode's end is worth a checkpoint."""
        return self._asked_at is not None

    def check_claim(self) -> None:
        """Raise ClaimLost where the run is another host's: nothing may be written any more."""
        if self._lost():
            raise ClaimLost(f"{self._folder} was taken over by a process on another host")

    def check(self, step: int, last_checkpoint: int) -> None:
        """Raise Interrupted on a checkpoint after the request to stop, or after a while."""
        self.check_claim()
        if self._asked_at is None and self._stop():
            self._asked_at = time.monotonic()
        if self._asked_at is None:
            return
        waited = time.monotonic() - self._asked_at
        if step == last_checkpoint or waited > STOP_SECONDS:
            raise Interrupted(
                f"stopped at step {step}; the last checkpoint is of step {last_checkpoint}"
            )
