"""The effect's interval against scipy and hand calculation, and its variants task by task."""

import numpy as np
import pytest
from scipy import stats

from analysis.effects import Cells, Effect, terms, welch

RNG = np.random.default_rng(3)
FIRST, SECOND = list(RNG.normal(0.5, 0.1, (4, 5))), list(RNG.normal(0.4, 0.3, (4, 5)))


def effect(first, second):
    return welch(Cells.of(first), Cells.of(second))


def close(left, right):
    same = (left.value, left.error, left.freedom), (right.value, right.error, right.freedom)
    return np.allclose(*np.broadcast_arrays(*map(np.array, same)))


def test_one_task_is_welchs_t_test():
    ours = effect(FIRST[:1], SECOND[:1])
    test = stats.ttest_ind(FIRST[0], SECOND[0], equal_var=False)
    assert ours.freedom == pytest.approx(test.df)
    assert ours.p_zero() == pytest.approx(test.pvalue)
    interval = test.confidence_interval(0.9)
    assert (ours.low(0.1), ours.high(0.1)) == pytest.approx((interval.low, interval.high))


def test_tasks_are_strata():
    ours = effect(FIRST, SECOND)
    singles = [effect([a], [b]) for a, b in zip(FIRST, SECOND, strict=True)]
    assert ours.value == pytest.approx(np.mean([single.value for single in singles]))
    assert ours.error == pytest.approx(np.sqrt(sum(single.error**2 for single in singles)) / 4)
    assert max(single.freedom for single in singles) < ours.freedom <= 32
    shifted = effect(
        [a + 10 * i for i, a in enumerate(FIRST)], [b + 10 * i for i, b in enumerate(SECOND)]
    )
    assert shifted.error == pytest.approx(ours.error)


def test_p_values_invert_the_interval():
    ours = Effect(0.05, 0.04, 7)
    assert ours.low(ours.p_zero()) == pytest.approx(0)
    assert ours.high(ours.p_below(0.1)) == pytest.approx(0.1)
    assert ours.low(ours.p_above(0.01)) == pytest.approx(0.01)
    assert ours.p_below(0.04) == ours.p_above(0.06) == 1


def test_no_interval_without_a_second_seed_or_any_spread():
    assert np.isnan(effect([np.array([1.0])], [np.array([2.0])]).error)
    assert np.isnan(effect([np.ones(3)], [np.zeros(3)]).error)
    assert effect([np.ones(3)], [np.zeros(3)]).value == 1


def test_tasks_left_out_are_as_if_they_were_not_there():
    tasks = np.array([True, False, True, True])
    part = effect(*([arm[i] for i in (0, 2, 3)] for arm in (FIRST, SECOND)))
    own = terms(Cells.of(FIRST), Cells.of(SECOND))
    assert close(own.over(tasks), part)
    each = own.leaving_out(tasks)
    assert close(
        Effect(each.value[2], each.error[2], each.freedom[2]),
        effect(*([arm[i] for i in (0, 3)] for arm in (FIRST, SECOND))),
    )


def test_one_more_failure_is_one_more_run_that_scores_0():
    worse = Cells.of(SECOND).failed_once_more()
    direct = Cells.of([np.append(sample, 0) for sample in SECOND])
    for ours, expected in zip(vars(worse).values(), vars(direct).values(), strict=True):
        assert ours == pytest.approx(expected)
    own = terms(Cells.of(FIRST), Cells.of(SECOND))
    each = own.replacing(terms(Cells.of(FIRST), worse), np.ones(4, bool))
    for task in range(4):
        changed = [np.append(b, 0) if i == task else b for i, b in enumerate(SECOND)]
        single = Effect(each.value[task], each.error[task], each.freedom[task])
        assert close(single, effect(FIRST, changed))


def test_many_studies_at_once_equal_one_at_a_time():
    scores = RNG.normal(0.5, 0.2, (2, 3, 7, 4, 5))
    cells = [Cells(np.full((3, 7, 4), 5), arm.mean(-1), arm.var(-1, ddof=1)) for arm in scores]
    together = welch(*cells)
    single = effect(list(scores[0, 1, 2]), list(scores[1, 1, 2]))
    assert together.value[1, 2] == pytest.approx(single.value)
    assert together.p_zero()[1, 2] == pytest.approx(single.p_zero())
