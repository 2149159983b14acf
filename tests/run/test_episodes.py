"""Collecting and evaluating: actions, observations and rewards stay aligned; evaluation leaves
training alone."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete

from agent.build import build, environment
from agent.run.episodes import Collector, EnvironmentFault, Score, evaluate
from agent.run.replay import Replay


class Telltale(gymnasium.Env):
    """Observation: (seed, step of the episode, last action or -1); reward: the step; ends after
    `length` steps."""

    observation_space = Box(-1, 2**31, (3,), np.float32)
    action_space = Discrete(4)

    def __init__(self, length=5, truncates=False):
        self.length, self.truncates = length, truncates

    def reset(self, *, seed=None, options=None):
        self.seed, self.now = seed % 1000, 0
        return self._observation(-1), {}

    def step(self, action):
        self.now += 1
        over = self.now == self.length
        return (
            self._observation(action),
            float(self.now),
            over and not self.truncates,
            over and self.truncates,
            {},
        )

    def _observation(self, action):
        return np.array([self.seed, self.now, action], np.float32)


class Script:
    """Agent whose state counts its steps since the last first one, and whose action is that count
    modulo 4."""

    def initial(self, batch):
        return {"count": torch.zeros(batch, dtype=torch.int64), "name": torch.arange(batch)}

    def act(self, obs, state, is_first, evaluate, progress, generator=None):
        self.seen = [*getattr(self, "seen", []), (obs.copy(), is_first.copy(), evaluate)]
        count = torch.where(torch.as_tensor(is_first), 0, state["count"])
        return np.eye(4, dtype=np.float32)[count.numpy() % 4], {**state, "count": count + 1}


def collect(folder, env, steps, prefill):
    replay, agent = Replay(folder, env.observation_space, 4, 10_000), Script()
    collector = Collector(env, agent, replay, prefill, np.random.default_rng(0), seed=3)
    scores = [collector.step(step, 0.0) for step in range(steps)]
    return np.load(folder / "000000.npy")[: replay.end], agent, scores


@pytest.mark.parametrize("truncates", [False, True])
def test_a_row_holds_the_action_that_led_to_its_observation(tmp_path, truncates):
    rows, agent, scores = collect(tmp_path, Telltale(truncates=truncates), steps=20, prefill=7)
    assert len(rows) == 24  # four episodes of five steps, each with the row of its reset
    first = rows["obs"][:, 1] == 0
    assert np.array_equal(rows["is_first"], first)
    assert not rows["action"][first].any() and not rows["reward"][first].any()
    assert np.array_equal(rows["action"][~first].argmax(-1), rows["obs"][~first, 2])
    assert np.array_equal(rows["reward"], rows["obs"][:, 1])
    assert np.array_equal(rows["is_terminal"], (rows["obs"][:, 1] == 5) & (not truncates))
    assert [score for score in scores if score] == [Score(15.0, 5)] * 4
    assert len(set(rows["obs"][:, 0])) == 4  # every episode has a seed of its own
    # The policy takes over in the middle of the second episode with a fresh state, and at every
    # reset.
    assert [bool(is_first[0]) for _, is_first, _ in agent.seen] == [
        True,
        False,
        False,
        *[True, *[False] * 4] * 2,
    ]
    assert rows["action"][-5:].argmax(-1).tolist() == [0, 1, 2, 3, 0]


def test_the_prefill_is_uniform(tmp_path):
    rows, agent, _ = collect(tmp_path, Telltale(length=1000), steps=900, prefill=900)
    counts = rows["action"].sum(0)
    assert not hasattr(agent, "seen") and counts.sum() == 900 and counts.min() > 180


def test_episodes_do_not_depend_on_how_the_run_got_there(tmp_path):
    one, _, _ = collect(tmp_path / "one", Telltale(), steps=20, prefill=20)
    other, _, _ = collect(tmp_path / "other", Telltale(), steps=20, prefill=0)
    assert np.array_equal(one["obs"][:, 0], other["obs"][:, 0])


def test_evaluation_keeps_environments_and_states_together_as_episodes_end():
    agent, lengths = Script(), (3, 7, 1, 5)
    envs = [Telltale(length) for length in lengths]
    scores, cut = evaluate(agent, envs, seeds=[1, 2, 3, 4], most_steps=7)
    assert cut == 0 and scores == [Score(length * (length + 1) / 2, length) for length in lengths]
    for obs, _, greedy in agent.seen:
        assert greedy and set(obs[:, 2]) <= {(obs[0, 1] - 1) % 4 if obs[0, 1] else -1}
    assert [obs[:, 0].tolist() for obs, _, _ in agent.seen][:4] == [
        [1, 2, 3, 4],
        [1, 2, 4],
        [1, 2, 4],
        [2, 4],
    ]


def test_an_evaluation_without_end_is_cut_and_counted():
    envs = [Telltale(length) for length in (3, 10**9, 10**9)]
    scores, cut = evaluate(Script(), envs, seeds=[1, 2, 3], most_steps=5)
    assert cut == 2 and scores == [Score(6.0, 3), Score(15.0, 5), Score(15.0, 5)]


class Faulty(Telltale):
    """Says NaN in its observation or its reward at one step."""

    def __init__(self, where, at):
        super().__init__(length=10)
        self.where, self.at = where, at

    def step(self, action):
        observation, reward, *rest = super().step(action)
        if self.now == self.at:
            observation = observation * np.nan if self.where == "observation" else observation
            reward = np.inf if self.where == "reward" else reward
        return observation, reward, *rest


@pytest.mark.parametrize("where", ["observation", "reward"])
def test_what_is_not_finite_is_the_environments_fault_and_named(tmp_path, where):
    said = f"the environment's {where} is not finite at step 4 of episode 0 of "
    with pytest.raises(EnvironmentFault, match=said + "the training"):
        collect(tmp_path, Faulty(where, at=4), steps=20, prefill=2)
    with pytest.raises(EnvironmentFault, match=said + "an evaluation"):
        evaluate(Script(), [Faulty(where, at=4)], seeds=[1], most_steps=20)


@pytest.mark.parametrize("prefill", [0, 3, 100])
def test_an_episode_under_way_is_played_again(tmp_path, prefill):
    def collector(folder):
        replay = Replay(tmp_path / folder, Telltale.observation_space, 4, 10_000)
        env, rng = Telltale(length=9), np.random.default_rng(0)
        return Collector(env, Script(), replay, prefill, rng, seed=3)

    first = collector("first")
    for step in range(14):
        first.step(step, 0.0)
    state = first.state_dict()
    again = collector("again")
    again.load_state_dict(state, torch.device("cpu"))
    again.rng = first.rng
    for step in range(14, 18):
        scores = first.step(step, 0.0), again.step(step, 0.0)
    assert scores[0] == scores[1] == Score(45.0, 9) and again.episode == 1
    state["observation"] += 1
    with pytest.raises(EnvironmentFault, match="episode 1 of the training, played again .* 5 act"):
        again.load_state_dict(state, torch.device("cpu"))


def test_is_first_clears_the_acting_state(configure):
    cfg = configure()
    env = environment(cfg)
    agent = build(cfg, env.observation_space, env.action_space, torch.device("cpu"))
    obs = env.reset(seed=0)[0][None]

    def act(state, is_first):
        generator = torch.Generator().manual_seed(7)
        return agent.act(obs, state, np.array([is_first]), evaluate=True, generator=generator)[1]

    fresh = act(agent.initial(1), True)
    state = agent.initial(1)
    for _ in range(3):
        state = act(state, False)
    cleared, kept = act(state, True), act(state, False)
    assert all(torch.equal(cleared[name], value) for name, value in fresh.items())
    assert not torch.equal(kept["deter"], fresh["deter"])


def test_evaluation_is_repeatable_and_draws_nothing_from_the_training(configure):
    cfg = configure()
    players = [environment(cfg) for _ in range(3)]
    agent = build(cfg, players[0].observation_space, players[0].action_space, torch.device("cpu"))
    states = [torch.get_rng_state(), np.random.get_state()[1].copy()]
    scores = [
        evaluate(agent, players, [5, 6, 7], 500, torch.Generator().manual_seed(1)) for _ in range(2)
    ]
    assert scores[0] == scores[1]
    assert torch.equal(states[0], torch.get_rng_state()) and np.array_equal(
        states[1], np.random.get_state()[1]
    )
