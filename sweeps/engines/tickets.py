"""A job that Slurm has: how it ended, whether it is to be submitted again, why it waits."""

import pickle
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.run.status import Status
from sweeps.engines import queue
from sweeps.job import Job, Outcome
from sweeps.state import ENDED

REGISTER = "slurm_job"  # file in a run's folder: its job's id
SETTLE_SECONDS = 15.0  # for a result to show on a network file system once its job has ended
GIVEN_UP = ("CANCELLED", "OUT_OF_MEMORY", "DEADLINE")  # submitted again they would end so again
GONE = queue.Queued("gone", "None")

Known = Mapping[str, queue.Queued]


@dataclass(eq=False)
class Ticket:
    """A job and its id in Slurm's queue."""

    job: Job
    number: str
    is_ours: bool = True  # rather than another sweep's, whose stop file it obeys
    times_lost: int = 0
    ended: float | None = None  # when it was first seen to have ended without a result

    def register(self) -> None:
        """Write the id in the run's folder."""
        self.job.folder.mkdir(parents=True, exist_ok=True)
        (self.job.folder / REGISTER).write_text(self.number)

    def outcome(self, known: Known | None, folder: str) -> Outcome | None:
        """What came of the job; None while it lives, and for as long as its result may be on its
        way. `known` is the queue, None where Slurm does not answer.

        An error is no end while the job lives: submitit's `scontrol requeue` is killed at times by
        the very end of the job that it asked for.
        """
        file = result_file(folder, self.number)
        kind, value = pickle.loads(file.read_bytes()) if file.exists() else (None, "")
        if kind == "success":
            return value
        if known is None:
            return None
        now = known.get(self.number, GONE)
        if now.lives:
            self.ended = None
            return None
        if kind == "error":
            return self._lost(queue.last_line(value))
        self.ended = self.ended or time.monotonic()
        if now.state != "CANCELLED" and time.monotonic() - self.ended < SETTLE_SECONDS:
            return None
        return self._lost(now.state)

    def is_repeated(self, outcome: Outcome, known: Known | None, limit: int) -> bool:
        """Whether the job vanished, at most `limit` times, without anybody's asking."""
        return (
            self.ended is not None
            and outcome.status in (Status.TODO, Status.INTERRUPTED)
            and (known or {}).get(self.number, GONE).state not in GIVEN_UP
            and self.times_lost < limit
            and not self.job.stop_file.exists()
        )

    def _lost(self, why: str) -> Outcome:
        found = self.job.found()
        if found.status in (Status.DONE, *ENDED):
            return found
        return self.job.outcome(found.status, f"Slurm job {self.number}: {why}")


def registered(job: Job) -> str:
    """The id that is written in a run's folder; empty where there is none."""
    try:
        return (job.folder / REGISTER).read_text().strip()
    except FileNotFoundError:
        return ""


def result_file(folder: str, number: str) -> Path:
    """Where submitit puts what a job returned."""
    from submitit.core.utils import JobPaths

    return JobPaths(folder, job_id=number, task_id=0).result_pickle


def arrays(tickets: Sequence[Ticket]) -> list[str]:
    """The ids of the arrays that jobs are in."""
    return list(dict.fromkeys(ticket.number.partition("_")[0] for ticket in tickets))


def as_submitted(tickets: Sequence[Ticket]) -> Iterator[Outcome]:
    """How far the runs are, with their jobs' states."""
    known = queue.queue() or {}
    for ticket in tickets:
        state = known.get(ticket.number, "submitted")
        yield ticket.job.outcome(ticket.job.found().status, f"Slurm job {ticket.number}: {state}")


def cancel_what_waits(tickets: Sequence[Ticket], known: Known) -> None:
    """Cancel jobs on a stop: those that run see its stop file, but not those of another sweep."""
    queue.cancel(
        ticket.number
        for ticket in tickets
        if not ticket.is_ours or known.get(ticket.number, GONE).state == "PENDING"
    )


def tell_why_they_wait(tickets: Sequence[Ticket], known: Known | None, said: str) -> str:
    """Print why jobs may wait for ever where it is not what was `said` last; returns it."""
    ours = {t.number: known[t.number] for t in tickets if known and t.number in known}
    told = "Slurm does not answer" if known is None else queue.waits(ours)
    if told and told != said:
        print(f"waiting: {told}", flush=True)
    return told
