"""Tasks of the DeepMind Control Suite."""

import warnings
from collections.abc import Sequence

import gymnasium

from agent.envs.wrappers import (
    one_line,
    prepare_rendering,
    rendering_error,
    standardise,
    unit_spread,
)
from agent.errors import UserError

WATCHED_SIDE = 240  # pixels of a picture that is not observed
INSTALL = "pip install dm-control==1.0.50 mujoco==3.17.0 shimmy imageio"


def make(
    domain: str,
    task: str,
    size: int,
    action_repeat: int,
    pixels: bool = False,
    camera: int = 0,
    scale: Sequence[float] | None = None,
    render: bool = False,
) -> gymnasium.Env:
    """Build a task with float32 state vectors (D,), divided by `scale`, or images (size, size, 3)
    from `camera` with `pixels`; `render` lets it draw pictures that are not observed.

    UserError for an unknown task, a missing package, or pictures that cannot be drawn here.
    """
    draws = pixels or render
    if draws:
        prepare_rendering()
    suite, adapter = load_packages(draws)
    tasks = suite.TASKS_BY_DOMAIN
    if domain not in tasks:
        raise UserError(
            f"the control suite has no domain {domain}; allowed: {', '.join(sorted(tasks))}"
        )
    if task not in tasks[domain]:
        raise UserError(
            f"the domain {domain} has no task {task}; allowed: {', '.join(tasks[domain])}"
        )
    side = size if pixels else WATCHED_SIDE
    env = adapter(
        suite.load(domain, task),
        render_mode="rgb_array" if draws else None,
        render_kwargs={"height": side, "width": side, "camera_id": camera},
    )
    env = standardise(env, size, action_repeat, pixels, flatten=not pixels)
    return unit_spread(env, scale, f"{domain} {task} {action_repeat}")


def load_packages(pixels: bool):
    """Import dm_control and its Gymnasium adapter; UserError says what is missing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of GLFW, which looks for a display that state vectors do not need
            from dm_control import suite
            from shimmy.dm_control_compatibility import DmControlCompatibilityV0
    except ModuleNotFoundError as cause:
        raise UserError(f"the control suite misses the module {cause.name}: {INSTALL}") from cause
    except Exception as cause:
        if pixels:
            raise rendering_error(cause) from cause
        raise UserError(
            f"the control suite cannot be imported ({one_line(cause)}): {INSTALL}"
        ) from cause
    return suite, DmControlCompatibilityV0
