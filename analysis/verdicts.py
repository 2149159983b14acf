"""The paper's claims against our runs: effect, interval, verdict, and whether it agrees with the
paper.

The rule, in this order: interval below 0 *hurts*; below the margin *no substantial help*; above 0
*helps*; else *undecided*. With fewer than five seeds an effect helps or hurts only if it does
without any one of its tasks too. A claim of no help agrees with both of the first two. The
intervals' levels are adjusted for the number of claims by Holm's method.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import InputError
from analysis.claims import Claim, Claims
from analysis.effects import Effect, levels, seeds_to_decide, welch
from analysis.scores import samples
from analysis.stats import probability_of_improvement
from analysis.store import ACTIONS

HELPS, HURTS, NO_HELP, UNDECIDED = "helps", "hurts", "no substantial help", "undecided"
DEGENERATE, NO_DATA = "degenerate arm", "no data"
AGREES = {"helps": {HELPS}, "no_help": {NO_HELP, HURTS}, "none": set()}
SATURATED = 0.9
NO_LEARNING = 0.05
LEAVE_OUT_LEVEL = 0.95
CARRIED_SEEDS = 5


def evaluate(
    frame: pd.DataFrame, claims: Claims, suite: str, alpha: float = 0.05, match_seeds: bool = True
) -> pd.DataFrame:
    """One row per claim (and kind of actions that has runs) with its effect, interval, verdict and
    agreement.

    `frame` holds normalised final scores, one row per run. Only tasks that both arms have are used,
    and of each task only the seeds that both have (unless `match_seeds` is off); the note lists the
    rest. The claims about their own kind of actions are one family for Holm's adjustment at
    `alpha`; rows of the other kind are printed beside (`stated` is False), are a family of their
    own and never agree or disagree.
    """
    frame = frame[frame.suite == suite]
    if suite not in claims.margin:
        raise InputError(
            f"the claims give no margin for suite '{suite}'; they do for: {', '.join(claims.margin)}"
        )
    margin = claims.margin[suite]
    rows, comparisons = [], []
    for claim in claims.rows:
        for actions in sorted(ACTIONS, key=lambda kind: kind != claim.where):
            row, comparison = _compare(
                frame[frame.actions == actions], claim, suite, actions, match_seeds
            )
            if row["stated"] or row["runs_with"]:
                rows.append(row)
                comparisons.append(comparison)
    for stated in (True, False):
        family = [
            i
            for i, row in enumerate(rows)
            if row["stated"] is stated and row["verdict"] == UNDECIDED
        ]
        family = [i for i in family if np.isfinite(comparisons[i].effect.error)]
        alphas = levels([comparisons[i].effect for i in family], margin, alpha)
        for i, own in zip(family, alphas, strict=True):
            rows[i] |= _decide(rows[i], comparisons[i], margin, own)
    for row in rows:
        row["agrees"] = _agrees(row)
    return pd.DataFrame(rows).assign(suite=suite, margin=margin)


@dataclass(frozen=True)
class Comparison:
    """Scores of both arms on the tasks that both have, M samples each, and the effect of the first
    over the second.

    `tasks` has the names of the tasks, where they have any.
    """

    with_: list[np.ndarray]
    without: list[np.ndarray]
    effect: Effect
    tasks: Sequence[str] = ()

    @property
    def fewest(self) -> int:
        """The number of runs of an arm on the task that has fewest."""
        return min(map(len, (*self.with_, *self.without)))

    @property
    def carrier(self) -> int | None:
        """The task without which the 95% interval does not lie on the effect's side of 0, or None.

        The level is not adjusted for the number of claims: the whole effect's interval is, and the
        same here would ask far more of an effect than that no single task makes it. One or two
        tasks leave nothing to compare: the larger difference carries. Of several such tasks, the
        one without which least remains.
        """
        tasks = range(len(self.with_))
        if len(tasks) < 3:
            return max(
                tasks, key=lambda task: abs(self.with_[task].mean() - self.without[task].mean())
            )
        side = np.sign(self.effect.value)
        remaining = [
            min(side * np.array(self.leave_out(task).interval(LEAVE_OUT_LEVEL))) for task in tasks
        ]
        least = int(np.argmin(remaining))  # NaN, where the other tasks do not vary, counts as least
        return None if remaining[least] > 0 else least

    def leave_out(self, task: int) -> Effect:
        """The effect on all tasks but one."""
        return welch(*([*arm[:task], *arm[task + 1 :]] for arm in (self.with_, self.without)))


def _compare(
    frame: pd.DataFrame, claim: Claim, suite: str, actions: str, match_seeds: bool
) -> tuple[dict, Comparison | None]:
    """A claim's row before its interval, and the comparison behind it (None without data)."""
    row = {
        "claim": claim.id,
        "paper": claim.paper,
        "with": None,
        "without": None,
        "actions": actions,
        "stated": actions == claim.where,
        "verdict": NO_DATA,
        **dict.fromkeys(["effect", "low", "high", "level", "probability_of_improvement"], np.nan),
        **dict.fromkeys(["tasks", "runs_with", "runs_without", "seeds_fewest", "seeds_most"], 0),
        **dict.fromkeys(["parameters_with", "parameters_without", "seeds_needed"]),
        "note": "",
    }
    arms = claim.arms(suite)
    if arms is None:
        return {**row, "note": f"the claim names no arm for suite {suite}"}, None
    row |= {"with": arms[0], "without": arms[1]}
    used, notes = common_runs(frame, arms, match_seeds)
    if used.empty:
        absent = [arm for arm in arms if arm not in set(frame.arm)]
        notes = (
            [f"no runs of {' or '.join(absent)}"]
            if absent
            else ["the arms share no task and seed", *notes]
        )
        return {**row, "note": "; ".join(notes)}, None
    with_, without = (list(samples(used, arm).values()) for arm in arms)
    comparison = Comparison(with_, without, welch(with_, without), sorted(used.task.unique()))
    counts = [len(sample) for sample in (*with_, *without)]
    notes += [*_data_notes(comparison), *_saturation_notes(used, arms)]
    row |= {
        "effect": comparison.effect.value,
        "probability_of_improvement": probability_of_improvement(with_, without),
        "verdict": DEGENERATE if _degenerate(used) else UNDECIDED,
        "tasks": len(with_),
        "runs_with": sum(map(len, with_)),
        "runs_without": sum(map(len, without)),
        "seeds_fewest": min(counts),
        "seeds_most": max(counts),
        "parameters_with": _parameters(used, arms[0]),
        "parameters_without": _parameters(used, arms[1]),
        "note": "; ".join(notes),
    }
    return row, comparison


def common_runs(
    frame: pd.DataFrame, arms: tuple[str, str], match_seeds: bool = True
) -> tuple[pd.DataFrame, list[str]]:
    """The runs of two arms that a verdict compares: common tasks and seeds; and notes on what was
    left out."""
    notes, cells = [], {}
    first, second = (frame[frame.arm == arm] for arm in arms)
    for arm, own, other in ((arms[0], first, second), (arms[1], second, first)):
        if not other.empty and (extra := sorted(set(own.task) - set(other.task))):
            notes.append(f"only {arm} has {', '.join(extra)}")
    for task in sorted(set(first.task) & set(second.task)):
        parts = [first[first.task == task], second[second.task == task]]
        seeds = set(parts[0].seed) & set(parts[1].seed)
        if match_seeds:
            left = sum(int((~part.seed.isin(seeds)).sum()) for part in parts)
            parts = [part[part.seed.isin(seeds)] for part in parts]
            if left:
                notes.append(f"{task}: {left} runs of seeds that one arm lacks are left out")
        if all(len(part) for part in parts):
            cells[task] = parts
    if any(min(map(len, parts)) > 1 for parts in cells.values()):
        single = [task for task, parts in cells.items() if min(map(len, parts)) == 1]
        cells = {task: parts for task, parts in cells.items() if task not in single}
        if single:
            notes.append(f"left out for having one seed: {', '.join(single)}")
    kept = [part.run for parts in cells.values() for part in parts]
    return frame[frame.run.isin(pd.concat(kept) if kept else [])], notes


def _data_notes(comparison: Comparison) -> list[str]:
    """What a reader of the verdict must know of the scores behind it."""
    cells = [*comparison.with_, *comparison.without]
    notes = []
    if max(map(len, cells)) < 2:
        notes.append("one seed only: no interval")
    elif not np.isfinite(comparison.effect.error):
        notes.append("no spread between seeds: no interval")
    if max(map(np.max, cells)) < NO_LEARNING:
        notes.append("no run of either arm learned")
    return notes


def _degenerate(used: pd.DataFrame) -> bool:
    return bool((used.groupby("arm").saturation.mean() > SATURATED).any())


def _saturation_notes(used: pd.DataFrame, arms: tuple[str, str]) -> list[str]:
    notes = []
    for arm in arms:
        own = used[used.arm == arm]
        high = own[own.saturation > SATURATED]
        if not high.empty:
            names = ", ".join(sorted(set(high.saturated)))
            notes.append(
                f"{names} in over {SATURATED:.0%} of updates in {len(high)} of {len(own)} runs of {arm}"
            )
    return notes


def _parameters(used: pd.DataFrame, arm: str) -> str | None:
    """The parameter count of an arm: one number, or `low-high` where tasks differ."""
    counts = used.parameters[used.arm == arm].dropna()
    if counts.empty:
        return None
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"


def _decide(row: dict, comparison: Comparison, margin: float, alpha: float) -> dict:
    """Interval at level 1 - alpha, verdict, how many seeds would decide an undecided row, and the
    task it hangs on."""
    low, high, decision, carrier = decide(comparison, margin, alpha)
    needed = None
    if decision == UNDECIDED:
        needed = seeds_to_decide(
            comparison.effect, comparison.with_, comparison.without, margin, alpha
        )
        # From half the margin on, an interval that narrows leaves 0 before it falls below the
        # margin.
        few_tasks = len(comparison.with_) < 3 and comparison.effect.value > margin / 2
        if needed is not None and (carrier is not None or few_tasks):
            needed = max(needed, CARRIED_SEEDS)
    note = row["note"]
    if carrier is not None:
        note = "; ".join(filter(None, [note, f"carried by one task, {comparison.tasks[carrier]}"]))
    return {
        "low": low,
        "high": high,
        "level": 1 - alpha,
        "verdict": decision,
        "seeds_needed": needed,
        "note": note,
    }


def decide(
    comparison: Comparison, margin: float, alpha: float
) -> tuple[float, float, str, int | None]:
    """Interval at level 1 - alpha, its verdict, and the task that carries an effect that helps or
    hurts, if one does.

    An effect that one task carries takes five seeds: with 3 runs per arm the arms separate
    completely on one task by chance in 1 of 10 comparisons, which no interval can know.
    """
    low, high = comparison.effect.interval(1 - alpha)
    decision = verdict(low, high, margin)
    carrier = comparison.carrier if decision in (HELPS, HURTS) else None
    if carrier is not None and comparison.fewest < CARRIED_SEEDS:
        decision = UNDECIDED
    return low, high, decision, carrier


def verdict(low: float, high: float, margin: float) -> str:
    """The verdict on an interval, in the order of the rule; the paper's "no help" asks only that no
    substantial help be possible, so a small effect that is surely above 0 is still no substantial
    help."""
    if high < 0:
        return HURTS
    if high < margin:
        return NO_HELP
    if low > 0:
        return HELPS
    return UNDECIDED


def _agrees(row: dict) -> str:
    if not row["stated"] or row["paper"] == "none" or row["verdict"] not in (HELPS, HURTS, NO_HELP):
        return ""
    return "yes" if row["verdict"] in AGREES[row["paper"]] else "no"
