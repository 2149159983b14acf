"""What pictures and tables need of a study besides its frames: which runs stand for the two sides
of a claim, kinds of tasks, colours of arms, and the words on how much data it is."""

import numpy as np
import pandas as pd

from analysis.claims import BASELINE, options
from analysis.schema import Status
from analysis.score import RAW
from analysis.show.style import PALETTE
from analysis.show.text import counted
from analysis.study import Judged

BLACK = "#000000"
SIDE = "side"


def margin(ours: Judged) -> float:
    """The registered margin of the suite; 0 for raw returns, which have none."""
    return 0.0 if ours.scheme == RAW else ours.registered.margin_of(ours.suite)


def legible(ours: Judged, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the intervals that say nothing: those wider than twice what scores span."""
    span = np.ptp(ours.scores.normalised)
    widest = 2 * (span if ours.scheme == RAW else max(span, 1))
    rows = rows.copy()
    for low, high in (("low", "high"), ("new_low", "new_high")):
        if low in rows:
            rows.loc[rows[high] - rows[low] > widest, [low, high]] = np.nan
    return rows


def colours(ours: Judged) -> dict[str, str]:
    """A colour for each arm that a claim names, the same in all figures; the baseline is black."""
    named = [*ours.claims[["with", "without"]].to_numpy().flat, *ours.scores.arm.unique()]
    others = [arm for arm in dict.fromkeys(named) if arm != BASELINE]
    own = {arm: PALETTE[number % len(PALETTE)] for number, arm in enumerate(others)}
    return {BASELINE: BLACK} | own


def kinds(ours: Judged) -> pd.Series:
    """The kind of each task that has effects, tasks of a kind side by side: the first that the
    claims file registers for it, else its kind of actions."""
    registered = ours.registered.kinds.get(ours.suite, {})
    actions = ours.scores.drop_duplicates("task").set_index("task").actions
    rows = [
        (next((kind for kind, own in registered.items() if task in own), actions[task]), task)
        for task in ours.effects.task.unique()
    ]
    order = [*registered, *sorted(set(actions))]
    rows.sort(key=lambda row: (order.index(row[0]), actions[row[1]] == "continuous", row[1]))
    return pd.Series({task: kind for kind, task in rows}, dtype=object)


def curves(ours: Judged, claim: str) -> pd.DataFrame:
    """The evaluations of the runs with and without a change, marked in the column `side` by the
    names of the two arms, on the tasks that have both.

    Where other options vary too, as in a trial, the runs of a side are those with its options,
    whatever else they drew. Where every other option has runs of both sides those alone are taken:
    with one change at a time these are the two arms.
    """
    row = ours.claims[ours.claims.claim == claim].iloc[0]
    arms = row["with"], row["without"]
    sides = [options(arm) for arm in arms]
    groups = {_group(option) for option in sides[0] ^ sides[1]}
    runs = ours.scores[ours.scores.actions == row["where"]][["run", "task", "arm"]]
    drawn = runs.arm.map(options)
    own = drawn.map(lambda some: frozenset(o for o in some if _group(o) in groups))
    runs = runs.assign(rest=drawn - own, **{SIDE: None})
    for arm, side in zip(arms, sides, strict=True):
        wanted = frozenset(option for option in side if _group(option) in groups)
        runs.loc[own == wanted, SIDE] = arm
    runs = runs[runs[SIDE].notna()]
    cells = runs.groupby(["task", "rest"])[SIDE].transform("nunique")
    if len(matched := runs[cells == 2]) and _smaller(matched) >= _smaller(runs) / 2:
        runs = matched
    both = runs.groupby("task")[SIDE].transform("nunique") == 2
    points = ours.curves.merge(runs.loc[both, ["run", SIDE]], on="run")
    return points.sort_values(SIDE, key=lambda side: side != BASELINE, kind="stable")


def _group(option: str) -> str:
    return option.partition("=")[0]


def _smaller(runs: pd.DataFrame) -> int:
    return runs[SIDE].value_counts().min()


def caption(ours: Judged) -> str:
    """Which runs a table or figure is of, by which score and registration, and what is left out."""
    scores = ours.scores
    size = f"{counted(len(scores), 'run')}, {counted(scores.task.nunique(), 'task')}"
    mark = "" if ours.window == ours.registered.window(ours.suite) else " (not the registered one)"
    unit = "raw returns" if ours.scheme == RAW else f"normalised by {ours.scheme.replace('_', ' ')}"
    date = f" of {ours.registered.date}" if ours.registered.date else ""
    said = [
        f"{size}, suite {ours.suite}",
        f"score: {ours.window}{mark}, {unit}",
        f"claims file {ours.registered.digest}{date}",
        *left_out(ours),
    ]
    return "; ".join(said)


def left_out(ours: Judged) -> list[str]:
    """How many runs are not judged, and how many of those that are diverged."""
    missing = len(ours.store.runs) - len(ours.scores)
    diverged = int((ours.scores.status == Status.DIVERGED).sum())
    said = [f"{counted(missing, 'run')} without a score, see problems.csv"] * bool(missing)
    return said + [f"{counted(diverged, 'run')} diverged"] * bool(diverged)
