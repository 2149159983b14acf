"""One W&B run for each run, with its name, group, tags and configuration; resumed under its own
id."""

import os
import shutil
import sys
import uuid
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from agent.errors import UserError
from agent.storage.arm import path_safe
from agent.storage.record import AXES, Record
from agent.storage.status import Status
from agent.storage.track.evaluation import Evaluation

LONGEST_GROUP, LONGEST_TAG = 128, 64  # of W&B
NAMES = ("arm", "seed", "digest")  # beside the configuration, for grouping and filters
Mode = Literal["online", "offline"]


class Wandb:
    """Sends the records of a run to W&B; records that W&B does not have yet are sent when a run is
    resumed."""

    def __init__(
        self,
        record: Record,
        name: str,
        project: str,
        entity: str | None,
        mode: Mode,
        timeout: float,
    ):
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise UserError(
                f"tracker={name} misses the module {error.name}: pip install wandb"
            ) from error
        self._wandb = wandb
        self._task = record.fields["config"]["task"]
        self._evaluation = Evaluation(record.fields["config"]["run"]["eval_episodes"])
        self._run = self._start(record, project, entity, mode, timeout)
        self._sent = int(self._run.summary.get("step", -1)) if self._run.resumed else -1
        self._define_axes()

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a line of metrics.jsonl."""
        self._send(row, {f"metrics/{key}": value for key, value in row.items() if key not in AXES})

    def score(self, row: Mapping[str, Any]) -> None:
        """Send the return of a training episode, or the mean return of an evaluation."""
        mean = row["return"] if row["kind"] == "train" else self._evaluation.add(row)
        if mean is not None:
            score = self._normalised(mean) if row["kind"] == "eval" else None
            self._send(row, {f"{row['kind']}/return": mean, f"{row['kind']}/score": score})

    def image(self, name: str, step: int, array: np.ndarray) -> None:
        """Send a picture, uint8 (H, W, C)."""
        self._send({"step": step}, {f"pictures/{name}": self._wandb.Image(array)})

    def rewind(self, step: int, record: Record) -> None:
        """Send the records up to `step` that W&B lacks; what it has beyond them is not sent a
        second time."""
        rows = [(row, self.log) for row in record.metrics()] + [
            (row, self.score) for row in record.scores()
        ]
        for row, send in sorted(rows, key=lambda pair: pair[0]["step"]):
            send(row)

    def close(self, status: str) -> None:
        """Finish the W&B run; one that is not done counts as failed there until it is resumed."""
        self._run.summary["status"] = status
        if status == Status.INTERRUPTED:
            self._run.mark_preempting()  # a W&B sweep hands it out again
        self._run.finish(exit_code=0 if status == Status.DONE else 1)

    def _normalised(self, ret: float) -> float | None:
        """The return between the task's random and reference scores; None for a task without
        them."""
        random, reference = self._task.get("random"), self._task.get("reference")
        return (
            None if random is None or reference is None else (ret - random) / (reference - random)
        )

    def _start(self, record: Record, project: str, entity: str | None, mode: str, timeout: float):
        if "wandb_id" not in record.fields:  # an agent of a W&B sweep gives the id
            record.update(wandb_id=os.environ.get("WANDB_RUN_ID") or uuid.uuid4().hex[:12])
        run = record.fields
        for superseded in (record.path / "wandb").glob(
            "offline-run-*"
        ):  # the new one gets all records again
            shutil.rmtree(superseded)
        settings = {
            "console": "off",
            "silent": True,
            "init_timeout": timeout,
            "finish_timeout": timeout,
        }
        settings |= {"finish_timeout_raises": False}
        given = {
            "id": os.environ.get("WANDB_RUN_ID", run["wandb_id"]),
            "dir": str(record.path),
            "project": project,
            "entity": entity,
            "name": f"{run['task']} {run['arm']} {run['seed']}",
            "group": path_safe(run["arm"], LONGEST_GROUP),
            "job_type": run["task"],
            "tags": [f"{key}={option}"[:LONGEST_TAG] for key, option in run["choices"].items()],
            "config": {
                **run["config"],
                **{key: run[key] for key in NAMES},
                "task_name": run["task"],
            },
            "resume": "allow",
        }
        try:
            return self._wandb.init(**given, mode=mode, settings=self._wandb.Settings(**settings))
        except Exception as error:
            if mode == "offline":
                raise
            first = f"{type(error).__name__}: {error}".splitlines()[0]
            print(
                f"tracker=wandb goes on offline, for `wandb sync` later: {first}", file=sys.stderr
            )
            self._wandb.teardown()  # the failed start keeps the id
            return self._wandb.init(
                **given, mode="offline", settings=self._wandb.Settings(**settings)
            )

    def _define_axes(self) -> None:
        for axis in ("step", "env_frames", "gradient_steps"):
            self._run.define_metric(axis, hidden=True)
        self._run.define_metric("metrics/*", step_metric="gradient_steps")
        for curve in ("train/*", "eval/*", "pictures/*"):
            self._run.define_metric(curve, step_metric="env_frames")

    def _send(self, row: Mapping[str, Any], values: dict[str, Any]) -> None:
        if row["step"] < self._sent:
            return
        axes = {axis: row[axis] for axis in AXES if axis in row}
        self._run.log(
            {**axes, **{key: value for key, value in values.items() if value is not None}}
        )
