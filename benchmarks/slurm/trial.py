"""Sweeps on a real Slurm, disturbed in every way that a cluster knows; every score must equal that
of a sweep left alone.

python benchmarks/slurm/trial.py                    # every scenario, each a line; 15 to 30 minutes
python benchmarks/slurm/trial.py requeue node_drained
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import cluster
from driver import STARTED, Sweep, restarts
from scenarios import CPUS, LONG, PUT_BACK, SCENARIOS, SHORT, TWO

from benchmarks.sweep_kills import scores


@cache
def left_alone(folder: Path, size: tuple[str, ...]) -> dict[str, str]:
    """Scores of runs of a size without Slurm and without disturbance."""
    sweep = Sweep(folder / str(len(list(folder.iterdir()))), *size, *TWO, launcher=())
    assert sweep.end() == 0, sweep.said()
    return scores(sweep.root)


def tried(name: str, folder: Path) -> str:
    """One scenario's verdict."""
    started = time.monotonic()
    try:
        sweep = SCENARIOS[name](folder / name)
        code = sweep.end()
        found = scores(sweep.root)
        assert code == 0, f"exit status {code}:\n{sweep.said()}"
        assert name not in PUT_BACK or restarts(sweep), "Slurm put no job back"
        if name == "many":
            return f"ok, {sweep.said().strip().splitlines()[-1]}"
        expected = left_alone(folder, LONG if name == "time_limit" else SHORT)
        assert found == expected, "scores differ from those of a sweep left alone"
    except (AssertionError, subprocess.SubprocessError) as error:
        return f"FAILED after {time.monotonic() - started:.0f} s: {error}"
    last = sweep.said().strip().splitlines()[-1]
    return f"ok, scores equal, {time.monotonic() - started:.0f} s ({last})"


def main() -> int:
    """Print a line per scenario; exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("scenarios", nargs="*", help=f"of {', '.join(SCENARIOS)}; default: all")
    given = parser.parse_args()
    if unknown := sorted(set(given.scenarios) - set(SCENARIOS)):
        parser.error(f"unknown: {', '.join(unknown)}")
    failed = False
    with tempfile.TemporaryDirectory(prefix="slurm-trial-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            os.environ["SLURM_CONF"] = str(cluster.start(folder / "cluster", CPUS, 6000))
            for scenario in given.scenarios or SCENARIOS:
                verdict = tried(scenario, folder)
                failed |= not verdict.startswith("ok")
                print(f"{scenario}: {verdict}", flush=True)
        finally:
            for process in STARTED:
                process.kill()
            cluster.stop(folder / "cluster")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
