"""Rows that were run again beside the study that they repeat, over the tasks that both have."""

import numpy as np
import pandas as pd

from analysis import InputError, formats, rows
from analysis.claims import Claim, Claims
from analysis.effects import Effect, Terms
from analysis.rule import ALPHA
from analysis.study import Study


def beside(again: Study, ours: Study, registered: Claims) -> pd.DataFrame:
    """One row per claim or positive control of which both studies have runs: the effect in `ours`,
    `again`, and their difference, each with its 95% interval, over the tasks that both have and
    that can move in `ours`.

    `inside` tells whether the effect `again` lies in the interval of `ours`. Raises `InputError`
    for runs of another suite, score or configuration, and where no row is repeated.
    """
    _check_alike(again, ours)
    margin = registered.margin[ours.suite]
    found = [_row(claim, again, ours, margin) for claim in registered.rows]
    if not any(found):
        raise InputError("no row is repeated: no claim has both its arms on a task here and there")
    return pd.DataFrame([row for row in found if row])


def _row(claim: Claim, again: Study, ours: Study, margin: float) -> dict | None:
    arms = claim.arms(ours.suite)
    if arms is None or arms[0] == arms[1]:
        return None
    used = [
        rows.common_runs(frame[frame.actions == claim.where], arms)[0]
        for frame in (ours.judged(claim.id), again.scores)
    ]
    tasks = set(used[0].task) & set(used[1].task)
    used = [frame[frame.task.isin(tasks)] for frame in used]
    if not tasks:
        return None
    first, second = (rows.comparison(frame, arms, margin) for frame in used)
    if not first.moving.any():
        return None
    terms = first.terms, second.terms, _difference(second.terms, first.terms)
    then, now, difference = (each.over(first.moving) for each in terms)
    inside = then.low(ALPHA) <= now.value <= then.high(ALPHA)
    return {
        "claim": claim.id,
        "tasks": formats.tasks(int(first.moving.sum()), len(tasks)),
        **_columns("", then),
        "seeds": _seeds(used[0]),
        **_columns("again_", now),
        "again_seeds": _seeds(used[1]),
        **_columns("difference_", difference),
        "inside": ("yes" if inside else "no") if np.isfinite(then.error) else "",
    }


def _difference(first: Terms, second: Terms) -> Terms:
    """Of two effects from different runs."""
    return Terms(
        first.difference - second.difference,
        first.square + second.square,
        first.quartic + second.quartic,
    )


def _columns(prefix: str, effect: Effect) -> dict[str, float]:
    ends = {"effect": effect.value, "low": effect.low(ALPHA), "high": effect.high(ALPHA)}
    return {f"{prefix}{name}": float(value) for name, value in ends.items()}


def _seeds(used: pd.DataFrame) -> str:
    """The first and last seed."""
    return formats.span(used.seed.min(), used.seed.max())


def _check_alike(again: Study, ours: Study) -> None:
    for what in ("suite", "window", "scheme"):
        if (own := getattr(again, what)) != (theirs := getattr(ours, what)):
            raise InputError(f"the {what} {own} does not repeat the {what} {theirs}")
    known = ours.store.runs.groupby(["task", "arm"]).digest.first()
    for (task, arm), digest in again.store.runs.groupby(["task", "arm"]).digest.first().items():
        if digest != (theirs := known.get((task, arm), digest)):
            raise InputError(
                f"{task} {arm} with the digest {digest} does not repeat {theirs}: its options, or "
                "the versions behind them, are others"
            )
