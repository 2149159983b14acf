"""The controls, which are no claims: whether a suite can show an effect, and whether it shows one
where there is none."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis import rows
from analysis.claims import Claim, Claims
from analysis.rule import ALIKE, ALPHA, DIFFERS, HURTS, Evidence, decide
from analysis.schema import ACTIONS

POSITIVE, SAME = "positive control", "A/A"


def role(row: Claim, suite: str) -> str:
    """The kind of a control: both arms are one, or two of which the first must hurt."""
    arms = row.arms(suite)
    return SAME if arms is not None and arms[0] == arms[1] else POSITIVE


def judged(frame: pd.DataFrame, control: Claim, suite: str, margin: float, alpha: float) -> dict:
    """The row of a control, judged by itself."""
    own = frame[frame.actions == control.where]
    row, compared = rows.compared(own, control, suite, control.where, margin)
    note = row["note"]
    row["role"] = role(control, suite)
    if compared is None or not compared.moving.any():
        return row
    decision = decide(Evidence.listed([compared]), 1, alpha=alpha)
    row |= rows.decided(row, compared, decision, 0)
    if row["role"] == SAME and np.isfinite(compared.effect.error):
        verdict = DIFFERS if compared.effect.p_zero() <= alpha else ALIKE
        low, high = float(compared.effect.low(alpha)), float(compared.effect.high(alpha))
        row |= {"verdict": verdict, "substantial": "", "seeds_needed": None}
        row |= {"low": low, "high": high, "note": note}
    return row


def hurts(row: dict, margin: float) -> bool:
    """Whether a positive control hurts, and by at least the margin."""
    return row["verdict"] == HURTS and -row["effect"] >= margin


def sensitive(controls: list[dict], margin: float) -> dict[str, str]:
    """By kind of actions, what is missing for a suite that can show an effect of the margin; empty
    if nothing is."""
    reasons = {}
    for actions in ACTIONS:
        own = [row for row in controls if row["role"] == POSITIVE and row["actions"] == actions]
        failed = [row["claim"] for row in own if not hurts(row, margin)]
        lacking = "no positive control is registered"
        silent = f"the positive control does not hurt by the margin: {', '.join(failed)}"
        reasons[actions] = lacking if not own else silent if failed else ""
    return reasons


def by_task(
    frame: pd.DataFrame,
    claims: Claims,
    suite: str,
    seen: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """The effect of each positive control task by task: both arms' mean normalised scores, the
    difference, and its 95% interval; of the runs `seen` by control, where that is given."""
    records = []
    for control in claims.controls:
        arms = control.arms(suite)
        if arms is None or arms[0] == arms[1]:
            continue
        own = frame[(frame.suite == suite) & (frame.actions == control.where)]
        own = own if seen is None else own[own.run.isin(seen[control.id])]
        used, _ = rows.common_runs(own, arms)
        if used.empty:
            continue
        both = rows.comparison(used, arms, claims.margin[suite])
        singly = np.eye(len(both.tasks), dtype=bool)
        effect = both.terms.over(singly)
        moves = np.select([both.floor, both.ceiling], ["floor", "ceiling"], "yes")
        records += [
            pd.DataFrame(
                {
                    "control": control.id,
                    "task": both.tasks,
                    "with": both.with_.mean,
                    "without": both.without.mean,
                    "effect": effect.value,
                    "low": effect.low(ALPHA),
                    "high": effect.high(ALPHA),
                    "runs": [
                        f"{first} + {second}"
                        for first, second in zip(both.with_.runs, both.without.runs, strict=True)
                    ],
                    "moves": moves,
                }
            )
        ]
    columns = ["control", "task", "with", "without", "effect", "low", "high", "runs", "moves"]
    return pd.concat(records, ignore_index=True) if records else pd.DataFrame(columns=columns)
