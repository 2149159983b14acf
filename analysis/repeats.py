"""Effects beside each other, over the tasks that both have: of a study and of its claims run
again, or of tasks and of their pictures."""

import numpy as np
import pandas as pd

from analysis import InputError, select, verdict
from analysis.estimate import Estimate, mean_over_tasks, stacked
from analysis.schema import ENDED
from analysis.show.tables import effect, filled
from analysis.study import Judged
from analysis.tasks import DRAWN

NAMES, PICTURES = ("before", "again"), ("on the task", "as a picture")
STARTS = ("", "again_", "difference_")  # of the columns
ENDS = ["effect", "low", "high"]


def beside(again: Judged, ours: Judged) -> pd.DataFrame:
    """For each claim of both studies a row for the mean over the tasks of both, then one for each
    of several tasks: old effect, new effect, and new minus old, each with its own interval; whether
    the difference may be 0 (`alike`), and, of a mean of all tasks, whether the new effect lies in
    the old interval (`inside`). `InputError` for runs that do not repeat the first."""
    _check_alike(again, ours)
    rows = _compared(ours.effects, again.effects, ours.share, by_task=True)
    if rows.empty:
        raise InputError("no claim is repeated: of none do both have both arms on a task")
    claims = ours.claims.set_index("claim").loc[rows.claim]
    inside = rows.again_effect.between(claims.low.array, claims.high.array)
    every = (rows.task == "") & (rows.tasks == rows.claim.map(ours.effects.claim.value_counts()))
    return rows.assign(inside=inside.map({True: "yes", False: "no"}).where(every, ""))


def pictures(ours: Judged) -> pd.DataFrame:
    """One row for each claim, over the tasks that are there as pictures too: its effect on them, on
    the pictures, and the difference."""
    drawn = ours.effects[ours.effects.task.str.endswith(DRAWN)]
    tasks = drawn.assign(task=drawn.task.str.removesuffix(DRAWN))
    return _compared(ours.effects, tasks, ours.share)


def _compared(
    first: pd.DataFrame, second: pd.DataFrame, share: float, by_task: bool = False
) -> pd.DataFrame:
    both = first.merge(second, on=["claim", "task"], suffixes=("", "_again"))
    alpha, rows = verdict.alpha(share, 1), []
    for claim, own in both.groupby("claim", sort=False):
        parts = [("", own), *(own.groupby("task") if by_task and len(own) > 1 else ())]
        rows += [{"claim": claim, "task": task, **_row(part, alpha)} for task, part in parts]
    return pd.DataFrame(rows)


def _row(own: pd.DataFrame, alpha: float) -> dict:
    parts = ([f"{name}{which}" for name in Estimate._fields] for which in ("", "_again"))
    first, second = (mean_over_tasks(Estimate(*own[part].T.to_numpy())) for part in parts)
    difference = mean_over_tasks(stacked([second, first]), np.array([1.0, -1.0]))
    row = {"tasks": len(own), "again_runs": int(own.runs_again.sum())}
    for start, one in zip(STARTS, (first, second, difference), strict=True):
        values = map(float, (one.effect, *one.interval(alpha)))
        row |= {f"{start}{end}": value for end, value in zip(ENDS, values, strict=True)}
    alike = "yes" if row["difference_low"] <= 0 <= row["difference_high"] else "no"
    return row | {"alike": alike}


def table(rows: pd.DataFrame, names: tuple[str, str] = NAMES) -> pd.DataFrame:
    """The rows as text; `names` are of the two sides."""
    if rows.empty:
        return rows
    cells = {"change": rows.claim, "task": rows.task}
    for start, name in zip(STARTS, (*names, "difference"), strict=True):
        own = rows[[f"{start}{end}" for end in ENDS]].set_axis(ENDS, axis=1)
        cells[f"{name} [interval]"] = [effect(row) for row in own.itertuples()]
    others = rows.rename(columns={"again_runs": "runs"}).filter(["runs", "alike", "inside"])
    return filled(pd.DataFrame(cells).join(others))


def _check_alike(again: Judged, ours: Judged) -> None:
    if again.scheme != ours.scheme:
        raise InputError(f"{again.scheme} scores do not repeat {ours.scheme} scores")
    ended = [one.store.runs[one.store.runs.status.isin(ENDED)] for one in (again, ours)]
    shared = [runs[runs.task.isin(other.task)] for runs, other in (ended, ended[::-1])]
    select.refuse_mixtures(pd.concat(shared).assign(digest="", baseline=""), "both together")
    for run in shared[0].merge(shared[1], on=["task", "arm", "seed"]).itertuples():
        both = f"both have {run.task} {run.arm} seed {run.seed}"
        raise InputError(f"{both}: run again with new seeds, as in run.seed=range(200,206)")
