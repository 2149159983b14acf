"""Any Gymnasium environment by its id."""

import importlib
import warnings
from collections.abc import Mapping, Sequence

import gymnasium
from gymnasium import error

from agent.envs.bsuite import boards_and_vectors
from agent.envs.minigrid import binary_planes
from agent.envs.spread import unit_spread
from agent.envs.wrappers import one_line, prepare_rendering, rendering_error, standardise
from agent.errors import UserError

# Environments of other packages register themselves when their module is imported; `module:Id`
# names any other one.
PROVIDERS = {
    "ALE/": ("ale_py", "ale-py"),
    "MiniGrid-": ("minigrid", "minigrid"),
    "bsuite/": ("shimmy", "shimmy bsuite"),
    "popgym-": ("popgym", "popgym"),
}


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
