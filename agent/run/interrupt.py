"""When a run breaks off: it was asked to stop, or another host took it over."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from agent.run.runfolder import ClaimLost


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
