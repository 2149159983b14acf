"""What happens to sweeps on a cluster: each scenario starts a sweep in a folder, disturbs it, and
returns it to be waited for."""

import signal
import sys
import time
from pathlib import Path

from driver import ROOT, Sweep, jobs, node, slurm, wait

sys.path.insert(0, str(ROOT))
from benchmarks.sweep_kills import TINY  # noqa: E402

CPUS = 4
SHORT = (*TINY, "run.steps=5000", "run.eval_every=1000", "run.checkpoint_every=500")
LONG = (*TINY, "run.steps=16_000", "run.eval_every=4000", "run.checkpoint_every=500")
TWO = ("run.seed=0,1",)
STAND_IN = Path(__file__).with_name("stand_in.py")


def push_aside(sweep: Sweep) -> None:
    """Let a job of the urgent partition take the whole node."""
    sweep.until_trained()
    slurm(
        *("sbatch", "--partition=urgent", f"--ntasks={CPUS}", "--output=/dev/null"),
        *("--wrap", "sleep 5"),
    )


def time_limit(folder: Path) -> Sweep:
    limits = ("hydra.launcher.timeout_min=1", "hydra.launcher.signal_delay_s=20")
    return Sweep(folder, *LONG, *TWO, *limits, "run.stop_seconds=5")


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
        sweep.until("jobs submitted")
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
    large.until("jobs submitted|Slurm refused the jobs: ")
    submitted = "jobs submitted" in large.said()
    if submitted:  # they wait for ever; a sweep whose jobs are refused ends by itself
        large.process.send_signal(signal.SIGINT)
    assert large.end() == (130 if submitted else 2)
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
