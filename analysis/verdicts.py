"""The registered claims and controls against our runs: effect, interval, verdict, and whether it
agrees with the paper."""

import difflib

import numpy as np
import pandas as pd

from analysis import InputError, rows
from analysis.claims import Claim, Claims
from analysis.comparison import Comparison
from analysis.fields import ACTIONS
from analysis.rule import (
    ALIKE,
    ALPHA,
    DIFFERS,
    HELPS,
    HURTS,
    NO_HELP,
    UNDECIDED,
    Decision,
    Evidence,
    decide,
)

CLAIM, POSITIVE, SAME = "claim", "positive control", "A/A"
WORSE = "worse than the paper"
# What the paper says, and whether a verdict of ours agrees with it.
AGREES = {
    "helps": {HELPS: "yes", HURTS: "no", NO_HELP: "no"},
    "no_help": {HELPS: "no", HURTS: WORSE, NO_HELP: "yes"},
    "worse": {HELPS: "no", HURTS: "yes", NO_HELP: "yes"},
    "none": {},
}
NEAR = 0.85  # likeness at which an arm's name is taken for another's misspelling


def evaluate(frame: pd.DataFrame, claims: Claims, suite: str, alpha: float = ALPHA) -> pd.DataFrame:
    """One row per registered claim and control (and kind of actions that has runs) with its effect,
    interval and verdict; `role` tells claims from controls, `lacking` what the suite's controls
    lack.

    `frame` holds normalised final scores, one row per run. Only tasks that both arms have are used;
    the note lists the rest. The claims about their own kind of actions are one family for Holm's
    adjustment, of all that are registered for the suite; rows of the other kind are printed beside
    (`stated` is False), are a family of their own and never agree or disagree. Controls are judged
    each by itself at `alpha`.
    """
    frame = frame[frame.suite == suite]
    if suite not in claims.margin:
        raise InputError(
            f"the claims give no margin for suite '{suite}'; "
            f"they do for: {', '.join(claims.margin)}"
        )
    margin = claims.margin[suite]
    controls = [_control(frame, control, suite, margin, alpha) for control in claims.controls]
    judged = _claims(frame, claims, suite, _sensitive(controls, margin), alpha)
    result = pd.DataFrame([*judged, *controls])
    return result.assign(suite=suite, margin=margin, family=claims.family(suite))


def _control(frame: pd.DataFrame, control: Claim, suite: str, margin: float, alpha: float) -> dict:
    """The row of a control, judged by itself."""
    own = frame[frame.actions == control.where]
    row, compared = rows.compared(own, control, suite, control.where, margin)
    arms, note = control.arms(suite), row["note"]
    row["role"] = SAME if arms is not None and arms[0] == arms[1] else POSITIVE
    if compared is None or not compared.moving.any():
        return row
    decision = decide(Evidence.listed([compared]), 1, alpha=alpha)
    row |= _decided(row, compared, decision, 0)
    if row["role"] == SAME and np.isfinite(compared.effect.error):
        verdict = DIFFERS if compared.effect.p_zero() <= alpha else ALIKE
        low, high = float(compared.effect.low(alpha)), float(compared.effect.high(alpha))
        row |= {"verdict": verdict, "substantial": "", "seeds_needed": None}
        row |= {"low": low, "high": high, "note": note}
    return row


def _sensitive(controls: list[dict], margin: float) -> dict[str, str]:
    """By kind of actions, what is missing for a suite that can show an effect of the margin; empty
    if nothing is."""
    reasons = {}
    for actions in ACTIONS:
        own = [row for row in controls if row["role"] == POSITIVE and row["actions"] == actions]
        failed = [row["claim"] for row in own if row["verdict"] != HURTS or -row["effect"] < margin]
        lacking = "no positive control is registered"
        silent = f"the positive control does not hurt by the margin: {', '.join(failed)}"
        reasons[actions] = lacking if not own else silent if failed else ""
    return reasons


def _claims(
    frame: pd.DataFrame, claims: Claims, suite: str, missing: dict[str, str], alpha: float
) -> list[dict]:
    judged: list[tuple[dict, Comparison | None]] = []
    for claim in claims.claims:
        for actions in sorted(ACTIONS, key=lambda kind: kind != claim.where):
            own = frame[frame.actions == actions]
            row, compared = rows.compared(own, claim, suite, actions, claims.margin[suite])
            row |= {"role": CLAIM, "lacking": missing[actions]}
            if compared is None:
                row["note"] += _near(row, set(frame.arm))
            else:
                row |= rows.degenerate(own, row)
            if row["stated"] or row["runs_with"]:
                judged.append((row, compared))
    for stated in (True, False):
        family = [
            (row, compared)
            for row, compared in judged
            if row["stated"] is stated and row["verdict"] == UNDECIDED and row["moving"]
        ]
        if not family:
            continue
        sensitive = np.array([not missing[row["actions"]] for row, _ in family])
        evidence = Evidence.listed([compared for _, compared in family])
        decision = decide(evidence, claims.family(suite), sensitive, alpha)
        for number, (row, compared) in enumerate(family):
            row |= _decided(row, compared, decision, number)
            if row["stated"] and not row["lacking"]:
                row["agrees"] = AGREES[row["paper"]].get(row["verdict"], "")
    return [row for row, _ in judged]


def _decided(row: dict, compared: Comparison, decision: Decision, number: int) -> dict:
    """Verdict, levels, interval and what else a row says of its decision.

    Each end of the interval is the one that the rule looks at, guarded against rare failures: the
    lower at the level against 0, the upper at the level against the margin, or, where the change
    hurts, at the level against 0.
    """
    verdict = str(decision.verdict[number])
    zero, margin = float(decision.level_zero[number]), float(decision.level_margin[number])
    known = bool(np.isfinite(compared.effect.error))
    high = compared.guarded_high(zero if verdict == HURTS else margin)
    below = bool(compared.p_below <= margin)
    undecided = verdict == UNDECIDED and known
    notes = [row["note"]]
    if verdict in (HELPS, HURTS) or (undecided and compared.effect.p_zero() <= zero):
        notes += _carried(compared)
    if undecided and compared.effect.p_zero() <= zero < compared.p_zero:
        ahead = row["with"] if compared.effect.value > 0 else row["without"]
        notes.append(f"one more failed run of {ahead} may hide the effect")
    if undecided and below and row.get("lacking"):
        notes.append(f"no verdict, as {row['lacking']}")
    if undecided and not below and compared.effect.p_below(compared.margin) <= margin:
        task = compared.tasks[compared.threat()]
        notes.append(f"one more run of {row['without']} that fails on {task} reaches the margin")
    needed = None
    if undecided and (not below or row.get("lacking")):
        needed = compared.seeds_to_decide(zero, margin, not row.get("lacking"))
    return {
        "verdict": verdict,
        "substantial": _substantial(verdict, bool(decision.substantial[number])),
        "low": float(compared.guarded_low(zero)) if known else np.nan,
        "high": float(high) if known else np.nan,
        "level_zero": 1 - zero,
        "level_margin": 1 - margin,
        "p_zero": float(compared.p_zero),
        "p_margin": float(compared.p_below),
        "seeds_needed": needed,
        "note": "; ".join(filter(None, notes)),
    }


def _carried(compared: Comparison) -> list[str]:
    if not compared.carried:
        return []
    return [f"carried by one task, {compared.tasks[compared.carrier()]}"]


def _substantial(verdict: str, surely: bool) -> str:
    """Of a change that helps, whether by at least the margin."""
    return "" if verdict != HELPS else "yes" if surely else "not shown"


def _near(row: dict, arms: set[str]) -> str:
    """A hint where an arm without runs looks like the misspelling of one with runs."""
    near = [
        f"; did you mean {match} instead of {arm}?"
        for arm in (row["with"], row["without"])
        if arm is not None and arm not in arms
        for match in difflib.get_close_matches(arm, arms, n=1, cutoff=NEAR)
    ]
    return "".join(near)


def control_tasks(frame: pd.DataFrame, claims: Claims, suite: str) -> pd.DataFrame:
    """The effect of each positive control task by task: both arms' mean normalised scores, the
    difference, and its 95% interval."""
    records = []
    for control in claims.controls:
        arms = control.arms(suite)
        if arms is None or arms[0] == arms[1]:
            continue
        own = frame[(frame.suite == suite) & (frame.actions == control.where)]
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
