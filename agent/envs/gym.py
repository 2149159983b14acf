"""Any Gymnasium environment by its id."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import error
from gymnasium.spaces import Box
from gymnasium.wrappers import FlattenObservation, ReshapeObservation, TransformObservation

from agent.envs import wrappers
from agent.errors import UserError

GRIDS = ("MiniGrid-", "BabyAI-")
# Environments of other packages register themselves when their module is imported; `module:Id`
# names any other one.
PROVIDERS = {
    "ALE/": ("ale_py", "ale-py"),
    GRIDS: ("minigrid", "minigrid"),
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
) -> gymnasium.Env:
    """Build the environment `id` with the spaces of `agent.spaces`; `kwargs` go to the environment
    itself, `scale` divides the numbers of a vector.

    UserError where the id is not known, a package is missing, or a space is not supported.
    """
    rendered = pixels and not id.startswith((*GRIDS, *BOARDS))
    env = create(id, rendered, kwargs or {})
    if id.startswith(GRIDS) and not flatten:
        env = view(env, size, pixels)
    if id.startswith("bsuite/") and not (rendered or flatten):
        env = boards_and_vectors(env, id, pixels)
    env = wrappers.standardise(env, size, action_repeat, rendered, flatten, actions)
    return wrappers.unit_spread(env, scale, f"{id} {kwargs} {action_repeat} {flatten}")


def create(id: str, pixels: bool, kwargs: Mapping) -> gymnasium.Env:
    """`gymnasium.make` with errors of one line."""
    if pixels:
        wrappers.prepare_rendering()
    for prefix, (module, packages) in PROVIDERS.items():
        if id.startswith(prefix):
            wrappers.load(id, module, packages)
    drawn: dict[str, Any] = {"render_mode": "rgb_array"} if pixels else {}
    try:
        return gymnasium.make(id, disable_env_checker=True, **drawn, **kwargs)
    except (error.DependencyNotInstalled, ModuleNotFoundError) as cause:
        missing = f"{id} misses a package: {wrappers.one_line(cause)}; pip install what has it"
        raise UserError(missing) from cause
    except Exception as cause:  # of any kind: constructors are other people's
        if pixels and not isinstance(cause, error.Error | ImportError | TypeError):
            raise wrappers.rendering_error(cause) from cause
        raise UserError(f"cannot make environment {id}: {wrappers.one_line(cause)}") from cause


def view(env: gymnasium.Env, size: int, pixels: bool) -> gymnasium.Env:
    """Observe the 7x7 view of a MiniGrid agent as uint8 grids (7, 7, 20) of 0 and 1, or drawn.

    The 20 planes are 11 object types, 6 colours and 3 door states. The view turns with the agent,
    so its compass direction is left out, as is the mission: no task may need its text.
    """
    from minigrid.wrappers import ImgObsWrapper, OneHotPartialObsWrapper, RGBImgPartialObsWrapper

    if pixels:
        return ImgObsWrapper(RGBImgPartialObsWrapper(env, tile_size=size // 7))
    env = ImgObsWrapper(OneHotPartialObsWrapper(env))
    env.observation_space = Box(0, 1, env.observation_space.shape, np.uint8)
    return env


def boards_and_vectors(env: gymnasium.Env, id: str, pixels: bool) -> gymnasium.Env:
    """Observe a board of 0 and 1 as uint8 grid (H, W, 1), or as a picture of 0 and 255; other
    numbers (H, W) as one vector."""
    space = env.observation_space
    if not isinstance(space, Box) or len(space.shape) != 2:
        return env
    if not id.startswith(BOARDS):
        return FlattenObservation(env)
    one = 255 if pixels else 1
    board = Box(0, one, (*space.shape, 1), np.uint8)
    env = ReshapeObservation(env, board.shape)
    return TransformObservation(env, lambda obs: (one * obs).astype(np.uint8), board)
