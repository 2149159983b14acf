"""Which runs count: no mixture of configurations, one budget per task, one run per seed of an
arm."""

from collections.abc import Sequence

import pandas as pd

from analysis import InputError
from analysis.schema import ENDED, RUN_COLUMNS, Problem, Store

CELL = ["suite", "task", "arm", "seed"]
UNKNOWN = "none recorded"
COMMIT = r"^(\w{7})\w*"  # as git abbreviates it, and the mark of changes that were not committed


def select(store: Store, source: str, leave_out: Sequence[str] = ()) -> Store:
    """One run per (suite, task, arm, seed), all of a task with one budget and of an arm with one
    configuration.

    Runs with a digest in `leave_out`, of another budget, and second runs are left out and listed.
    Raises `InputError` for runs that ended under different configurations.
    """
    store = _without(store, source, leave_out)
    store = _one_budget(store)
    refuse_mixtures(store.runs, source)
    return _one_run_per_cell(store.of(store.runs, _mixed_code(store.runs)))


def _without(store: Store, source: str, digests: Sequence[str]) -> Store:
    runs = store.runs
    known = sorted({*runs.digest, *runs.baseline} - {""})
    if unknown := [digest for digest in digests if digest not in known]:
        raise InputError(
            f"{source}: no run has the digest {unknown[0]}; they have {', '.join(known)}"
        )
    dropped = runs.digest.isin(digests) | runs.baseline.isin(digests)
    problems = [
        Problem(row.source, f"left out: asked for, its digest is {row.digest}")
        for row in runs[dropped].itertuples()
    ]
    return store.of(runs[~dropped], problems)


def _one_budget(store: Store) -> Store:
    """The budget is that of most runs of the task that ended, or of most runs where none has."""
    runs = store.runs
    budgets = runs.planned_steps.fillna(-1)
    task, ended = [runs.suite, runs.task], runs.status.isin(ENDED)
    counted = budgets.where(ended | ~ended.groupby(task).transform("any"))
    common = counted.groupby(task).transform(lambda values: values.mode().max())
    problems = [
        Problem(
            row.source,
            f"left out: {row.planned_steps:g} steps, "
            f"the runs of {row.task} that are used have {common[row.Index]:g}",
        )
        for row in runs[budgets != common].itertuples()
    ]
    return store.of(runs[budgets == common], problems)


def refuse_mixtures(runs: pd.DataFrame, source: str) -> None:
    """`InputError` where the runs of a task have different baselines, or those of an arm different
    configurations."""
    ended = runs[runs.status.isin(ENDED)]
    for names, group in ended.groupby(["suite", "task"]):
        pairs = group[["random", "reference"]].drop_duplicates().itertuples(index=False)
        listed = [f"{low:g} and {high:g}" for low, high in pairs]
        if len(listed) > 1:
            raise InputError(
                f"{source}: runs of {' '.join(names)} of different random and reference scores: "
                f"{' or '.join(listed)}; give a folder with one of them"
            )
    for column, cell, what in (
        ("baseline", ["suite", "task"], "baselines"),
        ("digest", ["suite", "task", "arm"], "configurations"),
    ):
        for names, group in ended.groupby(cell):
            counts = group[column].replace("", UNKNOWN).value_counts()
            if len(counts) > 1:
                listed = " and ".join(_runs(count, name) for name, count in counts.items())
                raise InputError(
                    f"{source}: runs of {' '.join(names)} of different {what}: {listed}; "
                    f"give a folder with one of them, or leave one out: {_choice(group, column)}"
                )


def _mixed_code(runs: pd.DataFrame) -> list[Problem]:
    """What to know of tasks whose runs were made by different commits: no digest covers code."""
    known = runs[runs.status.isin(ENDED) & (runs.commit != "")]
    mixed = known.groupby(["suite", "task"]).commit.transform("nunique") > 1
    problems = []
    for suite, group in known[mixed].groupby("suite"):
        counts = group.commit.str.replace(COMMIT, r"\1", regex=True).value_counts()
        listed = ", ".join(_runs(count, name) for name, count in counts.items())
        tasks = ", ".join(sorted(group.task.unique()))
        problems.append(Problem(suite, f"runs of different commits: {listed}; on {tasks}"))
    return problems


def _runs(count: int, digest: str) -> str:
    return f"{count} run{'s' * (count != 1)} with {digest}"


def _choice(group: pd.DataFrame, column: str) -> str:
    """The option that leaves out the rarer runs."""
    rarest = group[group[column] == group[column].value_counts().index[-1]]
    digests = rarest[column] if rarest[column].iloc[0] else rarest.digest
    if (digests == "").any():
        digests = group.digest[group.digest != ""]
    return " ".join(f"--leave-out {digest}" for digest in sorted(set(digests)))


def _one_run_per_cell(store: Store) -> Store:
    """Of several runs of a seed the one that ended, or is further along; the others are listed."""
    runs = store.runs
    best = runs.assign(ended=runs.status.isin(ENDED)).sort_values(
        ["ended", "env_frames"], ascending=False, kind="stable"
    )
    first = best.drop_duplicates(CELL)
    problems = [
        Problem(
            row.source,
            f"left out: a second run of {row.suite} {row.task} {row.arm} seed {row.seed}; "
            "the one further along is used",
        )
        for row in best.drop(first.index).itertuples()
    ]
    return store.of(first[["run", *RUN_COLUMNS]].sort_values(CELL), problems)
