"""One suite's runs, scored, normalised and judged: what tables, figures and notebooks start
from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis import InputError, claims, controls, looks, scores, store, verdicts
from analysis.frames import Problem, Store
from analysis.standing import Standing

FIXED = "judged as a fixed number of seeds, not by the registered ladder"


@dataclass(frozen=True)
class Study:
    """The runs of one suite: `scores` has one row per scored run, `verdicts` one per claim,
    `controls` one per control, and `control_tasks` the positive controls task by task.

    `standing` is where the suite stands on its ladder, if it is judged by that: then `scores` are
    the runs that rounds looked at. `judged_as` says in captions how the verdicts came about.
    """

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
    judged_as: str = ""
    standing: Standing | None = None
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

    def judged(self, claim: str) -> pd.DataFrame:
        """The scored runs behind the verdict of a claim or control, and others of no concern to
        it."""
        if self.standing is None:
            return self.scores
        return self.scores[self.scores.run.isin(self.standing.seen[claim])]

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
    ladder: bool = False,
) -> list[Study]:
    """The studies in a folder of runs or an exported csv, one per suite, or the one that is asked
    for; `window` replaces the registered score, `leave_out` names digests of runs not to use.

    `ladder` judges by the registered ladder of each suite instead of all runs at once.
    Suites for which the claims give no margin, or no ladder, are listed among the problems, unless
    there is no other.
    """
    registered = claims.load(claims_file)
    everything = store.load(runs, leave_out)
    present = sorted(everything.runs.suite.unique())
    if suite is not None and suite not in present:
        raise InputError(
            f"{runs}: no runs of suite '{suite}'; there are runs of: {', '.join(present)}"
        )
    known, what = (registered.ladder, "ladder") if ladder else (registered.margin, "margin")
    judged = [name for name in present if name in known]
    if suite is not None or not judged:
        judged = [suite or present[0]]
    message = f"left out: the claims give no {what} for it, they do for: {', '.join(known)}"
    skipped = [Problem(f"suite {name}", message) for name in present if name not in known]
    everything = replace(everything, problems=[*skipped, *everything.problems])
    return [
        replace(
            _study(everything.where(suite=name), registered, name, window, ladder),
            left_out=tuple(leave_out),
        )
        for name in judged
    ]


def one(
    runs: str | Path,
    claims_file: str | Path = claims.DEFAULT,
    suite: str | None = None,
    leave_out: Sequence[str] = (),
    ladder: bool = False,
) -> Study:
    """The only study in `runs`, or that of `suite`; several without a choice are an
    `InputError`."""
    found = load(runs, claims_file, suite, leave_out=leave_out, ladder=ladder)
    if len(found) > 1:
        names = ", ".join(study.suite for study in found)
        raise InputError(f"{runs}: runs of several suites, choose one of: {names}")
    return found[0]


def _study(
    runs: Store, registered: claims.Claims, suite: str, window: str | None, ladder: bool
) -> Study:
    scheme = _scheme(runs, suite)
    window = window or registered.window(suite)
    final, unscored = scores.final_scores(runs, window)
    normalised, unnormalised = scores.normalise(final, scheme)
    standing = None
    if ladder:
        kinds = dict(zip(runs.runs.task, runs.runs.actions, strict=True))
        standing = looks.judge(normalised, registered, suite, kinds)
        judged, normalised, seen = standing.rows, standing.runs, standing.seen
    else:
        judged, seen = verdicts.evaluate(normalised, registered, suite), None
    judged = judged.assign(
        score=window, registered=window == registered.window(suite), registration=registered.digest
    )
    is_claim = judged.role == verdicts.CLAIM
    return Study(
        suite,
        scheme,
        window,
        registered.window(suite),
        _registration(registered),
        runs,
        normalised,
        judged[is_claim].reset_index(drop=True),
        judged[~is_claim].reset_index(drop=True),
        controls.by_task(normalised, registered, suite, seen),
        [*runs.problems, *unscored, *unnormalised, *_unused(standing, suite)],
        _judged_as(standing, suite in registered.ladder),
        standing,
    )


def _registration(registered: claims.Claims) -> str:
    """The claims file in captions: its digest, and the day of its registration."""
    return f"{registered.digest}{f' of {registered.date}' if registered.date else ''}"


def _judged_as(standing: Standing | None, has_ladder: bool) -> str:
    if standing is not None:
        return standing.caption()
    return FIXED if has_ladder else ""


def _unused(standing: Standing | None, suite: str) -> list[Problem]:
    """The scored runs that no complete round looks at."""
    if standing is None or not standing.unused:
        return []
    counts = ", ".join(f"{arm} {count}" for arm, count in standing.unused.items())
    total = sum(standing.unused.values())
    message = f"{total} runs beyond round {standing.complete}, which are not looked at: {counts}"
    return [Problem(f"suite {suite}", message)]


def _scheme(runs: Store, suite: str) -> str:
    """The normalisation that all runs of the suite name."""
    named = sorted(runs.runs.normalisation.unique())
    if len(named) > 1:
        raise InputError(
            f"suite {suite}: its runs name different normalisations: {' and '.join(named)}"
        )
    return named[0]
