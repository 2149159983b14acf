"""Curves and pictures for TensorBoard, over environment frames."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from agent.errors import UserError
from agent.storage.record import AXES, Record
from agent.storage.track.evaluation import Evaluation


class TensorBoard:
    """Writes event files below the run's folder; what came after the checkpoint of a resumed run is
    hidden."""

    def __init__(self, record: Record, name: str):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise UserError(
                f"tracker={name} misses the module {error.name}: pip install tensorboard"
            ) from error
        self._make, self._folder = SummaryWriter, record.path / "tensorboard"
        self._repeat = record.fields["config"]["task"]["action_repeat"]
        self._evaluation = Evaluation(record.fields["config"]["run"]["eval_episodes"])
        self._writer = None

    def log(self, row: Mapping[str, Any]) -> None:
        """Add every number of a line of metrics.jsonl."""
        for key, value in row.items():
            if key not in AXES and value is not None:
                self._open().add_scalar(f"metrics/{key}", value, row["env_frames"])

    def score(self, row: Mapping[str, Any]) -> None:
        """Add the return of a training episode, or the mean return of an evaluation."""
        mean = row["return"] if row["kind"] == "train" else self._evaluation.add(row)
        if mean is not None:
            self._open().add_scalar(f"{row['kind']}/return", mean, row["env_frames"])

    def image(self, name: str, step: int, array: np.ndarray) -> None:
        """Add a picture, uint8 (H, W, C)."""
        self._open().add_image(f"pictures/{name}", array, step * self._repeat, dataformats="HWC")

    def rewind(self, step: int, record: Record) -> None:
        """Hide what was written about later steps than `step`."""
        self._open(purge_step=(step + 1) * self._repeat)

    def close(self, status: str) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, purge_step: int | None = None):
        if self._writer is None:
            self._writer = self._make(str(self._folder), purge_step=purge_step)
        return self._writer
