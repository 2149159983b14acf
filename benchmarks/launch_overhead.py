"""Seconds that a sweep spends on a run beside its training: processes, imports, composing,
files."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sweep_kills import TINY, command

RUNS = 6


def main() -> int:
    """Print wall seconds per run of a sequential sweep of runs that hardly train."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = command(Path(folder), "basic", *TINY, "run.steps=60", f"run.seed=range({RUNS})")
        started = time.monotonic()
        subprocess.run(sweep, check=True, stdout=subprocess.DEVNULL)
        elapsed = time.monotonic() - started
        training = sum(
            json.loads(file.read_text())["wall_seconds"] for file in Path(folder).rglob("run.json")
        )
        started = time.monotonic()
        subprocess.run(sweep, check=True, stdout=subprocess.DEVNULL)
        again = time.monotonic() - started
    print(f"{(elapsed - training) / RUNS:.2f} s per run beside training")
    print(f"{again:.2f} s for the same command when all {RUNS} runs are done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
