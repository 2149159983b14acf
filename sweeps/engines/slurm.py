"""A Slurm cluster: job arrays by submitit, each job collected by itself.

A run's job is written in its folder, so that a sweep that is started again waits for the jobs that
are queued already. A job that vanished without a result is submitted again.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

from agent.errors import UserError
from sweeps.engines import queue
from sweeps.engines import tickets as of_slurm
from sweeps.engines.tickets import GONE, Ticket
from sweeps.job import Job, Outcome

SHARED = ("name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node")
POLL_SECONDS = 5.0
HINT = "See hydra.launcher.*: partition, account, mem_gb; no GPUs: hydra/launcher=slurm_cpu"


class Slurm:
    """Jobs as tasks of Slurm job arrays, `array_parallelism` at a time.

    `folder` is where submitit keeps its files; `max_num_timeout` is how often a job goes on after
    its time is over, `max_lost` how often one is submitted again that vanished. `resources` are
    submitit's and those of sbatch; None leaves one out.
    """

    is_here = False

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
        """Yield outcomes as jobs end; when closed before, cancel what is left.

        Raises UserError where Slurm would end a run before it has written its checkpoint.
        """
        warning = self.resources.get("signal_delay_s", math.inf)
        if (longest := max((job.stop_seconds for job in jobs), default=0)) >= warning:
            raise UserError(
                f"run.stop_seconds={longest:g}: allowed here: less than "
                f"hydra.launcher.signal_delay_s={warning:g}"
            )
        known = queue.queue() or {}
        tickets, rest = [], []
        for job in jobs:
            number = of_slurm.registered(job)
            if known.get(number, GONE).lives:
                tickets.append(Ticket(job, number, is_ours=False))
            elif held := job.held():
                yield held
            else:
                rest.append(job)
        if tickets:
            print(f"Slurm has {len(tickets)} of the jobs already", flush=True)
        try:
            tickets += self._submit(rest)
            if not self.submit_only:
                yield from self._collect(tickets)
        except (KeyboardInterrupt, GeneratorExit):
            queue.cancel(ticket.number for ticket in tickets)
            raise
        if self.submit_only:
            yield from of_slurm.as_submitted(tickets)

    def _submit(self, jobs: Sequence[Job]) -> list[Ticket]:
        """Submit arrays as large as Slurm takes them, the jobs dealt out in turn.

        Raises UserError with Slurm's words where it refuses one, and cancels the others, as it does
        when interrupted.
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
                    tickets[-1].register()
        except RuntimeError as error:  # submitit's, with what sbatch said
            queue.cancel(of_slurm.arrays(tickets))
            said = "; ".join(str(error).replace("sbatch: error: ", "").splitlines())
            raise UserError(f"Slurm refused the jobs: {said}. {HINT}") from None
        except KeyboardInterrupt:
            queue.cancel(of_slurm.arrays(tickets))
            raise
        numbers = " ".join(of_slurm.arrays(tickets))
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
                if (outcome := ticket.outcome(known, self.folder)) is None:
                    continue
                tickets.remove(ticket)
                again = ticket.is_repeated(outcome, known, self.max_lost) and self._again(ticket)
                if again:
                    print(f"{outcome}; submitted again as {again.number}", flush=True)
                    tickets.append(again)
                else:
                    yield outcome
            asked = any(ticket.job.stop_file.exists() for ticket in tickets)
            if asked and not stopping and known is not None:
                stopping = True
                of_slurm.cancel_what_waits(tickets, known)
            elif tickets:
                said = of_slurm.tell_why_they_wait(tickets, known, said)
                time.sleep(POLL_SECONDS)

    def _again(self, ticket: Ticket) -> Ticket | None:
        try:
            (again,) = self._submit([ticket.job])
        except UserError as error:
            print(error, flush=True)
            return None
        again.times_lost = ticket.times_lost + 1
        return again
