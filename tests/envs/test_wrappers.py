"""Any environment arrives at the agent's spaces."""

import cv2
import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from agent.envs.wrappers import ActionRepeat, standardise
from agent.errors import UserError
from agent.spaces import action_kind, observation_kind


class Fixed(gymnasium.Env):
    """Shows one sample of its observation space, records its actions and ends after `length`
    steps."""

    def __init__(self, observation_space, action_space=None, length=10):
        self.observation_space = observation_space
        self.action_space = action_space or Discrete(3)
        self.observation_space.seed(0)
        self.shown = self.observation_space.sample()
        self.length = length

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.actions = []
        return self.shown, {}

    def step(self, action):
        self.actions.append(action)
        return self.shown, float(len(self.actions)), len(self.actions) == self.length, False, {}


def test_images_are_resized_by_area():
    env = Fixed(Box(0, 255, (210, 160, 3), np.uint8))
    resized = standardise(env, size=64)
    obs, _ = resized.reset()
    assert observation_kind(resized.observation_space) == "image"
    np.testing.assert_array_equal(
        obs, cv2.resize(env.shown, (64, 64), interpolation=cv2.INTER_AREA)
    )


def test_gray_pictures_get_a_channel():
    obs, _ = standardise(Fixed(Box(0, 255, (64, 64), np.uint8)), size=32).reset()
    assert (obs.shape, obs.dtype) == ((32, 32, 1), np.uint8)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8])
def test_binary_planes_are_grids(dtype):
    source = Fixed(Box(0, 1, (10, 10, 6), dtype))
    env = standardise(source, size=64)
    obs, _ = env.reset()
    assert observation_kind(env.observation_space) == "grid"
    assert obs.dtype == np.uint8
    np.testing.assert_array_equal(obs, source.shown)


@pytest.mark.parametrize(
    ("space", "length"),
    [
        (Box(-np.inf, np.inf, (4,), np.float64), 4),
        (Box(0, 9, (2,), np.int64), 2),
        (Discrete(5), 5),
        (MultiBinary(3), 3),
        (MultiDiscrete([2, 3]), 5),
    ],
)
def test_the_rest_are_vectors(space, length):
    env = standardise(Fixed(space), size=64)
    obs, _ = env.reset()
    assert observation_kind(env.observation_space) == "vector"
    assert (obs.shape, obs.dtype) == ((length,), np.float32)
    assert env.observation_space.contains(obs)


COMPOSITE = [
    Dict(a=Discrete(2), b=Box(0, 1, (3,))),
    Tuple([Discrete(2)]),
    Box(0, 1, (2, 3)),
]


@pytest.mark.parametrize("space", COMPOSITE)
def test_composite_observations_are_refused_or_flattened(space):
    with pytest.raises(
        UserError, match=r"is not supported; allowed: .*; task.env.flatten=true makes it a vector"
    ):
        standardise(Fixed(space), size=64)
    env = standardise(Fixed(space), size=64, flatten=True)
    assert observation_kind(env.observation_space) == "vector"
    assert env.reset()[0].shape == env.observation_space.shape


def test_numbers_of_several_values_become_one_hot_vectors():
    source = Fixed(MultiDiscrete([2, 3]))
    obs, _ = standardise(source, size=64).reset()
    first, second = source.shown
    np.testing.assert_array_equal(obs, np.append(np.eye(2)[first], np.eye(3)[second]))


def test_continuous_actions_are_rescaled():
    source = Fixed(
        Box(0, 1, (3,)), Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64)
    )
    env = standardise(source, size=64)
    assert env.action_space == Box(-1, 1, (2,), np.float32)
    env.reset()
    for action in ([-1, -1], [0, 0], [1, 1]):
        env.step(np.array(action, np.float32))
    np.testing.assert_allclose(source.actions, [[-2, 0], [0, 5], [2, 10]])


def test_discrete_actions_count_from_zero():
    source = Fixed(Box(0, 1, (3,)), Discrete(3, start=5))
    env = standardise(source, size=64)
    assert action_kind(env.action_space) == "discrete"
    env.reset()
    env.step(0)
    env.step(2)
    assert source.actions == [5, 7]


@pytest.mark.parametrize(
    "space",
    [
        MultiDiscrete([2, 2]),
        MultiBinary(2),
        Box(-np.inf, np.inf, (2,)),
        Box(-1, 1, (2, 2)),
        Tuple([Discrete(2)]),
    ],
)
def test_other_actions_are_refused(space):
    with pytest.raises(UserError, match="action space .* is not supported"):
        standardise(Fixed(Box(0, 1, (3,)), space), size=64)


def test_the_promised_kind_of_action_is_checked():
    with pytest.raises(UserError, match="actions are discrete, the task's are continuous"):
        standardise(Fixed(Box(0, 1, (3,))), size=64, actions="continuous")
    with pytest.raises(
        UserError, match="task.actions=steps is not known; allowed: discrete, continuous"
    ):
        standardise(Fixed(Box(0, 1, (3,))), size=64, actions="steps")


def test_repeated_actions_sum_rewards_and_stop_at_the_end():
    env = ActionRepeat(Fixed(Box(0, 1, (3,)), length=5), 3)
    env.reset()
    assert env.step(1)[1:4] == (1.0 + 2.0 + 3.0, False, False)
    assert env.step(1)[1:4] == (4.0 + 5.0, True, False)


def test_a_time_limit_truncates():
    env = standardise(gymnasium.make("Pendulum-v1", max_episode_steps=3), size=64)
    env.reset(seed=0)
    flags = [env.step(env.action_space.sample())[2:4] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]


@pytest.mark.parametrize("space", [Box(0, 1, (4, 4)), Box(0, 255, (4,), np.uint8), Discrete(3)])
def test_unknown_observation_spaces_name_what_is_allowed(space):
    with pytest.raises(UserError, match="is not supported; allowed: uint8 images"):
        observation_kind(space)


@pytest.mark.parametrize("space", [Box(0, 1, (2,)), Discrete(3, start=1), MultiBinary(2)])
def test_unknown_action_spaces_name_what_is_allowed(space):
    with pytest.raises(UserError, match="is not supported; allowed: Discrete"):
        action_kind(space)
