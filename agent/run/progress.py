"""How a run is going: how far it is, the means of its losses, and what is said of it."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor


@dataclass
class Clock:
    """Agent steps, environment frames and seconds of a run of `steps` agent steps, the first
    `prefill` of them random."""

    steps: int
    prefill: int
    action_repeat: int
    step: int = 0
    _started: float = field(default_factory=time.monotonic)

    @property
    def progress(self) -> float:
        """Share of the run's agent steps after the prefill, in [0, 1]."""
        return max(0.0, (self.step - self.prefill) / max(1, self.steps - self.prefill))

    @property
    def over(self) -> bool:
        """Whether the last step is done."""
        return self.step >= self.steps

    @property
    def frames(self) -> int:
        """Environment frames."""
        return self.step * self.action_repeat

    @property
    def seconds(self) -> float:
        """Seconds of training, those before an interruption included."""
        return time.monotonic() - self._started

    def due(self, every: int) -> bool:
        """Whether this step is one of every `every`; never for 0."""
        return every > 0 and self.step % every == 0

    def updates(self, train_every: float) -> int:
        """Gradient steps that belong to the steps so far: one per `train_every` after prefill."""
        return int((self.step - self.prefill) // train_every)

    def state_dict(self) -> dict:
        """What a resumed run goes on from."""
        return {"step": self.step, "seconds": self.seconds}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        self.step = state["step"]
        self._started = time.monotonic() - state["seconds"]


class Diverged(FloatingPointError):
    """A loss was NaN or infinite."""


class Meter:
    """Metrics of the updates since the last line, kept on the device: no GPU waits for the host."""

    def __init__(self):
        self.names: list[str] = []
        self.rows: list[Tensor] = []  # (metrics,) float32 of each update

    @torch.no_grad()
    def add(self, metrics: dict[str, Tensor]) -> None:
        """Add the metrics () of one update."""
        self.names = list(metrics)
        self.rows.append(torch.stack(list(metrics.values())))

    def check(self, updates: int) -> None:
        """Raise Diverged for NaN or infinity; it names the loss and the update, of `updates`."""
        finite = torch.stack(self.rows).isfinite().tolist() if self.rows else []
        for update, row in enumerate(finite, updates - len(finite) + 1):
            if not all(row):
                names = ", ".join(n for n, good in zip(self.names, row, strict=True) if not good)
                raise Diverged(f"NaN or infinity in {names} at gradient step {update}")

    def flush(self) -> dict[str, float]:
        """Means since the last call, empty where there was no update."""
        if not self.rows:
            return {}
        means = torch.stack(self.rows).double().mean(0).tolist()
        self.rows = []
        return dict(zip(self.names, means, strict=True))

    def state_dict(self) -> dict:
        """What a resumed run needs to go on with the same means."""
        return {"names": self.names, "rows": torch.stack(self.rows) if self.rows else None}

    def load_state_dict(self, state: dict, device: torch.device) -> None:
        """Restore what `state_dict` returned."""
        self.names, rows = state["names"], state["rows"]
        self.rows = [] if rows is None else list(rows.to(device).unbind())


class Display:
    """Says on standard error how a run goes: in lines, and on a terminal with a bar below them."""

    def __init__(self, clock: Clock, updates: int, console: Console | None = None):
        """Begin where `clock` is, after `updates` gradient steps."""
        console = console or Console(stderr=True)
        self.last_return: float | None = None  # of the training
        self.score: float | None = None  # of the last evaluation
        self._clock = clock
        self.bar = Progress(  # to be entered while the run is under way
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rates]}"),
            TextColumn("return {task.fields[last_return]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self.bar.add_task(
            "", total=clock.steps, completed=clock.step, rates="", last_return="-"
        )
        self._began = time.monotonic(), clock.step, updates

    def say(self, line: str) -> None:
        """Print a line."""
        self.bar.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def evaluated(self, updates: int, score: float) -> None:
        """Say what an evaluation came to, how fast the run is, and how long it will take."""
        self.score, (steps, rate) = score, self._rates(updates)
        left = (self._clock.steps - self._clock.step) / steps if steps else 0
        self.say(
            f"step {self._clock.step:,} of {self._clock.steps:,}: score {score:.4g}, "
            f"{rate:.1f} updates/s, {timedelta(seconds=round(left))} left"
        )

    def update(self, updates: int) -> None:
        """Let the bar show the counts and the rates when it draws itself next."""
        if self.bar.disable:
            return
        steps, rate = self._rates(updates)
        self.bar.update(
            self._task,
            completed=self._clock.step,
            rates=f"{steps:.0f} steps/s {rate:.1f} updates/s",
            last_return="-" if self.last_return is None else f"{self.last_return:.4g}",
        )

    def _rates(self, updates: int) -> tuple[float, float]:
        """Agent steps and updates a second, since the beginning."""
        began, step, updates_before = self._began
        seconds = max(1e-9, time.monotonic() - began)
        return (self._clock.step - step) / seconds, (updates - updates_before) / seconds
