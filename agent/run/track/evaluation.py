"""The mean of an evaluation, raw and normalised, from its episodes as they are recorded."""

import csv
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

CLIPPED_RECORD, REFERENCE = "clipped_record", "reference"


class Evaluation:
    """Gathers the rows of scores.csv of one evaluation at a time of the run with this `config`."""

    def __init__(self, config: Mapping[str, Any]):
        self._episodes = config["run"]["eval_episodes"]
        self._random, self._reference, self._highest = _scale(config)
        self._returns: list[float] = []

    def add(self, row: Mapping[str, Any]) -> dict[str, float] | None:
        """Take a row of kind `eval`; `eval/return` and, for a task with references, `eval/score`
        once the evaluation is complete."""
        if row["episode"] == 0:
            self._returns = []
        self._returns.append(row["return"])
        if len(self._returns) != self._episodes:
            return None
        mean = sum(self._returns) / len(self._returns)
        if self._random is None or self._reference is None:
            return {"eval/return": mean}
        score = (mean - self._random) / (self._reference - self._random)
        return {"eval/return": mean, "eval/score": min(score, self._highest)}


def _scale(config: Mapping[str, Any]) -> tuple[float | None, float | None, float]:
    """Scores of random play and of the reference, None where unknown, and the highest normalised
    score (section 3.1 clips at the human record)."""
    task, games = config["task"], _atari_scores()
    known = REFERENCE if task["name"] not in games else CLIPPED_RECORD
    if config.get("suite", {}).get("normalisation", known) == CLIPPED_RECORD:
        return *games.get(task["name"], (None, None)), 1.0
    return task.get("random"), task.get("reference"), math.inf


@cache
def _atari_scores() -> dict[str, tuple[float, float]]:
    """Score of random play and human world record by task."""
    with resources.files("analysis").joinpath("reference.csv").open() as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["task"]: (float(row["random"]), float(row["human_record"])) for row in rows}
