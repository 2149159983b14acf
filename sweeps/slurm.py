"""A Slurm cluster: job arrays by submitit, each job collected by itself.

A run's folder names its job, so that a sweep that is started again waits for what is queued.
"""

import math
import os
import pickle
import re
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from agent.errors import UserError
from agent.run.status import STOPPED_BY_SERVER, Status
from sweeps.job import STOPPED, Engine, Job, Outcome, last_line
from sweeps.state import look

GONE = "gone"
GIVEN_UP = ("CANCELLED", "OUT_OF_MEMORY", "DEADLINE")  # submitted again they would end so again
OVER = (GONE, *GIVEN_UP, "COMPLETED", "TIMEOUT", "PREEMPTED", "REVOKED")  # in any other state a job
OVER += ("FAILED", "NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL")  # lives
REGISTER = "slurm_job"  # file in a run's folder: its job's id
SHARED = ("name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node")
POLL_SECONDS = 5.0
SETTLE_SECONDS = 15.0  # for a result to show on a network file system once its job has ended
HINT = "See hydra.launcher.*: partition, account, mem_gb; no GPUs: hydra/launcher=slurm_cpu"


def queue() -> Mapping[str, str] | None:
    """States of this user's tasks by id, those that just ended too; None without an answer."""
    told = _run("squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i|%T")
    return None if told.returncode else dict(re.findall(r"^(\S+)\|(\w+)", told.stdout, re.M))


def largest_array() -> int:
    """Jobs that one array may have; UserError where there is no Slurm or it does not answer."""
    told = _run("scontrol", "show", "config")
    if told.returncode:
        raise UserError(f"Slurm does not answer: {last_line(told.stderr)}")
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", told.stdout, re.MULTILINE)
    return max(1, int(found[1])) if found else 1


def _run(*command: str) -> subprocess.CompletedProcess:
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError(f"no Slurm on this machine: {command[0]} is not on PATH") from None


class Task(Job):
    """A job inside of Slurm's, which may stop it and put it back."""

    def checkpoint(self):
        """For submitit, which asks before it puts a job back: the same job again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _child(self) -> tuple[int, str]:
        """As a job, but asleep after a stop that neither the sweep nor W&B asked for: it is
        Slurm's, which puts a job back only if it ended the job itself."""
        code, said = super()._child()
        if code in STOPPED and look(self.folder)[1] != STOPPED_BY_SERVER:
            print(f"{self.name}: stopped; waiting until Slurm ends this job", flush=True)
            while not self.stop_file.exists():
                time.sleep(POLL_SECONDS)
        return code, said


@dataclass(eq=False)
class Ticket:
    """A job and its id in Slurm's queue."""

    job: Job
    number: str
    is_ours: bool = True  # rather than another sweep's, whose stop file it obeys
    refused: str = ""  # what Slurm said when it was to be submitted again
    times_lost: int = 0
    ended: float | None = None  # when it was first seen to have ended without a result

    def register(self) -> None:
        """Write the id in the run's folder."""
        self.job.folder.mkdir(parents=True, exist_ok=True)
        (self.job.folder / REGISTER).write_text(self.number)

    def outcome(self, known: Mapping[str, str] | None, folder: str) -> Outcome | None:
        """What came of the job; None while it lives, and while its result may be on its way."""
        file = result_file(folder, self.number)
        kind, value = pickle.loads(file.read_bytes()) if file.exists() else (None, "")
        if kind == "success":
            return value
        if known is None:
            return None
        state = known.get(self.number, GONE)
        if state not in OVER:  # an error is no end: the requeue that it asked for kills submitit
            self.ended = None
            return None
        if kind == "error":
            return self.job.lost(f"Slurm job {self.number}: {last_line(value)}")
        self.ended = self.ended or time.monotonic()
        if state != "CANCELLED" and time.monotonic() - self.ended < SETTLE_SECONDS:
            return None
        return self.job.lost(f"Slurm job {self.number}: {state}")

    def is_repeated(self, outcome: Outcome, known: Mapping[str, str] | None, limit: int) -> bool:
        """Whether the job vanished, at most `limit` times, and nobody asked for that."""
        return (
            self.ended is not None
            and outcome.status in (Status.TODO, Status.INTERRUPTED)
            and (known or {}).get(self.number, GONE) not in GIVEN_UP
            and self.times_lost < limit
            and not self.job.stop_file.exists()
        )


def result_file(folder: str, number: str) -> Path:
    """Where submitit puts what a job returned."""
    from submitit.core.utils import JobPaths

    return JobPaths(folder, job_id=number, task_id=0).result_pickle


def cancel(jobs: Iterable[str]) -> bool:
    """Take jobs or whole arrays out of the queue, with SIGTERM for those that run; whether Slurm
    did so."""
    command = ["scancel", *sorted(jobs)]
    if command[1:] and (told := _run(*command)).returncode:
        print(f"not cancelled: {last_line(told.stderr)}; {' '.join(command)}", flush=True)
        return False
    return True


class Slurm(Engine):
    """Jobs as tasks of job arrays; conf/hydra/launcher/slurm.yaml says what each option is.
    `resources` are submitit's and sbatch's; None leaves one out."""

    def __init__(self, folder: str, submit_only: bool, max_lost: int, **resources: Any):
        self.folder, self.submit_only, self.max_lost = folder, submit_only, max_lost
        self.resources = {name: value for name, value in resources.items() if value is not None}

    def places(self) -> int:
        return self.resources["array_parallelism"]

    def check(self) -> None:
        """UserError where submitit or Slurm is missing or an option is none of sbatch's."""
        largest_array()
        self._executor(1)

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as jobs end; when closed before, cancel what is left. UserError where
        Slurm would end a run before it has written its checkpoint."""
        warning = self.resources.get("signal_delay_s", math.inf)
        if (longest := max((job.stop_seconds for job in jobs), default=0)) >= warning:
            raise UserError(
                f"run.stop_seconds={longest:g}: allowed here: less than "
                f"hydra.launcher.signal_delay_s={warning:g}"
            )
        if (known := _queue_or_stop(jobs)) is None:
            yield from (job.lost("") for job in jobs)
            return
        tickets, rest = [], []
        for job in jobs:
            file = job.folder / REGISTER
            number = file.read_text() if file.exists() else ""
            if known.get(number, GONE) not in OVER:
                tickets.append(Ticket(job, number, is_ours=False))
            elif held := job.held():
                yield held
            else:
                rest.append(job)
        if tickets:
            print(f"Slurm has {len(tickets)} of the jobs already", flush=True)
        try:
            tickets += self._submit(rest)
            if not self.submit_only or any(job.stop_file.exists() for job in jobs):
                yield from self._collect(tickets)
                return
        except (KeyboardInterrupt, GeneratorExit):
            cancel(ticket.number for ticket in tickets)
            raise
        states = queue() or {}
        for ticket in tickets:
            state = states.get(ticket.number, GONE)
            yield ticket.job.lost(f"Slurm job {ticket.number}: {state}")

    def _submit(self, jobs: Sequence[Job]) -> list[Ticket]:
        """Submit arrays as large as Slurm takes them, the jobs dealt out in turn. When refused
        (UserError with Slurm's words) or interrupted, cancel those that are submitted."""
        if not jobs:
            return []
        arrays = -(-len(jobs) // largest_array())
        executor = self._executor(arrays)
        tickets, ids = [], []
        try:
            for first in range(arrays):
                tasks = list(jobs[first::arrays])
                submitted = _submitted(executor, [Task(**vars(job)) for job in tasks])
                ids.append(submitted[0].job_id.partition("_")[0])
                for job, one in zip(tasks, submitted, strict=True):
                    tickets.append(Ticket(job, one.job_id))
                    tickets[-1].register()
        except (RuntimeError, KeyboardInterrupt) as error:
            cancel(ids)
            if isinstance(error, KeyboardInterrupt):
                raise
            said = "; ".join(str(error).replace("sbatch: error: ", "").splitlines())
            raise UserError(f"Slurm refused the jobs: {said}. {HINT}") from None
        told = f"Slurm: {len(tickets)} jobs submitted; to cancel: scancel {' '.join(ids)}"
        print(told, flush=True)
        return tickets

    def _executor(self, arrays: int):
        try:
            from submitit import AutoExecutor
        except ModuleNotFoundError:
            raise UserError("hydra/launcher=slurm needs submitit: pip install '.[slurm]'") from None
        resources = {**self.resources, "array_parallelism": max(1, self.places() // arrays)}
        started = {"slurm_max_num_timeout": resources.pop("max_num_timeout")}
        named = {name if name in SHARED else f"slurm_{name}": resources[name] for name in resources}
        try:
            executor = AutoExecutor(self.folder, cluster="slurm", **started)
            executor.update_parameters(**named)
        except (RuntimeError, ValueError, TypeError, NameError) as error:
            raise UserError(f"hydra.launcher: {str(error).splitlines()[0]}") from None
        return executor

    def _collect(self, tickets: list[Ticket]) -> Iterator[Outcome]:
        """Take tickets out as their jobs end; a job that was lost is submitted again."""
        stopping = False
        while tickets:
            known = queue()
            for ticket in list(tickets):
                if (outcome := ticket.outcome(known, self.folder)) is None:
                    continue
                if ticket.is_repeated(outcome, known, self.max_lost):
                    tickets[tickets.index(ticket)] = self._again(ticket, outcome)
                else:
                    tickets.remove(ticket)
                    yield outcome
            asked = any(ticket.job.stop_file.exists() for ticket in tickets)
            if asked and not stopping and known is not None:
                waiting = [job for job, state in known.items() if state == "PENDING"]
                deaf = [one for one in tickets if not one.is_ours or one.number in waiting]
                if stopping := cancel(one.number for one in deaf):
                    continue
            if tickets:
                time.sleep(POLL_SECONDS)

    def _again(self, ticket: Ticket, outcome: Outcome) -> Ticket:
        """The lost job submitted again; where Slurm refuses it, the same ticket for now."""
        try:
            (again,) = self._submit([ticket.job])
        except UserError as error:
            if str(error) != ticket.refused:
                print(f"{error}; tried again until it is taken", flush=True)
            ticket.refused = str(error)
            return ticket
        print(f"{outcome}; submitted again as {again.number}", flush=True)
        again.times_lost = ticket.times_lost + 1
        return again


def _submitted(executor, tasks: Sequence[Task]) -> Sequence:
    """submitit's jobs, without what an allocation around this process says of itself."""
    from submitit.helpers import clean_env

    users = ("SLURM_CONF", "SBATCH_")  # which no allocation sets
    kept = {name: value for name, value in os.environ.items() if name.startswith(users)}
    launched = [name for name in os.environ if name.startswith("PMI")]
    with redirect_stderr(StringIO()), clean_env(launched):  # submitit says there what it raises
        os.environ.update(kept)
        return executor.submit_array(tasks)


def _queue_or_stop(jobs: Sequence[Job]) -> Mapping[str, str] | None:
    """The queue, asked for until Slurm answers; None where the sweep is stopped before."""
    while (known := queue()) is None and not any(job.stop_file.exists() for job in jobs):
        print("waiting: Slurm does not answer", flush=True)
        time.sleep(POLL_SECONDS)
    return known
