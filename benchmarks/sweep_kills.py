"""Kill a sweep again and again, restart it, count the processes that the dead sweeps left, and
compare every score with those of a sweep that was left alone.

python benchmarks/sweep_kills.py --launcher local --kills 5
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path

import psutil
from rich.console import Console

ROOT = Path(__file__).parents[1]
MARK = "SWEEP_KILLS"  # environment variable that every process of a killed sweep inherits
END_SECONDS = 30.0  # for processes of a dead sweep to end by themselves
TINY = (
    *("size.latents=4", "size.classes=4", "size.deter=16", "size.hidden=12", "size.units=12"),
    *("size.depth=2", "recipe.batch_size=3", "recipe.length=8", "recipe.horizon=4"),
    *("recipe.prefill=50", "run.steps=300", "run.train_every=4", "run.log_every=20"),
    *("run.checkpoint_every=40", "run.eval_every=100", "run.eval_episodes=2"),
    *("run.device=cpu", "run.threads=1"),
)
GRID = (
    "latent=categorical,gaussian,binary",
    "task=cartpole,minigrid_empty_random_5x5",
    "run.seed=0,1",
)


def command(root: Path, launcher: str, *overrides: str) -> list[str]:
    """The sweep's command."""
    return [
        sys.executable,
        str(ROOT / "run.py"),
        "-m",
        f"hydra/launcher={launcher}",
        f"run.root={root}",
        *overrides,
    ]


def storm(sweep: list[str], kills: int, longest: float, rng: random.Random) -> list[str]:
    """Start a sweep and kill -9 it after at most `longest` seconds, `kills` times over; returns the
    command lines of the processes that are left half a minute later."""
    mark = uuid.uuid4().hex
    for _ in range(kills):
        process = subprocess.Popen(
            sweep,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, MARK: mark},
        )
        time.sleep(rng.uniform(1.0, longest))
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + END_SECONDS
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def marked(mark: str) -> list[str]:
    """The command lines of the processes that inherited a mark."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                found.append(" ".join(process.cmdline()))
    return found


def scores(root: Path) -> dict[str, str]:
    """Every run's scores.csv, by its folder below the root."""
    return {
        str(file.parent.relative_to(root)): file.read_text() for file in root.rglob("scores.csv")
    }


def main() -> int:
    """Print what happened; exit status 1 where a score differs or a run is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--launcher", default="local", choices=["local", "basic"])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        killed, unbroken = Path(folder) / "killed", Path(folder) / "unbroken"
        started = time.monotonic()
        whole = subprocess.run(
            command(unbroken, given.launcher, *TINY, *GRID), capture_output=True, text=True
        )
        console.print(
            f"left alone: exit status {whole.returncode} after {time.monotonic() - started:.0f} s"
        )
        started = time.monotonic()
        sweep = command(killed, given.launcher, *TINY, *GRID)
        left = storm(sweep, given.kills, given.longest, random.Random(given.seed))
        console.print(f"{given.kills} kills: {len(left)} processes left", *left, sep="\n  ")
        last = subprocess.run(sweep, capture_output=True, text=True)
        seconds = time.monotonic() - started
        console.print(f"last exit status {last.returncode} after {seconds:.0f} s")
        console.print(last.stdout)
        same = scores(killed) == scores(unbroken)
        console.print(f"{len(scores(killed))} runs, scores {'equal' if same else 'DIFFER'}")
        return 0 if same and not left and last.returncode == whole.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
