"""How a run is going: how far it is, the means of its losses, and what a terminal shows of it."""

import time
from collections.abc import Sequence

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor


class Clock:
    """Counts of a run of `steps` agent steps, the first `prefill` of them random."""

    def __init__(self, steps: int, prefill: int, action_repeat: int):
        self.steps = steps
        self.prefill = prefill
        self.action_repeat = action_repeat
        self.step = 0
        self.gradient_steps = 0
        self._seconds_before = 0.0
        self._started = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the run's agent steps after the prefill, in [0, 1]."""
        share = (self.step - self.prefill) / max(1, self.steps - self.prefill)
        return min(1.0, max(0.0, share))

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
        return self._seconds_before + time.monotonic() - self._started

    def due(self, every: int) -> bool:
        """Whether this step is one of every `every`; never for 0."""
        return every > 0 and self.step % every == 0

    def owed(self, train_every: float) -> int:
        """Gradient steps that are to be caught up with: one per `train_every` steps."""
        return int((self.step - self.prefill) // train_every) - self.gradient_steps

    def state_dict(self) -> dict:
        """What a resumed run goes on from."""
        return {
            "step": self.step,
            "gradient_steps": self.gradient_steps,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        self.step = state["step"]
        self.gradient_steps = state["gradient_steps"]
        self._seconds_before = state["seconds"]
        self._started = time.monotonic()


class Diverged(FloatingPointError):
    """A loss was NaN or infinite."""


class Meter:
    """Means of the losses since the last line, saturation over the run, and a watch for NaN and
    infinity."""

    def __init__(self, saturation_keys: Sequence[str]):
        """Watch `saturation_keys`, metrics in [0, 1] that tell how far a toggle was saturated in an
        update."""
        self.names: list[str] = []
        self.rows: list[Tensor] = []  # (metrics,) float32 of each update since the last line
        self.steps: list[int] = []  # the agent step of each
        self.saturated = {
            name: 0.0 for name in saturation_keys
        }  # sums over the run up to the last line
        self.updates = 0  # updates up to the last line

    @torch.no_grad()
    def add(self, metrics: dict[str, Tensor], step: int) -> None:
        """Add the metrics (0-d tensors) of one update, made at agent step `step`."""
        names = list(metrics)
        if self.names and names != self.names:
            raise ValueError(f"an update returned the metrics {names}, earlier ones {self.names}")
        self.names = names
        self.rows.append(torch.stack(list(metrics.values())))
        self.steps.append(step)

    def check(self) -> None:
        """Raise Diverged that names the loss and the step if any metric since the last line was
        NaN or infinite."""
        if not self.rows:
            return
        finite = torch.stack(self.rows).isfinite().tolist()
        for step, row in zip(self.steps, finite, strict=True):
            if not all(row):
                names = ", ".join(n for n, good in zip(self.names, row, strict=True) if not good)
                raise Diverged(f"NaN or infinity in {names} at step {step}")

    def flush(self) -> dict[str, float]:
        """Means since the last call, empty where there was no update."""
        if not self.rows:
            return {}
        count, sums = len(self.rows), torch.stack(self.rows).double().sum(0).tolist()
        sums = dict(zip(self.names, sums, strict=True))
        for name in self.saturated:
            self.saturated[name] += sums[name]
        self.updates += count
        self.rows, self.steps = [], []
        return {name: total / count for name, total in sums.items()}

    def saturation(self) -> dict[str, float]:
        """Mean over the run's updates, up to the last line, of each saturation key; empty before
        the first line."""
        return (
            {name: total / self.updates for name, total in self.saturated.items()}
            if self.updates
            else {}
        )

    def state_dict(self) -> dict:
        """What a resumed run needs to go on with the same means."""
        return {
            "names": self.names,
            "rows": torch.stack(self.rows) if self.rows else None,
            "steps": self.steps,
            "saturated": self.saturated,
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict, device: torch.device) -> None:
        """Restore what `state_dict` returned."""
        self.names, self.steps, self.updates = state["names"], state["steps"], state["updates"]
        self.saturated = state["saturated"]
        rows = state["rows"]
        self.rows = [] if rows is None else list(rows.to(device).unbind())


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
