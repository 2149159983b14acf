"""What a W&B agent starts for a sweep over arms: run.py, with `arm=NAME` written out as the arm's
overrides."""

import os
import sys

from sweeps.job import PROGRAM
from sweeps.wandb_grids import ARM, overrides


def command(arguments: list[str]) -> list[str]:
    """The command line of run.py for the agent's arguments `key=value`."""
    expanded = [
        overrides(ARM, a.removeprefix(f"{ARM}=")) if a.startswith(f"{ARM}=") else [a]
        for a in arguments
    ]
    return [sys.executable, str(PROGRAM), *(override for part in expanded for override in part)]


if __name__ == "__main__":
    run = command(sys.argv[1:])
    os.execv(run[0], run)
