"""The Behaviour Suite's boards and rows of numbers."""

import numpy as np
import pytest

from agent.envs import gym

pytest.importorskip("bsuite")


def test_a_board_is_a_grid_of_bits():
    env = gym.make("bsuite/catch-v0", 64)
    obs, _ = env.reset(seed=4)
    for row in range(9):
        assert obs.shape == (10, 5, 1) and obs.dtype == np.uint8
        assert obs[row].sum() == 1 and obs[9].sum() == 1  # the ball and the paddle
        obs, reward, terminated, _, _ = env.step(1)
        assert terminated == (row == 8) and (reward != 0) == terminated


def test_a_row_of_numbers_is_a_vector():
    env = gym.make("bsuite/cartpole-v0", 64)
    assert env.reset(seed=0)[0].shape == (6,)


def test_episodes_depend_on_the_seed_alone():
    env = gym.make("bsuite/catch-v0", 64)
    columns = [int(env.reset(seed=seed)[0][0].argmax()) for seed in (*range(9), *range(9))]
    assert columns[:9] == columns[9:] and len(set(columns)) > 1
