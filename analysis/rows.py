"""From a claim and final scores to the row of a table and the comparison behind it."""

import numpy as np
import pandas as pd

from analysis.claims import Claim
from analysis.comparison import Comparison, at_floor
from analysis.effects import Cells
from analysis.ladder import Climbed
from analysis.rule import DEGENERATE, HELPS, HURTS, NO_DATA, UNDECIDED, Decision
from analysis.schema import Status
from analysis.score import samples
from analysis.stats import probability_of_improvement

SATURATED = 0.9
ODD, EVEN = "{} (odd seeds)", "{} (even seeds)"


def compared(
    frame: pd.DataFrame, claim: Claim, suite: str, actions: str, margin: float
) -> tuple[dict, Comparison | None]:
    """A claim's row before its verdict, and the comparison behind it (None without data).

    `frame` holds the normalised scores of the tasks of one kind of actions. A claim with one arm on
    both sides compares its odd seeds with its even ones.
    """
    row = {
        "claim": claim.id,
        "paper": claim.paper,
        "with": None,
        "without": None,
        "actions": actions,
        "stated": actions == claim.where,
        "verdict": NO_DATA,
        "agrees": "",
        "substantial": "",
        **dict.fromkeys(["effect", "low", "high", "level_zero", "level_margin"], np.nan),
        **dict.fromkeys(["p_zero", "p_margin", "probability_of_improvement"], np.nan),
        **dict.fromkeys(["loo_low", "loo_high"], np.nan),
        **dict.fromkeys(["tasks", "moving", "runs_with", "runs_without"], 0),
        **dict.fromkeys(["seeds_fewest", "seeds_most", "round", "looks"], 0),
        **dict.fromkeys(["parameters_with", "parameters_without", "seeds_needed"]),
        "carried_by": "",
        "note": "",
    }
    arms = claim.arms(suite)
    if arms is None:
        return {**row, "note": f"no arm is named for suite {suite}"}, None
    if arms[0] == arms[1]:
        frame, arms = halves(frame, arms[0])
    row |= {"with": arms[0], "without": arms[1]}
    used, notes = common_runs(frame, arms)
    if used.empty:
        absent = [arm for arm in arms if arm not in set(frame.arm)]
        reason = f"no runs of {' or '.join(absent)}" if absent else "the arms share no task"
        return {**row, "note": "; ".join([reason, *notes])}, None
    both = comparison(used, arms, margin)
    cells = samples(used, arms[0]), samples(used, arms[1])
    moving = [task for task, moves in zip(both.tasks, both.moving, strict=True) if moves]
    counts = [len(sample) for arm in cells for sample in arm.values()]
    notes += [*divergence_notes(used, arms), *_still_notes(both), *_spread_notes(both)]
    row |= {
        "verdict": UNDECIDED,
        "effect": float(both.effect.value),
        "looks": 1,
        "tasks": len(both.tasks),
        "moving": len(moving),
        "runs_with": len(used[used.arm == arms[0]]),
        "runs_without": len(used[used.arm == arms[1]]),
        "seeds_fewest": min(counts),
        "seeds_most": max(counts),
        "parameters_with": _parameters(used, arms[0]),
        "parameters_without": _parameters(used, arms[1]),
        "note": "; ".join(notes),
    }
    if len(moving) > 1:
        rest = both.terms.leaving_out(both.moving).value[both.moving]
        row |= {"loo_low": float(rest.min()), "loo_high": float(rest.max())}
    if moving:
        row["probability_of_improvement"] = probability_of_improvement(
            *([arm[task] for task in moving] for arm in cells)
        )
    return row, both


def comparison(used: pd.DataFrame, arms: tuple[str, str], margin: float) -> Comparison:
    """Two arms on the tasks of `used`, both of which have all of them."""
    scores, progress = (
        [samples(used, arm, column) for arm in arms] for column in ("normalised", "progress")
    )
    floor = at_floor(*(np.array([np.mean(own) for own in arm.values()]) for arm in progress))
    cells = (Cells.of(list(arm.values())) for arm in scores)
    return Comparison(*cells, margin, floor, tuple(scores[0]))


def decided(row: dict, compared: Comparison, decision: Decision | Climbed, number: int) -> dict:
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
    unguarded = undecided and bool(compared.effect.p_zero() <= zero)
    carried = compared.carried and (unguarded or verdict in (HELPS, HURTS))
    carrier = compared.tasks[compared.carrier()] if carried else ""
    notes = [row["note"], f"carried by one task, {carrier}" if carried else ""]
    if unguarded and zero < compared.p_zero:
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
        "carried_by": carrier,
        "note": "; ".join(filter(None, notes)),
    }


def _substantial(verdict: str, surely: bool) -> str:
    """Of a change that helps, whether by at least the margin."""
    return "" if verdict != HELPS else "yes" if surely else "not shown"


def degenerate(frame: pd.DataFrame, row: dict) -> dict:
    """What changes in a row where a part of an arm was saturated in over 90% of its updates: it
    does not test what its name says."""
    arms = [row["with"], row["without"]]
    used, _ = common_runs(frame, arms)
    notes = [note for arm in arms for note in _saturation_note(used[used.arm == arm], arm)]
    saturated = (used.groupby("arm").saturation.mean() > SATURATED).any()
    changes = {"note": "; ".join(filter(None, [row["note"], *notes]))}
    return changes | ({"verdict": DEGENERATE} if saturated else {})


def halves(frame: pd.DataFrame, arm: str) -> tuple[pd.DataFrame, tuple[str, str]]:
    """One arm as two: the runs of its odd and of its even seeds."""
    names = ODD.format(arm), EVEN.format(arm)
    own = frame[frame.arm == arm]
    return own.assign(arm=np.where(own.seed % 2 == 1, *names)), names


def common_runs(frame: pd.DataFrame, arms: tuple[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """The runs of two arms on the tasks that both have, and notes on what was left out; seeds need
    not be the same."""
    notes, cells = [], {}
    first, second = (frame[frame.arm == arm] for arm in arms)
    for arm, own, other in ((arms[0], first, second), (arms[1], second, first)):
        if not other.empty and (extra := sorted(set(own.task) - set(other.task))):
            notes.append(f"only {arm} has {', '.join(extra)}")
    for task in sorted(set(first.task) & set(second.task)):
        cells[task] = [first[first.task == task], second[second.task == task]]
    if any(min(map(len, parts)) > 1 for parts in cells.values()):
        single = [task for task, parts in cells.items() if min(map(len, parts)) == 1]
        cells = {task: parts for task, parts in cells.items() if task not in single}
        if single:
            notes.append(f"left out for having one seed: {', '.join(single)}")
    kept = [part.run for parts in cells.values() for part in parts]
    return frame[frame.run.isin(pd.concat(kept) if kept else [])], notes


def divergence_notes(used: pd.DataFrame, arms: tuple[str, str]) -> list[str]:
    notes = []
    for arm in arms:
        own = used.status[used.arm == arm]
        if count := int((own == Status.DIVERGED).sum()):
            verb = "diverged and scores" if count == 1 else "diverged and score"
            notes.append(f"{count} of {len(own)} runs of {arm} {verb} 0")
    return notes


def _still_notes(both: Comparison) -> list[str]:
    """Which tasks cannot move, and over how many the effect is."""
    notes = [
        f"at the {end} for both arms: {', '.join(np.array(both.tasks)[still])}"
        for end, still in (("floor", both.floor), ("ceiling", both.ceiling))
        if still.any()
    ]
    if not both.moving.any():
        return ["no task can move", *notes]
    return [f"over {both.moving.sum()} of {len(both.tasks)} tasks", *notes] if notes else []


def _spread_notes(both: Comparison) -> list[str]:
    if not both.moving.any() or np.isfinite(both.effect.error):
        return []
    if both.fewest < 2:
        return ["one seed only: no interval"]
    return ["no spread between seeds: no interval"]


def _saturation_note(own: pd.DataFrame, arm: str) -> list[str]:
    high = own[own.saturation > SATURATED]
    if high.empty:
        return []
    names = ", ".join(sorted(set(high.saturated)))
    return [
        f"{names} in over {SATURATED:.0%} of updates in {len(high)} of {len(own)} runs of {arm}"
    ]


def _parameters(used: pd.DataFrame, arm: str) -> str | None:
    """The parameter count of an arm: one number, or `low-high` where tasks differ."""
    counts = used.parameters[used.arm == arm].dropna()
    if counts.empty:
        return None
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"
