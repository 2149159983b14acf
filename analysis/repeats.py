"""Claims that were run again beside the study that they repeat, over the tasks that both have."""

import numpy as np
import pandas as pd

from analysis import InputError, select
from analysis.estimate import Estimate, mean_over_tasks
from analysis.schema import ENDED
from analysis.show.tables import interval, number
from analysis.study import Judged
from analysis.verdict import ERROR

SAME_RUN = ["task", "arm", "seed"]


def beside(again: Judged, ours: Judged) -> pd.DataFrame:
    """One row for each claim of both studies: old effect, new effect, and new minus old, each with
    its 95% interval, over the tasks that both have.

    `alike` tells whether the difference may be 0; `inside`, where all tasks were run again, whether
    the effect again lies in the interval of the table. Raises `InputError` for runs of another
    suite, normalisation or configuration, for seeds that both have, and where nothing is repeated.
    """
    _check_alike(again, ours)
    rows = [_row(line, again, ours) for line in ours.claims.itertuples()]
    if not any(rows):
        raise InputError(
            "no claim is repeated: there is none of which both have both arms on a task"
        )
    return pd.DataFrame([row for row in rows if row])


def _row(line, again: Judged, ours: Judged) -> dict | None:
    own, new = (
        one.effects[one.effects.claim == line.claim].set_index("task") for one in (ours, again)
    )
    both = own.index.intersection(new.index)
    if both.empty:
        return None
    first, second = (_mean(part.loc[both]) for part in (own, new))
    error = np.hypot(first.error, second.error)
    df = error**4 / (first.error**4 / first.df + second.error**4 / second.df)
    difference = Estimate(second.effect - first.effect, error, df)
    low, high = difference.interval(ERROR)
    return {
        "claim": line.claim,
        "tasks": len(both),
        **_ends("", first),
        **_ends("again_", second),
        "again_runs": int(new.loc[both].runs.sum()),
        **_ends("difference_", difference),
        "alike": "yes" if low <= 0 <= high else "no",
        "inside": _inside(line, second.effect) if len(both) == len(own) else "",
    }


def _mean(effects: pd.DataFrame) -> Estimate:
    columns = (effects[name].to_numpy() for name in ("effect", "error", "df"))
    return mean_over_tasks(Estimate(*columns))


def _ends(prefix: str, estimate: Estimate) -> dict[str, float]:
    low, high = estimate.interval(ERROR)
    values = {"effect": estimate.effect, "low": low, "high": high}
    return {f"{prefix}{name}": float(value) for name, value in values.items()}


def _inside(line, value: float) -> str:
    return "yes" if line.low <= value <= line.high else "no"


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as text."""
    cells = {"change": rows.claim}
    for prefix, name in (("", "before"), ("again_", "again"), ("difference_", "difference")):
        ends = rows[[f"{prefix}{end}" for end in ("effect", "low", "high")]].to_numpy()
        cells[f"{name} [95%]"] = [f"{number(value)} {interval(*both)}" for value, *both in ends]
    return pd.DataFrame(
        cells | {"runs": rows.again_runs, "alike": rows.alike, "inside": rows.inside}
    )


def _check_alike(again: Judged, ours: Judged) -> None:
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
