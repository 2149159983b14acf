"""Bring any Gymnasium environment to the spaces that the agent takes."""

import copy
import os
from collections.abc import Sequence

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from gymnasium.wrappers import (
    AddRenderObservation,
    FlattenObservation,
    RescaleAction,
    ReshapeObservation,
    ResizeObservation,
    TransformAction,
    TransformObservation,
)

from agent.errors import UserError
from agent.spaces import action_kind, observation_kind

MUJOCO_BACKENDS = {
    "egl": "libegl1 libgl1-mesa-dri",
    "osmesa": "libosmesa6",
    "glfw": "libglfw3",
}  # apt packages

STEPS = 1_000  # observations of random play that measure a scale which no YAML gives
FARTHEST = 10.0  # units from zero that random play goes at most

_measured: dict[str, np.ndarray] = {}  # scales by environment; measured once a process


class ActionRepeat(gymnasium.Wrapper):
    """Repeat each action, sum the rewards, stop at the episode's end; the last observation is
    returned."""

    def __init__(self, env: gymnasium.Env, times: int):
        super().__init__(env)
        self.times = times

    def step(self, action):
        total = 0.0
        for _ in range(self.times):
            obs, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        return obs, total, terminated, truncated, info


def standardise(
    env: gymnasium.Env,
    size: int,
    action_repeat: int = 1,
    pixels: bool = False,
    flatten: bool = False,
    actions: str | None = None,
) -> gymnasium.Env:
    """Give `env` the spaces of `agent.spaces`.

    `size` is the side of an image in pixels; `pixels` observes the rendered picture, `flatten` puts
    every part of a composite observation into one vector, `actions` is the kind of action that the
    task promises. UserError where a space is not supported or the actions are of the other kind.
    """
    if action_repeat < 1:
        raise UserError(f"task.action_repeat={action_repeat} must be at least 1")
    if action_repeat > 1:
        env = ActionRepeat(env, action_repeat)
    if pixels:
        env = observe_pixels(env)
    env = standardise_observation(env, size, flatten)
    env = standardise_action(env)
    check_actions(env, actions)
    return env


def standardise_observation(env: gymnasium.Env, size: int, flatten: bool = False) -> gymnasium.Env:
    """Images become uint8 (size, size, C) by area resize, grids uint8 (H, W, C), the rest float32
    vectors (D,), discrete parts one-hot."""
    if flatten or isinstance(env.observation_space, Discrete | MultiDiscrete | MultiBinary):
        env = FlattenObservation(env)
    space = env.observation_space
    if is_image(space):
        if len(space.shape) == 2:
            env = ReshapeObservation(env, (*space.shape, 1))
        return env if space.shape[:2] == (size, size) else ResizeObservation(env, (size, size))
    if is_grid(space):
        return TransformObservation(
            env, lambda obs: obs.astype(np.uint8), Box(0, 1, space.shape, np.uint8)
        )
    if isinstance(space, Box) and len(space.shape) == 1:
        bounds = space.low.astype(np.float32), space.high.astype(np.float32)
        return TransformObservation(
            env, lambda obs: np.asarray(obs, np.float32), Box(*bounds, dtype=np.float32)
        )
    hint = (
        "; task.env.flatten=true makes it a vector" if isinstance(space, Box | Dict | Tuple) else ""
    )
    raise UserError(
        f"observation space {one_line(space)} is not supported; allowed: uint8 images HxW or "
        f"HxWxC, HxWxC grids of 0 and 1, vectors, Discrete, MultiDiscrete, MultiBinary{hint}"
    )


def is_image(space: Space) -> bool:
    """Whether a space holds uint8 pictures of 0..255, (H, W) or (H, W, C) with at most four
    channels."""
    if not isinstance(space, Box) or space.dtype != np.uint8 or space.high.min() != 255:
        return False
    return len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[-1] <= 4)


def is_grid(space: Space) -> bool:
    """Whether a space holds (H, W, C) planes of 0 and 1 (bool or integer)."""
    if not isinstance(space, Box) or len(space.shape) != 3 or space.dtype.kind not in "biu":
        return False
    return bool(space.low.min() == 0 and space.high.max() == 1)


def standardise_action(env: gymnasium.Env) -> gymnasium.Env:
    """Discrete actions count from 0, continuous ones are float32 in [-1, 1]; UserError for other
    action spaces."""
    space = env.action_space
    if isinstance(space, Discrete):
        return (
            env
            if space.start == 0
            else TransformAction(env, lambda a: a + space.start, Discrete(space.n))
        )
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise UserError(
            f"action space {one_line(space)} is not supported; allowed: Discrete, Box of shape (n,)"
        )
    if not (space.is_bounded() and np.all(space.low < space.high)):
        raise UserError(
            f"action space {one_line(space)} is not supported: its bounds must be finite and apart"
        )
    one = np.ones(space.shape, space.dtype)
    env = RescaleAction(env, -one, one)
    env.action_space = Box(-1.0, 1.0, space.shape, np.float32)
    return env


def check_actions(env: gymnasium.Env, promised: str | None) -> None:
    """Compare the environment's kind of action with the one that the task promises; UserError where
    they differ."""
    if promised not in (None, "discrete", "continuous"):
        raise UserError(f"task.actions={promised} is not known; allowed: discrete, continuous")
    found = action_kind(env.action_space)
    if promised not in (None, found):
        option = {"discrete": "gym", "continuous": "gym_continuous"}[found]
        raise UserError(
            f"the environment's actions are {found}, the task's are {promised}: use task={option}"
        )


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


def prepare_rendering() -> None:
    """Choose headless drawing before a simulator is imported; UserError for an unknown
    MUJOCO_GL."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    backend = os.environ.get("MUJOCO_GL", "glfw").lower()
    if backend not in MUJOCO_BACKENDS:
        raise UserError(f"MUJOCO_GL={backend} is not known; allowed: {', '.join(MUJOCO_BACKENDS)}")


def rendering_error(error: Exception) -> UserError:
    """The one-line error for pictures that cannot be drawn here, with the packages to install."""
    backend = os.environ.get("MUJOCO_GL", "glfw").lower()
    others = ", ".join(
        f"MUJOCO_GL={name} (apt install {MUJOCO_BACKENDS[name]})" for name in ("egl", "osmesa")
    )
    return UserError(
        f"task.env.pixels=true cannot draw with MUJOCO_GL={backend} "
        f"(apt install {MUJOCO_BACKENDS[backend]}): "
        f"{one_line(error)}; headless machines draw with {others}"
    )


def observe_pixels(env: gymnasium.Env) -> gymnasium.Env:
    """Observe the rendered picture (H, W, 3) instead of the state; draws one at once, UserError
    where it cannot."""
    try:
        return AddRenderObservation(env, render_only=True)
    except Exception as error:
        raise rendering_error(error) from error


def one_line(value: object) -> str:
    """The text of a space or an error on one line of at most 200 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:200]}..."
