"""Reads the official score files into the same frames as our own runs."""

import json
import math
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import pandas as pd

from analysis import InputError
from analysis.schema import POINT_COLUMNS, RUN_COLUMNS, Status, Store, shown
from analysis.score import atari_reference

MAIN, SCHEDULES, BASELINES = (
    "atari-dreamerv2.json",
    "atari-dreamerv2-schedules.json",
    "baselines.json",
)
FILES = (MAIN, SCHEDULES, BASELINES)
# Agent names of table 1 and the columns of the official baselines file (Dopamine, sticky actions,
# 200M frames).
PUBLISHED_BASELINES = {
    "IQN": "iqn_sticky_2e8",
    "Rainbow": "rainbow_sticky_2e8",
    "C51": "c51_sticky_2e8",
    "DQN": "dqn_sticky_2e8",
}
DREAMER, SCHEDULED, NO_SCHEDULES = (
    "DreamerV2",
    "DreamerV2 (schedules)",
    "DreamerV2 (no schedules, 3 more seeds)",
)
ARMS = {
    (MAIN, "dreamerv2"): DREAMER,
    (MAIN, "nosched"): NO_SCHEDULES,
    (SCHEDULES, "dreamerv2"): SCHEDULED,
}
FINAL_FRAMES = 199e6  # the last bin that all complete runs have
CURVE = ("task", "method", "seed", "xs", "ys")
PREFIX = "atari_"


def load(source: str) -> Store:
    """Reads the three score files from a folder, or below a URL; raises `InputError` naming the
    file, the run and what is wrong."""
    runs, points = [], []
    for name in (MAIN, SCHEDULES):
        for raw in _read_curves(source, name):
            runs.append(_run(name, raw, ARMS[name, raw["method"]], number=len(runs)))
            curve = pd.DataFrame({"env_frames": raw["xs"], "score": raw["ys"]})
            points.append(curve.assign(run=len(points), episodes=10))
    baselines = _read_baselines(source)
    for arm, column in PUBLISHED_BASELINES.items():
        for task in atari_reference().index:
            score = baselines[PREFIX + task][column]
            raw = {"task": PREFIX + task, "method": column, "seed": "0", "xs": [FINAL_FRAMES]}
            runs.append(_run(BASELINES, raw, arm, number=len(runs)))
            curve = pd.DataFrame({"env_frames": [FINAL_FRAMES], "score": [score]})
            points.append(curve.assign(run=len(points)))
    points = pd.concat(points, ignore_index=True)
    points = points.assign(kind="eval", step=points.env_frames / 4, gradient_steps=float("nan"))
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


def _read_curves(source: str, name: str) -> list[dict]:
    """The runs of a score file, each with its curve as equally many numbers `xs` (frames) and `ys`
    (scores), every agent with all 55 games."""
    runs = _read(source, name)
    if not isinstance(runs, list) or not runs:
        raise InputError(f"{source}: {name} is not a list of runs")
    for number, run in enumerate(runs, start=1):
        _check_run(run, name, f"{source}: {name}: run {number}")
    seen = [(run["method"], run["task"], str(run["seed"])) for run in runs]
    if len(set(seen)) < len(seen):
        twice = next(one for one in seen if seen.count(one) > 1)
        raise InputError(f"{source}: {name} has the run {' '.join(twice)} twice")
    for method in sorted({method for method, _, _ in seen}):
        _check_games({task for own, task, _ in seen if own == method}, source, f"{name}: {method}")
    return runs


def _check_run(run, name: str, where: str) -> None:
    if missing := [key for key in CURVE if not isinstance(run, dict) or key not in run]:
        raise InputError(f"{where} lacks the key {', '.join(missing)}")
    methods = [method for file, method in ARMS if file == name]
    if run["method"] not in methods:
        raise InputError(
            f"{where}: method '{shown(run['method'])}' is not known; allowed: {', '.join(methods)}"
        )
    for key in ("xs", "ys"):
        if not isinstance(run[key], list) or not all(map(_is_number, run[key])):
            raise InputError(f"{where}: {key} is not a list of numbers")
    if not 0 < len(run["xs"]) == len(run["ys"]):
        raise InputError(f"{where}: xs has {len(run['xs'])} numbers and ys {len(run['ys'])}")
    if not isinstance(run["task"], str) or not str(run["seed"]).isdecimal():
        raise InputError(
            f"{where}: task is '{shown(run['task'])}' and seed '{shown(run['seed'])}'; "
            "they are a name and a number"
        )


def _is_number(value) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 2**63


def _check_games(tasks: set[str], source: str, where: str) -> None:
    games = {PREFIX + task for task in atari_reference().index}
    for wrong, what in ((tasks - games, "unknown"), (games - tasks, "missing")):
        if wrong:
            raise InputError(
                f"{source}: {where}: {what} game {', '.join(map(shown, sorted(wrong)))}"
            )


def _read_baselines(source: str) -> dict[str, dict[str, float]]:
    """The scores of the published baselines by game and column."""
    scores = _read(source, BASELINES)
    for game in (PREFIX + task for task in atari_reference().index):
        own = scores.get(game) if isinstance(scores, dict) else None
        if not isinstance(own, dict):
            raise InputError(f"{source}: {BASELINES} lacks the key {game}")
        for column in PUBLISHED_BASELINES.values():
            if not _is_number(own.get(column)):
                raise InputError(f"{source}: {BASELINES}: {game} has no number {column}")
    return scores


def _run(file: str, raw: dict, arm: str, number: int) -> dict:
    return {
        "run": number,
        "source": f"{file}: {raw['task']} {raw['method']} seed {raw['seed']}",
        "suite": "atari",
        "task": raw["task"].removeprefix(PREFIX),
        "arm": arm,
        "seed": int(raw["seed"]),
        "actions": "discrete",
        "status": Status.DONE,
        "env_frames": raw["xs"][-1],
        "error": "",
        "digest": "",
        "baseline": "",
        "commit": "",
        "normalisation": "clipped_record",
        "saturated": "",
        "saturation": 0.0,
    }
