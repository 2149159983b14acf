"""Schedules are factors over the share of the run, alike at every budget."""

from collections import ChainMap

import pytest
import torch
from omegaconf import OmegaConf

from agent.build import read
from agent.toggles.schedule import Factors
from tests import tiny

SHARE = tiny.compose().recipe.schedule_share
EXPECTED = {  # option: {factor: (start, end, share)}
    "constant": {},
    "model_lr": {"model_lr": (1.0, 0.1, 1.0)},
    "actor_critic_lr": {"actor_critic_lr": (1.0, 0.1, 1.0)},
    "kl_scale": {"kl_scale": (0.1, 1.0, 1.0)},
    "actor_entropy": {"actor_entropy": (3.0, 0.3, SHARE)},
    "actor_mix": {"actor_mix": (1.0, 0.0, SHARE)},
}
EXPECTED["all"] = dict(ChainMap(*EXPECTED.values()))
FACTORS = {  # and the numbers that they scale
    "model_lr": ["recipe.model_lr"],
    "actor_critic_lr": ["recipe.actor_lr", "recipe.critic_lr"],
    "kl_scale": ["recipe.kl_scale"],
    "actor_entropy": ["recipe.entropy_scale"],
    "actor_mix": ["actor_grad.dynamics_weight"],
}


@pytest.mark.parametrize("option", sorted(p.stem for p in (tiny.CONF / "schedule").glob("*.yaml")))
def test_factors_at_start_middle_and_end(option):
    schedule = read(tiny.compose(f"schedule={option}")).toggles.schedule
    for name in FACTORS:
        start, end, share = EXPECTED[option].get(name, (1.0, 1.0, 1.0))
        times = {0.0: start, share / 2: (start + end) / 2, share: end, 1.0: end}
        for time, expected in times.items():
            factors = Factors(**{name: torch.ones(()) for name in FACTORS})
            schedule.move(factors, time)
            assert getattr(factors, name) == pytest.approx(expected)


@pytest.mark.parametrize("name", FACTORS)
def test_each_factor_scales_the_number_that_it_is_named_after(name):
    """A constant factor of 0.5 in the schedule gives what half the base gives."""
    common = ["actor_grad=mixed", "recipe.entropy_scale=0.1"]
    cfg = tiny.compose(*common)
    halves = [f"{key}={OmegaConf.select(cfg, key) / 2}" for key in FACTORS[name]]
    halved, scheduled = tiny.agent(*common, *halves), tiny.agent(*common)
    batch = tiny.batch(tiny.VECTOR, tiny.DISCRETE)
    getattr(scheduled.factors, name).fill_(0.5)
    for agent in (halved, scheduled):
        torch.manual_seed(5)
        agent.update(batch, 0.0)
    for ours, theirs in zip(scheduled.parameters(), halved.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
