"""One suite's runs, scored, normalised and judged: what tables, figures and notebooks start
from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import InputError, claims, scores, store, verdicts
from analysis.frames import Problem, Store


@dataclass(frozen=True)
class Study:
    """The runs of one suite: `scores` has one row per scored run, `verdicts` one per claim,
    `controls` one per control, and `control_tasks` the positive controls task by task."""

    suite: str
    scheme: str
    window: str
    registered: str
    registration: str
    store: Store
    scores: pd.DataFrame
    verdicts: pd.DataFrame
    controls: pd.DataFrame
    control_tasks: pd.DataFrame
    problems: list[Problem]
    left_out: tuple[str, ...] = ()

    @property
    def score(self) -> str:
        """What a final score is here, marked where it is not the one that the claims register."""
        if self.window == self.registered:
            return f"score: {self.window}"
        return f"not the registered score: {self.window} instead of {self.registered}"

    @property
    def size(self) -> str:
        """How much data this is, for captions."""
        return self.caption(len(self.scores), self.scores.task.nunique())

    def caption(self, runs: int, tasks: int) -> str:
        """How many runs and tasks of this suite, and of which score where it is not the registered
        one."""
        mark = "" if self.window == self.registered else f", {self.score}"
        return f"{size(runs, tasks)}, suite {self.suite}{mark}{self.omitted}"

    @property
    def omitted(self) -> str:
        """The digests that were asked to be left out, for captions."""
        return f", left out: {', '.join(self.left_out)}" if self.left_out else ""

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
    window: str | None = None,
    leave_out: Sequence[str] = (),
) -> list[Study]:
    """The studies in a folder of runs or an exported csv, one per suite, or the one that is asked
    for; `window` replaces the registered score, `leave_out` names digests of runs not to use.

    Suites for which the claims give no margin are listed among the problems, unless there is no
    other.
    """
    registered = claims.load(claims_file)
    everything = store.load(runs, leave_out)
    present = sorted(everything.runs.suite.unique())
    if suite is not None and suite not in present:
        raise InputError(
            f"{runs}: no runs of suite '{suite}'; there are runs of: {', '.join(present)}"
        )
    judged = [name for name in present if name in registered.margin]
    if suite is not None or not judged:
        judged = [suite or present[0]]
    named = ", ".join(registered.margin)
    message = f"left out: the claims give no margin for it, they do for: {named}"
    skipped = [
        Problem(f"suite {name}", message) for name in present if name not in registered.margin
    ]
    everything = replace(everything, problems=[*skipped, *everything.problems])
    return [
        replace(
            _study(everything.where(suite=name), registered, name, window),
            left_out=tuple(leave_out),
        )
        for name in judged
    ]


def one(
    runs: str | Path,
    claims_file: str | Path = claims.DEFAULT,
    suite: str | None = None,
    leave_out: Sequence[str] = (),
) -> Study:
    """The only study in `runs`, or that of `suite`; several without a choice are an
    `InputError`."""
    found = load(runs, claims_file, suite, leave_out=leave_out)
    if len(found) > 1:
        names = ", ".join(study.suite for study in found)
        raise InputError(f"{runs}: runs of several suites, choose one of: {names}")
    return found[0]


def _study(runs: Store, registered: claims.Claims, suite: str, window: str | None) -> Study:
    scheme = _scheme(runs, suite)
    window = window or registered.window(suite)
    final, unscored = scores.final_scores(runs, window)
    normalised, unnormalised = scores.normalise(final, scheme)
    judged = verdicts.evaluate(normalised, registered, suite)
    judged = judged.assign(
        score=window, registered=window == registered.window(suite), registration=registered.digest
    )
    is_claim = judged.role == verdicts.CLAIM
    return Study(
        suite,
        scheme,
        window,
        registered.window(suite),
        registered.digest,
        runs,
        normalised,
        judged[is_claim].reset_index(drop=True),
        judged[~is_claim].reset_index(drop=True),
        verdicts.control_tasks(normalised, registered, suite),
        [*runs.problems, *unscored, *unnormalised],
    )


def _scheme(runs: Store, suite: str) -> str:
    """The normalisation that all runs of the suite name."""
    named = sorted(runs.runs.normalisation.unique())
    if len(named) > 1:
        raise InputError(
            f"suite {suite}: its runs name different normalisations: {' and '.join(named)}"
        )
    return named[0]
