"""Estimators against rliable 1.2.0 (values computed once with arch 7.2.0 and pandas 2.3.3), and
Holm's levels."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analysis import stats

# Runs x tasks, as rliable takes them; samples are the columns.
FIRST = np.array(
    [
        [0.667, 0.535, 0.458, 0.698, 0.443, 0.953],
        [0.723, 0.652, 0.186, 0.096, 0.203, 0.751],
        [0.642, 0.148, 0.745, 0.33, 0.331, 1.236],
        [0.611, 0.7, 0.707, 0.144, 0.73, 2.325],
        [0.219, 1.011, 1.085, 1.074, 0.375, 0.455],
    ]
)
SECOND = np.array(
    [
        [0.394, 0.576, 0.691, 1.02, 1.094, 0.353],
        [0.512, 0.944, 0.152, 0.611, 0.721, 1.127],
        [0.957, 0.652, 0.639, 0.675, 1.207, 0.622],
        [0.659, 0.856, 0.714, 0.691, 0.416, 0.747],
        [0.617, 1.1, 0.946, 0.743, 0.951, 0.648],
    ]
)
# Point estimates of FIRST and SECOND, and the 95% interval of FIRST from 20,000 resamples.
RLIABLE = {
    "mean": (0.6411, 0.7345, (0.51803, 0.77453)),
    "median": (0.5908, 0.7237, (0.45890, 0.70480)),
    "iqm": (0.592, 0.7228125, (0.47181, 0.70481)),
    "optimality_gap": (0.4166, 0.28376666666666667, (0.32773, 0.50624)),
}
THRESHOLDS = np.array([0, 0.25, 0.5, 0.75, 1, 1.5, 2.0])
PROFILE = [1.0, 0.8, 0.6, 7 / 30, 5 / 30, 1 / 30, 1 / 30]


@pytest.mark.parametrize("name", RLIABLE)
def test_aggregates_equal_rliable(name):
    first, second, interval = RLIABLE[name]
    statistic = stats.AGGREGATES[name]
    assert statistic(*FIRST.T) == pytest.approx(first)
    assert statistic(*SECOND.T) == pytest.approx(second)
    assert stats.bootstrap_interval(
        list(FIRST.T), statistic, seed=1, resamples=5000
    ) == pytest.approx(interval, abs=0.01)


def test_probability_of_improvement_equals_rliable_and_mann_whitney():
    ours = stats.probability_of_improvement(FIRST.T, SECOND.T)
    u = [mannwhitneyu(a, b).statistic / 25 for a, b in zip(FIRST.T, SECOND.T, strict=True)]
    assert ours == pytest.approx(0.43) and ours == pytest.approx(np.mean(u))
    assert stats.probability_of_improvement([np.ones(3)], [np.ones(2)]) == 0.5


def test_performance_profile_equals_rliable():
    assert stats.performance_profile(FIRST.T, THRESHOLDS).tolist() == pytest.approx(PROFILE)
    low, high = stats.profile_band(FIRST.T, THRESHOLDS, seed=0)
    assert (low <= PROFILE).all() and (high >= PROFILE).all()
    assert low[1:4] == pytest.approx([0.667, 0.433, 0.133], abs=0.05)
    assert high[1:4] == pytest.approx([0.933, 0.767, 0.334], abs=0.05)


def test_seeds_are_honoured():
    intervals = [
        stats.bootstrap_interval(list(FIRST.T), stats.iqm, seed=seed, resamples=200)
        for seed in (1, 1, 2)
    ]
    assert intervals[0] == intervals[1] != intervals[2]


def test_samples_of_unequal_length_and_of_one():
    samples = [np.array([0.0, 1.0, 2.0]), np.array([3.0])]
    assert stats.mean(*samples) == 2
    low, high = stats.bootstrap_interval(samples, stats.mean, seed=0)
    assert 1.5 <= low < 2 < high <= 2.5
    assert np.isnan(stats.bootstrap_interval([np.array([3.0])], stats.mean, seed=0)).all()


def test_the_bootstrap_resamples_within_tasks():
    far = [np.array([0.0, 0.1]), np.array([100.0, 100.1])]
    low, high = stats.bootstrap_interval(far, stats.mean, seed=0)
    assert high - low < 0.2


def test_holm_by_hand():
    assert stats.holm([0.001, 0.04, 0.02, 0.5], 0.05).tolist() == pytest.approx(
        [0.0125, 0.05 / 3, 0.05 / 3, 0.05 / 3]
    )
    assert stats.holm([0.01, 0.02, 0.03], 0.05).tolist() == pytest.approx([0.05 / 3, 0.025, 0.05])
    assert stats.holm([]).tolist() == []


def test_holm_counts_hypotheses_without_data():
    assert stats.holm([0.001, 0.02], 0.05, family=4).tolist() == pytest.approx([0.0125, 0.05 / 3])
    rows = stats.holm([[0.001, 0.02], [0.02, 0.001]], 0.05, family=4)
    assert rows.tolist() == [rows[0].tolist(), rows[0].tolist()[::-1]]
