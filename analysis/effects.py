"""The effect of one change with an interval that holds with few seeds: a stratified Welch t.

Everything is computed on the last axis, over tasks, so that one call serves a study or thousands of
simulated ones. Letters: `M` tasks, `...` whatever leads.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Cells:
    """One arm by task: the number of runs, and the mean and variance of their scores, each
    `(..., M)`."""

    runs: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, samples: Sequence[np.ndarray]) -> "Cells":
        """The cells of M samples with the scores of a task's runs; the variance of one run is
        NaN."""
        return cls(
            np.array([len(sample) for sample in samples]),
            np.array([np.mean(sample) for sample in samples]),
            np.array([np.var(s, ddof=1) if len(s) > 1 else np.nan for s in samples]),
        )

    def failed_once_more(self) -> "Cells":
        """Each task as it would be with one more run that scores 0."""
        runs = self.runs + 1
        squares = self.variance * (self.runs - 1) + self.mean**2 * self.runs / runs
        return Cells(runs, self.mean * self.runs / runs, squares / self.runs)

    def with_runs(self, runs: int) -> "Cells":
        """The same means and variances from another number of runs."""
        return replace(self, runs=np.full_like(self.runs, runs))


@dataclass(frozen=True)
class Effect:
    """Mean over tasks of the difference of the arms' mean scores, with its standard error and
    degrees of freedom (numbers, or arrays of one shape)."""

    value: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def low(self, alpha: np.ndarray) -> np.ndarray:
        """The lower end of the two-sided interval at level 1 - alpha."""
        return self.value - self._half(alpha)

    def high(self, alpha: np.ndarray) -> np.ndarray:
        """The upper end of the two-sided interval at level 1 - alpha."""
        return self.value + self._half(alpha)

    def _half(self, alpha: np.ndarray) -> np.ndarray:
        return stats.t.isf(np.asarray(alpha) / 2, self.freedom) * self.error

    def p_zero(self) -> np.ndarray:
        """The smallest alpha at which the interval excludes 0."""
        return 2 * stats.t.sf(np.abs(self.value) / self.error, self.freedom)

    def p_below(self, margin: float) -> np.ndarray:
        """The smallest alpha at which the interval lies below `margin` (1 where the effect itself
        does not)."""
        return np.minimum(1, 2 * stats.t.cdf((self.value - margin) / self.error, self.freedom))

    def p_above(self, margin: float) -> np.ndarray:
        """The smallest alpha at which the interval lies above `margin` (1 where the effect itself
        does not)."""
        return np.minimum(1, 2 * stats.t.sf((self.value - margin) / self.error, self.freedom))


@dataclass(frozen=True)
class Terms:
    """What a task adds to an effect, each `(..., M)`: the difference of the arms' means, its
    squared standard error, and the part of Welch and Satterthwaite's denominator."""

    difference: np.ndarray
    square: np.ndarray
    quartic: np.ndarray

    def total(self) -> Effect:
        """The effect over all tasks."""
        return self._effect(np.ones(self.difference.shape[-1]))

    def over(self, tasks: np.ndarray) -> Effect:
        """The effect over some of the tasks, `(..., M)` True for those."""
        return self._effect(tasks)

    def _effect(self, weights: np.ndarray) -> Effect:
        def summed(terms: np.ndarray) -> np.ndarray:
            return np.where(weights, terms, 0).sum(-1)

        return _effect(
            *map(summed, (self.difference, self.square, self.quartic)), np.sum(weights, -1)
        )

    def replacing(self, others: "Terms", tasks: np.ndarray) -> Effect:
        """The effects over `tasks` in which one task after the other, whether among them or not,
        has the terms of `others`, `(..., M)`."""
        rest = self._without_each(tasks)
        sums = [
            a + b
            for a, b in zip(rest, (others.difference, others.square, others.quartic), strict=True)
        ]
        return _effect(*sums, np.sum(tasks, -1, keepdims=True) + ~tasks)

    def leaving_out(self, tasks: np.ndarray) -> Effect:
        """The effects over `tasks` without one after the other, `(..., M)`."""
        return _effect(*self._without_each(tasks), np.sum(tasks, -1, keepdims=True) - 1)

    def _without_each(self, tasks: np.ndarray) -> list[np.ndarray]:
        others = 1 - np.eye(self.difference.shape[-1])  # a difference of sums would cancel
        terms = (self.difference, self.square, self.quartic)
        return [np.where(tasks, own, 0) @ others for own in terms]


def _effect(
    difference: np.ndarray, square: np.ndarray, quartic: np.ndarray, tasks: np.ndarray
) -> Effect:
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where((square > 0) & (tasks > 0), np.sqrt(square) / tasks, np.nan)
        return Effect(difference / tasks, error, square**2 / quartic)


def terms(first: Cells, second: Cells) -> Terms:
    """The terms of the effect of `first` over `second`.

    Every (arm, task) cell has a variance of its own. That of the effect is the sum over the 2M
    cells of s^2 / n / M^2, its degrees of freedom are Welch and Satterthwaite's. The tasks are
    taken as given: the interval speaks of new seeds on these tasks, not of new tasks. NaN where a
    cell has one run.
    """
    squares = first.variance / first.runs, second.variance / second.runs
    with np.errstate(divide="ignore", invalid="ignore"):
        quartic = squares[0] ** 2 / (first.runs - 1) + squares[1] ** 2 / (second.runs - 1)
    return Terms(first.mean - second.mean, squares[0] + squares[1], quartic)


def welch(first: Cells, second: Cells) -> Effect:
    """The effect of `first` over `second` over all tasks; error and freedom are NaN where a cell
    has one run or no cell varies."""
    return terms(first, second).total()
