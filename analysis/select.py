"""Which runs count: no mixture of configurations, one budget per task, one run per seed of an
arm."""

from collections.abc import Sequence

import pandas as pd

from analysis import InputError
from analysis.schema import ENDED, RUN_COLUMNS, Problem, Store

TASK = ["suite", "task"]
ARM = [*TASK, "arm"]
CELL = [*ARM, "seed"]
COMMIT = r"^(\w{7})\w*"  # as git abbreviates it, and the mark of changes that were not committed


def select(store: Store, source: str, leave_out: Sequence[str] = ()) -> Store:
    """One run per (suite, task, arm, seed), of one budget a task and one configuration an arm. Runs
    with a digest in `leave_out`, of another budget, and second runs are left out and listed.
    `InputError` for runs that ended under different configurations."""
    store = _one_budget(_without(store, source, leave_out))
    refuse_mixtures(store.runs, source)
    return one_run_per_cell(store.of(store.runs, _mixed_code(store.runs)))


def _left_out(rows: pd.DataFrame, why: str) -> list[Problem]:
    return [Problem(row.source, f"left out: {why}".format(row=row)) for row in rows.itertuples()]


def _without(store: Store, source: str, digests: Sequence[str]) -> Store:
    runs = store.runs
    known = sorted({*runs.digest, *runs.baseline} - {""})
    if unknown := [digest for digest in digests if digest not in known]:
        there = ", ".join(known)
        raise InputError(f"{source}: no run has the digest {unknown[0]}; they have {there}")
    asked = runs.digest.isin(digests) | runs.baseline.isin(digests)
    return store.of(runs[~asked], _left_out(runs[asked], "asked for, its digest is {row.digest}"))


def _one_budget(store: Store) -> Store:
    """The budget is that of most runs of the task that ended, or of most runs where none has."""
    runs = store.runs
    budgets = runs.planned_steps.fillna(-1)
    task, ended = [runs[name] for name in TASK], runs.status.isin(ENDED)
    counted = budgets.where(ended | ~ended.groupby(task).transform("any"))
    common = counted.groupby(task).transform(lambda values: values.mode().max())
    others = runs.assign(common=common)[budgets != common]
    why = "{row.planned_steps:g} steps, the runs of {row.task} that are used have {row.common:g}"
    return store.of(runs[budgets == common], _left_out(others, why))


def refuse_mixtures(runs: pd.DataFrame, source: str) -> None:
    """`InputError` where ended runs of a task, or of an arm, differ in what they must share."""
    ended = runs[runs.status.isin(ENDED)]
    low, high = (ended[name].astype(object).map("{:g}".format) for name in ("random", "reference"))
    references = low + " and " + high
    for values, cell, what in (
        (references, TASK, "random and reference scores"),
        (ended.baseline, TASK, "baselines"),
        (ended.digest, ARM, "configurations"),
    ):
        for names, own in values.groupby([ended[name] for name in cell]):
            if len(counts := own.value_counts()) > 1:
                which = f"{source}: runs of {' '.join(names)} of different {what}"
                found = f"{' and '.join(_counted(own))}; give a folder with one of them"
                choice = f", or leave one out: --leave-out {counts.index[-1]}"
                raise InputError(f"{which}: {found}{choice * (values is not references)}")


def _counted(values: pd.Series) -> list[str]:
    counts = values.value_counts()
    return [f"{count} run{'s' * (count != 1)} with {name}" for name, count in counts.items()]


def _mixed_code(runs: pd.DataFrame) -> list[Problem]:
    """What to know of tasks whose runs were made by different commits: no digest covers code."""
    known = runs[runs.status.isin(ENDED) & (runs.commit != "")]
    mixed = known[known.groupby(TASK).commit.transform("nunique") > 1]
    mixed = mixed.assign(commit=mixed.commit.str.replace(COMMIT, r"\1", regex=True))
    said = "runs of different commits: {}; on {}"
    return [
        Problem(suite, said.format(", ".join(_counted(own.commit)), ", ".join(sorted({*own.task}))))
        for suite, own in mixed.groupby("suite")
    ]


def one_run_per_cell(store: Store) -> Store:
    """Of several runs of a seed the one that ended, or is further along; the others are listed."""
    runs = store.runs.assign(ended=store.runs.status.isin(ENDED))
    best = runs.sort_values(["ended", "env_frames"], ascending=False, kind="stable")
    first = best.drop_duplicates(CELL)
    which = "a second run of {row.suite} {row.task} {row.arm} seed {row.seed}"
    seconds = _left_out(best.drop(first.index), which + "; the one further along is used")
    return store.of(first[["run", *RUN_COLUMNS]].sort_values(CELL), seconds)
