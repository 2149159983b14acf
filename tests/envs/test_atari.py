"""The paper's Atari protocol, checked against the emulator itself."""

import cv2
import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.utils import seeding

from agent.build import environment
from tests import tiny
from tests.envs.test_sources import rollout
from tests.envs.test_tasks import task_of

ale_py = pytest.importorskip("ale_py")


def rollout_of_emulator(game, seed, steps):
    """A rollout of the emulator alone: repeat, maximum of the last two frames, area resize."""
    np_seed, ale_seed = np.random.SeedSequence(seed).generate_state(2)
    ale = ale_py.ALEInterface()
    ale.setFloat("repeat_action_probability", 0.25)
    ale.setInt("random_seed", np.int32(ale_seed))
    ale.loadROM(ale_py.roms.get_rom_path(game))
    ale.reset_game()
    for _ in range(seeding.np_random(int(np_seed))[0].integers(1, 31)):
        ale.act(ale_py.Action.NOOP)
    legal, actions = ale.getLegalActionSet(), Discrete(18, seed=0)
    rows = [np.append(shrink(ale.getScreenGrayscale()), 0.0)]
    for _ in range(steps):
        action = actions.sample()
        frames, total = [], 0.0
        for _ in range(4):
            total += ale.act(legal[action])
            frames.append(ale.getScreenGrayscale())
        rows.append(np.append(shrink(np.maximum(frames[-2], frames[-1])), total))
    return np.stack(rows)


def shrink(frame):
    return cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA)[..., None]


@pytest.mark.parametrize("game", ["pong", "space_invaders"])
def test_observations_and_rewards_are_the_emulators(game):
    rows = rollout(environment(task_of(game)), seed=5, steps=150)
    np.testing.assert_array_equal(rows, rollout_of_emulator(game, seed=5, steps=150))
    assert rows[:, -1].any()


def test_the_configuration_is_the_papers_protocol_and_reaches_the_emulator():
    cfg = tiny.compose("suite=atari", "task=pong")
    env = environment(cfg)
    ale = env.unwrapped.ale
    assert ale.getFloat("repeat_action_probability") == 0.25
    assert ale.getInt("max_num_frames_per_episode") == 108_000
    assert env.action_space.n == 18 and cfg.recipe.reward_transform == "tanh"
    assert (env.observation_space.shape, env.observation_space.dtype) == ((64, 64, 1), np.uint8)
    wrapper = (env.noop_max, env.frame_skip, env.unwrapped._frameskip, env.terminal_on_life_loss)
    assert wrapper == (30, 4, 1, False)
    changed = ("task.env.repeat_action_probability=0.5", "task.action_repeat=2")
    env = environment(task_of("pong", *changed))
    assert env.unwrapped.ale.getFloat("repeat_action_probability") == 0.5
    env.reset(seed=0)
    before = env.unwrapped.ale.getEpisodeFrameNumber()
    env.step(0)
    assert env.unwrapped.ale.getEpisodeFrameNumber() - before == 2


def test_the_frame_limit_truncates_and_a_lost_life_ends_nothing():
    env = environment(task_of("pong", "task.env.max_frames=120"))
    env.reset(seed=0)
    terminated = truncated = False
    while not (terminated or truncated):
        _, _, terminated, truncated, info = env.step(0)
    assert truncated and not terminated and info["episode_frame_number"] == 120
    env = environment(task_of("breakout"))
    _, info = env.reset(seed=0)
    lives = info["lives"]
    for step in range(400):
        _, _, terminated, truncated, info = env.step(1 if step % 10 == 0 else 0)
        if info["lives"] < lives:
            break
    assert info["lives"] == lives - 1 and not terminated and not truncated
