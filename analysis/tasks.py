"""The runs of each task as a regression, and the change that a claim names on the tasks that show
it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.claims import Row, options
from analysis.estimate import Change, Design, Estimate, stacked
from analysis.schema import Problem, Status

AGAINST = " - others"  # behind a kind: it is set against the other tasks


@dataclass(frozen=True)
class Task:
    """A task's runs: the `design` of their options, their `scores` `(R,)`, the `worst` that the
    task has shown, the parity of their seeds, and normalised evaluations by share of the budget,
    `curves`, one row a run."""

    name: str
    actions: str
    kinds: frozenset[str]
    design: Design
    scores: np.ndarray
    worst: float
    placebo: np.ndarray
    curves: pd.DataFrame


def of_runs(
    frame: pd.DataFrame, curves: pd.DataFrame, kinds: Mapping[str, Sequence[str]]
) -> list[Task]:
    """The tasks of scored runs and their evaluations; `kinds` are registered, by kind its tasks."""
    found = []
    for (name, actions), runs in frame.groupby(["task", "actions"]):
        runs, worst = runs.sort_values("run"), runs.normalised.min()
        own = curves[curves.run.isin(runs.run)]
        wide = own.pivot_table(index="run", columns="step", values="normalised", aggfunc="last")
        wide = wide.reindex(runs.run)
        over = (runs.status == Status.DIVERGED).to_numpy()[:, None] & wide.isna()
        found.append(
            Task(
                name=name,
                actions=actions,
                kinds=frozenset(
                    {actions, *(kind for kind, tasks in kinds.items() if name in tasks)}
                ),
                design=Design.of(runs.arm.map(options).tolist()),
                scores=runs.normalised.to_numpy(),
                worst=worst,
                placebo=(runs.seed % 2).to_numpy(float),
                curves=wide.mask(over, worst).dropna(axis=1),
            )
        )
    return found


@dataclass(frozen=True)
class Shown:
    """What the runs show of a row: its change on those `tasks` that show it, and by task the number
    of runs that the estimate weighs."""

    tasks: list[Task]
    contrasts: list[np.ndarray]
    change: Change
    runs: list[int]

    @property
    def names(self) -> list[str]:
        """The tasks' names."""
        return [task.name for task in self.tasks]

    def kinds(self) -> dict[str, np.ndarray]:
        """The tasks' weights `(M,)` for each kind and for each kind against the other tasks; kinds
        of all tasks are left out."""
        weights = {}
        for kind in sorted(frozenset().union(*(task.kinds for task in self.tasks))):
            inside = np.array([kind in task.kinds for task in self.tasks])
            if not inside.all():
                weights[kind] = inside / inside.sum()
                weights[f"{kind}{AGAINST}"] = inside / inside.sum() - ~inside / (~inside).sum()
        return weights

    def over_the_budget(self) -> tuple[list[float], Change]:
        """The steps, as shares of the budget, at which all tasks were evaluated, and the change of
        the evaluations there, with one leading axis."""
        common = set.intersection(*(set(task.curves) for task in self.tasks))
        steps = sorted(common)
        scores = [task.curves[steps].to_numpy().T for task in self.tasks]
        worst = [own.min(axis=-1) for own in scores]
        designs = [task.design for task in self.tasks]
        return steps, Change.of(designs, self.contrasts, scores, worst)


def shown(
    id: str,
    with_: frozenset[str],
    without: frozenset[str],
    tasks: Sequence[Task],
) -> tuple[Shown | None, list[Problem]]:
    """What the runs show of one set of options against another, and why some tasks do not."""
    used, problems = [], []
    for task in tasks:
        contrast = task.design.contrast(with_, without)
        if contrast is None:
            continue
        if unclear := task.design.inseparable(contrast):
            message = f"{id}: the runs do not tell apart {' and '.join(unclear)}"
            problems.append(Problem(task.name, message))
        elif np.isnan(task.design.estimate(contrast, task.scores).error):
            problems.append(Problem(task.name, f"{id}: a side has one run, which has no spread"))
        else:
            used.append((task, contrast))
    if not used:
        return None, problems
    own, contrasts = map(list, zip(*used, strict=True))
    change = Change.of(
        [task.design for task in own],
        contrasts,
        [task.scores for task in own],
        [task.worst for task in own],
    )
    runs = [int((np.abs(contrast @ task.design.inverse) > 1e-9).sum()) for task, contrast in used]
    return Shown(own, contrasts, change, runs), problems


def of_row(row: Row, suite: str, tasks: Sequence[Task]) -> tuple[Shown | None, list[Problem]]:
    """What the runs show of a claim or control."""
    arms = map(options, row.arms(suite))
    return shown(row.id, *arms, [task for task in tasks if task.actions == row.where])


def of_placebo(tasks: Sequence[Task]) -> Shown | None:
    """What the runs show of the parity of their seeds, which changes nothing."""
    coins = [
        replace(task, design=task.design.with_column(task.placebo, "seed=odd")) for task in tasks
    ]
    return shown("placebo", frozenset({"seed=odd"}), frozenset(), coins)[0]


def of_pair(
    first: str, second: str, designs: Sequence[Design], scores: Sequence[np.ndarray]
) -> Estimate | None:
    """What scores `(..., R)` of M tasks show of the product of two options, not guarded."""
    found = []
    for design, own in zip(designs, scores, strict=True):
        names = design.columns
        if first in names and second in names:
            both = design.matrix[:, [names.index(first), names.index(second)]].prod(-1)
            more = design.with_column(both, "both")
            contrast = np.eye(len(more.columns))[-1]
            if not more.inseparable(contrast):
                found.append(more.estimate(contrast, own))
    found = [one for one in found if not np.isnan(one.error).any()]
    return stacked(found) if found else None
