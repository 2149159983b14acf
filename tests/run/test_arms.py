"""Every arm of the claims trains for sixty updates on a real task and its losses stay finite."""

import math

import pytest

from tests.test_combinations import arms
from tests.tiny import train

LONGER = [
    "run.steps=180",
    "run.train_every=2",
    "recipe.capacity=400",
    "run.eval_every=180",
    "run.log_every=90",
]


@pytest.mark.parametrize("where, arm", sorted(set(arms())))
def test_every_arm_trains_sixty_updates(configure, record, where, arm):
    task = {"discrete": "cartpole", "continuous": "pendulum"}[where]
    train(
        configure(f"task={task}", *LONGER, *([] if arm == "baseline" else arm.split(","))), record
    )
    last = list(record.metrics())[-1]
    assert last["gradient_steps"] == 60
    assert {
        "observation_loss",
        "reward_loss",
        "discount_loss",
        "kl_loss",
        "actor_loss",
        "critic_loss",
    } <= last.keys()
    assert all(math.isfinite(value) for value in last.values())
