"""Claims that were run again beside the study that they repeat, over the tasks that both have."""

import numpy as np
import pandas as pd

from analysis import InputError, select
from analysis.estimate import Estimate, mean_over_tasks, stacked
from analysis.schema import ENDED
from analysis.show.tables import effect
from analysis.study import Judged
from analysis.verdict import ERROR

NAMES = {"": "before", "again_": "again", "difference_": "difference"}  # of columns, by their start
ENDS = ["effect", "low", "high"]


def beside(again: Judged, ours: Judged) -> pd.DataFrame:
    """One row for each claim of both studies, over the tasks of both: old effect, new effect, and
    new minus old, each with its 95% interval; whether the difference may be 0 (`alike`), and, where
    all tasks were run again, whether the new effect lies in the old interval (`inside`).
    `InputError` for runs that do not repeat the first."""
    _check_alike(again, ours)
    both = ours.effects.merge(again.effects, on=["claim", "task"], suffixes=("", "_again"))
    if both.empty:
        raise InputError("no claim is repeated: of none do both have both arms on a task")
    intervals, tasks = ours.claims.set_index("claim"), ours.effects.groupby("claim").size()
    rows = both.groupby("claim", sort=False)
    return pd.DataFrame([_row(intervals.loc[id], own, tasks[id]) for id, own in rows])


def _row(claim: pd.Series, own: pd.DataFrame, tasks: int) -> dict:
    parts = ([f"{name}{which}" for name in Estimate._fields] for which in ("", "_again"))
    first, second = (mean_over_tasks(Estimate(*own[part].T.to_numpy())) for part in parts)
    difference = mean_over_tasks(stacked([second, first]), np.array([1.0, -1.0]))
    row = {"claim": claim.name, "tasks": len(own), "again_runs": int(own.runs_again.sum())}
    for start, one in zip(NAMES, (first, second, difference), strict=True):
        values = map(float, (one.effect, *one.interval(ERROR)))
        row |= {f"{start}{end}": value for end, value in zip(ENDS, values, strict=True)}
    alike = "yes" if row["difference_low"] <= 0 <= row["difference_high"] else "no"
    inside = "yes" if claim.low <= second.effect <= claim.high else "no"
    return row | {"alike": alike, "inside": inside if len(own) == tasks else ""}


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as text."""
    cells = {"change": rows.claim}
    for start, name in NAMES.items():
        own = rows[[f"{start}{end}" for end in ENDS]].set_axis(ENDS, axis=1)
        cells[f"{name} [95%]"] = [effect(row) for row in own.itertuples()]
    others = {"runs": rows.again_runs, "alike": rows.alike, "inside": rows.inside}
    return pd.DataFrame(cells | others)


def _check_alike(again: Judged, ours: Judged) -> None:
    if again.scheme != ours.scheme:
        raise InputError(f"{again.scheme} scores do not repeat {ours.scheme} scores")
    ended = [one.store.runs[one.store.runs.status.isin(ENDED)] for one in (again, ours)]
    shared = [runs[runs.task.isin(other.task)] for runs, other in (ended, ended[::-1])]
    select.refuse_mixtures(pd.concat(shared).assign(digest="", baseline=""), "both together")
    for run in shared[0].merge(shared[1], on=["task", "arm", "seed"]).itertuples():
        raise InputError(
            f"both have {run.task} {run.arm} seed {run.seed}: run again with new seeds, as in "
            "run.seed=range(200,206)"
        )
