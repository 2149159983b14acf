"""One suite's runs, scored, normalised and judged: what tables, figures and notebooks start
from."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import InputError, claims, scores, store, verdicts
from analysis.store import Problem, Store


@dataclass(frozen=True)
class Study:
    """The runs of one suite: `scores` has one row per scored run, `verdicts` one per claim."""

    suite: str
    scheme: str
    window: str
    store: Store
    scores: pd.DataFrame
    verdicts: pd.DataFrame
    problems: list[Problem]

    @property
    def size(self) -> str:
        """How much data this is, for captions."""
        return f"{size(len(self.scores), self.scores.task.nunique())}, suite {self.suite}"

    @property
    def arms(self) -> list[str]:
        """The arms with scored runs, the baseline first."""
        return sorted(self.scores.arm.unique(), key=lambda arm: (arm != "baseline", arm))


def size(runs: int, tasks: int) -> str:
    """How many runs and tasks, in words."""
    return f"{runs} run{'s' * (runs != 1)}, {tasks} task{'s' * (tasks != 1)}"


def load(
    runs: str | Path,
    claims_file: str | Path = claims.DEFAULT,
    suite: str | None = None,
    window: str = "last",
) -> list[Study]:
    """The studies in a folder of runs or an exported csv, one per suite, or the one that is asked
    for.

    Suites for which the claims give no margin are listed among the problems, unless there is no
    other.
    """
    rows = claims.load(claims_file)
    everything = store.load(runs)
    present = sorted(everything.runs.suite.unique())
    if suite is not None and suite not in present:
        raise InputError(
            f"{runs}: no runs of suite '{suite}'; there are runs of: {', '.join(present)}"
        )
    judged = [name for name in present if name in rows.margin]
    if suite is not None or not judged:
        judged = [suite or present[0]]
    message = f"left out: the claims give no margin for it, they do for: {', '.join(rows.margin)}"
    skipped = [Problem(f"suite {name}", message) for name in present if name not in rows.margin]
    everything = replace(everything, problems=[*skipped, *everything.problems])
    return [_study(everything.where(suite=name), rows, name, window) for name in judged]


def one(
    runs: str | Path, claims_file: str | Path = claims.DEFAULT, suite: str | None = None
) -> Study:
    """The only study in `runs`, or that of `suite`; several without a choice are an
    `InputError`."""
    found = load(runs, claims_file, suite)
    if len(found) > 1:
        names = ", ".join(study.suite for study in found)
        raise InputError(f"{runs}: runs of several suites, choose one of: {names}")
    return found[0]


def _study(runs: Store, rows: claims.Claims, suite: str, window: str) -> Study:
    scheme = scores.default_scheme(suite)
    final, unscored = scores.final_scores(runs, window)
    normalised, unnormalised = scores.normalise(final, scheme)
    judged = verdicts.evaluate(normalised, rows, suite)
    return Study(
        suite, scheme, window, runs, normalised, judged, [*runs.problems, *unscored, *unnormalised]
    )
