"""What the runs of a suite say, as frames: one line for each claim, task, kind, pair and control,
and for each option that may be recommended.

Intervals are guarded and simultaneous over the claims (and their tasks, or kinds). Those of pairs
of options are not guarded, and simultaneous over the registered pairs alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from analysis import tasks, verdict
from analysis.claims import Claim, Claims, Row
from analysis.estimate import Estimate, mean_over_new_tasks, mean_over_tasks, spread_between_tasks
from analysis.schema import Problem, group
from analysis.tasks import Change, Task

ENDS = ["effect", "low", "high", "level", "tau", "new_low", "new_high"]
BETTER, WORSE, TIED = "better", "worse", "tied"
# Of claims.csv. tau, new_low and new_high are of other tasks like these.
CLAIMS = [
    *("claim", *ENDS, BETTER, WORSE, TIED, "words", "depends"),
    *("with", "without", "where", "paper", "mean", "agrees"),
]
INTERACTIONS = ["pair", "effect", "low", "high", "q", "registered", "tasks"]
RECOMMENDATION = ["kind", "group", "option", "effect", "low", "high"]
FRAMES = {  # of several lines a claim
    "effects": ["claim", "task", "effect", "error", "df", "runs"],
    "by_task": ["claim", "task", "effect", "low", "high", "level", "result"],
    "kinds": ["claim", "kind", "effect", "low", "high"],
    "budget": ["claim", "step", "effect", "low", "high"],
}
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
        return self.registered.family(self.suite)

    def alpha(self, part: float = verdict.MEAN, each: int = 1) -> float:
        """The error of one interval, if every claim has `each` sentences of this kind."""
        return verdict.alpha(self.share, len(self.family) * each, part)

    def shown(self, row: Row, own: Sequence[Task]) -> tuple[Change | None, list[Problem]]:
        """What the runs show of a claim or control, and why some tasks do not."""
        some = [task for task in own if row.fits(task.actions, task.kinds)]
        return tasks.shown(row.id, *row.sides(self.suite), some)


def claims(
    rule: Rule, found: Mapping[str, Change | None], controls: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The frames `claims`, `effects`, `by_task`, `kinds` (of controls too), `budget` of a suite. No
    effect is small unless the positive controls hurt. None agrees with the paper if the placebo
    differs."""
    seen = sensitive(controls)
    trusted = not (controls.words == verdict.DIFFERS).any()
    frames = _frames(rule, found)
    by_task, kinds = frames["by_task"], frames["kinds"]
    kinds = kinds[~kinds.kind.str.endswith(tasks.AGAINST)]
    lines = []
    for row in rule.family:
        line = _ends(found[row.id], rule.alpha())
        mean = str(verdict.words(line["low"], line["high"], rule.margin, row.where in seen))
        own, own_kinds = (frame[frame.claim == row.id] for frame in (by_task, kinds))
        depends = verdict.depends(own.task, own) or verdict.depends(own_kinds.kind, own_kinds)
        lines.append(
            {
                "claim": row.id,
                **line,
                **{result: (own.result == result).sum() for result in (BETTER, WORSE, TIED)},
                "words": f"{verdict.DEPENDS}; mean: {mean}" if depends else mean,
                "depends": depends,
                **_registered(row, rule.suite),
                "paper": row.paper,
                "mean": mean,
                "agrees": verdict.agrees(row.paper, mean) if trusted else "",
            }
        )
    return {"claims": pd.DataFrame(lines, columns=CLAIMS), **frames}


def _registered(row: Row, suite: str) -> dict[str, str]:
    return dict(zip(("with", "without"), row.arms(suite), strict=True)) | {"where": row.where}


def _frames(rule: Rule, found: Mapping[str, Change | None]) -> dict[str, pd.DataFrame]:
    lines = {name: [] for name in FRAMES}
    for row in rule.family:
        if change := found[row.id]:
            for name, own in _lines(change, rule).items():
                lines[name] += [(row.id, *line) for line in own]
    for row in rule.registered.controls_of(rule.suite):
        if change := found[row.id]:
            own = _by_kind(change, verdict.alpha(rule.share, 1))
            lines["kinds"] += [(row.id, *line) for line in own]
    return {name: pd.DataFrame(lines[name], columns=FRAMES[name]) for name in FRAMES}


def _lines(change: Change, rule: Rule) -> dict[str, Iterable[tuple]]:
    names, estimates = [task.name for task, _ in change.given], change.estimates
    alpha = rule.alpha(verdict.TASK, len(names))
    low, high = change.task_intervals(alpha)
    result = np.select([low > 0, high < 0], [BETTER, WORSE], TIED)
    levels = np.full(len(low), 1 - alpha)
    steps, then = change.over_the_budget()
    return {
        "effects": zip(names, *estimates, map(len, change.runs), strict=True),
        "by_task": zip(names, estimates.effect, low, high, levels, result, strict=True),
        "kinds": _by_kind(change, rule.alpha(verdict.KIND)),
        "budget": zip(steps, *then.mean(rule.alpha()), strict=True),
    }


def _by_kind(change: Change, alpha: float) -> list[tuple]:
    """The effect on each kind of tasks, simultaneous over the kinds."""
    kinds = change.kinds()
    return [(kind, *change.mean(alpha / len(kinds), own)) for kind, own in kinds.items()]


def _ends(change: Change | None, alpha: float) -> dict[str, float]:
    """The mean over tasks with its interval, and that of new tasks."""
    if change is None:
        return dict.fromkeys(ENDS, np.nan) | {"level": 1 - alpha}
    families = [task.name.removesuffix(tasks.DRAWN) for task, _ in change.given]
    new = mean_over_new_tasks(change.estimates, families).interval(alpha)
    values = (*change.mean(alpha), 1 - alpha, spread_between_tasks(change.estimates), *new)
    return dict(zip(ENDS, map(float, values), strict=True))


def controls(rule: Rule, found: Mapping[str, Change | None], own: Sequence[Task]) -> pd.DataFrame:
    """The positive controls of kinds of actions that have tasks here, and the placebo, each at the
    round's level by itself; columns as `claims`."""
    alpha, lines = verdict.alpha(rule.share, 1), []
    for row in rule.registered.controls_of(rule.suite):
        if row.where in {task.actions for task in own}:
            line = {"claim": row.id, **_ends(found[row.id], alpha), **_registered(row, rule.suite)}
            words = verdict.of_control(line["low"], line["high"], rule.margin)
            lines.append(line | {"words": words})
    line = _ends(tasks.of_placebo(own), alpha)
    words = verdict.of_placebo(line["low"], line["high"])
    sides = {"with": "odd seeds", "without": "even seeds"}
    lines.append({"claim": PLACEBO, **line, "words": words, **sides})
    return pd.DataFrame(lines, columns=CLAIMS)


def sensitive(controls: pd.DataFrame) -> set[str]:
    """The kinds of actions on which every positive control hurts by the margin."""
    positive = controls[controls.claim != PLACEBO]
    enough = (positive.words == verdict.HURTS_ENOUGH).groupby(positive["where"]).all()
    return set(enough.index[enough])


def warnings(controls: pd.DataFrame, own: Sequence[Task]) -> list[str]:
    """What has to stand above every table: a placebo that differs, a control that does not hurt."""
    said = [
        f"The placebo differs: odd seeds score {row.effect:+.3f} [{row.low:+.3f}, {row.high:+.3f}] "
        "more than even ones, though the parity of a seed changes nothing. Nothing agrees with the "
        "paper until that is explained."
        for row in controls[controls.words == verdict.DIFFERS].itertuples()
    ]
    for actions in sorted({task.actions for task in own} - sensitive(controls)):
        rows = controls[controls["where"] == actions]
        known = "; ".join(f"{row.claim} {row.words}" for row in rows.itertuples())
        known = known or "no positive control is registered"
        said.append(f"{actions} actions: {known}. So no effect is called small there.")
    return said


def interactions(rule: Rule, own: Sequence[Task]) -> pd.DataFrame:
    """Every pair of options of different groups that some runs have together: by how much one
    changes the effect of the other."""
    found = pairs(own, rule.registered)
    named = registered_pairs(found, rule.registered)
    alpha = verdict.alpha(rule.share, len(named))
    means = {pair: mean_over_tasks(change.estimates) for pair, change in found.items()}
    rates = discovery_rates(means)
    lines = [
        (
            *(" x ".join(pair), float(mean.effect)),
            *mean.interval(alpha if pair in named else verdict.ERROR),
            *(min(rates[pair] / rule.share, 1.0), pair in named, len(found[pair].given)),
        )
        for pair, mean in means.items()
    ]
    return pd.DataFrame(lines, columns=INTERACTIONS)


def pairs(own: Sequence[Task], registered: Claims) -> dict[tuple[str, str], Change]:
    """By pair of options of different groups what the tasks show of their interaction."""
    needs = registered.trial.needs if registered.trial else {}
    return {
        pair: change
        for pair in combinations(_options(own), 2)
        if group(pair[0]) != group(pair[1]) and (change := tasks.of_pair(pair, needs, own))
    }


def registered_pairs(found: Iterable[tuple[str, str]], registered: Claims) -> list[tuple[str, str]]:
    """The pairs of options whose groups are registered; `*` is any toggle, not a number."""
    chosen = {frozenset(pair) for pair in registered.interactions}

    def named(option: str) -> set[str]:
        return {group(option)} if "." in group(option) else {group(option), "*"}

    return [pair for pair in found if chosen & {*map(frozenset, product(*map(named, pair)))}]


def discovery_rates(found: dict[tuple[str, str], Estimate]) -> dict[tuple[str, str], float]:
    """The false discovery rate of each pair (Benjamini & Hochberg 1995)."""
    if not found:
        return {}
    from scipy.stats import false_discovery_control  # a second to import, for few tables

    values = np.nan_to_num([change.p_value() for change in found.values()], nan=1.0)
    return dict(zip(found, false_discovery_control(values, axis=0), strict=True))


def recommendation(rule: Rule, own: Sequence[Task]) -> pd.DataFrame:
    """One row for each option and kind of tasks on all of which the runs show it: its effect
    against the baseline's, its interval, simultaneous over the rows, and whether it is recommended:
    surely above 0, the largest of its group, and at odds with no larger. Numbers are no options."""
    found = {
        (kind, group(option), option): change
        for kind, members in kinds(own).items()
        for option in _options(members)
        if "." not in group(option)
        and (change := tasks.shown(option, frozenset({option}), frozenset(), members)[0])
        and len(change.given) == len(members)
    }
    alpha = verdict.alpha(rule.share, len(found))
    lines = [(*key, *change.mean(alpha)) for key, change in found.items()]
    frame = pd.DataFrame(lines, columns=RECOMMENDATION)
    sure = frame.effect.where(frame.low > 0)
    best = sure.groupby([frame.kind, frame.group]).transform("max")
    frame = frame.assign(recommended=sure.notna() & (sure == best))
    trial = rule.registered.trial
    for needing, needed in trial.needs.items() if trial else ():
        for other, option in needed.items():
            lacking = frame.group.eq(other) & frame.option.ne(f"{other}={option}")
            pair = frame.recommended & (frame.group.eq(needing) | lacking)
            largest = frame.effect.where(pair).groupby(frame.kind).transform("max")
            frame = frame.assign(recommended=frame.recommended & ~(pair & (frame.effect < largest)))
    return frame


def kinds(own: Sequence[Task]) -> dict[str, list[Task]]:
    """The tasks by kind of actions, and by what some of them share, as `discrete, vector`."""
    found: dict[str, list[Task]] = {}
    for actions in sorted({task.actions for task in own}):
        members = found[actions] = [task for task in own if task.actions == actions]
        for kind in sorted(frozenset().union(*(task.kinds for task in members)) - {actions}):
            some = [task for task in members if kind in task.kinds]
            if len(some) < len(members):
                found[f"{actions}, {kind}"] = some
    return found


def _options(own: Sequence[Task]) -> list[str]:
    return sorted({name for task in own for name in task.design.columns[1:]})
