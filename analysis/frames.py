"""Runs as two frames and a list of what was wrong with them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

NUMBERS = [
    *("planned_steps", "prefill", "steps", "env_frames", "gradient_steps", "wall_seconds"),
    *("random", "reference", "parameters", "saturation"),
]
RUN_COLUMNS = [
    *("source", "suite", "task", "arm", "seed", "actions", "status", "error"),
    *("digest", "baseline", "commit", "normalisation", "saturated"),
    *NUMBERS,
]
POINT_COLUMNS = ["kind", "step", "env_frames", "gradient_steps", "score", "episodes"]


class Problem(NamedTuple):
    """One thing that was wrong with one run (or `source` of runs), in one line."""

    source: str
    message: str


@dataclass(frozen=True)
class Store:
    """Runs as frames: `runs` (R rows, columns `run` and RUN_COLUMNS), `points` (columns `run` and
    POINT_COLUMNS), and `problems`. Raises ValueError where two runs have one number."""

    runs: pd.DataFrame
    points: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.runs.run.is_unique:
            raise ValueError("two runs of a store have one number, and so each other's points")

    def tidy(self) -> pd.DataFrame:
        """Every point beside its run's identity: one row per (run, kind, step)."""
        identity = self.runs[
            ["run", "suite", "task", "arm", "seed", "actions", "status", "random", "reference"]
        ]
        return identity.merge(self.points, on="run")

    def where(self, **columns) -> "Store":
        """The part of the store whose runs have the given values, as in `where(suite="mini",
        task="cartpole")`."""
        keep = np.logical_and.reduce([self.runs[name] == value for name, value in columns.items()])
        return self.of(self.runs[keep])

    def of(self, runs: pd.DataFrame, problems: Sequence[Problem] = ()) -> "Store":
        """The store with these of its runs, their points, and more problems."""
        points = self.points[self.points.run.isin(runs.run)]
        return Store(
            runs.reset_index(drop=True),
            points.reset_index(drop=True),
            [*self.problems, *problems],
        )


def joined(stores: Iterable[Store]) -> Store:
    """One store of several, whose runs get new numbers: a number is one run's."""
    runs, points, problems, first = [], [], [], 0
    for store in stores:
        runs.append(store.runs.assign(run=store.runs.run + first))
        points.append(store.points.assign(run=store.points.run + first))
        problems += store.problems
        first += 1 + (0 if store.runs.empty else int(store.runs.run.max()))
    return Store(pd.concat(runs, ignore_index=True), pd.concat(points, ignore_index=True), problems)


def typed(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with numbers as floats; what is no number is NaN."""
    return runs.assign(**runs[NUMBERS].apply(pd.to_numeric, errors="coerce").astype(float))
