"""Small simulated studies; the full table is in docs/calibration.md."""

import numpy as np
import pandas as pd
import pytest

from analysis import calibration


@pytest.mark.parametrize("seeds", [3, 5])
def test_verdict_intervals_cover_and_percentile_bootstraps_do_not(seeds):
    shares = calibration.coverage(calibration.unequal, seeds, studies=400)
    slack = 3 * np.sqrt(0.95 * 0.05 / 400)
    assert 0.95 - slack < shares["Welch t (used)"] < 0.98 + slack / 2
    assert shares["percentile bootstrap"] < shares["Welch t (used)"] - 0.02


def test_false_helps_are_rare_where_nothing_helps():
    assert calibration.false_helps(calibration.equal, 5, studies=200) <= 0.05


def test_a_coin_does_not_help_with_three_seeds():
    assert calibration.false_helps(calibration.one_coin, 3, studies=150) <= 0.05


@pytest.mark.parametrize("effect", [0.03, 0.05, 0.08])
def test_a_coin_hides_no_loss_with_three_seeds(effect):
    assert calibration.wrong_signs(calibration.one_coin, 3, studies=120, effect=effect) <= 0.05


def test_false_helps_and_wrong_signs_can_be_counted():
    def biased(rng, arms, seeds):
        return calibration.equal(rng, arms, seeds) + np.arange(arms)[:, None, None]

    assert calibration.false_helps(biased, 5, studies=20) == 1
    assert (
        calibration.wrong_signs(biased, 5, studies=20) == 1
    )  # every study has claims of both signs


def test_the_page_names_its_command_and_the_rows_that_miss():
    def row(seeds, share):
        return {"scenario": "x", "seeds": seeds, **dict.fromkeys(calibration.METHODS, share)}

    def page(*rows):
        return calibration.page(
            pd.DataFrame(rows), {}, 7, "python -m analysis calibrate --studies 7"
        )

    both = page(row(3, 0.929), row(5, 0.95), row(10, 0.983))
    assert "7 per row, written by\n\n```sh\npython -m analysis calibrate --studies 7\n```\n" in both
    assert "- x, 3 seeds: 92.9%, too narrow\n- x, 10 seeds: 98.3%, wider than need be\n" in both
    assert "- x, 5 seeds" not in both and "within 93% to 98% in every row" in page(row(3, 0.93))


@pytest.mark.parametrize("name", calibration.SCENARIOS)
def test_scenarios_deviate_around_zero(name):
    draws = calibration.SCENARIOS[name](np.random.default_rng(0), 3, 20_000)
    assert draws.shape == (3, 5, 20_000)
    assert np.abs(draws.mean(-1)).max() < 0.02 and draws.std() > 0.05


def test_published_runs_make_a_scenario():
    frame = pd.DataFrame({"task": ["a"] * 3 + ["b"] * 3, "normalised": [0.0, 0.3, 0.6, 1, 1, 1]})
    draws = calibration.residuals(frame)(np.random.default_rng(0), 2, 50)
    assert draws.shape == (2, 2, 50)
    assert set(np.round(draws[:, 0], 6).ravel()) == {-0.3, 0.0, 0.3} and not draws[:, 1].any()


def test_the_table_has_a_row_per_scenario_and_number_of_seeds():
    table = calibration.table(2, {"equal spreads": calibration.equal})
    assert table.seeds.tolist() == list(calibration.SEEDS)
    assert list(table.columns)[:3] == ["scenario", "seeds", "Welch t (used)"]
