"""Simulated studies: their truths, the share of false sentences, and the page."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis import calibrate, claims, estimate, verdict
from analysis.__main__ import main
from analysis.calibrate import Plan, Scenario, Simulation, false_sentences

REGISTERED = claims.load()
SMALL = Plan(3, (32,))


@cache
def truth(scenario, plan=SMALL):
    return next(iter(Simulation(REGISTERED, calibrate.BATCH, seed=0).batches(plan, scenario)))


def bias(batch):
    """By claim and task the mean of the estimates less the truth, over all studies."""
    pairs = zip(batch.changes, batch.truth, strict=True)
    return np.array([(change.estimates.effect - true).mean(0) for change, true in pairs])


def errors(plan, scenario):
    return Simulation(REGISTERED, 200).measured(plan, scenario, false_sentences)


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("quiet", scatter=0.2),
        Scenario("quiet", mean=0.1, scatter=0.1),
        Scenario("quiet", interacting=0.02),
        Scenario("quiet", mean=0.1, failing=0.1),
        Scenario("quiet", unequal=2.0),
    ],
)
def test_the_truth_of_a_scenario_is_what_many_studies_estimate(scenario):
    right = truth(scenario)
    assert np.abs(bias(right)).max() < 0.04
    wrong = replace(right, truth=[right.truth[0] + 0.1, *right.truth[1:]])
    assert np.abs(bias(wrong)).max() > 0.06


def test_means_are_exactly_as_large_as_a_scenario_says():
    batch = truth(Scenario("quiet", mean=0.1, scatter=0.3))
    named = [row.id for row in calibrate._claims(REGISTERED)]
    single = batch.truth[named.index("gru_layer_norm")].mean(-1)
    assert np.abs(single) == pytest.approx(np.full(calibrate.BATCH, 0.1))


def test_one_change_at_a_time_has_the_arms_in_the_order_of_the_claims():
    """So that two processes simulate the same studies."""
    (arms,) = Plan(1, seeds=2, baseline=3).arms(REGISTERED, seed=0)
    sides = [side for row in calibrate._claims(REGISTERED) for side in row.sides("mini")]
    changed = [side for side in dict.fromkeys(sides) if side for _ in range(2)]
    assert arms == changed + [frozenset()] * 6


def test_sentences_are_seldom_false_and_a_broken_rule_is_found(monkeypatch):
    scenario = Scenario("skewed")
    found = errors(SMALL, scenario)
    assert found["any"] <= 0.08 and found["direction"] <= found["any"]
    monkeypatch.setattr(verdict, "ERROR", 0.05 * 23)  # as if every claim were alone
    broken = errors(SMALL, scenario)
    assert broken["direction"] > 0.2 and broken["half"] < found["half"]
    skewed = Simulation(REGISTERED, 1).measured(SMALL, scenario, lambda _: {"half": np.eye(3)[0]})
    assert skewed == {"half": 0.0}, "the median"


def test_without_the_guard_a_rare_failure_is_overlooked(monkeypatch):
    plan, scenario = Plan(5, seeds=10, baseline=3), Scenario("quiet", mean=0.1, failing=0.1)
    guarded = errors(plan, scenario)
    monkeypatch.setattr(estimate, "FEW", 0)
    plain = errors(plan, scenario)
    assert guarded["small"] <= 0.01 < 0.03 < plain["small"] and guarded["direction"] <= 0.05


def test_judging_after_every_round_is_no_less_false_than_once():
    batch = truth(Scenario("skewed"), Plan(3, (32, 48), (0.5, 0.5)))
    both = false_sentences(batch)
    last = false_sentences(replace(batch.upto(48), plan=Plan(3, (48,), (0.5,))))
    assert (both["direction"] >= last["direction"]).all()
    assert np.array_equal(both["half"], last["half"])


def test_other_sentences_are_seldom_false():
    rng, plan = np.random.default_rng(0), Plan(8, (48,))
    shares = Simulation(REGISTERED, 200, seed=0).measured(
        plan, Scenario("quiet"), lambda batch: calibrate.other_sentences(batch, rng)
    )
    assert len(shares) == 4 and all(share <= 0.12 for share in shares.values())


def test_the_page_has_its_tables(monkeypatch, tmp_path):
    unequal = "2 tasks, 3 seeds an arm, baseline 9"
    plans = {"2 tasks x 32": Plan(2, (32,)), unequal: Plan(2, seeds=3, baseline=3)}
    truths = {name: Scenario("quiet") for name in ("no effect", "effects by task")}
    small = {"PLANS": plans, "MORE": {}, "PRECISION": [unequal], "OTHERS": Plan(2, (48,))}
    for name, value in (small | {"SCENARIOS": truths}).items():
        monkeypatch.setattr(calibrate, name, value)
    assert main(["calibrate", "--studies=100", "--out", str(tmp_path / "page.md")]) == 0
    page = (tmp_path / "page.md").read_text()
    rows = ("2 tasks x 32 |", "2 tasks, 3 seeds an arm, baseline 9 | ±", "HC3", "the placebo")
    assert all(row in page for row in rows)
    assert len(page.splitlines()) <= 100 and "100 studies a row" in page
