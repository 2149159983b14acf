"""The rule from p-values to verdicts: its order, its families, and what it withholds."""

import numpy as np
import pytest

from analysis.rule import Evidence, decide


def evidence(value, zero, below, above=1.0, trusted=True):
    return Evidence(*(np.atleast_1d(part) for part in (value, zero, below, above, trusted)))


@pytest.mark.parametrize(
    ("value", "zero", "below", "trusted", "sensitive", "expected"),
    [
        (-0.2, 0.01, 0.001, True, True, "hurts"),
        (-0.2, 0.01, 0.001, False, True, "undecided"),
        (-0.02, 0.3, 0.01, True, True, "no substantial help"),
        (0.03, 0.01, 0.01, True, True, "no substantial help"),
        (0.03, 0.01, 0.01, True, False, "helps"),
        (0.01, 0.6, 0.01, True, False, "undecided"),
        (0.2, 0.01, 1.0, True, True, "helps"),
        (0.2, 0.01, 1.0, True, False, "helps"),
        (0.2, 0.01, 1.0, False, True, "undecided"),
        (0.08, 0.2, 0.6, True, True, "undecided"),
    ],
)
def test_the_rule(value, zero, below, trusted, sensitive, expected):
    decision = decide(evidence(value, zero, below, trusted=trusted), 1, sensitive)
    assert decision.verdict.tolist() == [expected]


def test_the_family_is_registered_not_what_has_data():
    alone = evidence(0.2, 0.01, 1.0)
    assert decide(alone, 1).verdict[0] == "helps"
    assert decide(alone, 14).verdict[0] == "undecided"
    assert decide(alone, 14).level_zero[0] == pytest.approx(0.05 / 14)


def test_both_families_have_levels_of_their_own():
    # Against 0: the first, then the second at alpha / 2. Against the margin: the third first.
    three = evidence([0.5, 0.2, 0.0], [0.001, 0.02, 0.9], [1, 1, 0.001])
    decision = decide(three, 3)
    assert decision.verdict.tolist() == ["helps", "helps", "no substantial help"]
    assert decision.level_zero.tolist() == pytest.approx([0.05 / 3, 0.025, 0.05])
    assert decision.level_margin.tolist() == pytest.approx([0.025, 0.025, 0.05 / 3])


def test_substantial_is_a_family_of_its_own():
    two = evidence([0.5, 0.3], [0.001, 0.001], [1, 1], above=[0.001, 0.03])
    assert decide(two, 2).substantial.tolist() == [True, True]
    assert decide(two, 3).substantial.tolist() == [True, False]
    never = evidence(0.05, 0.2, 0.5, above=0.001)
    assert not decide(never, 1).substantial[0]  # only what helps can help substantially


def test_many_studies_at_once():
    zero = np.array([[0.001, 0.04], [0.04, 0.04]])
    many = Evidence(np.full((2, 2), 0.2), zero, np.ones((2, 2)), np.ones((2, 2)), zero > 0)
    assert decide(many, 2).verdict.tolist() == [["helps", "helps"], ["undecided", "undecided"]]
