"""MinAtar: five Atari games as 10x10 grids (Young and Tian 2019)."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit
from pydantic import PositiveInt

from agent.config import Fraction, check_value
from agent.envs.wrappers import load, standardise
from agent.errors import UserError

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")


def make(
    game: str,
    size: int,
    sticky_action_prob: float,
    full_action_space: bool,
    max_steps: int,
    difficulty_ramping: bool,
    action_repeat: int = 1,
) -> gymnasium.Env:
    """Build a game with uint8 grids (10, 10, C) of 0 and 1; `max_steps` frames truncate; `size`
    concerns images only.

    UserError for an unknown game or a missing package.
    """
    if game not in GAMES:
        raise UserError(f"MinAtar has no game {game}; allowed: {', '.join(GAMES)}")
    check_value("task.env.sticky_action_prob", sticky_action_prob, Fraction)
    check_value("task.env.max_steps", max_steps, PositiveInt)
    env = MinAtar(game, sticky_action_prob, full_action_space, difficulty_ramping)
    return standardise(TimeLimit(env, max_steps), size, action_repeat)


class MinAtar(gymnasium.Env):
    """One game; after `reset(seed)` the episode depends on the seed and the actions alone."""

    def __init__(self, game: str, sticky: float, full_actions: bool, ramping: bool):
        self.game = load("MinAtar", "minatar", "minatar").Environment(game, sticky, ramping)
        every, minimal = range(self.game.num_actions()), self.game.minimal_action_set()
        self.actions = list(every) if full_actions else minimal
        self.action_space = Discrete(len(self.actions))
        self.observation_space = Box(0, 1, tuple(self.game.state_shape()), np.uint8)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        super().reset(seed=seed)
        self.game.seed(int(self.np_random.integers(2**32)))
        self.game.last_action = 0  # the game itself would stick to that of the last episode
        self.game.reset()
        return self.game.state().astype(np.uint8), {}

    def step(self, action: int):
        reward, terminated = self.game.act(self.actions[action])
        return self.game.state().astype(np.uint8), float(reward), bool(terminated), False, {}
