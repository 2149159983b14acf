"""MinAtar as grids that depend on the seed alone."""

import sys

import numpy as np
import pytest

from agent.envs import minatar
from agent.errors import UserError

pytest.importorskip("minatar")
DEFAULTS = dict(
    sticky_action_prob=0.1, full_action_space=True, max_steps=2_500, difficulty_ramping=True
)


def rollout(env, seed, steps=60):
    actions = np.random.default_rng(1).integers(env.action_space.n, size=steps)
    observations = [env.reset(seed=seed)[0]]
    for action in actions:
        obs, _, terminated, *_ = env.step(action)
        observations.append(obs)
        if terminated:
            break
    return np.stack(observations)


@pytest.mark.parametrize("game", minatar.GAMES)
def test_episodes_depend_on_the_seed_alone(game):
    env = minatar.make(game, 64, **DEFAULTS)
    first = rollout(env, seed=3)
    rollout(env, seed=4)
    np.testing.assert_array_equal(first, rollout(env, seed=3))
    np.testing.assert_array_equal(first, rollout(minatar.make(game, 64, **DEFAULTS), seed=3))
    others = [rollout(env, seed=seed) for seed in range(5, 10)]
    assert any(not np.array_equal(first, other) for other in others)
    assert set(np.unique(first)) == {0, 1}


def test_sticky_actions_do_not_reach_into_the_next_episode():
    env = minatar.make("space_invaders", 64, **DEFAULTS | {"sticky_action_prob": 1.0})
    cannon = env.reset(seed=0)[0][..., 0]
    env.unwrapped.game.last_action = 1
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(1)[0][..., 0], cannon)


def test_the_sticky_probability_and_ramp_reach_the_game():
    game = minatar.make(
        "seaquest", 64, **DEFAULTS | {"sticky_action_prob": 0.3, "difficulty_ramping": False}
    ).unwrapped.game
    assert game.sticky_action_prob == 0.3
    assert game.env.ramping is False


def test_action_sets():
    assert minatar.make("breakout", 64, **DEFAULTS).action_space.n == 6
    env = minatar.make(
        "breakout", 64, **DEFAULTS | {"full_action_space": False, "sticky_action_prob": 0.0}
    )
    assert env.action_space.n == 3
    column = env.reset(seed=0)[0][9, :, 0].argmax()
    assert env.step(2)[0][9, :, 0].argmax() == column + 1


def test_the_limit_truncates():
    env = minatar.make("freeway", 64, **DEFAULTS | {"max_steps": 4})
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]


def test_unknown_games_and_missing_packages(monkeypatch):
    with pytest.raises(UserError, match="MinAtar has no game pong; allowed: asterix, "):
        minatar.make("pong", 64, **DEFAULTS)
    monkeypatch.setitem(sys.modules, "minatar", None)
    with pytest.raises(UserError, match="pip install minatar"):
        minatar.make("breakout", 64, **DEFAULTS)
