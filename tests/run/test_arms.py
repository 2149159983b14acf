"""Every arm of the claims trains on a real task and its losses stay finite."""

import math

import pytest
import yaml

from tests import tiny

CLAIMS = yaml.safe_load((tiny.CONF.parent / "sweeps" / "claims.yaml").read_text())["claims"]
LONGER = ("run.steps=140", "run.train_every=2", "run.eval_every=140", "run.log_every=70")
LOSSES = {f"{of}_loss" for of in ("observation", "reward", "discount", "kl", "actor", "critic")}


def arms():
    """All arms of the claims, with the kinds of action that they are about."""
    for claim in CLAIMS:
        for side in ("with", "without"):
            names = claim[side] if isinstance(claim[side], dict) else {"default": claim[side]}
            yield claim["where"], names["default"]


@pytest.mark.parametrize("where, arm", sorted(set(arms())))
def test_every_arm_trains_forty_updates(configure, record, where, arm):
    task = {"discrete": "cartpole", "continuous": "pendulum"}[where]
    options = [] if arm == "baseline" else arm.split(",")
    tiny.train(configure(f"task={task}", *LONGER, *options), record)
    last = list(record.metrics())[-1]
    assert last["gradient_steps"] == 40 and last.keys() >= LOSSES
    assert all(math.isfinite(value) for value in last.values())
