"""Two arms compared: tasks that can move, the guard against rare failures, and what one task
carries."""

import numpy as np
import pytest
from scipy import stats

from analysis.comparison import Comparison, at_floor
from analysis.effects import Cells, welch

STEADY = [0.50, 0.51, 0.505]


def compare(with_, without, margin=0.1):
    arms = Cells.of(list(map(np.array, with_))), Cells.of(list(map(np.array, without)))
    tasks = tuple(f"t{i}" for i in range(len(with_)))
    return Comparison(*arms, margin, at_floor(*(arm.mean for arm in arms)), tasks)


def test_the_effect_is_over_tasks_that_can_move():
    # Task by task: floor for both, ceiling for both, floor for one arm, in the middle.
    both = compare(
        [[0.02, 0.04], [0.97, 0.99], [0.30, 0.32], [0.70, 0.72]],
        [[0.00, 0.06], [0.96, 1.20], [0.01, 0.03], [0.60, 0.62]],
    )
    assert both.floor.tolist() == [True, False, False, False]
    assert both.ceiling.tolist() == [False, True, False, False]
    assert both.effect.value == pytest.approx((0.29 + 0.10) / 2)


def test_where_no_task_moves_there_is_no_effect():
    both = compare([[0.02, 0.05]] * 3, [[0.01, 0.04]] * 3)
    assert not both.moving.any() and np.isnan(both.effect.value)
    assert both.p_zero == both.p_below == both.p_above == 1


def test_the_p_value_against_the_margin_is_the_worst_of_one_more_failure():
    with_, without = [STEADY] * 3, [[0.5, 0.52, 0.49], [0.6, 0.61, 0.62], [0.4, 0.39, 0.41]]
    both = compare(with_, without)
    cases = [without] + [
        [own + [0] if i == task else own for i, own in enumerate(without)] for task in range(3)
    ]
    effects = [welch(Cells.of(list(map(np.array, with_))), Cells.of(case)) for case in cases]
    values = [float(2 * stats.t.cdf((e.value - 0.1) / e.error, e.freedom)) for e in effects]
    assert both.p_below == pytest.approx(max(values)) and max(values) > 100 * values[0]
    assert both.threat() == int(np.argmax(values[1:])) == 1
    assert both.guarded_high(0.05) == pytest.approx(max(float(e.high(0.05)) for e in effects))
    assert both.guarded_high(both.p_below) == pytest.approx(0.1)


def test_an_effect_of_one_task_is_carried_by_it():
    carried = compare([[0.9, 0.91, 0.92], STEADY, STEADY], [[0.1, 0.12, 0.11], STEADY, STEADY])
    assert carried.carried and carried.carrier() == 0 and not carried.trusted
    shared = compare([[0.9, 0.91, 0.92]] * 3, [[0.1, 0.12, 0.11]] * 3)
    assert not shared.carried and shared.trusted
    five = compare([[0.9, 0.91, 0.92, 0.9, 0.9]] * 2, [[0.1, 0.12, 0.11, 0.1, 0.1]] * 2)
    assert five.carried and five.trusted  # two tasks cannot vouch for each other; five seeds can


def test_a_task_at_an_end_vouches_for_nothing():
    moved = compare(
        [[0.9, 0.91, 0.92]] * 2 + [[0.01, 0.0, 0.02]], [[0.1, 0.12, 0.11]] * 2 + [[0.0, 0.01, 0.02]]
    )
    assert moved.moving.sum() == 2 and moved.carried


def test_seeds_to_decide_is_the_first_number_that_decides():
    rng = np.random.default_rng(5)
    both = compare(rng.normal(0.6, 0.15, (4, 4)), rng.normal(0.55, 0.15, (4, 4)))
    needed = both.seeds_to_decide(0.01, 0.01)

    def decides(seeds):
        arms = both.with_.with_runs(seeds), both.without.with_runs(seeds)
        then = Comparison(*arms, 0.1, both.floor, both.tasks)
        return then.p_below <= 0.01 or (then.trusted and then.p_zero <= 0.01)

    assert needed > 5 and decides(needed) and not decides(needed - 1)


def test_more_seeds_than_anyone_has_is_none():
    noisy = compare([[-1000.0, 1001.0]], [[-1000.0, 1001.1]], margin=0.01)
    assert noisy.seeds_to_decide(0.05, 0.05) is None


def test_a_task_at_the_ceiling_may_not_have_failed_yet():
    quiet = [[0.08, 0.081, 0.079, 0.08, 0.081]] * 4
    both = compare([*quiet, [0.99, 0.991] * 3], [*quiet, [0.99, 0.991] * 3], margin=0.03)
    assert both.ceiling.tolist() == [False] * 4 + [True]
    assert both.effect.p_below(0.03) < 0.001 < 0.5 < both.p_below
    assert both.threat() == 4 and both.guarded_high(0.05) > 0.03


def test_helping_and_hurting_are_the_worst_of_one_more_failure():
    ahead = [[0.9, 0.91, 0.92, 0.9, 0.91]] * 4
    behind = [[0.85, 0.86, 0.87, 0.85, 0.86]] * 4
    helps, hurts = compare(ahead, behind), compare(behind, ahead)
    assert helps.effect.p_zero() < 1e-6 and helps.p_zero > 0.05
    assert helps.p_zero == pytest.approx(float(hurts.p_zero))
    low = [[value - 0.4 for value in own] for own in behind]
    large = compare(ahead, low)
    assert large.p_zero < 0.05 / 14 and large.guarded_low(large.p_zero) == pytest.approx(0)
    assert large.effect.p_above(0.1) < large.p_above < 0.05 / 14


def test_no_substantial_help_is_no_decision_where_the_control_is_lacking():
    same = compare([[0.5, 0.52, 0.51]] * 4, [[0.5, 0.52, 0.51]] * 4)
    assert same.seeds_to_decide(0.05, 0.05) is not None
    assert same.seeds_to_decide(0.05, 0.05, sensitive=False) is None
