"""Any environment arrives at the agent's spaces, and vectors in units of their spread."""

from unittest import mock

import cv2
import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from agent.envs import gym
from agent.envs.wrappers import ActionRepeat, random_play, spread, standardise, unit_spread
from agent.errors import UserError
from agent.spaces import action_kind, observation_kind
from tests import tiny

VECTOR, IMAGE = Box(-100, 100, (2,), np.float32), Box(0, 255, (64, 64, 1), np.uint8)
BYTES = Box(0, 255, (4,), np.uint8)


class Fixed(gymnasium.Env):
    """Shows one sample of its observation space, or what is `shown`, records its actions, pays
    what `pay` makes of their number, and ends after `length` steps."""

    def __init__(self, observation_space, action_space=None, length=10, shown=None, pay=float):
        self.observation_space = observation_space
        self.action_space = action_space or Discrete(3)
        self.observation_space.seed(0)
        self.shown = self.observation_space.sample() if shown is None else shown
        self.length, self.pay = length, pay

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.actions = []
        return self.shown, {}

    def step(self, action):
        self.actions.append(action)
        count = len(self.actions)
        return self.shown, self.pay(count), count == self.length, False, {}


gymnasium.register("Fixed-v0", Fixed)


class Reuses(Fixed):
    """Counts in one array, which it returns again and again."""

    def step(self, action):
        self.shown += 1
        return super().step(action)


class NoInfo(Fixed):
    def reset(self, *, seed=None, options=None):
        return self.shown


def test_images_are_resized_by_area_and_gray_ones_get_a_channel():
    env = Fixed(Box(0, 255, (210, 160, 3), np.uint8))
    resized = standardise(env, size=64)
    obs, _ = resized.reset()
    assert observation_kind(resized.observation_space) == "image"
    expected = cv2.resize(env.shown, (64, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(obs, expected)
    obs, _ = standardise(Fixed(Box(0, 255, (64, 64), np.uint8)), size=32).reset()
    assert (obs.shape, obs.dtype) == ((32, 32, 1), np.uint8)


@pytest.mark.parametrize(
    ("space", "kind", "length"),
    [
        *((Box(0, 1, (10, 10, 6), dtype), "grid", 600) for dtype in (bool, np.int8, np.uint8)),
        (Box(-np.inf, np.inf, (4,), np.float64), "vector", 4),
        (Box(0, 9, (2,), np.int64), "vector", 2),
        (Discrete(5), "vector", 5),
        (MultiBinary(3), "vector", 3),
        (MultiDiscrete([2, 3]), "vector", 5),
    ],
)
def test_binary_planes_are_grids_and_the_rest_vectors(space, kind, length):
    source = Fixed(space)
    env = standardise(source, size=64)
    obs, _ = env.reset()
    assert observation_kind(env.observation_space) == kind and env.observation_space.contains(obs)
    assert (obs.size, obs.dtype) == (length, np.float32 if kind == "vector" else np.uint8)
    if isinstance(space, Box):
        np.testing.assert_array_equal(obs, np.float32(source.shown))
    if isinstance(space, MultiDiscrete):
        first, second = source.shown
        np.testing.assert_array_equal(obs, np.append(np.eye(2)[first], np.eye(3)[second]))


def test_of_bsuite_only_what_has_two_axes_is_observed_in_another_shape():
    for space in (Discrete(3), Box(0, 255, (64, 64, 3), np.uint8)):
        assert gym.boards_and_vectors(env := Fixed(space), "bsuite/any-v0", False) is env


@pytest.mark.parametrize(
    "space", [Dict(a=Discrete(2), b=Box(0, 1, (3,))), Tuple([Discrete(2)]), Box(0, 1, (2, 3))]
)
def test_composite_observations_are_refused_or_flattened(space):
    said = r"is not supported; allowed: .*; task.env.flatten=true makes it a vector"
    with pytest.raises(UserError, match=said):
        standardise(Fixed(space), size=64)
    env = standardise(Fixed(space), size=64, flatten=True)
    assert observation_kind(env.observation_space) == "vector"
    assert env.reset()[0].shape == env.observation_space.shape


@pytest.mark.parametrize("space", [VECTOR, IMAGE, Box(0, 255, (64, 64, 1), np.int64)])
def test_an_observation_that_is_reused_is_copied(space):
    env = Reuses(space, shown=np.zeros(space.shape, space.dtype))
    env = standardise(env, size=64, flatten=space.dtype == np.int64)
    seen = [env.reset()[0], *(env.step(0)[0] for _ in range(3))]
    assert [obs.flat[0] for obs in seen] == [0, 1, 2, 3]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize(
    ("env", "said"),
    [
        (Fixed(VECTOR, shown=np.zeros(1, np.float32)), r"float32 \(1,\) .*Box.*\(2,\), float32"),
        (Fixed(VECTOR, shown=np.float32(1)), r"observes float32 \(\)"),
        (Fixed(IMAGE, shown=np.full((64, 64, 1), 0.5)), r"float64 .* from 0.5 to 0.5; .*uint8"),
        (Fixed(IMAGE, shown=np.full((64, 64, 1), 256)), "from 256 to 256; its space is Box"),
        (Fixed(IMAGE, shown=np.zeros((48, 80, 1), np.uint8)), r"uint8 \(48, 80, 1\)"),
        (NoInfo(VECTOR), "reset must return an observation and a dict of info"),
        (Fixed(VECTOR, pay=np.atleast_1d), r"reward has shape \(1,\), not one number"),
    ],
)
def test_what_does_not_fit_its_space_is_named(env, said, times):
    with pytest.raises(UserError, match=said):
        env = standardise(env, size=64, action_repeat=times)
        env.reset()
        env.step(0)


def test_actions_are_rescaled_and_count_from_zero():
    bounds = Box(np.array([-2.0, 0.0]), np.array([2.0, 10.0]), dtype=np.float64)
    source = Fixed(VECTOR, bounds)
    env = standardise(source, size=64)
    assert env.action_space == Box(-1, 1, (2,), np.float32)
    env.reset()
    for action in ([-1, -1], [0, 0], [1, 1]):
        env.step(np.array(action, np.float32))
    np.testing.assert_allclose(source.actions, [[-2, 0], [0, 5], [2, 10]])
    source = Fixed(VECTOR, Discrete(3, start=5))
    env = standardise(source, size=64)
    assert action_kind(env.action_space) == "discrete"
    env.reset()
    env.step(0)
    env.step(2)
    assert source.actions == [5, 7]


ACTIONS = [MultiDiscrete([2, 2]), MultiBinary(2), Tuple([Discrete(2)]), Box(-1, 1, (2, 2))]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        *((space, "allowed: Discrete, Box") for space in ACTIONS),
        (Box(-np.inf, np.inf, (2,)), "its bounds must be finite and apart"),
        (Box(0, 3, (1,), np.int64), "a Box of whole numbers; allowed: Discrete"),
    ],
)
def test_other_actions_are_refused(space, said):
    with pytest.raises(UserError, match=f"action space .* is not supported.*{said}"):
        standardise(Fixed(VECTOR, space), size=64)
    with pytest.raises(UserError, match="actions are discrete, the task's are continuous"):
        standardise(Fixed(VECTOR), size=64, actions="continuous")


def test_repeated_actions_sum_rewards_and_stop_at_the_end():
    env = ActionRepeat(Fixed(VECTOR, length=5), 3)
    env.reset()
    assert env.step(1)[1:4] == (1.0 + 2.0 + 3.0, False, False)
    assert env.step(1)[1:4] == (4.0 + 5.0, True, False)
    env = standardise(gymnasium.make("Pendulum-v1", max_episode_steps=3), size=64)
    env.reset(seed=0)
    flags = [env.step(env.action_space.sample())[2:4] for _ in range(3)]
    assert flags == [(False, False), (False, False), (False, True)]


def test_of_repeated_frames_the_last_is_drawn(monkeypatch):
    env = gymnasium.make("Pendulum-v1", render_mode="rgb_array")
    drawn, render = [], env.unwrapped.render
    monkeypatch.setattr(env.unwrapped, "render", lambda: drawn.append(render()) or drawn[-1])
    env = standardise(env, size=500, action_repeat=2, pixels=True)
    env.reset(seed=0)
    seen = [env.step(np.ones(1, np.float32))[0] for _ in range(3)]
    np.testing.assert_array_equal(seen, drawn[-3:])
    assert len(drawn) == 2 + 3  # one for its shape


@pytest.mark.parametrize(
    ("kind", "allowed", "spaces"),
    [
        (observation_kind, "uint8 images", [Box(0, 1, (4, 4)), Discrete(3), BYTES]),
        (action_kind, "Discrete", [Box(0, 1, (2,)), Discrete(3, start=1), MultiBinary(2)]),
    ],
)
def test_what_is_no_space_of_the_agents_names_what_is_allowed(kind, allowed, spaces):
    for space in spaces:
        with pytest.raises(UserError, match=f"is not supported; allowed: {allowed}"):
            kind(space)


class Wide(Fixed):
    """Numbers of different spread: 1000, 0.01, a bit, always 0, always 7, 500 with a little."""

    made = 0

    def __init__(self):
        super().__init__(Box(-np.inf, np.inf, (6,), np.float32), length=30)

    def reset(self, **options):
        super().reset(**options)
        type(self).made += 1
        return self._observe(), {}

    def step(self, action):
        return self._observe(), *super().step(action)[1:]

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
    assert env.observation_scale[2:5] == [1.0, 1.0, 0.7]


def test_a_scale_is_measured_once_and_depends_on_the_environment_alone():
    np.random.seed(1)
    first = random_play(unit_spread(Wide(), None, "once"), 50)
    resets = Wide.made
    np.random.seed(2)
    np.testing.assert_array_equal(first, random_play(unit_spread(Wide(), None, "once"), 50))
    assert Wide.made - resets == 2  # of 50 steps alone
    env = unit_spread(Wide(), [2.0] * 6, "given")
    np.testing.assert_allclose(random_play(env, 20) * 2, random_play(Wide(), 20), rtol=1e-6)
    assert env.observation_scale == [2.0] * 6


@pytest.mark.parametrize("scale", [[1.0], [1.0] * 5 + [0.0], [1.0] * 5 + [-1.0], ["a"] * 6, "ab"])
def test_a_scale_that_does_not_fit_is_refused(scale):
    with pytest.raises(UserError, match="task.env.scale=.* must hold 6 numbers greater than zero"):
        unit_spread(Wide(), scale, "bad")
    with pytest.raises(UserError, match="not finite"):
        spread(np.array([[1.0, np.nan]]))


def test_a_constructor_that_fails_is_one_line(monkeypatch):
    monkeypatch.setattr(Fixed, "__init__", mock.Mock(side_effect=AssertionError()))
    with pytest.raises(UserError, match="make environment Fixed-v0: AssertionError:$"):
        gym.make("Fixed-v0", 64)


def test_the_scale_is_recorded_and_a_resumed_run_refuses_another(configure, record):
    tiny.train(configure("run.steps=80", "task.env.scale=null"), record)
    scale = record.fields["observation_scale"]
    assert len(scale) == 4 and all(number > 0 for number in scale)
    record.update(observation_scale=[2 * number for number in scale])
    with pytest.raises(UserError, match="the environment has changed, its observation scale is"):
        tiny.train(configure("run.steps=160", "task.env.scale=null"), record)
