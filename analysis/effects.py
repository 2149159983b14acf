"""The effect of one change with an interval that holds with few seeds: a stratified Welch t."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats import holm

SEEDS_SEARCHED = 10_000


@dataclass(frozen=True)
class Effect:
    """Mean over tasks of the difference of the arms' mean scores, with its standard error and
    degrees of freedom."""

    value: float
    error: float
    freedom: float

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval at confidence `level`."""
        half = stats.t.ppf((1 + level) / 2, self.freedom) * self.error
        return self.value - half, self.value + half

    def p_zero(self) -> float:
        """The smallest alpha at which the interval excludes 0."""
        return float(2 * stats.t.sf(abs(self.value) / self.error, self.freedom))

    def p_margin(self, margin: float) -> float:
        """The smallest alpha at which the interval lies below `margin` (1 where the effect itself
        does not)."""
        return float(min(1, 2 * stats.t.cdf((self.value - margin) / self.error, self.freedom)))


def welch(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> Effect:
    """Effect of `first` over `second`, each `M` samples with a task's runs of one arm.

    Every (arm, task) cell has a variance of its own. That of the effect is the sum over the 2M
    cells of s^2 / n / M^2, its degrees of freedom are Welch and Satterthwaite's. The tasks are
    taken as given: the interval speaks of new seeds on these tasks, not of new tasks. Error and
    freedom are NaN where a cell has one run or no cell varies.
    """
    cells = [*first, *second]
    counts = np.array([len(cell) for cell in cells])
    scores, starts = np.concatenate(cells), np.cumsum(counts) - counts
    means = np.add.reduceat(scores, starts) / counts
    value = float(means[: len(first)].mean() - means[len(first) :].mean())
    if counts.min() < 2:
        return Effect(value, np.nan, np.nan)
    variances = np.add.reduceat((scores - np.repeat(means, counts)) ** 2, starts) / (counts - 1)
    return Effect(value, *_error_and_freedom(variances, counts, len(first)))


def _error_and_freedom(
    variances: np.ndarray, counts: np.ndarray, tasks: int
) -> tuple[float, float]:
    parts = variances / counts / tasks**2
    total = parts.sum()
    if total == 0:
        return np.nan, np.nan
    return float(np.sqrt(total)), float(total**2 / np.sum(parts**2 / (counts - 1)))


def levels(effects: Sequence[Effect], margin: float, alpha: float = 0.05) -> np.ndarray:
    """The alpha of each claim's interval `(claims,)`: the smaller of Holm's for excluding 0 and
    Holm's for lying below the margin.

    Either alone would not do: claims rightly found to have no substantial effect would relax the
    level for the others though their effect is 0 too.
    """
    zero = holm([effect.p_zero() for effect in effects], alpha)
    below = holm([effect.p_margin(margin) for effect in effects], alpha)
    return np.minimum(zero, below)


def seeds_to_decide(
    effect: Effect,
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    margin: float,
    alpha: float,
) -> int | None:
    """Seeds per task and arm at which the interval at level 1 - alpha decides, if effect and spread
    stay."""
    variances = np.array([np.var(cell, ddof=1) for cell in [*first, *second]])

    def decides(seeds: int) -> bool:
        error, freedom = _error_and_freedom(variances, np.full(len(variances), seeds), len(first))
        then = Effect(effect.value, error, freedom)
        return min(then.p_zero(), then.p_margin(margin)) <= alpha

    low, high = 2, SEEDS_SEARCHED
    if not decides(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return low
