"""The Behaviour Suite (Osband et al. 2020): boards as grids, rows of numbers as vectors."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import FlattenObservation, ReshapeObservation, TransformObservation

BOARDS = ("bsuite/catch", "bsuite/deep_sea")  # of 0 and 1


def boards_and_vectors(env: gymnasium.Env, id: str) -> gymnasium.Env:
    """Observe a board of 0 and 1 as uint8 grid (H, W, 1), other numbers (H, W) as one vector."""
    space = env.observation_space
    if not isinstance(space, Box) or len(space.shape) != 2:
        return env
    if not id.startswith(BOARDS):
        return FlattenObservation(env)
    shape = (*space.shape, 1)
    return TransformObservation(
        ReshapeObservation(env, shape), lambda obs: obs.astype(np.uint8), Box(0, 1, shape, np.uint8)
    )
