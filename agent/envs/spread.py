"""Vectors in units of their spread under random play, so that no unit of measurement weighs one
number of an observation against another, or against the KL."""

import copy
from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from gymnasium.wrappers import TransformObservation

from agent.envs.wrappers import one_line
from agent.errors import UserError
from agent.spaces import observation_kind

STEPS = 1_000  # observations of random play that measure a scale which no YAML gives
FARTHEST = 10.0  # units from zero that random play goes at most

_measured: dict[str, np.ndarray] = {}  # scales by environment; measured once a process


def unit_spread(env: gymnasium.Env, scale: Sequence[float] | None, name: str) -> gymnasium.Env:
    """Divide each number of a vector (D,) by its `scale`; images and grids stay as they are.

    Without a `scale` it is that of `STEPS` observations of random play from fixed seeds, which
    depends on the environment `name` alone. UserError for a scale that does not fit.
    """
    if observation_kind(env.observation_space) != "vector":
        return env
    space = env.observation_space
    if scale is None:
        if name not in _measured:
            _measured[name] = spread(random_play(env, STEPS))
        scale = _measured[name]
    divisor = _checked(scale, space.shape[0])
    bounds = Box(space.low / divisor, space.high / divisor, dtype=np.float32)
    return TransformObservation(env, lambda obs: obs / divisor, bounds)


def spread(observations: np.ndarray) -> np.ndarray:
    """The scale (D,) of observations (N, D): each number's standard deviation, at least a tenth of
    its largest magnitude; 1 for bits and for what is always 0."""
    if not np.isfinite(observations).all():
        raise UserError("the environment's observations are not finite under random play")
    bits = np.isin(observations, (0, 1)).all(0)
    farthest = np.abs(observations).max(0) / FARTHEST
    return np.where(bits, 1.0, np.maximum(observations.std(0), farthest))


def random_play(env: gymnasium.Env, steps: int) -> np.ndarray:
    """Observations (steps, D) of uniform random actions; episode k is reset with seed k."""
    actions = copy.deepcopy(env.action_space)
    actions.seed(0)
    rows, episode, over = [], 0, True
    while len(rows) < steps:
        if over:
            observation, over = env.reset(seed=episode)[0], False
            episode += 1
        else:
            observation, _, terminated, truncated, _ = env.step(actions.sample())
            over = terminated or truncated
        rows.append(observation)
    return np.array(rows, np.float64)


def _checked(scale: Sequence[float], size: int) -> np.ndarray:
    """The scale as float32 (size,)."""
    try:
        divisor = np.array(list(scale), np.float32)
    except (TypeError, ValueError):
        divisor = np.zeros(0, np.float32)
    if divisor.shape != (size,) or not (np.isfinite(divisor) & (divisor > 0)).all():
        raise UserError(
            f"task.env.scale={one_line(scale)} must hold {size} numbers greater than zero, "
            "one for each of the observation; null measures them"
        )
    return divisor
