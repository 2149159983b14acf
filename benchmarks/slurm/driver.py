"""A sweep on Slurm as a process of its own, and Slurm's commands."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0  # seconds for anything that is waited for
SMALL = ("hydra/launcher=slurm_cpu", "hydra.launcher.mem_gb=1")
STARTED: list[subprocess.Popen] = []


class Sweep:
    """A sweep's process, its output, and the scores that it is to end with."""

    def __init__(self, folder: Path, *overrides: str, launcher: tuple[str, ...] = SMALL):
        self.root = folder / "runs"
        self.output = folder / "output.txt"
        self.command = [
            *(sys.executable, str(ROOT / "run.py"), "-m"),
            *(*launcher, f"run.root={self.root}", *overrides),
        ]
        folder.mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, cwd=ROOT)
        STARTED.append(self.process)

    def until(self, words: str) -> None:
        """Wait until the output holds a regular expression."""
        wait(lambda: re.search(words, self.said()) or self.process.poll() is not None)
        if not re.search(words, self.said()):
            raise AssertionError(f"no {words!r} in:\n{self.said()}")

    def until_trained(self, runs: int = 2) -> None:
        """Wait until so many runs have a checkpoint."""
        wait(lambda: len(list(self.root.rglob("checkpoint.pt"))) >= runs)

    def end(self) -> int:
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        return self.output.read_text()


def wait(condition: Callable[[], object]) -> None:
    """Wait for a condition; AssertionError after ten minutes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.5)


def slurm(*command: str) -> str:
    """The output of one of Slurm's commands."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def jobs(state: str = "all") -> list[str]:
    """Ids of the jobs in a state."""
    listed = slurm("squeue", "--noheader", "--array", f"--states={state}", "--format=%i %P")
    return [line.split()[0] for line in listed.splitlines()]


def restarts(sweep: Sweep) -> int:
    """How often Slurm put jobs of a sweep back."""
    found = 0
    for number in " ".join(re.findall(r"scancel ([\d ]+)", sweep.said())).split():
        shown = slurm("scontrol", "show", "job", number)
        found += sum(map(int, re.findall(r"Restarts=(\d+)", shown)))
    return found


def node(**settings: str) -> None:
    """Set fields of the only node."""
    name = slurm("sinfo", "--noheader", "--format=%n").split()[0]
    fields = [f"{key}={value}" for key, value in settings.items()]
    slurm("scontrol", "update", f"nodename={name}", *fields)
