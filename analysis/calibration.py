"""How often intervals and verdicts hold in simulated studies with known effects."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis import claims
from analysis.comparison import Comparison, at_floor
from analysis.effects import Cells, welch
from analysis.resampling import percentile, studentised
from analysis.rule import DECIDED, HELPS, HURTS, NO_HELP, Decision, Evidence, decide
from analysis.simulate import SCENARIOS, Scenario
from analysis.stats import holm

SEEDS = (3, 5, 10)
MARGIN = 0.10
SMALL = 0.05  # an effect that is easily given the wrong sign
BATCH = 100  # studies at once
LAST_LOOK = 20
ALLOWED = 0.05
USED = "Welch t (used)"
METHODS = {"studentised bootstrap": studentised, "percentile bootstrap": percentile}
FALSE_HELPS, WRONG_SIGN, FALSE_NO_HELP, FALSE_SUBSTANTIAL, SAME_ARM = (
    'false "helps"',
    "wrong sign",
    'false "no substantial help"',
    'false "substantial"',
    "A/A differs",
)


def coverage(
    scenario: Scenario, seeds: int, studies: int, seed: int = 0, level: float = 0.95
) -> dict[str, float]:
    """Share of simulated studies of one change of known effect whose interval contains it, by
    method."""
    rng = np.random.default_rng(seed)
    hits = dict.fromkeys((USED, *METHODS), 0)
    for with_, without in _batches(scenario, rng, seeds, MARGIN, studies):
        first, second = with_[:, 0], without[:, 0]
        effect = welch(_cells(first), _cells(second))
        low, high = effect.low(1 - level), effect.high(1 - level)
        hits[USED] += int(((low <= MARGIN) & (high >= MARGIN)).sum())
        for name, interval in METHODS.items():
            for a, b in zip(first, second, strict=True):
                low, high = interval(a, b, level, rng)
                hits[name] += bool(low <= MARGIN <= high)
    return {name: count / studies for name, count in hits.items()}


def false_verdicts(scenario: Scenario, seeds: int, studies: int, seed: int = 0) -> dict[str, float]:
    """Shares of simulated studies with at least one false verdict among their claims, by kind.

    A false "helps": no claim has an effect. A wrong sign: in half of the studies all effects are
    -`SMALL` and "helps" is wrong, in the rest `SMALL` and "hurts" is. A false "no substantial
    help", or a false "substantial": all effects are the margin. The A/A comparison differs: the
    baseline with itself, each half with as many seeds.
    """
    half = -(-studies // 2)

    def found(effect: float, studies: int, seed: int) -> dict[str, float]:
        return _found(scenario, seeds, effect, studies, seed)

    signs = found(-SMALL, half, seed + 1)[HELPS], found(SMALL, half, seed + 1)[HURTS]
    at_margin = found(MARGIN, studies, seed + 2)
    return {
        FALSE_HELPS: found(0.0, studies, seed)[HELPS],
        WRONG_SIGN: float(np.mean(signs)),
        FALSE_NO_HELP: at_margin[NO_HELP],
        FALSE_SUBSTANTIAL: at_margin[FALSE_SUBSTANTIAL],
        SAME_ARM: _same_arm(scenario, seeds, studies, seed + 3),
    }


def _found(
    scenario: Scenario, seeds: int, effect: float, studies: int, seed: int
) -> dict[str, float]:
    """Shares of simulated studies in which a claim has each verdict, or helps substantially."""
    rng = np.random.default_rng(seed)
    counts = dict.fromkeys((*DECIDED, FALSE_SUBSTANTIAL), 0)
    for batch in _batches(scenario, rng, seeds, effect, studies):
        decision = decided(*batch)
        for verdict in DECIDED:
            counts[verdict] += int((decision.verdict == verdict).any(-1).sum())
        counts[FALSE_SUBSTANTIAL] += int(decision.substantial.any(-1).sum())
    return {name: count / studies for name, count in counts.items()}


def decided(with_: np.ndarray, without: np.ndarray) -> Decision:
    """The decisions `(S, C)` on the scores `(S, C, M, R)` of studies whose positive control hurts,
    out of the family that the project registers."""
    return decide(Evidence.of(_comparison(with_, without)), family())


def _comparison(with_: np.ndarray, without: np.ndarray) -> Comparison:
    return compared(_cells(with_), _cells(without))


def compared(with_: Cells, without: Cells) -> Comparison:
    """The arms of simulated studies, judged with the margin."""
    return Comparison(with_, without, MARGIN, at_floor(with_.mean, without.mean))


def _cells(scores: np.ndarray) -> Cells:
    runs = np.full(scores.shape[:-1], scores.shape[-1])
    return Cells(runs, scores.mean(-1), scores.var(-1, ddof=1))


def family() -> int:
    """The number of claims that the project registers."""
    return len(claims.load().claims)


def _same_arm(scenario: Scenario, seeds: int, studies: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    count = 0
    for with_, _ in _batches(scenario, rng, 2 * seeds, 0.0, studies):
        baseline = with_[:, -1]  # in the last claim the baseline is `with`
        both = _comparison(baseline[..., ::2], baseline[..., 1::2])
        count += int((both.effect.p_zero() <= ALLOWED).sum())
    return count / studies


def looking_again(studies: int, seed: int = 0) -> float:
    """Share of simulated comparisons without effect that differ from 0 at some look, judged at
    3 seeds and again after each added one up to 20."""
    rng = np.random.default_rng(seed)
    count = 0
    for with_, without in _batches(SCENARIOS["equal spreads"], rng, LAST_LOOK, 0.0, studies):
        looks = [
            _comparison(with_[:, 0, :, :seeds], without[:, 0, :, :seeds]).effect.p_zero() <= ALLOWED
            for seeds in range(SEEDS[0], LAST_LOOK + 1)
        ]
        count += int(np.any(looks, axis=0).sum())
    return count / studies


def _batches(
    scenario: Scenario, rng: np.random.Generator, seeds: int, effect: float, studies: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for start in range(0, studies, BATCH):
        yield scenario(rng, min(BATCH, studies - start), seeds, effect)


def table(studies: int, scenarios: dict[str, Scenario] = SCENARIOS, seed: int = 0) -> pd.DataFrame:
    """By scenario and seeds: coverage of 95% intervals by method, and the shares of studies with a
    false verdict."""
    rows = [
        {
            "scenario": name,
            "seeds": seeds,
            **coverage(scenario, seeds, studies, seed),
            **false_verdicts(scenario, seeds, studies, seed),
        }
        for name, scenario in scenarios.items()
        for seeds in SEEDS
    ]
    return pd.DataFrame(rows)


def unguarded(seeds: int, studies: int, seed: int = 2) -> float:
    """Share of studies of rare failures with a false "no substantial help" where the p-value
    against the margin is taken as it is."""
    rng = np.random.default_rng(seed)
    count = 0
    batches = _batches(SCENARIOS["rare failures"], rng, seeds, MARGIN, studies)
    for with_, without in batches:
        plain = _comparison(with_, without).effect.p_below(MARGIN)
        below = np.where(np.isnan(plain), 1, plain)
        count += int((below <= holm(below, ALLOWED, family())).any(-1).sum())
    return count / studies
