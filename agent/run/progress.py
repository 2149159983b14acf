"""Progress on the terminal; silent where standard error is not one."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

REFRESH_SECONDS = 0.25


class Display:
    """A bar with steps, the last return, steps/s, gradient steps/s and the time that remains."""

    def __init__(self, steps: int, done: int, gradient_steps: int, console: Console | None = None):
        """Begin at `done` of `steps` agent steps."""
        console = console or Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TextColumn("return {task.fields[last_return]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("", total=steps, completed=done, rates="", last_return="-")
        self._shown = (time.monotonic(), done, gradient_steps)

    def __enter__(self) -> "Display":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def update(self, step: int, gradient_steps: int, last_return: float | None) -> None:
        """Show the counts and the rates since the last time they were shown; cheap enough for every
        step."""
        now = time.monotonic()
        before, step_before, gradient_steps_before = self._shown
        if self._bar.disable or now - before < REFRESH_SECONDS:
            return
        rates = (
            (step - step_before) / (now - before),
            (gradient_steps - gradient_steps_before) / (now - before),
        )
        self._shown = (now, step, gradient_steps)
        self._bar.update(
            self._task,
            completed=step,
            rates=f"{rates[0]:.0f} steps/s {rates[1]:.1f} gradient steps/s",
            last_return="-" if last_return is None else f"{last_return:.4g}",
            refresh=True,
        )
