"""Metrics between two log lines: sums that stay on the device, so that a GPU never waits for the
host."""

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
        self.count = 0  # updates since the last line
        self.sums: Tensor | None = None  # (metrics,) float32
        self.bad_step: Tensor | None = (
            None  # (metrics,) agent step of the first NaN or inf, -1: none
        )
        self.saturated = {
            name: 0.0 for name in saturation_keys
        }  # sums over the run up to the last line
        self.updates = 0  # updates up to the last line

    def add(self, metrics: dict[str, Tensor], step: int) -> None:
        """Add the metrics (0-d tensors) of one update, made at agent step `step`."""
        values = torch.stack([value.detach().float() for value in metrics.values()])
        if self.sums is None:
            self.names, self.sums = list(metrics), torch.zeros_like(values)
        if list(metrics) != self.names:
            raise ValueError(
                f"an update returned the metrics {list(metrics)}, earlier ones {self.names}"
            )
        if self.bad_step is None:
            self.bad_step = torch.full_like(values, -1, dtype=torch.int64)
        self.bad_step = torch.where((self.bad_step < 0) & ~values.isfinite(), step, self.bad_step)
        self.sums += values
        self.count += 1

    def check(self) -> None:
        """Raise Diverged that names the loss and the step if any metric was NaN or
        infinite."""
        if self.bad_step is None:
            return
        bad = {
            name: step
            for name, step in zip(self.names, self.bad_step.tolist(), strict=True)
            if step >= 0
        }
        if bad:
            first = min(bad.values())
            names = ", ".join(name for name, step in bad.items() if step == first)
            raise Diverged(f"NaN or infinity in {names} at step {first}")

    def flush(self) -> dict[str, float]:
        """Means since the last call, empty where there was no update."""
        if not self.count:
            return {}
        sums = dict(zip(self.names, self.sums.tolist(), strict=True))
        for name in self.saturated:
            self.saturated[name] += sums[name]
        self.updates += self.count
        means = {name: total / self.count for name, total in sums.items()}
        self.sums, self.count = torch.zeros_like(self.sums), 0
        return means

    def saturation(self) -> dict[str, float]:
        """Mean over the run's updates, up to the last line, of each saturation key; empty before
        the first line."""
        return (
            {name: total / self.updates for name, total in self.saturated.items()}
            if self.updates
            else {}
        )

    def state_dict(self) -> dict:
        """What a resumed run needs to go on with the same sums."""
        return {
            "names": self.names,
            "count": self.count,
            "sums": self.sums,
            "saturated": self.saturated,
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict, device: torch.device) -> None:
        """Restore what `state_dict` returned."""
        self.names, self.count, self.updates = state["names"], state["count"], state["updates"]
        self.saturated = state["saturated"]
        self.sums = None if state["sums"] is None else state["sums"].to(device)
