"""The spaces that the agent takes: three kinds of observation, two kinds of action."""

import numpy as np
from gymnasium.spaces import Box, Discrete, Space

from agent.errors import UserError

ALLOWED_OBSERVATIONS = (
    "uint8 images (H, W, C) of 0..255, uint8 grids (H, W, C) of 0 and 1, float32 vectors (D,)"
)
ALLOWED_ACTIONS = "Discrete(n), Box(-1, 1, (n,), float32)"


def observation_kind(space: Space) -> str:
    """Return `image`, `grid` or `vector`; UserError for any other space."""
    if isinstance(space, Box):
        if space.dtype == np.uint8 and len(space.shape) == 3:
            return "image" if space.high.max() > 1 else "grid"
        if space.dtype == np.float32 and len(space.shape) == 1:
            return "vector"
    raise UserError(f"observation space {space} is not supported; allowed: {ALLOWED_OBSERVATIONS}")


def action_kind(space: Space) -> str:
    """Return `discrete` or `continuous`; UserError for any other space."""
    if isinstance(space, Discrete) and space.start == 0:
        return "discrete"
    if (
        isinstance(space, Box)
        and len(space.shape) == 1
        and np.all(space.low == -1)
        and np.all(space.high == 1)
    ):
        return "continuous"
    raise UserError(f"action space {space} is not supported; allowed: {ALLOWED_ACTIONS}")
