"""Collecting and evaluating: actions, observations and rewards stay aligned; evaluations and
environments leave the random numbers of the training alone."""

import random

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from agent.run import numerics
from agent.run.episodes import Collector, EnvironmentFault, evaluate
from agent.run.numerics import Stream
from agent.run.replay import Replay
from tests import tiny


class Telltale(gymnasium.Env):
    """Observation: (seed, step of the episode, last action or -1), or what `show` makes of it;
    reward: the step, or what `pay` makes of it; ends after `length` steps."""

    observation_space = Box(-1, 2**31, (3,), np.float32)
    action_space = Discrete(4)

    def __init__(self, length=5, truncates=False, show=lambda obs: obs, pay=float):
        self.length, self.truncates, self.show, self.pay = length, truncates, show, pay

    def reset(self, *, seed=None, options=None):
        self.seed, self.now = seed % 1000, 0
        return self._observation(-1), {}

    def step(self, action):
        self.now += 1
        over = self.now == self.length
        ends = over and not self.truncates, over and self.truncates
        return self._observation(action), self.pay(self.now), *ends, {}

    def _observation(self, action):
        return self.show(np.array([self.seed, self.now, action], np.float32))


class Script:
    """Agent whose state counts its steps since the last first one, and whose action is that count
    modulo 4."""

    device = torch.device("cpu")

    def initial(self, batch):
        return {"count": torch.zeros(batch, dtype=torch.int64), "name": torch.arange(batch)}

    def act(self, obs, state, is_first, evaluate, progress, generator=None):
        self.seen = [*getattr(self, "seen", []), (obs.copy(), is_first.copy(), evaluate)]
        count = torch.where(torch.as_tensor(is_first), 0, state["count"])
        return np.eye(4, dtype=np.float32)[count.numpy() % 4], {**state, "count": count + 1}


class Random(Script):
    def act(self, obs, state, is_first, evaluate, progress, generator=None):
        return torch.eye(4)[torch.randint(4, (len(obs),))].numpy(), state


def collector(folder, env, prefill, agent=None):
    replay = Replay(folder, env.observation_space, 4, 10_000)
    return Collector(env, agent or Script(), replay, prefill=prefill, seed=3)


def collect(folder, env, steps, prefill, agent=None):
    player = collector(folder, env, prefill, agent)
    ended = [player.step(step, 0.0) for step in range(steps)]
    rows = np.load(folder / "000000.npy")[: player.replay.end]
    return rows, player.agent, [(one.ret, one.length) for one in ended if one]


@pytest.mark.parametrize("truncates", [False, True])
def test_a_row_holds_the_action_that_led_to_its_observation(tmp_path, truncates):
    env = Telltale(truncates=truncates)
    rows, agent, scores = collect(tmp_path / "some", env, steps=20, prefill=7)
    assert len(rows) == 24  # four episodes of five steps, each with the row of its reset
    first = rows["obs"][:, 1] == 0
    assert np.array_equal(rows["is_first"], first)
    assert not rows["action"][first].any() and not rows["reward"][first].any()
    assert np.array_equal(rows["action"][~first].argmax(-1), rows["obs"][~first, 2])
    assert np.array_equal(rows["reward"], rows["obs"][:, 1])
    assert np.array_equal(rows["is_terminal"], (rows["obs"][:, 1] == 5) & (not truncates))
    assert scores == [(15.0, 5)] * 4
    assert len(set(rows["obs"][:, 0])) == 4  # every episode has a seed of its own
    # The policy takes over in the middle of the second episode with a fresh state, and at every
    # reset.
    fresh = [bool(is_first[0]) for _, is_first, _ in agent.seen]
    assert fresh == [True, False, False, *[True, *[False] * 4] * 2]
    assert rows["action"][-5:].argmax(-1).tolist() == [0, 1, 2, 3, 0]
    for name, prefill in (("all", 20), ("none", 0)):  # seeds do not depend on who acts
        others, _, _ = collect(tmp_path / name, env, steps=20, prefill=prefill)
        assert np.array_equal(others["obs"][:, 0], rows["obs"][:, 0])


def test_the_prefill_is_uniform(tmp_path):
    rows, agent, _ = collect(tmp_path, Telltale(length=1000), steps=900, prefill=900)
    counts = rows["action"].sum(0)
    assert not hasattr(agent, "seen") and counts.sum() == 900 and counts.min() > 180


def test_evaluation_keeps_environments_and_states_together_as_episodes_end_or_are_cut():
    agent, lengths = Script(), (3, 7, 1, 5, 10**9)
    envs = [Telltale(length) for length in lengths]
    episodes = evaluate(agent, envs, seed=8, step=40, most_steps=7)
    played = [(one.ret, one.length, one.over) for one in episodes]
    assert played == [
        *((length * (length + 1) / 2, length, True) for length in lengths[:4]),
        (28.0, 7, False),
    ]
    for obs, _, greedy in agent.seen:
        assert greedy and set(obs[:, 2]) <= {(obs[0, 1] - 1) % 4 if obs[0, 1] else -1}
    a, b, c, d, e = (numerics.derive(8, Stream.EVAL_EPISODE, 40, env) % 1000 for env in range(5))
    seeds = [obs[:, 0].tolist() for obs, _, _ in agent.seen]
    assert seeds == [[a, b, c, d, e], *[[a, b, d, e]] * 2, *[[b, d, e]] * 2, *[[b, e]] * 2]


@pytest.mark.parametrize(
    ("where", "faulty"),
    [
        ("observation", {"show": lambda obs: obs * np.nan if obs[1] == 4 else obs}),
        ("reward", {"pay": lambda now: np.inf if now == 4 else now}),
    ],
)
def test_what_is_not_finite_is_the_environments_fault_and_named(tmp_path, where, faulty):
    said, env = f"the environment's {where} is not finite at step 4 of episode 0 of ", Telltale
    with pytest.raises(EnvironmentFault, match=said + "the training"):
        collect(tmp_path, env(10, **faulty), steps=20, prefill=2)
    with pytest.raises(EnvironmentFault, match=said + "an evaluation"):
        evaluate(Script(), [env(10, **faulty)], seed=1, step=0, most_steps=20)


@pytest.mark.parametrize("prefill", [0, 3, 100])
def test_an_episode_under_way_is_played_again_as_it_was(tmp_path, prefill):
    """Evaluations between, and whatever another process drew, change nothing."""
    env = Telltale(9, show=lambda obs: np.float32([random.random(), np.random.random(), obs[1]]))
    whole, _, _ = collect(tmp_path / "whole", env, steps=18, prefill=prefill)
    first = collector(tmp_path / "first", env, prefill)
    for step in range(14):
        first.step(step, 0.0)
        with numerics.libraries_apart(3, Stream.EVAL_EPISODE, step):
            evaluate(Script(), [Telltale(show=env.show)], seed=3, step=step, most_steps=9)
    random.seed(99)
    np.random.seed(99)
    again = collector(tmp_path / "again", env, prefill)
    again.load_state_dict(state := first.state_dict())
    ended = [again.step(step, 0.0) for step in range(14, 18)]
    rows = np.load(tmp_path / "again" / "000000.npy")[:4]
    assert np.array_equal(rows, whole[-4:])
    assert ended[-1].ret == 45.0 and again.started == 2
    state["under_way"]["observation"] += 1
    with pytest.raises(EnvironmentFault, match="episode 1 of the training, played again .* 5 act"):
        again.load_state_dict(state)


def test_what_an_environment_seeds_changes_no_action(tmp_path):
    seeding = Telltale(show=lambda obs: torch.manual_seed(0) and obs)
    usual, _, _ = collect(tmp_path / "usual", Telltale(), 20, 5, Random())
    seeded, _, _ = collect(tmp_path / "seeded", seeding, 20, 5, Random())
    assert np.array_equal(usual, seeded)
    assert len({tuple(rows.argmax(-1)) for rows in usual["action"][6:].reshape(3, 6, 4)}) == 3


def test_is_first_clears_the_acting_state():
    agent, obs = tiny.agent(), np.ones((1, 4), np.float32)

    def act(state, is_first):
        generator = torch.Generator().manual_seed(7)
        return agent.act(obs, state, np.array([is_first]), evaluate=True, generator=generator)[1]

    fresh = act(agent.initial(1), True)
    cleared, kept = act(act(fresh, False), True), act(act(fresh, False), False)
    assert all(torch.equal(cleared[name], value) for name, value in fresh.items())
    assert not torch.equal(kept["deter"], fresh["deter"])


def test_every_number_of_an_index_counts_and_only_the_runs_own_device_is_seeded(monkeypatch):
    indices = [(), (0,), (0, 0), (1,), (1, 0)]
    seeds = [numerics.derive(seed, Stream.WATCH, *index) for seed in (0, 1) for index in indices]
    assert len(set(seeds)) == 10
    gpus = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)
    before = torch.get_rng_state()
    numerics.seed_torch(0, Stream.ACT, 7, torch.device("cuda:1"))
    assert [gpu.initial_seed() for gpu in gpus] == [5, numerics.derive(0, Stream.ACT, 7)]
    assert torch.equal(before, torch.get_rng_state())
