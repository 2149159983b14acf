"""Vectors come in units of their spread under random play."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from agent.envs import gym
from agent.envs.wrappers import random_play, spread, unit_spread
from agent.errors import UserError
from benchmarks.random_scores import vector_scale
from tests.envs.test_tasks import LISTED, SUITES, build

VECTORS = ["cartpole", "position_cartpole", "inverted_pendulum", *LISTED["control"]]


class Wide(gymnasium.Env):
    """Numbers of different spread: 1000, 0.01, a bit, always 0, always 7, 500 with a little."""

    observation_space = Box(-np.inf, np.inf, (6,), np.float32)
    action_space = Discrete(2)
    made = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        type(self).made += 1
        self.left = 30
        return self._observe(), {}

    def step(self, action):
        self.left -= 1
        return self._observe(), 0.0, self.left == 0, False, {}

    def _observe(self):
        noise = self.np_random.normal(size=3)
        wide = [1000 * noise[0], 0.01 * noise[1], self.np_random.integers(2), 0, 7, 500 + noise[2]]
        return np.array(wide, np.float32)


def test_each_number_gets_unit_spread_and_none_goes_too_far():
    env = unit_spread(Wide(), None, "wide")
    seen = random_play(env, 2000)
    np.testing.assert_allclose(seen.std(0)[:2], 1, rtol=0.15)
    assert set(seen[:, 2]) == {0, 1} and not seen[:, 3].any()
    np.testing.assert_allclose(seen.mean(0)[4:], 10, rtol=0.01)
    assert np.isfinite(seen).all() and env.observation_space.contains(seen[0].astype(np.float32))


def test_a_scale_is_measured_once_and_depends_on_the_environment_alone():
    np.random.seed(1)
    first = random_play(unit_spread(Wide(), None, "once"), 50)
    resets = Wide.made
    np.random.seed(2)
    again = random_play(unit_spread(Wide(), None, "once"), 50)
    np.testing.assert_array_equal(first, again)
    assert Wide.made - resets == 2  # of 50 steps alone


def test_a_given_scale_divides():
    shown = random_play(unit_spread(Wide(), [2.0] * 6, "given"), 20)
    np.testing.assert_allclose(shown * 2, random_play(Wide(), 20), rtol=1e-6)


@pytest.mark.parametrize("scale", [[1.0], [1.0] * 5 + [0.0], [1.0] * 5 + [-1.0], ["a"] * 6, "ab"])
def test_a_scale_that_does_not_fit_is_refused(scale):
    with pytest.raises(UserError, match="task.env.scale=.* must hold 6 numbers greater than zero"):
        unit_spread(Wide(), scale, "bad")


def test_not_finite_under_random_play_is_refused():
    with pytest.raises(UserError, match="not finite"):
        spread(np.array([[1.0, np.nan]]))


def test_images_and_grids_have_no_scale():
    env = gym.make("MiniGrid-Empty-5x5-v0", 64, scale=[1.0])
    assert env.observation_space.dtype == np.uint8


@pytest.mark.parametrize("task", VECTORS)
def test_the_scales_of_the_tasks_are_those_of_random_play(composed, task):
    """Measured anew from fewer observations than the files' 10,000."""
    suite = next(suite for suite in SUITES if task in LISTED[suite])
    cfg = composed(f"suite={suite}", f"task={task}")
    build(cfg).close()
    np.testing.assert_allclose(vector_scale(cfg, 3000), list(cfg.task.env.scale), rtol=0.35)


@pytest.mark.parametrize("task", ["pendulum", "walker_walk", "half_cheetah"])
def test_tasks_that_say_so_never_terminate(composed, task):
    cfg = composed("suite=control", f"task={task}")
    assert not cfg.task.terminates
    env = build(cfg)
    env.action_space.seed(0)
    env.reset(seed=0)
    truncated = terminated = False
    while not truncated:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        assert not terminated


def test_an_environment_without_a_render_mode_is_made():
    class Plain(Wide):
        def __init__(self):
            pass

    gymnasium.register("Plain-v0", Plain)
    assert gym.make("Plain-v0", 64).observation_space.shape == (6,)
