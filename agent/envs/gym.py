"""Any Gymnasium environment by its id."""

import importlib
import warnings
from collections.abc import Mapping, Sequence

import gymnasium
import numpy as np
from gymnasium import error
from gymnasium.spaces import Box
from gymnasium.wrappers import FlattenObservation, ReshapeObservation, TransformObservation

from agent.envs.wrappers import (
    one_line,
    prepare_rendering,
    rendering_error,
    standardise,
    unit_spread,
)
from agent.errors import UserError

# Environments of other packages register themselves when their module is imported; `module:Id`
# names any other one.
PROVIDERS = {
    "ALE/": ("ale_py", "ale-py"),
    "MiniGrid-": ("minigrid", "minigrid"),
    "bsuite/": ("shimmy", "shimmy bsuite"),
    "popgym-": ("popgym", "popgym"),
}
BOARDS = ("bsuite/catch", "bsuite/deep_sea")  # of 0 and 1


def make(
    id: str,
    size: int,
    actions: str | None = None,
    action_repeat: int = 1,
    pixels: bool = False,
    flatten: bool = False,
    kwargs: Mapping | None = None,
    scale: Sequence[float] | None = None,
    render: bool = False,
) -> gymnasium.Env:
    """Build the environment `id` with the spaces of `agent.spaces`; `kwargs` go to the environment
    itself, `scale` divides the numbers of a vector, `render` lets it draw pictures that are not
    observed.

    UserError where the id is not known, a package is missing, or a space is not supported.
    """
    env = create(id, pixels or render, kwargs or {})
    if id.startswith("MiniGrid-") and not (pixels or flatten):
        env = binary_planes(env)
    if id.startswith("bsuite/") and not (pixels or flatten):
        env = boards_and_vectors(env, id)
    env = standardise(env, size, action_repeat, pixels, flatten, actions)
    return unit_spread(env, scale, f"{id} {kwargs} {action_repeat} {flatten}")


def create(id: str, pixels: bool, kwargs: Mapping) -> gymnasium.Env:
    """`gymnasium.make` with errors of one line."""
    if pixels:
        prepare_rendering()
    for prefix, (module, package) in PROVIDERS.items():
        if id.startswith(prefix):
            import_provider(id, module, package)
    try:
        drawn = {"render_mode": "rgb_array"} if pixels else {}
        return gymnasium.make(id, disable_env_checker=True, **drawn, **kwargs)
    except error.DependencyNotInstalled as cause:
        raise UserError(f"{id} misses a package: {one_line(cause)}") from cause
    except ModuleNotFoundError as cause:
        raise UserError(
            f"{id} misses a module: {one_line(cause)}; pip install the package that has it"
        ) from cause
    except (error.Error, ImportError, TypeError) as cause:
        raise UserError(f"cannot make environment {id}: {one_line(cause)}") from cause
    except Exception as cause:
        if pixels:
            raise rendering_error(cause) from cause
        raise


def import_provider(id: str, module: str, package: str) -> None:
    """Import the module that registers `id`; UserError says what to install."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that look for a display
            importlib.import_module(module)
    except ModuleNotFoundError as cause:
        raise UserError(f"{id} misses the module {cause.name}: pip install {package}") from cause


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
