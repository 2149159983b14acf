"""The cores or GPUs of this machine."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.pool import ThreadPool

from sweeps import machine
from sweeps.forked import ForkServer
from sweeps.job import Job, Outcome


class Local:
    """Jobs as processes of this machine, `n_jobs` at a time (-1: as many as there are cores).

    Each gets `threads` threads (None: its share of the cores) and, where `device` is auto or cuda,
    one of `jobs_per_gpu` places on a GPU. On Linux a process that has imported what runs need forks
    them; elsewhere, where forking breaks libraries, they are fresh child processes.
    """

    is_here = True
    submit_only = False

    def __init__(self, n_jobs: int, threads: int | None, device: str, jobs_per_gpu: int):
        self.n_jobs = n_jobs
        self.threads = threads
        self.device = device
        self.jobs_per_gpu = jobs_per_gpu

    def places(self) -> int:
        """Jobs at a time."""
        return self.n_jobs if self.n_jobs > 0 else machine.cores()

    def check(self) -> None:
        """Nothing is missing here."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as jobs end.

        The threads that wait for the child processes are daemons: Ctrl-C ends them at once, and the
        runs, whose parent is gone, write their checkpoints and end too.
        """
        places = min(self.places(), len(jobs))
        threads = machine.threads_wanted(self.threads) or machine.threads_each(places)
        environment = machine.thread_environment(threads)
        shared = {
            "environment": environment,
            "gpus": tuple(machine.shared_gpus(self.device)),
            "gpu_places": self.jobs_per_gpu,
        }
        with ExitStack() as stack:
            if sys.platform == "linux":
                shared["start"] = stack.enter_context(ForkServer(environment)).start
            pool = stack.enter_context(ThreadPool(places))
            yield from pool.imap_unordered(Job.__call__, [replace(job, **shared) for job in jobs])
