"""W&B and TensorBoard: views of a run's files, which get each record once and never stop it."""

import csv
import json
import os
import shutil
import signal
import sys
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from agent.run.identity import path_safe
from agent.run.record import AXES, IDENTITY, Record, first_line
from agent.run.status import AGENT_JOB, STOPPED_BY_SERVER, Status

LONGEST_GROUP, LONGEST_TAG = 128, 64  # of W&B
Mode = Literal["online", "offline", "disabled"]  # of W&B
KINDS = ("train", "metrics", "prediction", "eval", "episode")  # the order of those of a step


def asked_id() -> str | None:
    """The W&B id of an agent for this process's run; None where no agent started the process."""
    started = os.environ.get(AGENT_JOB) == str(os.getppid())
    return os.environ.get("WANDB_RUN_ID") if started else None


class View(ABC):
    """Names the values of each record for a tracker, which shows them."""

    def __init__(self, record: Record):
        self._record = record
        self._config = record.fields["config"]
        self._returns: list[float] = []  # of the evaluation under way

    def log(self, row: Mapping[str, Any]) -> None:
        """Show a line of metrics.jsonl."""
        known = [key for key, value in row.items() if key not in AXES and value is not None]
        self._show("metrics", row, {f"metrics/{key}": row[key] for key in known})

    def score(self, row: Mapping[str, Any]) -> None:
        """Show the return of a training episode, or the means of an evaluation at its end."""
        if row["kind"] == "train":
            return self._show("train", row, {"train/return": row["return"]})
        self._returns = [*self._returns, row["return"]] if row["episode"] else [row["return"]]
        if len(self._returns) == self._config["run"]["eval_episodes"]:
            self._show("eval", row, evaluation(self._config, self._returns))

    def picture(self, name: str, step: int, file: Path) -> None:
        """Show a picture."""
        row = {"step": step, "env_frames": step * self._config["task"]["action_repeat"]}
        self._show(name, row, {f"pictures/{name}": file})

    def show(self, record: Record) -> None:
        """Show the records of the run's files, in the order in which they were made."""
        calls = [(row["step"], "metrics", partial(self.log, row)) for row in record.metrics()]
        calls += [(row["step"], row["kind"], partial(self.score, row)) for row in record.scores()]
        for name, step, file in record.pictures():
            calls.append((step, name, partial(self.picture, name, step, file)))
        for *_, show in sorted(calls, key=lambda call: (call[0], KINDS.index(call[1]))):
            show()

    @abstractmethod
    def _show(self, kind: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        """Show named numbers and files of pictures, at the step and frames in `row`."""


class TensorBoard(View):
    """Writes event files below the run's folder, over environment frames."""

    def __init__(self, record: Record, name: str):
        from torch.utils.tensorboard import SummaryWriter

        super().__init__(record)
        self._writer_of = SummaryWriter
        self._folder = record.path / "tensorboard"
        self._final: Mapping[str, float] = {}

    def show(self, record: Record) -> None:
        """Write everything anew: what a killed process had not written is in the run's files."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._writer = self._writer_of(self._folder, purge_step=0)  # an open page forgets the rest
        self._writer.add_text(
            "configuration", f"```json\n{json.dumps(self._config, indent=2)}\n```"
        )
        super().show(record)

    def close(self, status: str) -> None:
        """Write what is left; for a run that is done, its options and final score as hparams."""
        if status == Status.DONE and self._final:
            fields = self._record.fields
            options = {name: str(fields[name]) for name in IDENTITY} | fields["choices"]
            final = {f"final/{name}": value for name, value in self._final.items()}
            self._writer.add_hparams(options, final, run_name=".", global_step=fields["env_frames"])
        self._writer.close()

    def _show(self, kind: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._final = values if kind == "eval" else self._final
        for name, value in values.items():
            if not isinstance(value, Path):
                self._writer.add_scalar(name, value, row["env_frames"])
                continue
            image = Summary.Image(encoded_image_string=value.read_bytes(), colorspace=3)
            summary = Summary(value=[Summary.Value(tag=name, image=image)])
            self._writer.file_writer.add_summary(  # pyrefly: ignore[missing-attribute]
                summary, row["env_frames"]
            )


class Wandb(View):
    """One W&B run for each run. A record's index is W&B's step: what W&B has is not sent again."""

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
        import wandb

        super().__init__(record)
        self._wandb = wandb
        self._artifacts = artifacts
        self._stop_asked = False
        self._last = -1  # index of the last record that W&B has
        settings = {"console": "off", "silent": True, "init_timeout": timeout}
        settings |= {"finish_timeout": timeout, "finish_timeout_raises": False}
        given = {"id": self._choose_id(mode), "project": project, "entity": entity}
        given |= {"dir": str(record.path), "settings": {**settings, "stop_fn": self._stop}}
        self._run = self._start(given | self._labels(group, run_name, tags), mode)
        for axis in ("step", "env_frames", "gradient_steps"):
            self._run.define_metric(axis, hidden=True)
        self._run.define_metric("metrics/*", step_metric="gradient_steps")
        for curve in ("train/*", "eval/*", "pictures/*"):
            self._run.define_metric(curve, step_metric="env_frames")

    def close(self, status: str) -> None:
        """Finish the W&B run; a W&B sweep may restart one that W&B itself did not stop."""
        stopped = status == Status.INTERRUPTED and self._stop_asked
        if status == Status.DONE and self._artifacts:
            artifact = self._wandb.Artifact(f"run-{self._run.id}", type="run")
            artifact.add_file(str(self._record.path / "checkpoint.pt"))
            artifact.add_file(str(self._record.path / "scores.csv"))
            self._run.log_artifact(artifact)
        if stopped:
            self._record.update(error=STOPPED_BY_SERVER)
        elif status == Status.INTERRUPTED:
            self._run.mark_preempting()
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if stopped or status == Status.DONE else 1)

    def _labels(self, group: str | None, run_name: str | None, tags: str | None) -> dict[str, Any]:
        fields = self._record.fields
        options = [f"{key}={option}"[:LONGEST_TAG] for key, option in fields["choices"].items()]
        named = {name: fields[name] for name in ("arm", "seed", "digest")}  # for groups and filters
        return {
            "name": run_name or f"{fields['task']} {fields['arm']} {fields['seed']}",
            "group": group or path_safe(fields["arm"], LONGEST_GROUP),
            "job_type": fields["task"],
            "tags": options + [tag for tag in (tags or "").split(",") if tag],
            "config": {**fields["config"], **named, "task_name": fields["task"]},
        }

    def _choose_id(self, mode: str) -> str:
        """The id in run.json, or else a new one; for a run that has ended, an agent's own."""
        known, id = self._record.fields.get("wandb_id"), asked_id()
        if not id or (
            known not in (None, id) and self._record.fields["status"] == Status.UNDER_WAY
        ):
            os.environ.pop("WANDB_RUN_ID", None)  # which wandb believes, whatever `init` is told
            os.environ.pop("WANDB_SWEEP_ID", None)
            id = known or uuid.uuid4().hex[:12]
        if not known and mode != "disabled":
            self._record.update(wandb_id=id, wandb_url=None)
        return id

    def _start(self, given: dict[str, Any], mode: Mode):
        if mode != "disabled":
            self._clear_offline(given["id"], mode)
        try:
            run = self._wandb.init(**given, mode=mode, resume="allow")
        except Exception as error:
            if mode != "online" or self._record.fields["status"] != Status.UNDER_WAY:
                raise
            print(f"tracker=wandb goes on offline: {first_line(error)}", file=sys.stderr)
            self._wandb.teardown()  # the failed start keeps the id
            return self._start(given, "offline")
        self._last, folder = run.starting_step - 1, Path(run.dir).parent
        if run.url and run.id == self._record.fields["wandb_id"]:
            self._record.update(wandb_url=run.url)
        if mode != "disabled":
            print("W&B:", run.url or f"{folder}, later: wandb sync {folder}", flush=True)
        return run

    def _clear_offline(self, id: str, mode: str) -> None:
        """Delete unsynced offline folders. ConnectionError where W&B has a part and is offline."""
        folders = list((self._record.path / "wandb").glob(f"offline-run-*-{id}"))
        left = [folder for folder in folders if not list(folder.glob("*.synced"))]
        if mode == "offline" and (left != folders or self._record.fields.get("wandb_url")):
            later = f"later: python -m sweeps.publish {self._record.path}"
            raise ConnectionError(f"W&B has a part of this run already; {later}")
        for folder in left:
            shutil.rmtree(folder)

    def _show(self, kind: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        index = len(KINDS) * row["step"] + KINDS.index(kind)
        if index <= self._last:
            return
        self._last, sent = index, {axis: row[axis] for axis in AXES if axis in row} | dict(values)
        for name, value in values.items():
            if isinstance(value, Path):
                media = self._wandb.Video if value.suffix == ".gif" else self._wandb.Image
                sent[name] = media(str(value))
        self._run.log(sent, step=index, commit=True)

    def _stop(self) -> None:
        """W&B asks the run to stop: it writes a checkpoint and ends."""
        self._stop_asked = True
        if self._record.fields["status"] == Status.UNDER_WAY:
            os.kill(os.getpid(), signal.SIGTERM)


def evaluation(config: Mapping[str, Any], returns: Sequence[float]) -> dict[str, float]:
    """Mean return of an evaluation and, with references, its score: on Atari at most 1 (3.1)."""
    task, mean = config["task"], sum(returns) / len(returns)
    atari = config["suite"]["normalisation"] == "clipped_record"
    scale = _human_scale(task["name"]) if atari else (task["random"], task["reference"])
    if scale is None or None in scale:
        return {"eval/return": mean}
    score = (mean - scale[0]) / (scale[1] - scale[0])
    return {"eval/return": mean, "eval/score": min(score, 1.0) if atari else score}


def _human_scale(game: str) -> tuple[float, float] | None:
    """A game's scores of random play and of the human world record."""
    with resources.files("analysis").joinpath("reference.csv").open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        scales = {row["task"]: (float(row["random"]), float(row["human_record"])) for row in rows}
    return scales.get(game)
