"""Simulated studies with known effects: how runs of an agent may scatter.

Letters: `S` studies, `C` claims that share the baseline, `M` tasks, `R` seeds.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

CLAIMS = 13  # with data and one baseline, out of the family that is registered
BASELINE_WITHOUT = np.arange(CLAIMS) < 4  # in which of them the baseline is `without`
LEVEL = 0.5  # mean normalised score of every arm before its effect
TASK_SPREADS = np.array([0.05, 0.10, 0.15, 0.20, 0.25])
FAILING_LEVEL = 0.9
QUIET = 0.02  # spread where runs hardly vary
SOMETIMES = 0.1  # share of runs that fail beside a shift

# A scenario draws studies, S x C claims of one true effect or of one for each claim: the scores of
# their arms `with` and `without`, each (S, C, M, R).
Pair = tuple[np.ndarray, np.ndarray]
Scenario = Callable[[np.random.Generator, int, int, float | np.ndarray], Pair]
Draw = Callable[[np.random.Generator, tuple[int, int], int], np.ndarray]


def shifted(draw: Draw) -> Scenario:
    """The scenario of arms that are all alike, from a draw of S x A arms, (S, A, M, R), with the
    effect added to `with`."""

    def scenario(
        rng: np.random.Generator, studies: int, seeds: int, effect: float | np.ndarray
    ) -> Pair:
        with_, without = _sides(draw(rng, (studies, 1 + CLAIMS), seeds))
        return with_ + _by_claim(effect), without

    scenario.__doc__ = draw.__doc__
    return scenario


def _sides(arms: np.ndarray) -> Pair:
    """The arms `with` and `without` of each claim, of S x A arms whose first is the baseline."""
    others = arms[:, 1:]
    baseline = np.broadcast_to(arms[:, :1], others.shape)
    is_without = BASELINE_WITHOUT[:, None, None]
    return np.where(is_without, others, baseline), np.where(is_without, baseline, others)


def _by_claim(effect: float | np.ndarray) -> np.ndarray:
    """Effects as (C, 1, 1)."""
    return np.broadcast_to(effect, CLAIMS)[:, None, None]


def equal(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
    """Normal, the same spread everywhere."""
    return rng.normal(LEVEL, 0.15, (*arms, 5, seeds))


def unequal(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
    """Normal, spreads that differ five-fold between tasks and two-fold between arms."""
    return LEVEL + rng.normal(0, 1, (*arms, 5, seeds)) * _spreads(arms[1])


def skewed(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
    """Log-normal: a few seeds far above the rest, spreads as in `unequal spreads`."""
    draws = rng.lognormal(0, 0.8, (*arms, 5, seeds))
    deviation = np.sqrt((np.exp(0.8**2) - 1) * np.exp(0.8**2))
    return LEVEL + (draws - np.exp(0.8**2 / 2)) / deviation * _spreads(arms[1])


def collapse(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
    """Every fifth run collapses to zero, the others reach 0.8."""
    shape = (*arms, 5, seeds)
    return 0.8 * (rng.random(shape) < 0.8) + rng.normal(0, 0.05, shape)


def one_coin(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
    """One task is won (0.8) or lost (0) by the toss of a coin, the other four hardly vary: the
    hardest case for few seeds."""
    scores = rng.normal(LEVEL, QUIET, (*arms, 5, seeds))
    scores[:, :, 0] += 0.8 * (rng.random((*arms, seeds)) < 0.5) - LEVEL
    return scores


def _spreads(arms: int) -> np.ndarray:
    by_arm = np.where(np.arange(arms) % 2, 1.4, 0.7)
    return by_arm[:, None, None] * TASK_SPREADS[None, :, None]


def rare_failures(
    rng: np.random.Generator, studies: int, seeds: int, effect: float | np.ndarray
) -> Pair:
    """The effect is a rate of failures, not a shift: of four tasks three are quiet, on the fourth a
    share of the runs of the worse arm fails (0 instead of 0.9); without an effect, a fifth of the
    runs of every arm."""
    effects, levels = _by_claim(effect), np.full(4, FAILING_LEVEL)
    rate = np.where(effects == 0, 0.2, np.abs(effects) * len(levels) / levels[0])
    return _failing(rng, (studies, seeds), effects, levels, rate, np.zeros(4, bool))


def shift_with_failures(
    rng: np.random.Generator, studies: int, seeds: int, effect: float | np.ndarray
) -> Pair:
    """Four quiet tasks at 0.7: on one a tenth of the runs of the worse arm fails, the rest of the
    effect is a shift of all tasks; without an effect, a tenth of the runs of every arm fails."""
    levels, everywhere = np.full(4, 0.7), np.ones(4, bool)
    return _failing(rng, (studies, seeds), _by_claim(effect), levels, SOMETIMES, everywhere)


def failing_at_ceiling(
    rng: np.random.Generator, studies: int, seeds: int, effect: float | np.ndarray
) -> Pair:
    """Five quiet tasks, one of which every run solves (1.0), but for a tenth of those of the worse
    arm, which fail; the rest of the effect is a shift of the others (at 0.5); without an effect, a
    tenth of the runs of every arm fails."""
    levels = np.array([1.0, LEVEL, LEVEL, LEVEL, LEVEL])
    return _failing(rng, (studies, seeds), _by_claim(effect), levels, SOMETIMES, levels < 1)


def _failing(
    rng: np.random.Generator,
    size: tuple[int, int],
    effects: np.ndarray,
    levels: np.ndarray,
    rate: float | np.ndarray,
    shifts: np.ndarray,
) -> Pair:
    """Studies and seeds of quiet tasks, on the first of which a run of the worse arm, of either
    where there is no effect, fails at a rate; a shift of the better arm, on the tasks that may
    shift, makes up what is left of the effect."""
    studies, seeds = size
    arms = rng.normal(levels[:, None], QUIET, (studies, 1 + CLAIMS, len(levels), seeds))
    draws = rng.random((studies, 1 + CLAIMS, 1, seeds))
    left = len(levels) * np.abs(effects) - rate * levels[0]
    shift = shifts[:, None] * left / max(1, shifts.sum())
    sides = []
    for scores, draw, sign in zip(_sides(arms), _sides(draws), (1, -1), strict=True):
        scores = scores + np.where(sign * effects > 0, shift, 0)
        scores[:, :, :1] *= (draw >= rate) | (sign * effects > 0)
        sides.append(scores)
    return sides[0], sides[1]


SCENARIOS: dict[str, Scenario] = {
    "equal spreads": shifted(equal),
    "unequal spreads": shifted(unequal),
    "skewed": shifted(skewed),
    "collapsed seeds": shifted(collapse),
    "one coin": shifted(one_coin),
    "rare failures": rare_failures,
    "shift with failures": shift_with_failures,
    "failing at the ceiling": failing_at_ceiling,
}


def drawn_again(normalised: pd.DataFrame) -> Scenario:
    """Real runs: the scores of one arm's published runs of each game, drawn with replacement."""
    cells = [group.to_numpy() for _, group in normalised.groupby("task").normalised]

    def published(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
        """DreamerV2's published final scores, clipped record, drawn again game by game."""
        return np.stack([rng.choice(cell, (*arms, seeds)) for cell in cells], axis=2)

    return shifted(published)
