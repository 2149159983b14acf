"""One W&B run for each run, with its name, group, tags and configuration; resumed under its own
id."""

import os
import shutil
import signal
import sys
import uuid
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from agent.errors import UserError
from agent.run.identity import path_safe
from agent.run.record import AXES, Record
from agent.run.status import STOPPED_BY_SERVER, Status
from agent.run.track import offline
from agent.run.track.evaluation import Evaluation
from agent.run.track.history import Slot, index, replay

LONGEST_GROUP, LONGEST_TAG = 128, 64  # of W&B
NAMES = ("arm", "seed", "digest")  # beside the configuration, for grouping and filters
HASH_DIGITS = 20  # of a picture's checksum in its file's name
Mode = Literal["online", "offline", "disabled"]
STOPPED = """query Stopped($entity: String, $project: String, $run: String!) {
  project(name: $project, entityName: $entity) { run(name: $run) { stopped shouldStop } } }"""


class Wandb:
    """Sends the records of a run to W&B, each once: its index is W&B's step, and what W&B has up
    to its last step is not sent again."""

    def __init__(
        self,
        record: Record,
        name: str,
        project: str,
        entity: str | None,
        group: str | None,
        run_name: str | None,
        tags: str | None,
        mode: Mode,
        timeout: float,
        artifacts: bool,
    ):
        try:
            import wandb
        except ModuleNotFoundError as error:
            raise UserError(
                f"tracker={name} misses the module {error.name}: pip install wandb"
            ) from error
        self._wandb = wandb
        self._record = record
        self._repeat = record.fields["config"]["task"]["action_repeat"]
        self._evaluation = Evaluation(record.fields["config"])
        self._artifacts = artifacts
        self._was_stopped = False
        self._last = -1  # index of the last record that W&B has
        self._folder = record.path / "wandb"
        given = {"id": self._name_run(mode), "project": project, "entity": entity}
        given |= {"dir": str(record.path), "resume": "allow"}
        given |= _shown(record.fields, group, run_name, tags)
        self._run = self._start(given, mode, timeout)
        self._define_axes()

    def log(self, row: Mapping[str, Any]) -> None:
        """Send a line of metrics.jsonl."""
        metrics = {f"metrics/{key}": value for key, value in row.items() if key not in AXES}
        self._send(Slot.METRICS, row, metrics)

    def score(self, row: Mapping[str, Any]) -> None:
        """Send the return of a training episode, or the mean return and score of an evaluation."""
        if row["kind"] == "train":
            self._send(Slot.TRAIN, row, {"train/return": row["return"]})
        elif means := self._evaluation.add(row):
            self._send(Slot.EVAL, row, means)

    def picture(self, name: str, step: int, file: Path) -> None:
        """Send a picture."""
        key, slot = f"pictures/{name}", Slot[name.upper()]
        if (place := index(step, slot)) <= self._last:
            return self._send_if_lost(key, place, file)
        media = self._wandb.Video if file.suffix == ".gif" else self._wandb.Image
        axes = {"step": step, "env_frames": step * self._repeat}
        self._send(slot, axes, {key: media(str(file))})

    def rewind(self, record: Record) -> None:
        """Send the records that W&B lacks."""
        replay(record, self)

    def close(self, status: str) -> None:
        """Finish the W&B run. One that was interrupted is handed out again by a W&B sweep, unless
        the server itself asked it to stop."""
        self._run.summary["status"] = status
        ended = status == Status.DONE
        if ended and self._artifacts:
            self._log_artifact()
        if status == Status.INTERRUPTED:
            ended = self._stopped_by_server()
            if ended:
                self._record.update(error=STOPPED_BY_SERVER)
            else:
                self._run.mark_preempting()
        self._run.finish(exit_code=0 if ended else 1)

    def _name_run(self, mode: str) -> str:
        """The run's id at W&B, which an agent of a W&B sweep chooses."""
        known = self._record.fields.get("wandb_id")
        chosen = os.environ.get("WANDB_RUN_ID") or known or uuid.uuid4().hex[:12]
        if chosen != known and mode != "disabled":
            self._record.update(wandb_id=chosen, wandb_url=None)
        return chosen

    def _start(self, given: dict[str, Any], mode: str, timeout: float):
        settings = self._wandb.Settings(
            console="off",
            silent=True,
            init_timeout=timeout,
            finish_timeout=timeout,
            finish_timeout_raises=False,
            stop_fn=self._stop,
        )
        if mode != "online":
            return self._start_offline(given, mode, settings)
        try:
            run = self._wandb.init(**given, mode=mode, settings=settings)
        except Exception as error:
            if self._record.fields["status"] != Status.UNDER_WAY:
                raise
            first = f"{type(error).__name__}: {error}".splitlines()[0]
            print(f"tracker=wandb goes on offline: {first}", file=sys.stderr)
            self._wandb.teardown()  # the failed start keeps the id
            return self._start_offline(given, "offline", settings)
        offline.drop_unsynced(self._folder, run.id)
        self._last = run.starting_step - 1
        self._record.update(wandb_url=run.url)
        print(f"W&B: {run.url}", flush=True)
        return run

    def _start_offline(self, given: dict[str, Any], mode: str, settings):
        """A run in files, for `wandb sync` later, of what W&B does not have yet."""
        if mode == "offline":
            offline.drop_unsynced(self._folder, given["id"])
            self._last = offline.last_synced(self._folder, given["id"])
            if self._record.fields.get("wandb_url"):
                raise ConnectionError(
                    "how much of this run W&B has is not known offline; later: "
                    f"python -m sweeps.publish {self._record.path}"
                )
        return self._wandb.init(**given, mode=mode, settings=settings)

    def _define_axes(self) -> None:
        for axis in ("step", "env_frames", "gradient_steps"):
            self._run.define_metric(axis, hidden=True)
        self._run.define_metric("metrics/*", step_metric="gradient_steps")
        for curve in ("train/*", "eval/*", "pictures/*"):
            self._run.define_metric(curve, step_metric="env_frames")

    def _send(self, slot: Slot, row: Mapping[str, Any], values: dict[str, Any]) -> None:
        place = index(row["step"], slot)
        if place <= self._last:
            return
        self._last = place
        axes = {axis: row[axis] for axis in AXES if axis in row}
        known = {key: value for key, value in values.items() if value is not None}
        self._run.log({**axes, **known}, step=place, commit=True)

    def _send_if_lost(self, key: str, place: int, file: Path) -> None:
        """Send the picture of a record that W&B has: it sends the two apart, and a kill may come
        between."""
        if self._run.offline or sha256(file.read_bytes()).hexdigest()[:HASH_DIGITS] in self._files:
            return
        for row in self._before.scan_history(min_step=place, max_step=place + 1):
            copy = Path(self._run.dir) / row[key]["path"]
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
            self._run.save(copy, base_path=self._run.dir, policy="now", glob=False)

    @cached_property
    def _before(self):
        """The run as W&B showed it when it went on."""
        return self._wandb.Api().run(self._run.path)

    @cached_property
    def _files(self) -> str:
        """Names of the files that W&B had when the run went on."""
        return " ".join(file.name for file in self._before.files())

    def _log_artifact(self) -> None:
        from agent.run.checkpoint import CURRENT  # torch: only where a checkpoint was written

        artifact = self._wandb.Artifact(f"run-{self._run.id}", type="run")
        for name in (CURRENT, "scores.csv"):
            artifact.add_file(str(self._record.path / name))
        self._run.log_artifact(artifact)

    def _stop(self) -> None:
        """W&B asks a run to stop: it writes a checkpoint and ends."""
        self._was_stopped = True
        if self._record.fields["status"] == Status.UNDER_WAY:
            os.kill(os.getpid(), signal.SIGTERM)

    def _stopped_by_server(self) -> bool:
        """Whether W&B asked the run to stop, by itself or through its agent."""
        if self._was_stopped or self._run.offline:
            return self._was_stopped
        run = {"entity": self._run.entity, "project": self._run.project, "run": self._run.id}
        try:
            answer = self._wandb.Api()._service_api.execute_graphql(STOPPED, variables=run)
        except Exception:  # without an answer the run finishes all the same
            return False
        return any(answer["project"]["run"].values())


def _shown(
    fields: Mapping[str, Any], group: str | None, run_name: str | None, tags: str | None
) -> dict[str, Any]:
    """How W&B shows the run whose run.json has these `fields`."""
    options = [f"{key}={option}"[:LONGEST_TAG] for key, option in fields["choices"].items()]
    own = {key: fields[key] for key in NAMES}
    return {
        "name": run_name or f"{fields['task']} {fields['arm']} {fields['seed']}",
        "group": group or path_safe(fields["arm"], LONGEST_GROUP),
        "job_type": fields["task"],
        "tags": options + [tag for tag in (tags or "").split(",") if tag],
        "config": {**fields["config"], **own, "task_name": fields["task"]},
    }
