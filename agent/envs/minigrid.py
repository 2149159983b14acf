"""MiniGrid: the agent's 7x7 view as binary planes."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TransformObservation


def binary_planes(env: gymnasium.Env) -> gymnasium.Env:
    """Observe a MiniGrid environment as uint8 grids (7, 7, 20) of 0 and 1.

    The 20 planes are 11 object types, 6 colours and 3 door states. The view turns with the agent,
    so its compass direction is left out, as is the mission text: the mission must be the same in
    every episode.
    """
    from minigrid.wrappers import ImgObsWrapper, OneHotPartialObsWrapper

    env = ImgObsWrapper(OneHotPartialObsWrapper(env))
    return TransformObservation(
        env, lambda obs: obs, Box(0, 1, env.observation_space.shape, np.uint8)
    )
