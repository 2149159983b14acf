"""The effect's interval against scipy and statsmodels-free hand calculation, its levels, and seeds
to decide."""

import numpy as np
import pytest
from scipy import stats

from analysis.effects import Effect, levels, seeds_to_decide, welch

RNG = np.random.default_rng(3)
FIRST, SECOND = list(RNG.normal(0.5, 0.1, (4, 5))), list(RNG.normal(0.4, 0.3, (4, 5)))


def test_one_task_is_welchs_t_test():
    effect = welch(FIRST[:1], SECOND[:1])
    test = stats.ttest_ind(FIRST[0], SECOND[0], equal_var=False)
    assert effect.freedom == pytest.approx(test.df)
    assert effect.p_zero() == pytest.approx(test.pvalue)
    assert effect.interval(0.9) == pytest.approx(tuple(test.confidence_interval(0.9)))


def test_tasks_are_strata():
    effect = welch(FIRST, SECOND)
    singles = [welch([a], [b]) for a, b in zip(FIRST, SECOND, strict=True)]
    assert effect.value == pytest.approx(np.mean([single.value for single in singles]))
    assert effect.error == pytest.approx(np.sqrt(sum(single.error**2 for single in singles)) / 4)
    assert max(single.freedom for single in singles) < effect.freedom <= 32
    shifted = welch(
        [a + 10 * i for i, a in enumerate(FIRST)], [b + 10 * i for i, b in enumerate(SECOND)]
    )
    assert shifted.error == pytest.approx(effect.error)


def test_p_values_invert_the_interval():
    effect = Effect(0.05, 0.04, 7)
    low, _ = effect.interval(1 - effect.p_zero())
    _, high = effect.interval(1 - effect.p_margin(0.1))
    assert low == pytest.approx(0) and high == pytest.approx(0.1)
    assert effect.p_margin(0.04) == 1


def test_levels_are_the_smaller_of_both_families():
    clear, close, null = Effect(0.5, 0.02, 20), Effect(0.11, 0.05, 20), Effect(0.0, 0.01, 20)
    found = levels([clear, close, null], margin=0.1)
    # Against 0: clear, then close, which fails. Against the margin: null, then the others, which
    # fail.
    assert found.tolist() == pytest.approx([0.05 / 3, 0.025, 0.05 / 3])


def test_no_interval_without_a_second_seed_or_any_spread():
    assert np.isnan(welch([np.array([1.0])], [np.array([2.0])]).error)
    assert np.isnan(welch([np.ones(3)], [np.zeros(3)]).error)
    assert welch([np.ones(3)], [np.zeros(3)]).value == 1


def test_seeds_to_decide_is_the_first_number_that_decides():
    effect = welch(FIRST, SECOND)
    needed = seeds_to_decide(effect, FIRST, SECOND, 0.1, 0.01)
    variances = [np.var(cell, ddof=1) for cell in (*FIRST, *SECOND)]

    def decides(seeds):
        parts = np.array(variances) / seeds / 16
        freedom = parts.sum() ** 2 / (parts**2 / (seeds - 1)).sum()
        half = stats.t.ppf(0.995, freedom) * np.sqrt(parts.sum())
        return effect.value - half > 0 or effect.value + half < 0.1

    assert decides(needed) and not decides(needed - 1)


def test_more_seeds_than_anyone_has_is_none():
    noisy = [np.array([-1000.0, 1000.0])], [np.array([-1000.0, 1000.1])]
    assert seeds_to_decide(welch(*noisy), *noisy, margin=0.01, alpha=0.05) is None
