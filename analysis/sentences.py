"""What the runs of a suite say, as frames: one line for each claim, task, kind, pair and control.

Intervals are guarded and simultaneous over the claims (and their tasks, or kinds). Intervals of
pairs of options are not guarded. Those of registered pairs are simultaneous; any other pair has its
own interval, and its false discovery rate `q`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from analysis import tasks, verdict
from analysis.claims import Claim, Claims, Row
from analysis.estimate import (
    Design,
    Estimate,
    mean_over_new_tasks,
    mean_over_tasks,
    spread_between_tasks,
)
from analysis.tasks import Shown, Task

EFFECTS = ["claim", "task", "effect", "error", "df", "runs"]  # of effects.csv
ENDS = ["effect", "low", "high", "level", "tau", "new_low", "new_high"]
BETTER, WORSE, TIED = "better", "worse", "tied"
# Of claims.csv. tau, new_low and new_high are of other tasks like these.
CLAIMS = ["claim", *ENDS, BETTER, WORSE, TIED, "words", "depends"]
REGISTERED = ["with", "without", "where", "paper", "mean", "agrees"]  # behind CLAIMS in the frame
BY_TASK = ["claim", "task", "effect", "low", "high", "level", "result"]
KINDS = ["claim", "kind", "effect", "low", "high"]
INTERACTIONS = ["pair", "effect", "low", "high", "q", "registered"]
BUDGET = ["claim", "step", "effect", "low", "high"]
FRAMES = {"effects": EFFECTS, "by_task": BY_TASK, "kinds": KINDS, "budget": BUDGET}
PLACEBO = "placebo"


@dataclass(frozen=True)
class Rule:
    """The rule for a suite; `share` is the part of the error that this round may spend."""

    registered: Claims
    suite: str
    margin: float
    share: float

    @property
    def family(self) -> list[Claim]:
        """The claims that are registered for the suite, whether they have runs or not."""
        return [row for row in self.registered.claims if row.arms(self.suite)]

    @property
    def controls(self) -> list[Row]:
        """The positive controls of the suite."""
        return [row for row in self.registered.controls if row.arms(self.suite)]

    @property
    def rows(self) -> list[Row]:
        """Claims and controls."""
        return [*self.family, *self.controls]

    def alpha(self, part: float = verdict.MEAN, each: int = 1) -> float:
        """The error of one interval, if every claim has `each` sentences of this kind."""
        return verdict.alpha(self.share, len(self.family) * each, part)


def claims(
    rule: Rule, found: Mapping[str, Shown | None], controls: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The frames `claims`, `effects`, `by_task`, `kinds` and `budget` of a suite's family, from
    what the runs show of each row.

    No effect is called small unless the positive controls hurt. No claim is compared with the
    paper if the placebo differs.
    """
    seen = sensitive(controls)
    trusted = not (controls.words == verdict.DIFFERS).any()
    lines, rest = [], {name: [] for name in FRAMES}
    for row in rule.family:
        shown = found[row.id]
        line = _ends(shown, rule.alpha())
        mean = str(verdict.words(line["low"], line["high"], rule.margin, row.where in seen))
        own = _frames(row, shown, rule) if shown else {name: [] for name in FRAMES}
        rest = {name: [*rest[name], *own[name]] for name in FRAMES}
        depends = _depends(own["by_task"], "task") or _depends(own["kinds"], "kind")
        results = [each["result"] for each in own["by_task"]]
        with_, without = row.arms(rule.suite)
        lines.append(
            {
                "claim": row.id,
                **line,
                **{result: results.count(result) for result in (BETTER, WORSE, TIED)},
                "words": f"{verdict.DEPENDS}; mean: {mean}" if depends else mean,
                "depends": depends,
                **{"with": with_, "without": without, "where": row.where, "paper": row.paper},
                "mean": mean,
                "agrees": verdict.agrees(row.paper, mean) if trusted else "",
            }
        )
    frames = {name: pd.DataFrame(rest[name], columns=FRAMES[name]) for name in FRAMES}
    return {"claims": pd.DataFrame(lines, columns=[*CLAIMS, *REGISTERED]), **frames}


def _frames(row: Row, shown: Shown, rule: Rule) -> dict[str, list[dict]]:
    """The lines of a claim in the other frames."""
    estimates, kinds = shown.change.tasks, shown.kinds()
    alpha = rule.alpha(verdict.TASK, len(shown.tasks))
    low, high = shown.change.task_intervals(alpha)
    result = np.select([low > 0, high < 0], [BETTER, WORSE], TIED)
    levels = np.full(len(low), 1 - alpha)
    kind_alpha = rule.alpha(verdict.KIND, len(kinds))
    by_kind = [
        (kind, mean_over_tasks(estimates, own).effect, *shown.change.interval(kind_alpha, own))
        for kind, own in kinds.items()
    ]
    steps, change = shown.over_the_budget()
    over = (mean_over_tasks(change.tasks).effect, *change.interval(rule.alpha()))
    values = {
        "effects": zip(shown.names, *estimates, shown.runs, strict=True),
        "by_task": zip(shown.names, estimates.effect, low, high, levels, result, strict=True),
        "kinds": by_kind,
        "budget": zip(steps, *over, strict=True),
    }
    return {
        name: [dict(zip(FRAMES[name], (row.id, *own), strict=True)) for own in lines]
        for name, lines in values.items()
    }


def _ends(shown: Shown | None, alpha: float) -> dict[str, float]:
    """The mean over tasks with its interval, and that of new tasks."""
    if shown is None:
        return dict.fromkeys(ENDS, np.nan) | {"level": 1 - alpha}
    estimates = shown.change.tasks
    low, high = shown.change.interval(alpha)
    new_low, new_high = mean_over_new_tasks(estimates).interval(alpha)
    tau = spread_between_tasks(estimates)
    values = (mean_over_tasks(estimates).effect, low, high, 1 - alpha, tau, new_low, new_high)
    return dict(zip(ENDS, map(float, values), strict=True))


def _depends(lines: list[dict], what: str) -> str:
    own = [line for line in lines if not line[what].endswith(tasks.AGAINST)]
    low, high = (np.array([line[end] for line in own], float) for end in ("low", "high"))
    return verdict.depends([line[what] for line in own], low, high)


def controls(rule: Rule, found: Mapping[str, Shown | None], own: Sequence[Task]) -> pd.DataFrame:
    """The positive controls on kinds of actions that have tasks here, and the placebo, each at the
    round's level by itself; columns as `claims`."""
    alpha, lines = verdict.alpha(rule.share, 1), []
    least = np.nan_to_num(rule.margin)
    for row in rule.controls:
        if row.where in {task.actions for task in own}:
            line = _ends(found[row.id], alpha)
            words = verdict.of_control(line["low"], line["high"], least)
            arms = dict(zip(("with", "without"), row.arms(rule.suite), strict=True))
            lines.append({"claim": row.id, **line, "words": words, **arms, "where": row.where})
    line = _ends(tasks.of_placebo(own), alpha)
    words = verdict.of_placebo(line["low"], line["high"])
    sides = {"with": "odd seeds", "without": "even seeds"}
    lines.append({"claim": PLACEBO, **line, "words": words, **sides})
    return pd.DataFrame(lines, columns=[*CLAIMS, *REGISTERED])


def sensitive(controls: pd.DataFrame) -> set[str]:
    """The kinds of actions on which every positive control hurts by the margin."""
    positive = controls[controls.claim != PLACEBO]
    enough = (positive.words == verdict.HURTS_ENOUGH).groupby(positive["where"]).all()
    return set(enough.index[enough])


def warnings(controls: pd.DataFrame, own: Sequence[Task]) -> list[str]:
    """What has to be said above every table: a placebo that differs, a control that does not
    hurt."""
    said = []
    for row in controls.to_dict("records"):
        ends = f"{row['effect']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
        if row["words"] == verdict.DIFFERS:
            said.append(
                f"The placebo differs: odd seeds score {ends} more than even ones, though the "
                "parity of a seed changes nothing. Nothing agrees with the paper until that is "
                "explained."
            )
    for actions in sorted({task.actions for task in own} - sensitive(controls)):
        rows = controls[controls["where"] == actions]
        known = "; ".join(f"{row.claim} {row.words}" for row in rows.itertuples())
        said.append(
            f"{actions} actions: {known or 'no positive control is registered'}. So no effect is "
            "called small there."
        )
    return said


def interactions(rule: Rule, own: Sequence[Task]) -> pd.DataFrame:
    """Every pair of options of different groups that some runs have together: by how much the
    effect of one differs with the other."""
    found = pairs([task.design for task in own], [task.scores for task in own])
    named = registered_pairs(found, rule.registered)
    alpha = verdict.alpha(rule.share, len(named))
    rates = discovery_rates(found)
    lines = [
        (
            *(f"{pair[0]} x {pair[1]}", float(change.effect)),
            *change.interval(alpha if pair in named else verdict.ERROR),
            *(rates[pair], pair in named),
        )
        for pair, change in found.items()
    ]
    return pd.DataFrame(lines, columns=INTERACTIONS)


def pairs(
    designs: Sequence[Design], scores: Sequence[np.ndarray]
) -> dict[tuple[str, str], Estimate]:
    """By pair of options of different groups the mean of their interaction over the tasks that show
    it."""
    names = sorted({name for design in designs for name in design.columns[1:]})
    changes = {
        pair: tasks.of_pair(*pair, designs, scores)
        for pair in combinations(names, 2)
        if _group(pair[0]) != _group(pair[1])
    }
    return {pair: mean_over_tasks(change) for pair, change in changes.items() if change is not None}


def registered_pairs(found: Iterable[tuple[str, str]], registered: Claims) -> list[tuple[str, str]]:
    """Those of the pairs of options whose groups are registered."""
    chosen = {frozenset(pair) for pair in registered.interactions}
    return [pair for pair in found if chosen & {frozenset(one) for one in _groups(*pair)}]


def discovery_rates(found: dict[tuple[str, str], Estimate]) -> dict[tuple[str, str], float]:
    """The false discovery rate of each pair (Benjamini & Hochberg 1995)."""
    if not found:
        return {}
    values = np.array([change.p_value() for change in found.values()])
    return dict(zip(found, false_discovery_control(values, axis=0), strict=True))


def _group(option: str) -> str:
    return option.partition("=")[0]


def _groups(first: str, second: str) -> list[tuple[str, str]]:
    """The pairs under which two options may be registered; `*` is any toggle, not a number."""
    one, other = _group(first), _group(second)
    toggles = [("*", b) for a, b in ((one, other), (other, one)) if "." not in a]
    return [(one, other), *toggles]
