"""The runs of each task as a regression, and what they show of a change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd

from analysis.estimate import NEAR, Design, Estimate, mean_over_tasks, stacked
from analysis.schema import DIVERGED, Kinds, Problem, group, options

AGAINST = " - others"  # behind a kind: it is set against the other tasks
DRAWN = "_pixels"  # ends the name of a task that is the picture of another


@dataclass(frozen=True)
class Task:
    """A task's runs: the `design` of their options, their `scores` `(..., R)`, the parity of their
    seeds, `placebo`, and normalised evaluations by share of the budget, `curves`, one row a run."""

    name: str
    actions: str
    kinds: frozenset[str]
    design: Design
    scores: np.ndarray
    placebo: np.ndarray
    curves: pd.DataFrame


def of_runs(frame: pd.DataFrame, curves: pd.DataFrame, kinds: Kinds) -> list[Task]:
    """The tasks of scored runs and their evaluations; `kinds` are registered, by kind its tasks."""
    wide = curves.pivot_table(index="run", columns="step", values="normalised", aggfunc="last")
    return [
        Task(
            name=name,
            actions=actions,
            kinds=frozenset({actions, *(kind for kind, tasks in kinds.items() if name in tasks)}),
            design=Design.of(runs.arm.map(options).tolist()),
            scores=runs.normalised.to_numpy(),
            placebo=(runs.seed % 2).to_numpy(float),
            curves=_by_step(runs, wide),
        )
        for (name, actions), runs in frame.sort_values("run").groupby(["task", "actions"])
    ]


def _by_step(runs: pd.DataFrame, wide: pd.DataFrame) -> pd.DataFrame:
    """One row a run, one column a common evaluation; a diverged run goes on as the worst."""
    own = wide.reindex(runs.run).dropna(axis=1, how="all")
    over = (runs.status == DIVERGED).to_numpy()[:, None] & own.isna()
    return own.mask(over, runs.normalised.min()).dropna(axis=1)


@dataclass(frozen=True)
class Change:
    """What runs show of one set of options against another: M tasks, each with its contrast."""

    given: list[tuple[Task, np.ndarray]]

    @cached_property
    def estimates(self) -> Estimate:
        """By task, `(..., M)`."""
        return stacked([task.design.estimate(own, task.scores) for task, own in self.given])

    @cached_property
    def guarded(self) -> list[Estimate]:
        """The guard: the estimates, and those with one more failed run of either side of a task."""
        found = [self.estimates]
        for place, (task, own) in enumerate(self.given):
            here = np.arange(len(self.given)) == place
            for failed in task.design.with_failures(own, task.scores):
                pairs = zip(self.estimates, failed, strict=True)
                found.append(Estimate(*(np.where(here, new[..., None], old) for old, new in pairs)))
        return found

    @property
    def runs(self) -> list[np.ndarray]:
        """By task the numbers of the runs that the estimate weighs."""
        return [
            task.curves.index[np.abs(own @ task.design.inverse) > NEAR].to_numpy()
            for task, own in self.given
        ]

    def interval(
        self, alpha: float, weights: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The guarded interval of the mean over tasks, or of a sum with weights `(M,)`: the widest
        of that of the runs and those with one failure added."""
        return _widest([mean_over_tasks(one, weights).interval(alpha) for one in self.guarded])

    def mean(self, alpha: float, weights: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """The mean over tasks, or a sum with weights `(M,)`, and the ends of its interval."""
        return mean_over_tasks(self.estimates, weights).effect, *self.interval(alpha, weights)

    def task_intervals(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """The guarded interval of each task, `(..., M)`."""
        return _widest([one.interval(alpha) for one in self.guarded])

    def kinds(self) -> dict[str, np.ndarray]:
        """The weights `(M,)` of kinds of some tasks, and of each against the other tasks."""
        weights = {}
        for kind in sorted(frozenset().union(*(task.kinds for task, _ in self.given))):
            inside = np.array([kind in task.kinds for task, _ in self.given])
            if not inside.all():
                weights[kind] = inside / inside.sum()
                weights[f"{kind}{AGAINST}"] = inside / inside.sum() - ~inside / (~inside).sum()
        return weights

    def over_the_budget(self) -> tuple[list[float], "Change"]:
        """The shares of the budget that all tasks have, and the change there, a leading axis."""
        steps = sorted(set.intersection(*(set(task.curves) for task, _ in self.given)))
        scores = [task.curves[steps].to_numpy().T for task, _ in self.given]
        pairs = zip(self.given, scores, strict=True)
        return steps, Change([(replace(task, scores=then), own) for (task, own), then in pairs])


def _widest(intervals: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    low, high = zip(*intervals, strict=True)
    return np.min(low, axis=0), np.max(high, axis=0)


def shown(
    id: str, with_: frozenset[str], without: frozenset[str], tasks: Sequence[Task]
) -> tuple[Change | None, list[Problem]]:
    """What the runs show of one set of options against another, and why some tasks do not."""
    used, problems = [], []
    for task in tasks:
        if (contrast := task.design.contrast(with_, without)) is None:
            continue
        if unclear := task.design.inseparable(contrast):
            message = f"{id}: the runs do not tell apart {' and '.join(unclear)}"
            problems.append(Problem(task.name, message))
        elif task.design.rests_on_one_run(contrast):
            problems.append(Problem(task.name, f"{id}: a side has one run, which has no spread"))
        else:
            used.append((task, contrast))
    return Change(used) if used else None, problems


def of_column(
    name: str, values: Callable[[Task], Mapping[str, np.ndarray]], tasks: Sequence[Task]
) -> Change | None:
    """What the runs show of one of more columns, with these values `(R,)` by name."""
    more = []
    for task in tasks:
        added = values(task)
        matrix = np.column_stack([task.design.matrix, *added.values()])
        more.append(replace(task, design=Design(matrix, (*task.design.columns, *added))))
    return shown(name, frozenset({name}), frozenset(), more)[0]


def of_placebo(tasks: Sequence[Task]) -> Change | None:
    """What the runs show of the parity of their seeds, which changes nothing."""
    return of_column("seed=odd", lambda task: {"seed=odd": task.placebo}, tasks)


def of_pair(
    pair: tuple[str, str], needs: Mapping[str, Iterable[str]], tasks: Sequence[Task]
) -> Change | None:
    """What the runs show of the product of two options beside all products of their groups, and of
    groups that these need: the other pairs' effects must not count as this one's."""
    groups = [{name, *needs.get(name, ())} for name in map(group, pair)]

    def products(task: Task) -> dict[str, np.ndarray]:
        columns = dict(zip(task.design.columns, task.design.matrix.T, strict=True))
        sides = [[name for name in columns if group(name) in own] for own in groups]
        both = [(one, other) for one, other in product(*sides) if group(one) != group(other)]
        return {" x ".join(names): columns[names[0]] * columns[names[1]] for names in both}

    some = [task for task in tasks if {*pair} <= {*task.design.columns}]
    return of_column(" x ".join(pair), products, some)
