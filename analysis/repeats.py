"""Rows that were run again beside the study that they repeat, over the tasks that both have."""

import numpy as np
import pandas as pd

from analysis import InputError, formats, rows, select
from analysis.claims import Claim, Claims
from analysis.effects import Effect, Terms
from analysis.rule import ALPHA
from analysis.schema import ENDED
from analysis.study import Study

SAME_RUN = ["task", "arm", "seed"]


def beside(again: Study, ours: Study, registered: Claims) -> pd.DataFrame:
    """One row per claim or positive control of which both studies have runs: the effect in `ours`,
    `again`, and by how much that is more, each with its 95% interval, over the tasks that both have
    and that can move in `ours`.

    `alike` tells whether the interval of the difference holds 0; `inside`, where all tasks were run
    again, whether the effect again lies in the interval of the verdict. Raises `InputError` for
    runs of another suite, normalisation or configuration, for seeds that both have, and where no
    row is repeated.
    """
    _check_alike(again, ours)
    if ours.standing is not None and not ours.standing.complete:
        raise InputError(f"nothing to repeat: {ours.standing.next()}")
    if again.scores.empty:
        raise InputError("no run has ended that could repeat a row")
    margin = registered.margin[ours.suite]
    found = [_row(claim, again, ours, margin) for claim in registered.rows]
    if not any(found):
        raise InputError(
            "no row is repeated: there is no claim of which both have both arms on a task that "
            "can move"
        )
    return pd.DataFrame([row for row in found if row])


def _row(claim: Claim, again: Study, ours: Study, margin: float) -> dict | None:
    arms = claim.arms(ours.suite)
    if arms is None or arms[0] == arms[1]:
        return None
    frames = [
        frame[frame.actions == claim.where] for frame in (ours.judged(claim.id), again.scores)
    ]
    (then, _), (now, notes) = (rows.common_runs(frame, arms) for frame in frames)
    both = set(then.task) & set(now.task)
    missing = sorted(set(then.task) - both)
    then, now = (frame[frame.task.isin(both)] for frame in (then, now))
    if not both:
        return None
    first, second = (rows.comparison(frame, arms, margin) for frame in (then, now))
    if not first.moving.any():
        return None
    terms = first.terms, second.terms, _difference(second.terms, first.terms)
    effect, repeated, difference = (each.over(first.moving) for each in terms)
    notes += rows.divergence_notes(now, arms)
    return {
        "claim": claim.id,
        "tasks": formats.tasks(int(first.moving.sum()), len(both)),
        **_columns("", effect),
        "runs": _runs(then, arms),
        **_columns("again_", repeated),
        "again_runs": _runs(now, arms),
        **_columns("difference_", difference),
        "alike": _within(0.0, difference.low(ALPHA), difference.high(ALPHA)),
        "inside": "" if missing else _inside(claim, ours, repeated),
        "note": "; ".join([*notes, *[f"not again: {', '.join(missing)}"] * bool(missing)]),
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


def _runs(used: pd.DataFrame, arms: tuple[str, str]) -> str:
    return " + ".join(str((used.arm == arm).sum()) for arm in arms)


def _inside(claim: Claim, ours: Study, effect: Effect) -> str:
    judged = pd.concat([ours.verdicts, ours.controls])
    (row,) = judged[(judged.claim == claim.id) & judged.stated].itertuples()
    return _within(effect.value, row.low, row.high)


def _within(value: float, low: float, high: float) -> str:
    return "" if np.isnan([low, high]).any() else "yes" if low <= value <= high else "no"


def _check_alike(again: Study, ours: Study) -> None:
    for what in ("suite", "scheme"):  # one claims file gives both the same score
        if (own := getattr(again, what)) != (theirs := getattr(ours, what)):
            raise InputError(f"the {what} {own} does not repeat the {what} {theirs}")
    ended = [one.store.runs[one.store.runs.status.isin(ENDED)] for one in (again, ours)]
    shared = [runs[runs.task.isin(other.task)] for runs, other in (ended, ended[::-1])]
    select.refuse_mixtures(pd.concat(shared), "both together")
    for run in shared[0].merge(shared[1], on=SAME_RUN).itertuples():
        raise InputError(
            f"both have {run.task} {run.arm} seed {run.seed}: run again with new seeds, as in "
            "run.seed=range(200,206)"
        )
