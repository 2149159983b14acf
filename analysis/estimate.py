"""The estimate of a change: least squares on the options of each run, one regression a task, and
means over tasks.

A run's score is explained by its options, one column each, and the baseline's constant. A change is
a contrast of columns. Errors are HC2, degrees of freedom Bell and McCaffrey's (Bell & McCaffrey
2002; Imbens & Kolesar 2016). For arms of one change this is Welch's difference of two means.

Letters: `R` runs of a task, `K` columns, `M` tasks; `...` whatever leads, such as simulated
studies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

NEAR = 1e-8
FEW = 12  # runs of a side on a task: with fewer a rare failure may not have happened yet


class Estimate(NamedTuple):
    """An effect, its error and degrees of freedom, of one shape; NaN where runs show none."""

    effect: np.ndarray
    error: np.ndarray
    df: np.ndarray

    def interval(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """The two ends of the two-sided interval at level 1 - alpha."""
        half = -special.stdtrit(self.df, alpha / 2) * self.error
        return self.effect - half, self.effect + half

    def p_value(self) -> np.ndarray:
        """The smallest alpha at which the interval excludes 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 2 * special.stdtr(self.df, -np.abs(self.effect) / self.error)


@dataclass(frozen=True)
class Design:
    """The options of runs: `matrix` `(R, K)`, its first column ones, and the `columns`' names."""

    matrix: np.ndarray
    columns: tuple[str, ...]

    @classmethod
    def of(cls, arms: Sequence[frozenset[str]]) -> "Design":
        """The design of runs with these options, one column for each option that a run has."""
        names = tuple(sorted(frozenset().union(*arms)))
        rows = [[1.0, *(float(name in arm) for name in names)] for arm in arms]
        return cls(np.array(rows), ("", *names))

    def contrast(self, with_: frozenset[str], without: frozenset[str]) -> np.ndarray | None:
        """The columns of `with_` less those of `without`, `(K,)`; None if no run has one."""
        if not (with_ | without) <= set(self.columns):
            return None
        return np.array([float(name in with_) - (name in without) for name in self.columns])

    @cached_property
    def inverse(self) -> np.ndarray:
        """From scores to coefficients, `(K, R)`."""
        return np.linalg.pinv(self.matrix, rcond=NEAR)

    @cached_property
    def free(self) -> np.ndarray:
        """1 - h, what the fit leaves of each run's own spread, `(R,)`."""
        return 1 - (self.matrix * self.inverse.T).sum(-1)

    def inseparable(self, contrast: np.ndarray) -> list[str]:
        """The columns that these runs cannot tell apart, if that forbids to estimate a contrast."""
        left = np.abs(contrast - contrast @ self.inverse @ self.matrix) > NEAR
        return [name or "baseline" for name in np.array(self.columns)[left]]

    def rests_on_one_run(self, contrast: np.ndarray) -> bool:
        """Whether a contrast's error takes the spread of a single run."""
        return bool((np.abs(contrast @ self.inverse)[self.free < NEAR] > NEAR).any())

    def estimate(self, contrast: np.ndarray, scores: np.ndarray) -> Estimate:
        """The contrast's estimate from scores `(..., R)`.

        With weights w = contrast' (X'X)^-1 X' the effect is w'y, its variance the sum of w_i^2
        e_i^2 / (1 - h_i), and its degrees of freedom tr(MD)^2 / tr(MDMD) with D = diag(w_i^2 / (1 -
        h_i)). The error is NaN where it takes the spread of a single run.
        """
        weights, alone = contrast @ self.inverse, self.free < NEAR
        scale = np.where(alone, 0, weights**2 / np.where(alone, 1, self.free))
        if self.rests_on_one_run(contrast):
            scale = np.full_like(scale, np.nan)
        residuals = scores - scores @ self.inverse.T @ self.matrix.T
        error = np.sqrt(residuals**2 @ scale)
        return Estimate(scores @ weights, error, np.full(error.shape, self._freedom(scale)))

    def _freedom(self, scale: np.ndarray) -> float:
        """tr(MD)^2 / tr(MDMD) of D = diag(`scale`), without the `(R, R)` matrix M = I - H."""
        crossed = self.matrix.T @ (scale[:, None] * self.matrix) @ self.inverse @ self.inverse.T
        own = scale**2 @ (2 * self.free - 1)
        return (self.free @ scale) ** 2 / (own + (crossed * crossed.T).sum())

    def with_failures(self, contrast: np.ndarray, scores: np.ndarray) -> list[Estimate]:
        """The guard: the estimates with one more failed run of either side, of sides with few runs.

        A failure of one run in a few may not have happened yet. The added run has the mean options
        of its side's runs, as the contrast weighs them, and the worst of the scores. The number of
        a side's runs is that of equal weights with the same error.
        """
        weights = contrast @ self.inverse
        failed = np.concatenate([scores, scores.min(-1, keepdims=True)], axis=-1)
        found = []
        for side in (np.maximum(weights, 0), np.maximum(-weights, 0)):
            if side.sum() ** 2 < (FEW - NEAR) * (side**2).sum():
                run = side @ self.matrix / side.sum()
                more = Design(np.vstack([self.matrix, run]), self.columns)
                found.append(more.estimate(contrast, failed))
        return found


def mean_over_tasks(tasks: Estimate, weights: np.ndarray | None = None) -> Estimate:
    """The mean of the tasks' effects `(..., M)`, or their sum with weights `(M,)`, with the error
    and Satterthwaite's degrees of freedom of new runs on these tasks."""
    count = tasks.effect.shape[-1]
    weights = np.full(count, 1 / count) if weights is None else weights
    squares = (tasks.error * weights) ** 2
    total = squares.sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (squares**2 / tasks.df).sum(-1)
        error = np.where(total > 0, np.sqrt(total), np.nan)
    return Estimate(tasks.effect @ weights, error, df)


def mean_over_new_tasks(tasks: Estimate, families: Sequence[str] | None = None) -> Estimate:
    """The same mean with the error of new tasks like these; those of one of the `families` `(M,)`,
    such as a task and its picture, count as one."""
    mean, count = tasks.effect.mean(-1), tasks.effect.shape[-1]
    names, family = np.unique(range(count) if families is None else families, return_inverse=True)
    sums = (tasks.effect - mean[..., None]) @ np.eye(len(names))[family]
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = (sums**2).sum(-1) * np.divide(len(names), len(names) - 1)
    return Estimate(mean, np.sqrt(squared) / count, np.full(np.shape(mean), len(names) - 1.0))


def spread_between_tasks(tasks: Estimate) -> np.ndarray:
    """tau, the spread of the estimates between tasks less their errors; NaN with one task."""
    squares = (tasks.effect - tasks.effect.mean(-1, keepdims=True)) ** 2
    with np.errstate(invalid="ignore"):
        variance = np.divide(squares.sum(-1), tasks.effect.shape[-1] - 1)
    return np.sqrt(np.maximum(variance - (tasks.error**2).mean(-1), 0))


def stacked(single: Sequence[Estimate]) -> Estimate:
    """The estimates as one, the last axis over them."""
    return Estimate(*(np.stack(values, axis=-1) for values in zip(*single, strict=True)))
