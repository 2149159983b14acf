"""Small simulated studies; the full table is in docs/calibration.md."""

import numpy as np
import pandas as pd
import pytest

from analysis import calibration, calibration_page, ladder_calibration, simulate
from analysis.calibration import (
    FALSE_HELPS,
    FALSE_NO_HELP,
    FALSE_SUBSTANTIAL,
    SAME_ARM,
    USED,
    WRONG_SIGN,
)

SCENARIOS = simulate.SCENARIOS
KINDS = (FALSE_HELPS, WRONG_SIGN, FALSE_NO_HELP, FALSE_SUBSTANTIAL, SAME_ARM)


@pytest.mark.parametrize("seeds", [3, 5])
def test_verdict_intervals_cover_and_percentile_bootstraps_do_not(seeds):
    shares = calibration.coverage(SCENARIOS["unequal spreads"], seeds, studies=400)
    slack = 3 * np.sqrt(0.95 * 0.05 / 400)
    assert 0.95 - slack < shares[USED] < 0.98 + slack / 2
    assert shares["percentile bootstrap"] < shares[USED] - 0.02


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("seeds", [3, 10])
def test_false_verdicts_are_rare(name, seeds):
    studies = 100
    shares = calibration.false_verdicts(SCENARIOS[name], seeds, studies)
    assert set(shares) == set(KINDS)
    assert max(shares.values()) <= 0.05 + 3 * np.sqrt(0.95 * 0.05 / studies)


def test_rare_failures_need_the_guard():
    failing = SCENARIOS["rare failures"]
    assert calibration.unguarded(3, studies=100) > 0.8
    assert calibration.false_verdicts(failing, 3, studies=100)[FALSE_NO_HELP] == 0


@pytest.mark.parametrize("effect", [0.03, 0.08])
def test_a_coin_hides_no_loss_with_three_seeds(effect, monkeypatch):
    monkeypatch.setattr(calibration, "SMALL", effect)
    shares = calibration.false_verdicts(SCENARIOS["one coin"], 3, studies=200)
    assert shares[WRONG_SIGN] <= 0.05


def test_false_verdicts_can_be_counted():
    def biased(rng, studies, seeds, effect):
        """Half of the claims look as if they helped a lot, the others as if they hurt."""
        with_, without = SCENARIOS["equal spreads"](rng, studies, seeds, effect)
        signs = np.where(np.arange(simulate.CLAIMS) % 2, 0.4, -0.4)
        return with_ + signs[:, None, None], without

    shares = calibration.false_verdicts(biased, 5, studies=20)
    assert shares[FALSE_HELPS] == shares[WRONG_SIGN] == shares[FALSE_SUBSTANTIAL] == 1
    below = simulate.shifted(simulate.equal)
    shares = calibration.false_verdicts(
        lambda rng, studies, seeds, effect: below(rng, studies, seeds, effect - 0.4), 5, studies=20
    )
    assert shares[FALSE_HELPS] == shares[FALSE_SUBSTANTIAL] == 0


def test_no_help_can_be_found_with_enough_seeds():
    rng = np.random.default_rng(0)
    found = calibration.decided(*SCENARIOS["equal spreads"](rng, 20, 25, 0.0))
    assert (found.verdict == "no substantial help").mean() > 0.5


def test_looking_again_is_no_way_to_add_seeds():
    assert 0.14 < calibration.looking_again(studies=400) < 0.27


def test_the_page_names_its_command_and_the_rows_that_miss(monkeypatch):
    monkeypatch.setattr(calibration_page, "looking_again", lambda studies: 0.2)
    monkeypatch.setattr(calibration_page, "unguarded", lambda seeds, studies: 0.9)
    monkeypatch.setattr(calibration_page, "ladder_section", lambda results, studies: "## A ladder")
    monkeypatch.setattr(ladder_calibration, "table", lambda studies, scenarios: None)

    def row(seeds, share, **false):
        shares = dict.fromkeys((USED, *calibration.METHODS), share)
        return {"scenario": "x", "seeds": seeds, **shares, **dict.fromkeys(KINDS, 0.05), **false}

    def page(*rows):
        command = "python -m analysis calibrate --studies 7"
        return calibration_page.page(pd.DataFrame(rows), SCENARIOS, 7, command)

    both = page(row(3, 0.929), row(5, 0.95), row(10, 0.983, **{SAME_ARM: 0.3}))
    assert "7 per row, written by\n\n```sh\npython -m analysis calibrate --studies 7\n```\n" in both
    assert "- x, 3 seeds: Welch t (used) covers in 92.9%, too narrow\n" in both
    assert "- x, 10 seeds: Welch t (used) covers in 98.3%, wider than need be\n" in both
    assert "- x, 10 seeds: A/A differs in 30.0%\n" in both
    assert "- x, 5 seeds" not in both and "up to the error: in every row." in page(row(3, 0.93))
    assert "90% / 90% / 90% of the studies with 3 / 5 / 10 seeds" in " ".join(both.split())


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("effect", [-0.05, 0.0, 0.1])
def test_scenarios_have_the_effect_that_they_are_given(name, effect):
    draws = SCENARIOS[name](np.random.default_rng(0), 40, 500, effect)
    with_, without = (arm.mean((0, 1, 3)) for arm in draws)
    assert draws[0].shape == draws[1].shape == (40, 13, len(with_), 500)
    assert (with_ - without).mean() == pytest.approx(effect, abs=0.01)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_claim_has_its_own_effect_and_all_have_one_baseline(name):
    effects = np.resize([0.0, 0.1, -0.1], simulate.CLAIMS)
    with_, without = SCENARIOS[name](np.random.default_rng(0), 20, 1000, effects)
    assert (with_ - without).mean((0, 2, 3)) == pytest.approx(effects, abs=0.012)
    same = SCENARIOS[name](np.random.default_rng(0), 2, 3, 0.0)
    baseline = np.where(simulate.BASELINE_WITHOUT[:, None, None], same[1], same[0])
    assert (baseline == baseline[:, :1]).all()


@pytest.mark.parametrize(
    ("name", "levels"),
    [("shift with failures", [0.7] * 4), ("failing at the ceiling", [1.0, 0.5, 0.5, 0.5, 0.5])],
)
def test_a_tenth_of_the_worse_arms_runs_fails_beside_a_shift(name, levels):
    scores = SCENARIOS[name](np.random.default_rng(0), 40, 500, 0.1)
    failed = [(arm == 0).mean((0, 1, 3)) for arm in scores]
    assert failed[0].max() == 0 and failed[1] == pytest.approx(
        [0.1, *[0] * (len(levels) - 1)], abs=0.01
    )
    assert scores[1].max((0, 1, 3)) == pytest.approx(levels, abs=0.15)


def test_claims_of_a_study_share_the_baseline():
    rng = np.random.default_rng(0)
    with_, without = SCENARIOS["equal spreads"](rng, 2, 3, 0.0)
    assert (without[:, :4] == without[:, :1]).all() and (with_[:, 4:] == without[:, :1]).all()
    assert len(np.unique(without[:, 4:])) == 2 * 9 * 15


def test_published_runs_make_a_scenario():
    frame = pd.DataFrame({"task": ["a"] * 3 + ["b"] * 3, "normalised": [0.0, 0.3, 0.6, 1, 1, 1]})
    with_, without = simulate.drawn_again(frame)(np.random.default_rng(0), 5, 3, 0.0)
    assert with_.shape == (5, 13, 2, 3)
    assert set(np.unique(without[:, :, 0])) == {0.0, 0.3, 0.6} and (with_[:, :, 1] == 1).all()


def test_the_table_has_a_row_per_scenario_and_number_of_seeds():
    table = calibration.table(2, {"equal spreads": SCENARIOS["equal spreads"]})
    assert table.seeds.tolist() == list(calibration.SEEDS)
    assert list(table.columns)[:3] == ["scenario", "seeds", USED]
