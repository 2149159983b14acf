"""Whether the disk has room for a run, before it starts."""

import shutil
from pathlib import Path

from rich.filesize import decimal

from agent.errors import UserError

CHECKPOINTS = 3  # files at once, while one is written
COPIES = 3  # of the weights in a checkpoint: themselves and Adam's two moments


def check_room(folder: Path, replay: int, used: int, weights: int) -> None:
    """Raise UserError when the free space cannot hold the replay and the checkpoints, in bytes.

    `used` is what the replay of an interrupted run already takes of it.
    """
    needed = replay + CHECKPOINTS * COPIES * weights
    free = shutil.disk_usage(folder).free + used
    if needed > free:
        raise UserError(
            f"{folder}: the run needs {decimal(needed)} of disk ({decimal(replay)} for replay), "
            f"{decimal(free)} are free; lower recipe.capacity or change run.root"
        )
