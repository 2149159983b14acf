"""Bring any Gymnasium environment to the spaces that the agent takes."""

import copy
import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any, TypeGuard

import gymnasium
import numpy as np
from gymnasium import wrappers
from gymnasium.spaces import (
    Box,
    Dict,
    Discrete,
    MultiBinary,
    MultiDiscrete,
    Space,
    Tuple,
    flatdim,
)

from agent.errors import UserError
from agent.spaces import action_kind, observation_kind

# of MuJoCo, each with its apt packages
MUJOCO_BACKENDS = {"egl": "libegl1 libgl1-mesa-dri", "osmesa": "libosmesa6", "glfw": "libglfw3"}
WHOLE = "biu"  # kinds of NumPy's whole numbers
MEASURED = 1_000  # observations of random play that measure a scale which no YAML gives
FARTHEST = 10.0  # units from zero that random play goes at most

_scales: dict[str, list[float]] = {}  # by environment; measured once a process


class Checker(gymnasium.Wrapper):
    """Copies each observation, which an environment may reuse, and checks what is returned.

    UserError for an observation of another shape than its space, for whole numbers that are none or
    are out of bounds, and for a reward that is not one number.
    """

    def reset(self, **options: Any):
        result = self.env.reset(**options)
        if not isinstance(result, tuple) or len(result) != 2:
            raise UserError("the environment's reset must return an observation and a dict of info")
        return self._copy(result[0]), result[1]

    def step(self, action: Any):
        observation, reward, terminated, truncated, info = self.env.step(action)
        if np.shape(reward):
            raise UserError(
                f"the environment's reward has shape {np.shape(reward)}, not one number"
            )
        return self._copy(observation), float(reward), bool(terminated), bool(truncated), info

    def close(self):
        try:
            super().close()
        except Exception as error:  # how it closes says nothing about how it played
            print(f"{self.env.unwrapped} cannot be closed: {one_line(error)}", file=sys.stderr)

    def _copy(self, observation: Any):
        space = self.observation_space
        if not isinstance(space, Box):
            return observation
        found = np.array(observation)
        fits = found.shape == space.shape
        if fits and space.dtype.kind in WHOLE:
            fits = found.dtype.kind in WHOLE and np.all(
                (space.low <= found) & (found <= space.high)
            )
        if not fits:
            given = f"{found.dtype} {found.shape} from {found.min()} to {found.max()}"
            raise UserError(f"the environment observes {given}; its space is {one_line(space)}")
        return found


class ActionRepeat(gymnasium.Wrapper):
    """Repeats each action up to the episode's end: the rewards' sum, the last observation."""

    def __init__(self, env: gymnasium.Env, times: int):
        super().__init__(env)
        self.times = times

    def step(self, action: Any):
        obs, reward, terminated, truncated, info = self.env.step(action)
        total = np.asarray(reward, float)  # of any shape, which is checked after
        for _ in range(1, self.times):
            if terminated or truncated:
                break
            obs, reward, terminated, truncated, info = self.env.step(action)
            total = total + np.asarray(reward, float)
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
    if action_repeat > 1:  # of which only the last frame is drawn
        env = ActionRepeat(env, action_repeat)
    if pixels:
        try:
            env = wrappers.AddRenderObservation(env, render_only=True)  # draws one at once
        except Exception as error:
            raise rendering_error(error) from error
    env = Checker(env)
    env = standardise_action(standardise_observation(env, size, flatten))
    kind = action_kind(env.action_space)
    if actions not in (None, kind):
        other = {"discrete": "gym", "continuous": "gym_continuous"}[kind]
        raise UserError(
            f"the environment's actions are {kind}, the task's are {actions}: use task={other}"
        )
    return env


def standardise_observation(env: gymnasium.Env, size: int, flatten: bool) -> gymnasium.Env:
    """Images become uint8 (size, size, C) by area resize, grids uint8 (H, W, C), the rest float32
    vectors (D,), discrete parts one-hot."""
    if flatten or isinstance(env.observation_space, Discrete | MultiDiscrete | MultiBinary):
        env = wrappers.FlattenObservation(env)
    space = env.observation_space
    if is_image(space):
        if len(space.shape) == 2:
            env = wrappers.ReshapeObservation(env, (*space.shape, 1))
        fits = space.shape[:2] == (size, size)
        return env if fits else wrappers.ResizeObservation(env, (size, size))
    if is_grid(space):
        grid = Box(0, 1, space.shape, np.uint8)
        return wrappers.TransformObservation(env, lambda obs: obs.astype(np.uint8), grid)
    if isinstance(space, Box) and len(space.shape) == 1:
        vector = Box(space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32)
        return wrappers.TransformObservation(env, lambda obs: obs.astype(np.float32), vector)
    composite = isinstance(space, Box | Dict | Tuple)
    hint = "; task.env.flatten=true makes it a vector" if composite else ""
    raise UserError(
        f"observation space {one_line(space)} is not supported; allowed: uint8 images HxW or "
        f"HxWxC, HxWxC grids of 0 and 1, vectors, Discrete, MultiDiscrete, MultiBinary{hint}"
    )


def is_image(space: Space) -> TypeGuard[Box]:
    """Whether a space holds uint8 pictures of 0..255, (H, W) or (H, W, C) of up to 4 channels."""
    if not isinstance(space, Box) or space.dtype != np.uint8 or space.high.min() != 255:
        return False
    return len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[-1] <= 4)


def is_grid(space: Space) -> TypeGuard[Box]:
    """Whether a space holds (H, W, C) planes of 0 and 1 (bool or integer)."""
    if not isinstance(space, Box) or len(space.shape) != 3 or space.dtype.kind not in WHOLE:
        return False
    return bool(space.low.min() == 0 and space.high.max() == 1)


def standardise_action(env: gymnasium.Env) -> gymnasium.Env:
    """Discrete actions count from 0, continuous ones are float32 in [-1, 1]; or UserError."""
    space = env.action_space
    if isinstance(space, Discrete):
        return wrappers.TransformAction(env, lambda action: action + space.start, Discrete(space.n))
    refused = f"action space {one_line(space)} is not supported"
    if not isinstance(space, Box) or len(space.shape) != 1:
        raise UserError(f"{refused}; allowed: Discrete, Box of shape (n,)")
    if space.dtype.kind in WHOLE:
        raise UserError(f"{refused}: a Box of whole numbers; allowed: Discrete, Box of floats")
    if not (space.is_bounded() and np.all(space.low < space.high)):
        raise UserError(f"{refused}: its bounds must be finite and apart")
    one = np.ones(space.shape, space.dtype)
    env = wrappers.RescaleAction(env, -one, one)
    env.action_space = Box(-1.0, 1.0, space.shape, np.float32)
    return env


def unit_spread(env: gymnasium.Env, scale: Sequence[float] | None, name: str) -> gymnasium.Env:
    """Divide each number of a vector (D,) by its `scale`, its spread under random play, so that no
    unit of measurement weighs one number against another. Images and grids stay as they are.

    Without a `scale` it is measured from fixed seeds: it depends on the environment `name` alone.
    `observation_scale` of what is returned holds it. UserError for a scale that does not fit.
    """
    if observation_kind(env.observation_space) != "vector":
        return env
    if scale is None:
        if name not in _scales:
            _scales[name] = spread(random_play(env, MEASURED))
        scale = _scales[name]
    space, size = env.observation_space, flatdim(env.observation_space)
    assert isinstance(space, Box)
    if len(scale) != size or not all(isinstance(x, int | float) and 0 < x < np.inf for x in scale):
        raise UserError(
            f"task.env.scale={one_line(scale)} must hold {size} numbers greater than zero, "
            "one for each of the observation; null measures them"
        )
    divisor = np.array(list(scale), np.float32)
    bounds = Box(space.low / divisor, space.high / divisor, dtype=np.float32)
    env = wrappers.TransformObservation(env, lambda obs: obs / divisor, bounds)
    env.observation_scale = [  # pyrefly: ignore[missing-attribute]
        float(number) for number in scale
    ]
    return env


def spread(observations: np.ndarray) -> list[float]:
    """The scale, of three digits, of observations (N, D): each number's standard deviation, at
    least a tenth of its largest magnitude; 1 for bits and for what is always 0."""
    if not np.isfinite(observations).all():
        raise UserError("the environment's observations are not finite under random play")
    bits = np.isin(observations, (0, 1)).all(0)
    farthest = np.abs(observations).max(0) / FARTHEST
    scale = np.where(bits, 1.0, np.maximum(observations.std(0), farthest))
    return [float(f"{number:.3g}") for number in scale]


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


def prepare_rendering() -> None:
    """Choose headless drawing before a simulator is imported; UserError for a bad MUJOCO_GL."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")
    backend = os.environ.get("MUJOCO_GL", "glfw").lower()
    if backend not in MUJOCO_BACKENDS:
        raise UserError(f"MUJOCO_GL={backend} is not known; allowed: {', '.join(MUJOCO_BACKENDS)}")


def rendering_error(error: Exception) -> UserError:
    """The one-line error for pictures that cannot be drawn here, with the packages to install."""
    backend = os.environ.get("MUJOCO_GL", "glfw").lower()
    ways = {name: f"MUJOCO_GL={name} (apt install {of})" for name, of in MUJOCO_BACKENDS.items()}
    return UserError(
        f"task.env.pixels=true cannot draw with {ways[backend]}: {one_line(error)}; "
        f"headless machines draw with {ways['egl']}, {ways['osmesa']}"
    )


def load(what: str, module: str, packages: str) -> ModuleType:
    """Import the module that `what` needs; UserError says which packages to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that look for a display
            importlib.import_module(module.split(".")[0])
            return importlib.import_module(module)
    except ModuleNotFoundError as cause:
        raise UserError(f"{what} misses the module {cause.name}: pip install {packages}") from cause


def one_line(value: object) -> str:
    """The text of a space, or an error's kind and text, on one line of at most 200 characters."""
    kind = f"{type(value).__name__}: " if isinstance(value, Exception) else ""
    text = " ".join(f"{kind}{value}".split())
    return text if len(text) <= 200 else f"{text[:200]}..."
