"""Sweeps on a real Slurm, disturbed in every way that a cluster knows; every score must equal that
of a sweep left alone.

python benchmarks/slurm/trial.py                    # every scenario, each a line; about 15 minutes
python benchmarks/slurm/trial.py requeue drained
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cluster

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
from benchmarks.sweep_kills import TINY, scores  # noqa: E402

CPUS = 4
PATIENCE = 600.0  # seconds for anything that is waited for
SHORT = (*TINY, "run.steps=5000", "run.eval_every=1000", "run.checkpoint_every=500")
LONG = (*TINY, "run.steps=10_000", "run.eval_every=2500", "run.checkpoint_every=500")
TWO = ("run.seed=0,1",)
SMALL = ("hydra/launcher=slurm_cpu", "hydra.launcher.mem_gb=1")
STARTED: list[subprocess.Popen] = []
STAND_IN = Path(__file__).with_name("stand_in.py")


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


def push_aside(sweep: Sweep) -> None:
    """Let a job of the urgent partition take the whole node."""
    sweep.until_trained()
    slurm(
        *("sbatch", "--partition=urgent", f"--ntasks={CPUS}", "--output=/dev/null"),
        *("--wrap", "sleep 5"),
    )


def time_limit(folder: Path) -> Sweep:
    sweep = Sweep(
        *(folder, *LONG, *TWO, "hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=20")
    )
    return sweep


def requeue(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    for job in jobs("RUNNING"):
        slurm("scontrol", "requeue", job)
    return sweep


def preempted(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO, "hydra.launcher.partition=main")
    push_aside(sweep)
    return sweep


def preempted_with_grace(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO, "hydra.launcher.partition=graced")
    push_aside(sweep)
    return sweep


def sweep_killed(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    sweep.process.kill()
    sweep.end()
    sweep.start()
    sweep.until("Slurm has [12] of the jobs already")
    return sweep


def job_lost(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    slurm("scancel", "--signal=USR1", jobs("RUNNING")[0])  # kills submitit's process
    sweep.until("submitted again|under way: host")
    return sweep


def cancelled(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    slurm("scancel", jobs("RUNNING")[0])
    assert sweep.end() == 1 and "CANCELLED" in sweep.said()
    sweep.start()
    return sweep


def node_drained(folder: Path) -> Sweep:
    node(state="drain", reason="trial")
    try:
        sweep = Sweep(folder, *SHORT, *TWO)
        sweep.until("waiting: .*(DRAINED|ReqNodeNotAvail)")
    finally:
        node(state="resume")
    return sweep


def node_down(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    node(state="down", reason="trial")
    time.sleep(45)  # longer than KillWait: what ran there is gone
    node(state="resume")
    return sweep


def ctrl_c_while_pending(folder: Path) -> Sweep:
    node(state="drain", reason="trial")
    try:
        sweep = Sweep(folder, *SHORT, *TWO)
        sweep.until("jobs submitted")
        sweep.process.send_signal(signal.SIGINT)
        assert sweep.end() == 130 and "2 not started" in sweep.said()
        assert not jobs("PENDING")
    finally:
        node(state="resume")
    sweep.start()
    return sweep


def ctrl_c_twice(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO)
    sweep.until_trained()
    sweep.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    sweep.process.send_signal(signal.SIGINT)
    assert sweep.end() == 130
    wait(lambda: not jobs("PENDING,RUNNING,COMPLETING"))
    sweep.start()
    return sweep


def submit_only(folder: Path) -> Sweep:
    sweep = Sweep(folder, *SHORT, *TWO, "hydra.launcher.submit_only=true")
    assert sweep.end() == 0 and "2 not started" in sweep.said()
    sweep.until_trained()
    sweep.start()
    assert sweep.end() == 0 and "2 under way" in sweep.said()
    wait(lambda: not jobs("PENDING,RUNNING,COMPLETING"))
    sweep.start()
    return sweep


def without_gpus(folder: Path) -> Sweep:
    gpus = ("hydra/launcher=slurm",)
    refused = Sweep(folder / "refused", *SHORT, *TWO, launcher=gpus)
    assert refused.end() == 2
    assert "Invalid generic resource" in refused.said() and "slurm_cpu" in refused.said()
    large = Sweep(
        folder / "large", *SHORT, *TWO, "hydra.launcher.gpus_per_node=null", launcher=gpus
    )
    large.until("waiting: |Slurm refused the jobs: ")
    large.process.send_signal(signal.SIGINT)
    assert large.end() in (2, 130)
    return Sweep(folder, *SHORT, *TWO)


def many(folder: Path) -> Sweep:
    """1,002 runs, whose jobs a stand-in ends at once."""
    setup = f"exec {sys.executable} -S -E {STAND_IN} {folder / 'runs'}"
    options = (f"hydra.launcher.setup=['{setup}']", "hydra.launcher.mem_gb=0.1")
    sweep = Sweep(folder, *SHORT, "run.seed=range(1002)", *options)
    sweep.until("1002 jobs submitted; to cancel: scancel [0-9]+ [0-9]+")
    return sweep


PUT_BACK = ("requeue", "preempted", "preempted_with_grace", "node_down", "time_limit")
SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        *(requeue, preempted, preempted_with_grace, sweep_killed, job_lost, cancelled),
        *(node_drained, node_down, ctrl_c_while_pending, ctrl_c_twice, submit_only),
        *(without_gpus, time_limit, many),
    )
}


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
