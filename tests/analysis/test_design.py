"""The draw of a trial: balanced, reproducible, and only options that act."""

from collections import Counter

import numpy as np
import pytest

from analysis import claims
from analysis.design import Trial, matches

TRIAL = claims.load().trial


def counts(draws, factor):
    chosen = [one for run in draws for one in run if one.partition("=")[0] == factor]
    return Counter(chosen)


def test_a_draw_depends_on_seed_task_and_number_alone():
    draws = TRIAL.draws("catch", "discrete")
    assert len(draws) == TRIAL.rounds[-1] == 72
    assert draws == claims.load().trial.draws("catch", "discrete")
    assert draws != TRIAL.draws("cartpole", "discrete")
    assert draws != TRIAL.model_copy(update={"seed": 1}).draws("catch", "discrete")


def test_a_factor_draws_the_same_beside_other_factors():
    alone = TRIAL.model_copy(update={"weights": {"latent": TRIAL.weights["latent"]}, "needs": {}})
    together = TRIAL.draws("catch", "discrete")
    latents = [tuple(one for one in run if one.startswith("latent=")) for run in together]
    assert latents == alone.draws("catch", "discrete")


@pytest.mark.parametrize(("first", "last"), [(0, 32), (32, 48), (48, 72), (48, 60)])
def test_every_round_is_balanced(first, last):
    size = last - first
    for task in ("catch", "cartpole", "another"):
        block = TRIAL.draws(task, "discrete", last)[first:]
        for factor, weights in TRIAL.weights.items():
            if factor in TRIAL.needs:
                continue
            drawn = counts(block, factor)
            total = sum(weights.values()) - (weights["reinforce"] if factor == "actor_grad" else 0)
            baseline = "default" if factor == "actor_grad" else next(iter(weights))
            for option, weight in weights.items():
                if option not in (baseline, "reinforce"):
                    assert abs(drawn[f"{factor}={option}"] - size * weight / total) < 1


def test_the_baseline_follows_the_kind_of_actions():
    for actions, baseline in (("discrete", "reinforce"), ("continuous", "dynamics")):
        drawn = counts(TRIAL.draws("a", actions), "actor_grad")
        others = {"reinforce", "dynamics", "mixed"} - {baseline}
        assert drawn == {f"actor_grad={option}": 18 for option in others}
    own = {"weights": {"actor_grad": {"reinforce": 1, "dynamics": 3}}, "needs": {}}
    drawn = TRIAL.model_copy(update=own).draws("a", "continuous")
    assert counts(drawn, "actor_grad") == {"actor_grad=reinforce": 18}, "none stands for another"


def test_what_changes_nothing_is_not_drawn():
    draws = TRIAL.draws("catch", "discrete")
    without = [run for run in draws if "explore=action_noise" in run]
    assert len(without) == 18
    for run in without:
        assert not any(one.startswith(("entropy=", "recipe.entropy_scale=")) for one in run)
    acting = 72 - len(without)
    assert abs(counts(draws, "entropy").total() - acting / 3) <= 1.5  # 2:1 where it acts
    assert abs(counts(draws, "recipe.entropy_scale").total() - acting / 2) <= 1.5


def test_options_of_different_factors_are_independent():
    draws = [run for task in range(200) for run in TRIAL.draws(f"task{task}", "discrete")]
    rows = [("latent=gaussian" in run, "gru=plain" in run) for run in draws]
    assert abs(np.corrcoef(np.array(rows, float).T)[0, 1]) < 0.03


def test_ties_of_remainders_are_drawn_not_given_to_the_first():
    trial = Trial(seed=1, rounds=(3,), shares=(1,), weights={"a": {"x": 1, "y": 1}})
    drawn = {len([run for run in trial.draws(f"t{task}", "discrete") if run]) for task in range(20)}
    assert drawn == {1, 2}


def test_a_run_is_of_the_trial_if_its_options_are_those_drawn():
    drawn = ("gru=plain", "recipe.entropy_scale=x0.5")
    assert matches(frozenset({"gru=plain", "recipe.entropy_scale=0.025"}), drawn)
    assert not matches(frozenset({"gru=plain"}), drawn)
    assert not matches(frozenset({"recipe.entropy_scale=0.025"}), drawn)
    assert not matches(frozenset({*drawn, "latent=binary"}), drawn)
