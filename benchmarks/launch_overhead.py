"""Seconds that a sweep spends on a run beside its training: processes, imports, composing,
files."""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sweep_kills import TINY, command

RUNS = 6


def main() -> int:
    """Print wall and processor seconds per run of a sequential sweep of runs that hardly train."""
    with tempfile.TemporaryDirectory() as folder:
        sweep = command(Path(folder), "basic", *TINY, "run.steps=60", f"run.seed=range({RUNS})")
        before, started = _processor_seconds(), time.monotonic()
        subprocess.run(sweep, check=True, stdout=subprocess.DEVNULL)
        elapsed, used = time.monotonic() - started, _processor_seconds() - before
        training = sum(
            json.loads(file.read_text())["wall_seconds"] for file in Path(folder).rglob("run.json")
        )
        started = time.monotonic()
        subprocess.run(sweep, check=True, stdout=subprocess.DEVNULL)
        again = time.monotonic() - started
    beside, processor = (elapsed - training) / RUNS, used / RUNS
    print(f"{beside:.2f} s per run beside training, {processor:.2f} s of processor time")
    print(f"{again:.2f} s for the same command when all {RUNS} runs are done")
    return 0


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
