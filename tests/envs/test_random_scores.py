"""The measured scores of random play."""

import numpy as np
import pytest
from hydra import initialize_config_dir

from agent.envs import gym
from benchmarks.random_scores import CONF, all_tasks, random_returns


def test_random_play_repeats_and_meets_the_documented_score(composed):
    env = gym.make("CartPole-v1", 64)
    returns = random_returns(env, episodes=100)
    np.testing.assert_array_equal(returns, random_returns(env, episodes=100))
    error = returns.std() / 10
    assert returns.mean() == pytest.approx(composed("task=cartpole").task.random, abs=4 * error)


def test_every_normalised_task_is_measured_once():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        jobs = all_tasks()
    tasks = [job[1] for job in jobs]
    assert len(set(tasks)) == len(tasks)
    assert {
        "task=cartpole",
        "task=minatar_seaquest",
        "task=minigrid_memory_s7",
        "task=walker_walk",
    } <= set(tasks)
