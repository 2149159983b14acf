"""From an interval to words."""

import numpy as np
import pandas as pd
import pytest

from analysis import verdict


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.11, 0.3, "helps substantially"),
        (0.01, 0.3, "helps"),
        (0.01, 0.09, "helps a little"),
        (-0.2, 0.09, "no substantial help"),
        (-0.2, -0.01, "hurts"),
        (-0.2, 0.3, "undecided"),
        (np.nan, np.nan, "undecided"),
        (0.0, 0.1, "undecided"),  # ends that touch decide nothing
    ],
)
def test_the_words_of_an_interval(low, high, expected):
    assert verdict.words(low, high, 0.1) == expected
    assert (verdict.words(np.array([low]), np.array([high]), 0.1) == [expected]).all()


def test_small_takes_a_control_that_hurts_and_a_margin():
    ends = [(0.01, 0.09), (-0.2, 0.09), (-0.2, -0.01), (0.11, 0.3)]
    said = [verdict.words(*each, 0.1, False) for each in ends]
    assert said == ["helps", "undecided", "hurts", "helps substantially"]
    said = [verdict.words(*each, np.nan) for each in ((1, 9), (-9, -1), (-9, 1))]
    assert said == ["helps", "hurts", "undecided"]


def test_an_effect_depends_where_it_is_surely_better_and_surely_worse():
    ends = {"low": [0.1, -0.3, -0.1], "high": [0.2, -0.1, 0.1], "task": ["a", "b", "c"]}
    rows = pd.DataFrame(ends)
    assert verdict.depends(rows.task, rows) == "better on a; worse on b"
    for some in (rows.iloc[[0, 2]], rows[1:], rows[:0]):
        assert verdict.depends(some.task, some) == ""


@pytest.mark.parametrize(
    ("paper", "expected"),
    [
        ("helps", ["yes", "yes", "yes", "no", "no"]),
        ("no_help", ["no", "", "yes", "yes", "yes"]),  # what helps may be below the margin
        ("worse", ["no", "no", "no", "yes", "yes"]),
    ],
)
def test_what_agrees_with_the_paper(paper, expected):
    said = ["helps substantially", "helps", "helps a little", verdict.NO_HELP, "hurts"]
    assert [verdict.agrees(paper, one) for one in said] == expected
    assert verdict.agrees(paper, "undecided") == verdict.agrees("none", "helps") == ""


def test_the_parts_of_the_error_are_all_of_it():
    assert sum(verdict.PARTS) == pytest.approx(1)
    assert verdict.alpha(0.5, 14, 0.6) == pytest.approx(0.05 * 0.5 * 0.6 / 14)


def test_controls_in_words():
    ends = [(-0.5, -0.2), (-0.5, -0.05), (np.nan, np.nan)]
    found = [verdict.of_control(*each, 0.1) for each in ends]
    assert found == [verdict.HURTS_ENOUGH, verdict.NOT_ENOUGH, "has no runs that show it"]
    ends = [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.2), (np.nan, 1)]
    found = [verdict.of_placebo(*each) for each in ends]
    assert found == ["differs", "differs", "does not differ", "has no runs that show it"]
