"""How a sweep goes: on a terminal at any time, elsewhere every ten minutes."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from agent.run.status import Status
from sweeps.job import Outcome
from sweeps.state import Planned, look

LIVE_SECONDS, PLAIN_SECONDS = 2.0, 600.0  # between looks at the runs' files


class Display:
    """Shows, from their files, which of `runs` are under way and how far, and the time left."""

    def __init__(self, runs: Sequence[Planned], screen: Console):
        self._screen = screen
        self._open = {run.folder: run for run in runs}
        self._all, self._began = len(runs), time.monotonic()
        self._steps = {run.folder: (run.fields or {}).get("steps", 0) for run in runs}
        self._goals = {run.folder: run.cfg.run.steps for run in runs}
        self._before = self._made()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table, below all that is printed meanwhile, until the block ends."""
        if self._screen.is_interactive:
            rate, options = 1 / LIVE_SECONDS, {"transient": True, "console": self._screen}
            with Live(get_renderable=self.table, refresh_per_second=rate, **options):
                yield
            return
        over = threading.Event()
        threading.Thread(target=self._repeat, args=[over], name="display", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    def end(self, outcome: Outcome) -> str:
        """Take a run off the table; returns the time left, in words."""
        folder = outcome.folder
        del self._open[folder]
        if outcome.status == Status.DONE:
            self._steps[folder] = self._goals[folder]
        self._goals[folder] = self._steps[folder]
        return f"; {self._left()} left" if self._open else ""

    def table(self) -> Group:
        """How many runs ended, the time left, and the runs under way with step and last score."""
        rows = Table("run", "", "step", "score", box=None)
        for folder, run in list(self._open.items()):
            state, _, fields = look(folder)
            if state != Status.UNDER_WAY or not fields:
                continue
            step, goal = fields.get("steps", 0), self._goals[folder]
            self._steps[folder], score = step, fields.get("last_score")
            told = f"{step:,} of {goal:,}", "-" if score is None else f"{score:.4g}"
            rows.add_row(str(run.identity), ProgressBar(goal, step, width=20), *told)
        ended = f"{self._all - len(self._open)} of {self._all} runs ended"
        return Group(f"{ended}, {rows.row_count} under way, {self._left()} left", rows)

    def _made(self) -> int:
        return sum(self._steps.values())

    def _left(self) -> str:
        """The time that the rest takes at the rate since the beginning."""
        made, rest = self._made() - self._before, sum(self._goals.values()) - self._made()
        seconds = time.monotonic() - self._began
        return str(timedelta(seconds=round(rest * seconds / made))) if made > 0 else "unknown time"

    def _repeat(self, over: threading.Event) -> None:
        while not over.wait(PLAIN_SECONDS):
            self._screen.print(self.table())
