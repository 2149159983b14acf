"""When a run is asked to stop: signals, a parent process that died, a claim that was lost."""

import os
import signal
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)  # Slurm warns by the last two
PARENT = "RUN_PARENT"  # environment variable: the pid of the process without which the run stops
PARENT_SECONDS = 0.5


class Stop:
    """Becomes true once the process is asked to stop; the same request by Ctrl-C again stops at once."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._also: list[Callable[[], bool]] = []
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        if parent := os.environ.get(PARENT):
            threading.Thread(target=self._watch_parent, args=(int(parent),), name="parent", daemon=True).start()

    def __call__(self) -> bool:
        """Whether the process was asked to stop."""
        return self._asked.is_set() or any(asked() for asked in self._also)

    def also(self, asked: Callable[[], bool]) -> None:
        """Stop when `asked()` too."""
        self._also.append(asked)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGINT and self._asked.is_set():
            raise KeyboardInterrupt
        self._asked.set()

    def _watch_parent(self, parent: int) -> None:
        while os.getppid() == parent:
            self._asked.wait(PARENT_SECONDS)
        self._asked.set()
