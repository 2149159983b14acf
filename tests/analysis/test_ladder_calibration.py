"""Small simulated studies on a ladder; the full table is in docs/calibration.md."""

import numpy as np
import pandas as pd
import pytest

from analysis import calibration_page, ladder_calibration, simulate
from analysis.calibration import FALSE_NO_HELP, FALSE_SUBSTANTIAL, WRONG_SIGN, decided
from analysis.ladder import Climbed, Ladder
from analysis.ladder_calibration import (
    DECIDED,
    EFFECTS,
    FALSE_EFFECT,
    KINDS,
    LADDER,
    SAVED,
    climbed,
    false,
    saved,
)
from analysis.rule import HELPS, HURTS, NO_HELP, UNDECIDED

SCENARIOS = simulate.SCENARIOS


def outcome(verdicts, rounds=1, substantial=False):
    shape = np.shape(verdicts)
    return Climbed(
        np.array(verdicts, object),
        np.broadcast_to(rounds, shape),
        np.broadcast_to(substantial, shape),
        np.zeros(shape),
        np.zeros(shape),
    )


def test_one_round_of_a_ladder_is_a_fixed_design():
    scores = SCENARIOS["unequal spreads"](np.random.default_rng(0), 50, 12, 0.2)
    result, fixed = climbed(*scores, Ladder((12,), (1.0,), 1, {})), decided(*scores)
    assert (result.verdict == fixed.verdict).all() and (result.verdict == HELPS).any()
    assert (result.substantial == fixed.substantial).all() and result.substantial.any()


def test_a_round_looks_at_its_seeds_alone_and_the_baseline_has_more():
    """Later scores, and the arms' beyond the baseline's share, change nothing."""
    ladder = Ladder((6,), (1.0,), 2, {})
    scores = SCENARIOS["equal spreads"](np.random.default_rng(0), 30, 40, 0.2)
    before = climbed(*scores, ladder)
    sides = ~simulate.BASELINE_WITHOUT, simulate.BASELINE_WITHOUT
    for arm, is_baseline in zip(scores, sides, strict=True):
        arm[:, is_baseline, :, 12:] = 9.0
        arm[:, ~is_baseline, :, 6:] = 9.0
    assert (climbed(*scores, ladder).level_zero == before.level_zero).all()
    assert (climbed(*scores, ladder).verdict == before.verdict).all()
    scores[0][:, sides[0], :, 6:12] = -9.0
    assert (climbed(*scores, ladder).verdict != before.verdict).any()


def test_what_is_false_depends_on_the_effect():
    effects = np.array([0.0, 0.05, 0.1, -0.1])

    def kinds(*verdicts, substantial=False):
        return {
            kind
            for kind, wrong in false(outcome([verdicts], 1, substantial), effects).items()
            if wrong[0]
        }

    assert kinds(NO_HELP, NO_HELP, UNDECIDED, NO_HELP) == set()
    assert kinds(NO_HELP, HELPS, HELPS, HURTS) == set()
    assert kinds(HURTS, HELPS, HELPS, HURTS) == {FALSE_EFFECT}
    assert kinds(NO_HELP, HURTS, HELPS, HURTS) == {WRONG_SIGN}
    assert kinds(NO_HELP, HELPS, HELPS, HELPS) == {WRONG_SIGN}
    assert kinds(NO_HELP, HELPS, NO_HELP, HURTS) == {FALSE_NO_HELP}
    assert kinds(NO_HELP, HELPS, HELPS, HURTS, substantial=[False, False, True, False]) == {
        FALSE_SUBSTANTIAL
    }


def test_runs_are_saved_by_claims_that_are_decided():
    ladder = Ladder((6, 25), (0.5, 0.5), 2, {})
    early = outcome([[HELPS] * 13], 1)
    assert saved(early, ladder) == pytest.approx(1 - (13 * 6 + 12) / (14 * 25))
    late = outcome([[UNDECIDED] * 13], 0)
    assert saved(late, ladder) == pytest.approx(1 - 15 / 14)
    one = outcome([[HELPS] * 13], [1] * 12 + [2])
    assert saved(one, ladder) == pytest.approx(1 - (12 * 6 + 25 + 50) / (14 * 25))


@pytest.mark.parametrize("pattern", EFFECTS)
def test_a_ladder_keeps_its_error_where_spreads_are_equal(pattern):
    row = ladder_calibration.row(SCENARIOS["equal spreads"], EFFECTS[pattern], LADDER, 100)
    assert max(row.get(kind, 0) for kind in KINDS) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100)
    assert row[DECIDED] > 0.9 and row[SAVED] > 0.2


@pytest.mark.parametrize(
    ("bias", "pattern", "kinds"),
    [
        (0.4, "none", {FALSE_EFFECT, FALSE_SUBSTANTIAL}),
        (-0.4, "all at the margin", {WRONG_SIGN}),
        (-0.1, "all at the margin", {FALSE_NO_HELP}),
        (0.4, "all at minus the margin", {WRONG_SIGN, FALSE_SUBSTANTIAL}),
    ],
)
def test_false_verdicts_can_be_counted(bias, pattern, kinds):
    def biased(rng, studies, seeds, effects):
        return SCENARIOS["equal spreads"](rng, studies, seeds, effects + bias)

    row = ladder_calibration.row(biased, EFFECTS[pattern], LADDER, 20)
    assert {kind for kind in KINDS if row.get(kind) == 1} == kinds


def test_the_section_says_which_rows_miss():
    def section(**shares):
        row = {
            "scenario": "x",
            "effects": "none",
            **dict.fromkeys(KINDS, np.nan),
            DECIDED: 1.0,
            SAVED: 0.4,
        }
        return calibration_page.ladder_section(pd.DataFrame([{**row, **shares}]), 400)

    missed = section(**{FALSE_EFFECT: 0.1, WRONG_SIGN: 0.05})
    assert "rounds of 6, 10, 16, 25 seeds" in missed and "24%, 16%, 24%, 36% of the 5%" in missed
    assert "| x | none | 10.0% ± 1.5 | 5.0% ± 1.1 |  |  | 100% | 40% |" in missed
    assert f"except for:\n\n- x, effects none: {FALSE_EFFECT} in 10.0%" in missed
    assert WRONG_SIGN + " in" not in missed
    assert section(**{WRONG_SIGN: 0.07}).endswith("at most 5% up to two standard errors.")
