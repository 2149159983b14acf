"""The regression, its errors and degrees of freedom, and means over tasks, against other ways to
the same numbers."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from analysis import claims, estimate
from analysis.estimate import Design, Estimate, mean_over_tasks
from analysis.tasks import Change, Task

BASELINE = frozenset()


def arms(**counts):
    """Runs of one-change arms: `a=3` is three runs of the option `a`; `baseline` has none."""
    return [frozenset({arm} - {"baseline"}) for arm, count in counts.items() for _ in range(count)]


def contrast(design, name):
    return design.contrast(frozenset({name}), BASELINE)


@pytest.fixture
def trial():
    """The draws of 48 runs of the registered trial, and scores of them."""
    draws = claims.load().trial.draws("catch", "discrete")[:48]
    design = Design.of([frozenset(run) for run in draws])
    scores = np.random.default_rng(0).normal(0, 1 + design.matrix[:, 3], 48) + design.matrix[:, 5]
    return design, scores


def test_one_change_at_a_time_is_the_difference_of_two_means():
    rng = np.random.default_rng(0)
    samples = {"baseline": rng.normal(0, 1, 9), "a": rng.normal(1, 3, 5), "b": rng.normal(0, 2, 7)}
    design = Design.of(arms(**{name: len(own) for name, own in samples.items()}))
    found = design.estimate(contrast(design, "a"), np.concatenate(list(samples.values())))
    one, other = samples["a"], samples["baseline"]
    welch = stats.ttest_ind(one, other, equal_var=False)
    assert found.effect == pytest.approx(one.mean() - other.mean(), abs=1e-12)
    assert found.effect / found.error == pytest.approx(welch.statistic, abs=1e-12)
    # Bell and McCaffrey's degrees of freedom are Welch's of two arms with equal spreads.
    expected = (1 / 5 + 1 / 9) ** 2 / (1 / 25 / 4 + 1 / 81 / 8)
    assert found.df == pytest.approx(expected, abs=1e-12)
    design = Design.of(arms(baseline=4, a=4))
    found = design.estimate(contrast(design, "a"), np.array([0.0, 1, 2, 3, 5, 6, 7, 8]))
    welch = stats.ttest_ind([5, 6, 7, 8], [0, 1, 2, 3], equal_var=False)
    ends = welch.confidence_interval(0.95)
    assert found.df == pytest.approx(welch.df, abs=1e-12)
    assert found.interval(0.05) == pytest.approx((ends.low, ends.high), abs=1e-12)
    assert found.p_value() == pytest.approx(welch.pvalue, abs=1e-12)


def test_a_trial_is_statsmodels_least_squares_with_hc2(trial):
    design, scores = trial
    theirs = sm.OLS(scores, design.matrix).fit(cov_type="HC2")
    for name in design.columns[1:]:
        own = contrast(design, name)
        found, test = design.estimate(own, scores), theirs.t_test(own)
        assert found.effect == pytest.approx(test.effect.item(), abs=1e-10)
        assert found.error == pytest.approx(test.sd.item(), abs=1e-10)


def test_degrees_of_freedom_are_bell_and_mccaffreys_written_out(trial):
    design, scores = trial
    x, own = design.matrix, contrast(design, "latent=gaussian")
    weights = own @ np.linalg.inv(x.T @ x) @ x.T
    maker = np.eye(len(x)) - x @ np.linalg.inv(x.T @ x) @ x.T
    product = maker @ np.diag(weights**2 / np.diag(maker))
    expected = np.trace(product) ** 2 / np.trace(product @ product)
    assert design.estimate(own, scores).df == pytest.approx(expected, rel=1e-10)
    assert 5 < expected < 48 - x.shape[1]


def test_a_trial_of_eight_runs_by_hand():
    """Two crossed options, two runs of each cell: columns are balanced, so each effect is a
    difference of means of four, and every residual is that from the additive fit."""
    cells = [BASELINE, frozenset({"a"}), frozenset({"b"}), frozenset({"a", "b"})]
    design = Design.of([cell for cell in cells for _ in range(2)])
    scores = np.array([0.0, 2, 4, 4, 1, 1, 6, 8])
    found = design.estimate(contrast(design, "a"), scores)
    # mean with a: (4+4+6+8)/4 = 5.5; without: (0+2+1+1)/4 = 1
    assert found.effect == pytest.approx(4.5)
    # mean with b 4, without 2.5: fitted 0.25, 4.75, 1.75, 6.25; every h is 3/8, every weight 1/4
    residuals = np.array([-0.25, 1.75, -0.75, -0.75, -0.75, -0.75, -0.25, 1.75])
    assert found.error == pytest.approx(np.sqrt((residuals**2).sum() / 16 / (5 / 8)))
    assert found.df == pytest.approx(5)  # equal weights: those of the residuals


def test_what_the_runs_do_not_show_is_named_and_not_estimated():
    both = frozenset({"a", "b"})
    design = Design.of([BASELINE] * 4 + [both] * 4 + [frozenset({"c"})] * 4)
    assert design.inseparable(contrast(design, "a")) == ["a", "b"]
    assert design.inseparable(design.contrast(both, BASELINE)) == []
    assert design.inseparable(contrast(design, "c")) == []
    assert design.contrast(frozenset({"d"}), BASELINE) is None
    without = Design.of(arms(a=4, b=4))  # no run of the baseline
    assert without.inseparable(contrast(without, "a")) == ["baseline", "a", "b"]
    assert without.inseparable(without.contrast(frozenset("a"), frozenset("b"))) == []
    single = Design.of(arms(baseline=5, a=1))  # a side of one run has an effect without an error
    found = single.estimate(contrast(single, "a"), np.array([0.0, 1, 2, 3, 4, 9]))
    assert found.effect == pytest.approx(7) and np.isnan(found.error)


def test_thousands_of_studies_are_estimated_as_one_is(trial):
    design, _ = trial
    scores = np.random.default_rng(1).normal(size=(3, 48))
    together = design.estimate(contrast(design, "gru=plain"), scores)
    for number, own in enumerate(scores):
        alone = design.estimate(contrast(design, "gru=plain"), own)
        assert [part[number] for part in together] == pytest.approx([*map(float, alone)])


@pytest.fixture
def tasks():
    return Estimate(np.array([0.1, 0.3, 0.2]), np.array([0.1, 0.2, 0.1]), np.array([8.0, 4, 20]))


def test_means_over_tasks(tasks):
    found = mean_over_tasks(tasks)
    assert found.effect == pytest.approx(0.2) and found.error == pytest.approx(np.sqrt(0.06) / 3)
    assert found.df == pytest.approx(0.06**2 / (0.01**2 / 8 + 0.04**2 / 4 + 0.01**2 / 20))
    new = estimate.mean_over_new_tasks(tasks)
    assert new.error == pytest.approx(0.1 / np.sqrt(3)) and new.df == 2
    test = stats.ttest_1samp(tasks.effect, 0).confidence_interval(0.9)
    assert new.interval(0.1) == pytest.approx((test.low, test.high))
    twice = Estimate(*(np.tile(values, 2) for values in tasks))
    paired = estimate.mean_over_new_tasks(twice, ["a", "b", "c"] * 2)
    assert [*map(float, paired)] == pytest.approx([*map(float, new)])
    contrast = mean_over_tasks(tasks, np.array([1, 0, -1.0]))
    assert contrast.effect == pytest.approx(-0.1) and contrast.error == pytest.approx(0.02**0.5)


def test_the_spread_between_tasks_is_what_errors_do_not_explain(tasks):
    assert estimate.spread_between_tasks(tasks) == 0, "variance 0.01, errors 0.02 on average"
    wide = tasks._replace(effect=tasks.effect * 10)
    assert estimate.spread_between_tasks(wide) == pytest.approx(np.sqrt(1 - 0.02))
    one = Estimate(*(values[:1] for values in tasks))
    assert np.isnan(estimate.spread_between_tasks(one))
    assert np.isnan(estimate.mean_over_new_tasks(one).error)


def change(runs, worst):
    """Two quiet tasks of one-change arms with this many runs a side, the effect 0.5, and one run of
    another arm."""
    design = Design.of([*arms(baseline=runs, a=runs), frozenset({"b"})])
    scores = np.append(np.tile([0.49, 0.51], runs) + np.repeat([0, 0.5], runs), worst)
    task = Task("", "", frozenset(), design, scores, scores, pd.DataFrame())
    return Change([(task, contrast(design, "a"))] * 2)


def test_the_guard_widens_by_one_more_failure_of_either_side():
    few = change(4, worst=-0.5)
    plain = mean_over_tasks(few.estimates).interval(0.05)
    low, high = few.interval(0.05)
    assert low < plain[0] - 0.05 and high > plain[1] + 0.05
    # By hand: the first task with a fifth run of `a` that scores -0.5.
    with_, without = np.array([0.99, 1.01, 0.99, 1.01, -0.5]), np.array([0.49, 0.51] * 2)
    square = [with_.var(ddof=1) / 5, without.var(ddof=1) / 4]
    task = few.estimates.error[1] ** 2
    total = sum(square) + task
    df = (1 / 5 + 1 / 4) ** 2 / (1 / 25 / 4 + 1 / 16 / 3)
    freedom = total**2 / (sum(square) ** 2 / df + task**2 / few.estimates.df[1])
    mean = (with_.mean() - without.mean() + 0.5) / 2
    expected = mean - stats.t.isf(0.025, freedom) * np.sqrt(total) / 2
    assert low == pytest.approx(expected)
    task_low, _ = few.task_intervals(0.05)
    assert (task_low < few.estimates.interval(0.05)[0] - 0.05).all()


def test_the_guard_is_as_bad_as_the_worst_that_was_seen_and_of_few_runs():
    lows = [change(4, worst).interval(0.05)[0] for worst in (0.4, 0.0, -0.5)]
    assert lows[0] > lows[1] > lows[2]
    many = change(estimate.FEW, worst=-0.5)
    assert len(many.guarded) == 1
    assert many.interval(0.05) == mean_over_tasks(many.estimates).interval(0.05)
    assert len(change(estimate.FEW - 2, worst=-0.5).guarded) == 1 + 4
