"""The registered claims and controls against our runs: effect, interval, verdict, and whether it
agrees with the paper."""

import difflib

import numpy as np
import pandas as pd

from analysis import InputError, controls, rows
from analysis.claims import Claim, Claims
from analysis.comparison import Comparison
from analysis.rule import (
    ALPHA,
    HELPS,
    HURTS,
    NO_HELP,
    UNDECIDED,
    Evidence,
    decide,
)
from analysis.schema import ACTIONS

CLAIM = "claim"
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
    least = margin(claims, suite)
    found = [controls.judged(frame, row, suite, least, alpha) for row in claims.controls]
    judged = _claims(frame, claims, suite, controls.sensitive(found, least), alpha)
    result = pd.DataFrame([*judged, *found])
    return result.assign(suite=suite, margin=least, family=claims.family(suite))


def margin(claims: Claims, suite: str) -> float:
    """The registered margin of a suite; `InputError` where there is none."""
    if suite not in claims.margin:
        raise InputError(
            f"the claims give no margin for suite '{suite}'; "
            f"they do for: {', '.join(claims.margin)}"
        )
    return claims.margin[suite]


def claim(
    frame: pd.DataFrame, row: Claim, suite: str, actions: str, margin: float, lacking: str
) -> tuple[dict, Comparison | None]:
    """A claim's row on one kind of actions before its verdict, and the comparison behind it;
    `lacking` is what the suite's controls lack."""
    own = frame[frame.actions == actions]
    judged, compared = rows.compared(own, row, suite, actions, margin)
    judged |= {"role": CLAIM, "lacking": lacking}
    if compared is None:
        judged["note"] += near(judged, set(frame.arm))
    else:
        judged |= rows.degenerate(own, judged)
    return judged, compared


def agrees(row: dict) -> str:
    """Whether a claim's verdict agrees with the paper; empty beside the claims, and where the suite
    lacks a control."""
    if not row["stated"] or row["lacking"]:
        return ""
    return AGREES[row["paper"]].get(row["verdict"], "")


def _claims(
    frame: pd.DataFrame, claims: Claims, suite: str, missing: dict[str, str], alpha: float
) -> list[dict]:
    judged: list[tuple[dict, Comparison | None]] = []
    for registered in claims.claims:
        for actions in sorted(ACTIONS, key=lambda kind: kind != registered.where):
            row, compared = claim(
                frame, registered, suite, actions, margin(claims, suite), missing[actions]
            )
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
        able = np.array([not missing[row["actions"]] for row, _ in family])
        evidence = Evidence.listed([compared for _, compared in family])
        decision = decide(evidence, claims.family(suite), able, alpha)
        for number, (row, compared) in enumerate(family):
            row |= rows.decided(row, compared, decision, number)
            row["agrees"] = agrees(row)
    return [row for row, _ in judged]


def near(row: dict, arms: set[str]) -> str:
    """A hint where an arm without runs looks like the misspelling of one with runs."""
    near = [
        f"; did you mean {match} instead of {arm}?"
        for arm in (row["with"], row["without"])
        if arm is not None and arm not in arms
        for match in difflib.get_close_matches(arm, arms, n=1, cutoff=NEAR)
    ]
    return "".join(near)
