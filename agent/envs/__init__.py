"""Environments: every source ends as one `gymnasium.Env` with the spaces of `agent.spaces`."""

from typing import Any, Protocol

import gymnasium


class Maker(Protocol):
    """What `task.env._target_` names. It takes the keys of `task.env`."""

    def __call__(self, *, size: int, **arguments: Any) -> gymnasium.Env:
        """Make an environment whose images have sides of `size` pixels, or raise UserError."""
