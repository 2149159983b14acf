"""Simulated studies with known effects: how runs of an agent may scatter.

Letters: `S` studies, `C` claims that share the baseline, `M` tasks, `R` seeds.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

CLAIMS = 13  # with data and one baseline, out of the family that is registered
BASELINE_WITHOUT = 4  # in how many of them the baseline is `without`
LEVEL = 0.5  # mean normalised score of every arm before its effect
TASK_SPREADS = np.array([0.05, 0.10, 0.15, 0.20, 0.25])
FAILING_LEVEL = 0.9

# A scenario draws studies, S x C claims of one true effect: the scores of their arms `with` and
# `without`, each (S, C, M, R).
Pair = tuple[np.ndarray, np.ndarray]
Scenario = Callable[[np.random.Generator, int, int, float], Pair]
Draw = Callable[[np.random.Generator, tuple[int, int], int], np.ndarray]


def shifted(draw: Draw) -> Scenario:
    """The scenario of arms that are all alike, from a draw of S x A arms, (S, A, M, R), with the
    effect added to `with`."""

    def scenario(rng: np.random.Generator, studies: int, seeds: int, effect: float) -> Pair:
        arms = draw(rng, (studies, 1 + CLAIMS), seeds)
        others = arms[:, 1:]
        baseline = np.broadcast_to(arms[:, :1], others.shape)
        is_without = (np.arange(CLAIMS) < BASELINE_WITHOUT)[:, None, None]
        with_, without = (
            np.where(is_without, others, baseline),
            np.where(is_without, baseline, others),
        )
        return with_ + effect, without

    scenario.__doc__ = draw.__doc__
    return scenario


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
    scores = rng.normal(LEVEL, 0.02, (*arms, 5, seeds))
    scores[:, :, 0] += 0.8 * (rng.random((*arms, seeds)) < 0.5) - LEVEL
    return scores


def _spreads(arms: int) -> np.ndarray:
    by_arm = np.where(np.arange(arms) % 2, 1.4, 0.7)
    return by_arm[:, None, None] * TASK_SPREADS[None, :, None]


def rare_failures(rng: np.random.Generator, studies: int, seeds: int, effect: float) -> Pair:
    """The effect is a rate of failures, not a shift: of four tasks three are quiet, on the fourth a
    share of the runs of the worse arm fails (0 instead of 0.9); without an effect, a fifth of the
    runs of every arm."""
    shape = studies, CLAIMS, 4, seeds
    scores = rng.normal(FAILING_LEVEL, 0.02, (2, *shape))
    scores[0] = scores[0][:, :1]  # the baseline is `with` in every claim
    rate = abs(effect) * 4 / FAILING_LEVEL if effect else 0.2
    rates = (rate if effect <= 0 else 0), (rate if effect >= 0 else 0)
    draws = rng.random((studies, 1, seeds)), rng.random((studies, CLAIMS, seeds))
    for arm, share, draw in zip(scores, rates, draws, strict=True):
        arm[:, :, 0] *= draw >= share
    return scores[0], scores[1]


SCENARIOS: dict[str, Scenario] = {
    "equal spreads": shifted(equal),
    "unequal spreads": shifted(unequal),
    "skewed": shifted(skewed),
    "collapsed seeds": shifted(collapse),
    "one coin": shifted(one_coin),
    "rare failures": rare_failures,
}


def drawn_again(normalised: pd.DataFrame) -> Scenario:
    """Real runs: the scores of one arm's published runs of each game, drawn with replacement."""
    cells = [group.to_numpy() for _, group in normalised.groupby("task").normalised]

    def published(rng: np.random.Generator, arms: tuple[int, int], seeds: int) -> np.ndarray:
        """DreamerV2's published final scores, clipped record, drawn again game by game."""
        return np.stack([rng.choice(cell, (*arms, seeds)) for cell in cells], axis=2)

    return shifted(published)
