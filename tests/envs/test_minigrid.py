"""MiniGrid's view as planes."""

import sys

import gymnasium
import numpy as np
import pytest

from agent.envs import gym
from agent.errors import UserError

minigrid = pytest.importorskip("minigrid")


def test_planes_encode_the_view():
    env = gym.make("MiniGrid-DoorKey-5x5-v0", 64)
    raw = gymnasium.make("MiniGrid-DoorKey-5x5-v0")
    obs, _ = env.reset(seed=2)
    view = raw.reset(seed=2)[0]["image"]
    for action in (0, 1, 2, 3, 5, 0, 2):
        assert obs.shape == (7, 7, 20)
        np.testing.assert_array_equal(obs[..., :11].argmax(-1), view[..., 0])
        np.testing.assert_array_equal(obs[..., 11:17].argmax(-1), view[..., 1])
        np.testing.assert_array_equal(obs[..., 17:].argmax(-1), view[..., 2])
        assert np.all(obs.sum(-1) == 3)
        obs = env.step(action)[0]
        view = raw.step(action)[0]["image"]


def test_layouts_depend_on_the_seed_alone():
    env = gym.make("MiniGrid-SimpleCrossingS9N1-v0", 64)
    layouts = [env.reset(seed=seed) and env.unwrapped.grid.encode() for seed in (1, 2, 3, 4, 1)]
    np.testing.assert_array_equal(layouts[0], layouts[-1])
    assert any(not np.array_equal(layouts[0], other) for other in layouts[1:-1])


def test_obstacles_move_alike_for_the_same_seed():
    env = gym.make("MiniGrid-Dynamic-Obstacles-5x5-v0", 64)
    runs = []
    for seed in (5, 6, 5):
        env.reset(seed=seed)
        runs.append(np.stack([env.step(0)[0] for _ in range(8)]))
    np.testing.assert_array_equal(runs[0], runs[2])
    assert not np.array_equal(runs[0], runs[1])


def test_the_references_solution(composed):
    env = gym.make("MiniGrid-Empty-5x5-v0", 64)
    env.reset(seed=0)
    for action in (2, 2, 1, 2, 2):
        _, reward, terminated, _, _ = env.step(action)
    assert terminated
    assert reward == pytest.approx(
        composed("suite=minigrid", "task=minigrid_empty_5x5").task.reference
    )


def test_a_missing_package_names_the_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "minigrid", None)
    with pytest.raises(
        UserError, match="MiniGrid-Empty-5x5-v0 misses the module minigrid: pip install minigrid"
    ):
        gym.make("MiniGrid-Empty-5x5-v0", 64)
