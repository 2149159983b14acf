"""Curves, pictures, configuration and final score for TensorBoard, over environment frames."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from agent.errors import UserError
from agent.run.record import AXES, IDENTITY, Record
from agent.run.status import Status
from agent.run.track.evaluation import Evaluation
from agent.run.track.history import replay

EVENT_FILES = "events.out.tfevents.*"


class TensorBoard:
    """Writes event files below the run's folder, which are written anew when a run goes on."""

    def __init__(self, record: Record, name: str):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ModuleNotFoundError as error:
            raise UserError(
                f"tracker={name} misses the module {error.name}: pip install tensorboard"
            ) from error
        self._make = SummaryWriter
        self._folder = record.path / "tensorboard"
        self._record = record
        self._repeat = record.fields["config"]["task"]["action_repeat"]
        self._evaluation = Evaluation(record.fields["config"])
        self._final: dict[str, float] = {}
        self._writer = None

    def log(self, row: Mapping[str, Any]) -> None:
        """Add every number of a line of metrics.jsonl."""
        for key, value in row.items():
            if key not in AXES and value is not None:
                self._writer.add_scalar(f"metrics/{key}", value, row["env_frames"])

    def score(self, row: Mapping[str, Any]) -> None:
        """Add the return of a training episode, or the mean return and score of an evaluation."""
        if row["kind"] == "train":
            self._writer.add_scalar("train/return", row["return"], row["env_frames"])
        elif means := self._evaluation.add(row):
            self._final = means
            for name, value in means.items():
                self._writer.add_scalar(name, value, row["env_frames"])

    def picture(self, name: str, step: int, file: Path) -> None:
        """Add a picture; TensorBoard's page moves those that move."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        with Image.open(file) as picture:
            width, height = picture.size
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=file.read_bytes()
        )
        value = Summary.Value(tag=f"pictures/{name}", image=image)
        self._writer.file_writer.add_summary(Summary(value=[value]), step * self._repeat)

    def rewind(self, record: Record) -> None:
        """Write everything anew: what a killed process had not written yet is in the run's
        files."""
        for file in self._folder.glob(EVENT_FILES):
            file.unlink()
        self._writer = self._make(str(self._folder), purge_step=0)  # an open page forgets the rest
        configuration = json.dumps(self._record.fields["config"], indent=2)
        self._writer.add_text("configuration", f"```json\n{configuration}\n```")
        replay(record, self)

    def close(self, status: str) -> None:
        """Write what is left; for a run that is done, its options and final score as hparams."""
        if status == Status.DONE and self._final:
            self._add_hparams()
        self._writer.close()

    def _add_hparams(self) -> None:
        from torch.utils.tensorboard.summary import hparams

        fields = self._record.fields
        named = {name: fields[name] for name in IDENTITY}
        metrics = {f"final/{name}": value for name, value in self._final.items()}
        for summary in hparams({**named, **fields["choices"]}, metrics):
            self._writer.file_writer.add_summary(summary)
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, fields["env_frames"])
