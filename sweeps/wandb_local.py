"""Run a W&B sweep file without any server: python -m sweeps.wandb_local sweeps/wandb/latent.yaml
run.root=runs"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sweeps.job import PROGRAM


def command(file: str, overrides: Sequence[str]) -> list[str]:
    """The multirun that expands and runs a W&B sweep file."""
    quoted = str(Path(file).resolve()).replace("'", "\\'")
    return [sys.executable, str(PROGRAM), "-m", f"hydra.sweeper.grid='{quoted}'", *overrides]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m sweeps.wandb_local", description=__doc__)
    parser.add_argument("file", help="a W&B sweep file of method grid")
    parser.add_argument("overrides", nargs="*", help="as for run.py; they apply to every run")
    given = parser.parse_args()
    sweep = command(given.file, given.overrides)
    os.execv(sweep[0], sweep)
