"""Tasks of the DeepMind Control Suite."""

from collections.abc import Sequence

import gymnasium

from agent.envs import wrappers
from agent.errors import UserError

SHOWN = 240  # pixels of a picture that is not observed
INSTALL = "dm-control==1.0.50 mujoco==3.17.0 shimmy imageio"
ADAPTER = "shimmy.dm_control_compatibility"


def make(
    domain: str,
    task: str,
    size: int,
    action_repeat: int,
    pixels: bool = False,
    camera: int = 0,
    scale: Sequence[float] | None = None,
) -> gymnasium.Env:
    """Build a task with float32 state vectors (D,), divided by `scale`, or images (size, size, 3)
    from `camera` with `pixels`.

    UserError for an unknown task, a missing package, or pictures that cannot be drawn here.
    """
    if pixels:
        wrappers.prepare_rendering()
    suite, adapter = load_packages(pixels)
    domains = ", ".join(sorted(suite.TASKS_BY_DOMAIN))
    if domain not in suite.TASKS_BY_DOMAIN:
        raise UserError(f"the control suite has no domain {domain}; allowed: {domains}")
    tasks = suite.TASKS_BY_DOMAIN[domain]
    if task not in tasks:
        raise UserError(f"the domain {domain} has no task {task}; allowed: {', '.join(tasks)}")
    side = size if pixels else SHOWN
    env = adapter(
        suite.load(domain, task),
        render_mode="rgb_array" if pixels else None,
        render_kwargs={"height": side, "width": side, "camera_id": camera},
    )
    env = wrappers.standardise(env, size, action_repeat, pixels, flatten=not pixels)
    return wrappers.unit_spread(env, scale, f"{domain} {task} {action_repeat}")


def load_packages(pixels: bool):
    """Import dm_control and its Gymnasium adapter; UserError says what is missing."""
    what = "the control suite"
    try:
        suite = wrappers.load(what, "dm_control.suite", INSTALL)
        return suite, wrappers.load(what, ADAPTER, INSTALL).DmControlCompatibilityV0
    except UserError:
        raise
    except Exception as cause:
        if pixels:
            raise wrappers.rendering_error(cause) from cause
        raise UserError(
            f"{what} cannot be imported ({wrappers.one_line(cause)}): {INSTALL}"
        ) from cause
