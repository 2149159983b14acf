"""Every pair of options from different groups trains or is refused as specified."""

import itertools
import random

import pytest
import torch

from agent.errors import UserError
from tests import tiny
from tests.test_toggles import BASELINE, GROUPS

OPTIONS = {
    group: sorted(path.stem for path in (tiny.CONF / group).glob("*.yaml")) for group in GROUPS
}
KINDS = {"discrete": tiny.DISCRETE, "continuous": tiny.CONTINUOUS}


def pairs(row):
    """All pairs of (group, option) that a row of options covers."""
    return set(itertools.combinations(sorted(row.items()), 2))


def refused(row):
    """The combinations that change nothing; the specification of what `check` refuses."""
    scheduled_mix = row["schedule"] == "actor_mix" and row["actor_grad"] != "mixed"
    scheduled_nothing = row["schedule"] == "actor_entropy" and row["explore"] == "action_noise"
    rewarded_nothing = row["entropy"] == "long_term" and row["explore"] == "action_noise"
    return scheduled_mix or scheduled_nothing or rewarded_nothing


def covering_array():
    """Few rows of options in which every pair that is not refused by itself occurs: greedy, from
    random candidates."""
    rng = random.Random(0)
    wanted = set()
    for (group, one), (other, two) in itertools.combinations(
        [(g, o) for g in GROUPS for o in OPTIONS[g]], 2
    ):
        if group != other:
            wanted.add(tuple(sorted([(group, one), (other, two)])))
    possible = {pair for pair in wanted if not refused(_completed(dict(pair)))}
    rows = []
    while possible:
        seed = rng.choice(sorted(possible))
        candidates = [{g: rng.choice(OPTIONS[g]) for g in GROUPS} | dict(seed) for _ in range(300)]
        candidates = [row for row in candidates if not refused(row)] or [_completed(dict(seed))]
        best = max(candidates, key=lambda row: len(pairs(row) & possible))
        rows.append(best)
        possible -= pairs(best)
    return rows, sorted(pair for pair in wanted if refused(_completed(dict(pair))))


def _completed(choices):
    """A pair of options with the baseline's for the rest, and the gradient mix that a schedule of
    it selects."""
    if choices.get("schedule") == "actor_mix":
        choices = {"actor_grad": "mixed"} | choices
    return BASELINE | choices


ROWS, REFUSED = covering_array()


def three_updates(*overrides, actions):
    agent = tiny.agent(*overrides, actions=actions)
    batch = tiny.batch(tiny.VECTOR, actions)
    for progress in (0.0, 0.03, 1.0):
        metrics = agent.update(batch, progress)
    assert all(torch.isfinite(metric) for metric in metrics.values())
    assert all(torch.isfinite(parameter).all() for parameter in agent.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: ",".join(v for k, v in row.items() if v != BASELINE[k]) or "base"
)
def test_every_pair_of_options_trains(row, kind):
    three_updates(*(f"{group}={option}" for group, option in row.items()), actions=KINDS[kind])


@pytest.mark.parametrize(
    "pair", REFUSED, ids=lambda pair: ",".join("=".join(choice) for choice in pair)
)
def test_every_pair_that_changes_nothing_is_refused(pair):
    """Both options are named, except that schedules of the mix are refused for the gradient they
    meet."""
    with pytest.raises(UserError) as error:
        tiny.compose(*(f"{group}={option}" for group, option in pair))
    assert all("=".join(choice) in str(error.value) for choice in pair)
