"""The bootstrap intervals that the calibration compares with the one that verdicts use.

An arm is `(M, R)`: tasks by seeds.
"""

import numpy as np

RESAMPLES = 500


def percentile(
    first: np.ndarray, second: np.ndarray, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    """The percentile bootstrap, runs resampled within each task and arm: the usual choice, for
    comparison."""
    effects, _ = _resampled(first, second, rng)
    return tuple(np.quantile(effects, [(1 - level) / 2, (1 + level) / 2]))


def studentised(
    first: np.ndarray, second: np.ndarray, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    """The bootstrap of the t statistic, for comparison."""
    value, error = _effect(first), _effect(second)
    value, error = value[0] - error[0], np.hypot(value[1], error[1])
    effects, errors = _resampled(first, second, rng)
    ratios = (effects[errors > 0] - value) / errors[errors > 0]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return value - high * error, value - low * error


def _effect(arm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over tasks and its standard error, of `(..., M, R)`."""
    tasks, seeds = arm.shape[-2:]
    return arm.mean((-2, -1)), np.sqrt((arm.var(-1, ddof=1) / seeds).sum(-1)) / tasks


def _resampled(
    first: np.ndarray, second: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    parts = []
    for arm in (first, second):
        chosen = rng.integers(arm.shape[1], size=(RESAMPLES, *arm.shape))
        parts.append(
            _effect(np.take_along_axis(np.broadcast_to(arm, chosen.shape), chosen, axis=-1))
        )
    return parts[0][0] - parts[1][0], np.hypot(parts[0][1], parts[1][1])
