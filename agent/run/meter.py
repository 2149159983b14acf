"""Metrics between two log lines: they stay on the device, so that a GPU never waits for the host,
and are reduced when a line is due, so that an update pays for one copy alone."""

from collections.abc import Sequence

import torch
from torch import Tensor


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
