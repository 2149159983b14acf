"""Simulated studies with known effects: how often intervals hold, and how often a claim without
effect "helps"."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.effects import levels, welch
from analysis.formats import markdown
from analysis.verdicts import HELPS, HURTS, Comparison, decide

SEEDS = (3, 5, 10)
CLAIMS, BASELINE_WITHOUT = (
    13,
    4,
)  # comparisons with the shared baseline, and in how many of them it is `without`
MARGIN, EFFECT, RESAMPLES = 0.10, 0.20, 500
SMALL = 0.05  # an effect that is easily given the wrong sign
HOLDS = (0.93, 0.98)  # shares of covering 95% intervals that the page does not remark on
USED = "Welch t (used)"
TASK_SPREADS = np.array([0.05, 0.10, 0.15, 0.20, 0.25])

PAGE = """# Do the intervals hold?

Simulated studies with known effects, {studies} per row, written by

```sh
{command}
```

Each compares two arms on five tasks; the published runs have 55. A 95% interval should contain the true effect in 95%
of the studies. The last two columns simulate whole studies of 13 claims that share one baseline, at the verdicts'
adjusted levels. The first of them counts studies in which nothing has an effect and at least one claim "helps". The
second counts those in which every effect is -{small} and at least one claim "helps", or every effect is +{small} and at
least one "hurts" (half of the studies each). Both should be at most 5%. Simulation error: about {error:.1f} points (two
standard errors of a share of 95%).

{table}
{remark}

The scenarios:

{scenarios}

The percentile bootstrap is what most papers use. With 3 to 5 seeds it is too narrow: there are few runs to resample,
and their spread is underestimated. The stratified Welch t stays near its level with few seeds, so the verdicts use it.

The case that no interval can hold: where one task is a coin toss and the others hardly vary, three runs of an arm agree
by chance one time in four, and the spread looks like none. So with fewer than five seeds an effect "helps" or "hurts"
only if its 95% interval still lies on the same side of 0 when any one task is left out. Otherwise, and always with one
or two tasks, the verdict is "undecided".
"""

# A scenario draws the deviations of runs from their arm's true mean: (arms, M, R) with mean 0 in
# every cell.
Scenario = Callable[[np.random.Generator, int, int], np.ndarray]


def equal(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """Normal, the same spread everywhere."""
    return rng.normal(0, 0.15, (arms, 5, seeds))


def unequal(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """Normal, spreads that differ five-fold between tasks and two-fold between arms."""
    return rng.normal(0, 1, (arms, 5, seeds)) * _spreads(arms)


def skewed(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """Log-normal: a few seeds far above the rest, spreads as in `unequal`."""
    draws = rng.lognormal(0, 0.8, (arms, 5, seeds))
    return (
        (draws - np.exp(0.8**2 / 2))
        / np.sqrt((np.exp(0.8**2) - 1) * np.exp(0.8**2))
        * _spreads(arms)
    )


def collapse(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """Every fifth run collapses to zero, the others reach 0.8."""
    return _two_levels(rng, (arms, 5, seeds), share=0.8, gap=0.8) + rng.normal(
        0, 0.05, (arms, 5, seeds)
    )


def one_coin(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
    """One task is won or lost by the toss of a coin, the other four hardly vary: the hardest case
    for few seeds."""
    noise = rng.normal(0, 0.02, (arms, 5, seeds))
    noise[:, 0] += _two_levels(rng, (arms, seeds), share=0.5, gap=0.8)
    return noise


def _two_levels(
    rng: np.random.Generator, shape: tuple[int, ...], share: float, gap: float
) -> np.ndarray:
    return gap * ((rng.random(shape) < share) - share)


def _spreads(arms: int) -> np.ndarray:
    by_arm = np.where(np.arange(arms) % 2, 1.4, 0.7)
    return by_arm[:, None, None] * TASK_SPREADS[None, :, None]


SCENARIOS: dict[str, Scenario] = {
    "equal spreads": equal,
    "unequal spreads": unequal,
    "skewed": skewed,
    "collapsed seeds": collapse,
    "one coin": one_coin,
}


def residuals(normalised: pd.DataFrame) -> Scenario:
    """Real runs: deviations of one arm's published runs from their game's mean, drawn with
    replacement."""
    cells = [group.to_numpy() - group.mean() for _, group in normalised.groupby("task").normalised]

    def published(rng: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
        """Deviations of DreamerV2's published final scores from their game's mean, clipped record,
        drawn again."""
        return np.stack([rng.choice(cell, (arms, seeds)) for cell in cells], axis=1)

    return published


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


def _welch(
    first: np.ndarray, second: np.ndarray, level: float, rng: np.random.Generator
) -> tuple[float, float]:
    return welch(first, second).interval(level)


METHODS = {USED: _welch, "studentised bootstrap": studentised, "percentile bootstrap": percentile}


def coverage(
    scenario: Scenario, seeds: int, studies: int, seed: int = 0, level: float = 0.95
) -> dict[str, float]:
    """Share of simulated studies of one change of known effect whose interval contains it, by
    method."""
    rng = np.random.default_rng(seed)
    hits = dict.fromkeys(METHODS, 0)
    for _ in range(studies):
        first, second = scenario(rng, 2, seeds) + np.array([EFFECT, 0])[:, None, None]
        for name, interval in METHODS.items():
            low, high = interval(first, second, level, rng)
            hits[name] += low <= EFFECT <= high
    return {name: count / studies for name, count in hits.items()}


def false_helps(scenario: Scenario, seeds: int, studies: int, seed: int = 0) -> float:
    """Share of simulated studies without any effect in which at least one of 13 claims "helps",
    after Holm."""
    rng = np.random.default_rng(seed)
    return sum(HELPS in _verdicts(scenario, seeds, 0.0, rng) for _ in range(studies)) / studies


def wrong_signs(
    scenario: Scenario, seeds: int, studies: int, seed: int = 0, effect: float = SMALL
) -> float:
    """Share of simulated studies in which at least one of 13 claims is given the wrong sign.

    In every other study all true effects are -`effect` and "helps" is wrong, in the rest `effect`
    and "hurts" is.
    """
    rng = np.random.default_rng(seed)
    cases = [(-effect, HELPS) if number % 2 else (effect, HURTS) for number in range(studies)]
    return sum(wrong in _verdicts(scenario, seeds, true, rng) for true, wrong in cases) / studies


def _verdicts(scenario: Scenario, seeds: int, effect: float, rng: np.random.Generator) -> list[str]:
    """The verdicts of a study of 13 claims of one true effect that share the baseline's runs, as in
    a real study."""
    baseline, *others = scenario(rng, 1 + CLAIMS, seeds)
    pairs = [
        (arm, baseline) if i < BASELINE_WITHOUT else (baseline, arm) for i, arm in enumerate(others)
    ]
    pairs = [(first + effect, second) for first, second in pairs]
    comparisons = [Comparison(first, second, welch(first, second)) for first, second in pairs]
    alphas = levels([one.effect for one in comparisons], MARGIN)
    return [decide(one, MARGIN, alpha)[2] for one, alpha in zip(comparisons, alphas, strict=True)]


def table(studies: int, scenarios: dict[str, Scenario] = SCENARIOS, seed: int = 0) -> pd.DataFrame:
    """By scenario and seeds: coverage of 95% intervals by method, and the shares of studies with a
    false verdict."""
    rows = [
        {
            "scenario": name,
            "seeds": seeds,
            **coverage(scenario, seeds, studies, seed),
            'studies with a false "helps"': false_helps(scenario, seeds, studies, seed),
            "studies with a wrong sign": wrong_signs(scenario, seeds, studies, seed),
        }
        for name, scenario in scenarios.items()
        for seeds in SEEDS
    ]
    return pd.DataFrame(rows)


def page(results: pd.DataFrame, scenarios: dict[str, Scenario], studies: int, command: str) -> str:
    """The results as a page of the documentation; `command` is the command line that gave them."""
    shares = results.set_index(["scenario", "seeds"]).map("{:.1%}".format).reset_index()
    notes = [
        f"- *{name}*: {scenario.__doc__.split(chr(10))[0]}" for name, scenario in scenarios.items()
    ]
    return PAGE.format(
        studies=studies,
        command=command,
        small=SMALL,
        error=200 * np.sqrt(0.95 * 0.05 / studies),
        table=markdown(shares),
        remark=_remark(results),
        scenarios="\n".join(notes),
    )


def _remark(results: pd.DataFrame) -> str:
    """Says of which rows the interval used covers in a share outside `HOLDS`."""
    low, high = HOLDS
    outside = results[~results[USED].between(low, high)]
    bounds = f"{low:.0%} to {high:.0%}"
    if outside.empty:
        return f"The Welch t lies within {bounds} in every row."
    rows = [
        f"- {row.scenario}, {row.seeds} seeds: {share:.1%}, {'too narrow' if share < low else 'wider than need be'}"
        for row, share in zip(outside.itertuples(), outside[USED], strict=True)
    ]
    return "\n".join([f"Rows in which the Welch t lies outside {bounds}:\n", *rows])
