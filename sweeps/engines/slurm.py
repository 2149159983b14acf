"""A Slurm cluster: job arrays by submitit, each job collected by itself.

A run's job is written in its folder, so that a sweep that is started again waits for the jobs that
are queued already. A job that vanished without a result is submitted again.
"""

import pickle
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from agent.errors import UserError
from agent.storage.status import Status
from sweeps.engines import queue
from sweeps.job import Job, Outcome
from sweeps.state import ENDED

REGISTER = "slurm_job"  # file in a run's folder: its job's id
SHARED = ("name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node")
POLL_SECONDS = 5.0
SETTLE_SECONDS = 15.0  # for a result to show on a network file system once its job has ended
GIVEN_UP = ("CANCELLED", "OUT_OF_MEMORY", "DEADLINE")  # submitted again they would end so again
HINT = "See hydra.launcher.*: partition, account, mem_gb; no GPUs: hydra/launcher=slurm_cpu"
GONE = queue.Queued("gone", "None")


@dataclass
class Ticket:
    """A job that Slurm has."""

    job: Job
    number: str
    is_ours: bool = True  # rather than submitted by another sweep, whose stop file it obeys
    times_lost: int = 0
    ended: float | None = None  # when it was first seen to have ended without a result


class Slurm:
    """Jobs as tasks of Slurm job arrays, `array_parallelism` at a time.

    `folder` is where submitit keeps its files; `max_num_timeout` is how often a job goes on after
    its time is over, `max_lost` how often one is submitted again that vanished. `resources` are
    submitit's and those of sbatch; None leaves one out.
    """

    def __init__(
        self,
        folder: str,
        submit_only: bool,
        array_parallelism: int,
        max_num_timeout: int,
        max_lost: int,
        **resources: Any,
    ):
        self.folder = folder
        self.submit_only = submit_only
        self.array_parallelism = array_parallelism
        self.max_num_timeout = max_num_timeout
        self.max_lost = max_lost
        self.resources = {name: value for name, value in resources.items() if value is not None}

    def places(self) -> int:
        """Jobs at a time."""
        return self.array_parallelism

    def check(self) -> None:
        """UserError where submitit or Slurm is missing or an option is none of sbatch's."""
        queue.largest_array()
        self._executor(1)

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as jobs end; when closed before, cancel what is left."""
        known = queue.queue() or {}
        tickets, rest = [], []
        for job in jobs:
            number = _registered(job)
            if known.get(number, GONE).lives:
                tickets.append(Ticket(job, number, is_ours=False))
            elif held := job.held():
                yield held
            else:
                rest.append(job)
        if tickets:
            print(f"Slurm has {len(tickets)} of the jobs already", flush=True)
        tickets += self._submit(rest)
        if self.submit_only:
            yield from _as_submitted(tickets)
            return
        try:
            yield from self._collect(tickets)
        except (KeyboardInterrupt, GeneratorExit):
            queue.cancel(ticket.number for ticket in tickets)
            raise

    def _submit(self, jobs: Sequence[Job]) -> list[Ticket]:
        """Submit arrays as large as Slurm takes them, the jobs dealt out in turn.

        Raises UserError with Slurm's words where it refuses one, and cancels the others.
        """
        if not jobs:
            return []
        arrays = -(-len(jobs) // queue.largest_array())
        executor = self._executor(arrays)
        tickets: list[Ticket] = []
        try:
            for first in range(arrays):
                tasks = list(jobs[first::arrays])
                with redirect_stderr(StringIO()):  # submitit says there what it raises
                    submitted = executor.submit_array(tasks)
                for job, one in zip(tasks, submitted, strict=True):
                    tickets.append(Ticket(job, one.job_id))
                    _register(tickets[-1])
        except RuntimeError as error:  # submitit's, with what sbatch said
            queue.cancel(_arrays(tickets))
            said = "; ".join(str(error).replace("sbatch: error: ", "").splitlines())
            raise UserError(f"Slurm refused the jobs: {said}. {HINT}") from None
        numbers = " ".join(_arrays(tickets))
        print(f"Slurm: {len(tickets)} jobs submitted; to cancel: scancel {numbers}", flush=True)
        return tickets

    def _executor(self, arrays: int):
        try:
            from submitit import AutoExecutor
        except ModuleNotFoundError:
            raise UserError("hydra/launcher=slurm needs submitit: pip install '.[slurm]'") from None
        resources = {
            name if name in SHARED else f"slurm_{name}": value
            for name, value in self.resources.items()
        }
        try:
            executor = AutoExecutor(
                self.folder, cluster="slurm", slurm_max_num_timeout=self.max_num_timeout
            )
            parallelism = max(1, self.array_parallelism // arrays)
            executor.update_parameters(slurm_array_parallelism=parallelism, **resources)
        except (RuntimeError, ValueError, TypeError, NameError) as error:
            raise UserError(f"hydra.launcher: {str(error).splitlines()[0]}") from None
        return executor

    def _collect(self, tickets: list[Ticket]) -> Iterator[Outcome]:
        """Take tickets out as their jobs end; a job that was lost is submitted again."""
        said, stopping = "", False
        while tickets:
            known = queue.queue()
            for ticket in list(tickets):
                if (outcome := _ended(ticket, known, self.folder)) is None:
                    continue
                tickets.remove(ticket)
                if _may_be_repeated(outcome, ticket, known, self.max_lost):
                    print(f"{outcome}; submitted again", flush=True)
                    tickets += self._again(ticket)
                else:
                    yield outcome
            if not stopping and any(ticket.job.stop_file.exists() for ticket in tickets):
                stopping = True
                _cancel_what_waits(tickets, known or {})
            elif tickets:
                said = _tell(tickets, known, said)
                time.sleep(POLL_SECONDS)

    def _again(self, ticket: Ticket) -> list[Ticket]:
        (again,) = self._submit([ticket.job])
        again.times_lost = ticket.times_lost + 1
        return [again]


def _ended(ticket: Ticket, known: dict[str, queue.Queued] | None, folder: str) -> Outcome | None:
    """The outcome of a job that has ended; None while it lives, and for as long as its result may
    be on its way."""
    file = _result_file(folder, ticket.number)
    if file.exists():
        kind, value = pickle.loads(file.read_bytes())
        return value if kind == "success" else _lost(ticket, queue.last_line(value))
    if known is None:
        return None
    state = known.get(ticket.number, GONE)
    if state.lives:
        ticket.ended = None
        return None
    ticket.ended = ticket.ended or time.monotonic()
    if state.state != "CANCELLED" and time.monotonic() - ticket.ended < SETTLE_SECONDS:
        return None
    return _lost(ticket, state.state)


def _lost(ticket: Ticket, why: str) -> Outcome:
    found = ticket.job.found()
    if found.status in (Status.DONE, *ENDED):
        return found
    return ticket.job.outcome(found.status, f"Slurm job {ticket.number}: {why}")


def _may_be_repeated(
    outcome: Outcome, ticket: Ticket, known: dict[str, queue.Queued] | None, limit: int
) -> bool:
    """Whether a job vanished that nobody cancelled or keeps."""
    state = (known or {}).get(ticket.number, GONE).state
    return (
        ticket.ended is not None
        and outcome.status in (Status.TODO, Status.INTERRUPTED)
        and state not in GIVEN_UP
        and ticket.times_lost < limit
        and not ticket.job.stop_file.exists()
    )


def _cancel_what_waits(tickets: Sequence[Ticket], known: dict[str, queue.Queued]) -> None:
    """Jobs that run stop by their stop file; one that another sweep submitted has none of ours."""
    queue.cancel(
        ticket.number
        for ticket in tickets
        if not ticket.is_ours or known.get(ticket.number, GONE).state == "PENDING"
    )


def _tell(tickets: Sequence[Ticket], known: dict[str, queue.Queued] | None, said: str) -> str:
    """Print why jobs may wait for ever, where that has changed."""
    numbers = {ticket.number for ticket in tickets}
    ours = {number: state for number, state in (known or {}).items() if number in numbers}
    told = "Slurm does not answer" if known is None else queue.waits(ours)
    if told and told != said:
        print(f"waiting: {told}", flush=True)
    return told


def _as_submitted(tickets: Sequence[Ticket]) -> Iterator[Outcome]:
    known = queue.queue() or {}
    for ticket in tickets:
        state = known.get(ticket.number, "submitted")
        yield ticket.job.outcome(ticket.job.found().status, f"Slurm job {ticket.number}: {state}")


def _arrays(tickets: Sequence[Ticket]) -> list[str]:
    return list(dict.fromkeys(ticket.number.partition("_")[0] for ticket in tickets))


def _register(ticket: Ticket) -> None:
    ticket.job.folder.mkdir(parents=True, exist_ok=True)
    (ticket.job.folder / REGISTER).write_text(ticket.number)


def _registered(job: Job) -> str:
    try:
        return (job.folder / REGISTER).read_text().strip()
    except FileNotFoundError:
        return ""


def _result_file(folder: str, number: str) -> Path:
    from submitit.core.utils import JobPaths

    return JobPaths(folder, job_id=number, task_id=0).result_pickle
