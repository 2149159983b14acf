"""Reads the official score files into the same frames as our own runs."""

import json
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Self
from urllib.request import urlopen

import pandas as pd
from pydantic import (
    BaseModel,
    Field,
    FiniteFloat,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from analysis import InputError
from analysis.schema import POINT_COLUMNS, RUN_COLUMNS, Status, Store, one_line, shown
from analysis.score import atari_reference

MAIN, SCHEDULES, BASELINES = (
    "atari-dreamerv2.json",
    "atari-dreamerv2-schedules.json",
    "baselines.json",
)
FILES = (MAIN, SCHEDULES, BASELINES)
DREAMER, SCHEDULED, NO_SCHEDULES = (
    "DreamerV2",
    "DreamerV2 (schedules)",
    "DreamerV2 (no schedules, 3 more seeds)",
)
# Columns of the official baselines file (Dopamine, sticky actions, 200M frames) and agents of
# table 1.
PUBLISHED_BASELINES = {
    "iqn_sticky_2e8": "IQN",
    "rainbow_sticky_2e8": "Rainbow",
    "c51_sticky_2e8": "C51",
    "dqn_sticky_2e8": "DQN",
}
ARMS = {
    (MAIN, "dreamerv2"): DREAMER,
    (MAIN, "nosched"): NO_SCHEDULES,
    (SCHEDULES, "dreamerv2"): SCHEDULED,
    **{(BASELINES, column): agent for column, agent in PUBLISHED_BASELINES.items()},
}
FINAL_FRAMES = 199e6  # the last bin that all complete runs have
PREFIX = "atari_"
GAMES = [PREFIX + task for task in atari_reference().index]
Number = Annotated[FiniteFloat, Field(strict=True)]
Numbers = Annotated[list[Number], Field(min_length=1)]


class Curve(BaseModel):
    """A run of a score file: scores `ys` at frames `xs`."""

    task: str
    method: str
    seed: Annotated[str, Field(pattern=r"^\d+$")] = "0"
    xs: Numbers
    ys: Numbers

    @model_validator(mode="after")
    def _known_and_whole(self) -> Self:
        if self.task not in GAMES:
            raise ValueError(f"unknown game {self.task}")
        if len(self.xs) != len(self.ys):
            raise ValueError(f"xs has {len(self.xs)} numbers and ys {len(self.ys)}")
        return self


def load(source: str) -> Store:
    """Reads the three score files from a folder, or below a URL; raises `InputError` naming the
    file, the run and what is wrong."""
    curves = [(name, curve) for name in FILES for curve in _read_curves(source, name)]
    points = [
        pd.DataFrame({"run": number, "env_frames": curve.xs, "score": curve.ys})
        for number, (_, curve) in enumerate(curves)
    ]
    points = pd.concat(points, ignore_index=True).assign(kind="eval", episodes=10)
    points = points.assign(step=points.env_frames / 4, gradient_steps=float("nan"))
    runs = [_run(number, *one) for number, one in enumerate(curves)]
    return Store(pd.DataFrame(runs, columns=["run", *RUN_COLUMNS]), points[["run", *POINT_COLUMNS]])


def _read(source: str, name: str):
    def refuse(constant: str):
        raise ValueError(f"it holds {constant}, which is no number")

    try:
        if "://" in source:
            with urlopen(f"{source.rstrip('/')}/{name}", timeout=60) as answer:
                data = answer.read()
        else:
            data = (Path(source) / name).read_bytes()
        return json.loads(data, parse_constant=refuse)
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        raise InputError(
            f"{source}: cannot read the official score file {name} ({shown(error, 200)})"
        ) from error


def _read_curves(source: str, name: str) -> list[Curve]:
    """The runs of a score file, each once, every agent with all 55 games."""
    where, raw = f"{source}: {name}", _read(source, name)
    if name == BASELINES and isinstance(raw, dict):
        raw = [
            {"task": game, "method": column, "xs": [FINAL_FRAMES], "ys": [raw[game].get(column)]}
            for game in GAMES  # the file has others too
            for column in PUBLISHED_BASELINES
            if isinstance(raw.get(game), dict)
        ]
    try:
        runs = TypeAdapter(Annotated[list[Curve], Field(min_length=1)]).validate_python(raw)
    except ValidationError as error:
        raise InputError(f"{where}: {one_line(error)}") from error
    _check(pd.DataFrame([(run.method, run.task, run.seed) for run in runs]), name, where)
    return runs


def _check(runs: pd.DataFrame, name: str, where: str) -> None:
    """`InputError` for an agent that is not known or lacks a game, or a run that is there twice."""
    if runs.duplicated().any():
        raise InputError(f"{where} has the run {' '.join(runs[runs.duplicated()].iloc[0])} twice")
    allowed = [method for file, method in ARMS if file == name]
    if unknown := sorted(set(runs[0]) - set(allowed)):
        known = ", ".join(allowed)
        raise InputError(f"{where}: unknown method '{shown(unknown[0])}'; allowed: {known}")
    for method, own in runs.groupby(0)[1]:
        if missing := sorted(set(GAMES) - set(own)):
            raise InputError(f"{where}: {method}: missing game {', '.join(missing)}")


def _run(number: int, name: str, curve: Curve) -> dict:
    return {
        "run": number,
        "source": f"{name}: {curve.task} {curve.method} seed {curve.seed}",
        "suite": "atari",
        "task": curve.task.removeprefix(PREFIX),
        "arm": ARMS[name, curve.method],
        "seed": int(curve.seed),
        "actions": "discrete",
        "status": Status.DONE,
        "env_frames": curve.xs[-1],
        "normalisation": "clipped_record",
        **dict.fromkeys(("error", "digest", "baseline", "commit", "traits", "saturated"), ""),
        "saturation": 0.0,
    }
