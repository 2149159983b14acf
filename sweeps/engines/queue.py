"""What Slurm's own commands say of this user's jobs; works without accounting."""

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.errors import UserError

ALIVE = (  # states of a job that waits, runs, or is about to run again
    *("PENDING", "RUNNING", "SUSPENDED", "COMPLETING", "CONFIGURING", "STAGE_OUT", "STOPPED"),
    *("SIGNALING", "RESIZING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT"),
    "RESV_DEL_HOLD",
)
USUAL = ("None", "Priority", "Resources", "JobArrayTaskLimit", "BeginTime", "Cleaning")  # to wait


@dataclass(frozen=True)
class Queued:
    """A job as squeue shows it: its state, and why it waits."""

    state: str
    reason: str

    @property
    def lives(self) -> bool:
        """Whether the job has not ended for good."""
        return self.state in ALIVE

    def __str__(self) -> str:
        return f"{self.state} ({self.reason})" if self.state == "PENDING" else self.state


def queue() -> dict[str, Queued] | None:
    """This user's jobs by id, one entry per task of an array, those that ended minutes ago too;
    None where the controller does not answer."""
    told = _run(
        *("squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}"),
        "--format=%i|%T|%r",
    )
    if told.returncode:
        return None
    rows = (line.split("|", 2) for line in told.stdout.splitlines() if line.count("|") == 2)
    return {job: Queued(state.strip(), reason.strip()) for job, state, reason in rows}


def largest_array() -> int:
    """Jobs that one array may have; UserError where there is no Slurm or it does not answer."""
    told = _run("scontrol", "show", "config")
    if told.returncode:
        raise UserError(f"Slurm does not answer: {last_line(told.stderr)}")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", told.stdout, re.MULTILINE)
    return max(1, int(found[1])) if found else 1


def cancel(jobs: Iterable[str]) -> None:
    """Take jobs out of the queue, with SIGTERM for those that run."""
    if jobs := sorted(jobs):
        _run("scancel", *jobs)


def waits(jobs: Mapping[str, Queued]) -> str:
    """Why pending jobs may have to wait for ever, in Slurm's words; empty for the usual reasons."""
    count = Counter(job.reason for job in jobs.values() if job.state == "PENDING")
    unusual = {reason: number for reason, number in count.items() if reason not in USUAL}
    return ", ".join(f"{reason} (jobs: {number})" for reason, number in sorted(unusual.items()))


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no word"


def _run(*command: str) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError(f"no Slurm on this machine: {command[0]} is not on PATH") from None
