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


def test_without_a_control_that_hurts_nothing_is_small():
    assert verdict.words(0.01, 0.09, 0.1, False) == "helps"
    assert verdict.words(-0.2, 0.09, 0.1, False) == "undecided"
    assert verdict.words(-0.2, -0.01, 0.1, False) == "hurts"
    assert verdict.words(0.11, 0.3, 0.1, False) == "helps substantially"


def test_raw_returns_have_no_margin():
    said = [verdict.words(*ends, np.nan) for ends in ((1, 9), (-9, -1), (-9, 1))]
    assert said == ["helps", "hurts", "undecided"]


def test_an_effect_depends_where_it_is_surely_better_and_surely_worse():
    ends = {"low": [0.1, -0.3, -0.1], "high": [0.2, -0.1, 0.1], "task": ["a", "b", "c"]}
    rows = pd.DataFrame(ends)
    assert verdict.depends(rows.task, rows) == "better on a; worse on b"
    for some in (rows.iloc[[0, 2]], rows[1:], rows[:0]):
        assert verdict.depends(some.task, some) == ""


@pytest.mark.parametrize(
    ("paper", "yes", "no"),
    [
        ("helps", ["helps substantially", "helps", "helps a little"], [verdict.NO_HELP, "hurts"]),
        ("no_help", ["helps a little", verdict.NO_HELP, "hurts"], ["helps substantially", "helps"]),
        ("worse", ["helps a little", verdict.NO_HELP, "hurts"], ["helps substantially", "helps"]),
    ],
)
def test_what_agrees_with_the_paper(paper, yes, no):
    assert {verdict.agrees(paper, one) for one in yes} == {"yes"}
    assert {verdict.agrees(paper, one) for one in no} == {"no"}
    assert verdict.agrees(paper, "undecided") == verdict.agrees("none", yes[0]) == ""


def test_the_parts_of_the_error_are_all_of_it():
    assert sum(verdict.PARTS) == pytest.approx(1)
    assert verdict.alpha(0.5, 14, 0.6) == pytest.approx(0.05 * 0.5 * 0.6 / 14)


def test_controls_in_words():
    assert verdict.of_control(-0.5, -0.2, 0.1) == verdict.HURTS_ENOUGH
    assert verdict.of_control(-0.5, -0.05, 0.1) == verdict.NOT_ENOUGH
    assert (
        verdict.of_control(np.nan, np.nan, 0.1)
        == verdict.of_placebo(np.nan, 1)
        == "has no runs that show it"
    )
    assert verdict.of_placebo(0.1, 0.2) == verdict.of_placebo(-0.2, -0.1) == "differs"
    assert verdict.of_placebo(-0.1, 0.2) == "does not differ"
