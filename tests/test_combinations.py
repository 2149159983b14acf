"""Every pair of options from different groups trains or is refused as specified."""

import itertools
import random

import pytest
import torch

from agent.errors import UserError
from tests import tiny
from tests.test_toggles import BASELINE, GROUPS
from tests.test_toggles import OPTIONS as ALL

OPTIONS = {group: [option for other, option in ALL if other == group] for group in GROUPS}
KINDS = {"discrete": tiny.DISCRETE, "continuous": tiny.CONTINUOUS}
REFUSED = [  # what changes nothing
    {"schedule": "actor_mix", "actor_grad": "reinforce"},
    {"schedule": "actor_mix", "actor_grad": "dynamics"},
    {"schedule": "actor_entropy", "explore": "action_noise"},
    {"entropy": "long_term", "explore": "action_noise"},
]


def pairs(row):
    """All pairs of (group, option) that a row of options covers."""
    return set(itertools.combinations(sorted(row.items()), 2))


def covering_array():
    """Few rows of options, none refused, in which every other pair occurs: of random rows, those
    that cover most."""
    rng, wanted, rows = random.Random(0), set(), []
    for group, other in itertools.combinations(GROUPS, 2):
        for options in itertools.product(OPTIONS[group], OPTIONS[other]):
            wanted |= pairs(dict(zip((group, other), options, strict=True)))
    wanted -= set().union(*map(pairs, REFUSED))
    while wanted:
        drawn = [{group: rng.choice(OPTIONS[group]) for group in GROUPS} for _ in range(300)]
        allowed = [row for row in drawn if not any(bad.items() <= row.items() for bad in REFUSED)]
        rows.append(max(allowed, key=lambda row: len(pairs(row) & wanted)))
        wanted -= pairs(rows[-1])
    return rows


def name(row):
    return ",".join(v for k, v in row.items() if v != BASELINE[k])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", covering_array(), ids=name)
def test_every_pair_of_options_trains(row, kind):
    overrides = [f"{group}={option}" for group, option in row.items()]
    agent = tiny.agent(*overrides, actions=KINDS[kind])
    batch = tiny.batch(tiny.VECTOR, KINDS[kind])
    for progress in (0.0, 0.03, 1.0):
        metrics = agent.update(batch, progress)
    assert all(torch.isfinite(metric) for metric in metrics.values())
    assert all(torch.isfinite(parameter).all() for parameter in agent.parameters())


@pytest.mark.parametrize("row", REFUSED, ids=name)
def test_every_pair_that_changes_nothing_is_refused_by_its_names(row):
    overrides = [f"{group}={option}" for group, option in row.items()]
    with pytest.raises(UserError) as error:
        tiny.compose(*overrides)
    assert all(override in str(error.value) for override in overrides)
