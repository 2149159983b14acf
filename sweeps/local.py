"""This machine. On Linux a fork server, which has imported what they need, starts the runs."""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, forkserver
from multiprocessing.pool import ThreadPool
from typing import IO

from agent.run.status import PARENT
from sweeps import grid, job, machine
from sweeps.job import Engine, Job, Outcome

NO_STATUS = 255  # what multiprocessing says of a process whose fork server has died
ONE_AT_A_TIME = threading.Lock()  # a process's exit status can be read only once


@dataclass(frozen=True)
class Local(Engine):
    """Jobs as processes of this machine; conf/hydra/launcher/local.yaml says what each option is.

    Elsewhere than on Linux, where forking breaks libraries, they are fresh child processes.
    """

    n_jobs: int | None
    threads: int | None
    device: str
    jobs_per_gpu: int
    is_here = True

    def places(self) -> int:
        if self.n_jobs is None:
            return machine.at_a_time(self.device, self.threads, self.jobs_per_gpu)
        return self.n_jobs if self.n_jobs > 0 else machine.cores()

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield outcomes as jobs end. The threads that wait for them are daemons: Ctrl-C ends them
        at once, and the runs, whose parent is gone, write their checkpoints and end too."""
        places = min(self.places(), len(jobs))
        threads = machine.threads_wanted(self.threads) or machine.threads_each(places)
        environment = machine.thread_environment(threads)
        gpus = tuple(machine.shared_gpus(self.device))
        shared = {"environment": environment, "gpus": gpus, "gpu_places": self.jobs_per_gpu}
        if sys.platform == "linux":
            start_server(environment)
            shared["start"] = forked
        with ThreadPool(places) as pool:
            yield from pool.imap_unordered(Job.__call__, [replace(job, **shared) for job in jobs])


def start_server(environment: Mapping[str, str]) -> None:
    """Start the fork server, unless it is there, with what libraries read when they load."""
    forkserver.set_forkserver_preload(["sweeps.preloaded"])
    before = dict(os.environ)
    os.environ.update(environment, PYTHONPATH=str(grid.ROOT))
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(before)


def forked(
    overrides: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
) -> "subprocess.Popen | Forked":
    """As `job.fresh`, which takes the fork server's place where that cannot fork."""
    process = multiprocessing.get_context("forkserver").Process(
        target=_become_run,
        args=(str(job.PROGRAM), overrides, os.path.abspath(output.name), environment),
        daemon=True,  # when the sweep ends at once, its runs are asked to stop
    )
    try:
        with ONE_AT_A_TIME:
            process.start()
    except (OSError, EOFError):  # no memory, too many processes or files
        return job.fresh(overrides, output, environment)
    return Forked(process)


class Forked:
    """A forked process with the methods of `subprocess.Popen` that a job needs. They raise Lost
    where the server that knew its exit status has died; the process is then asked to stop."""

    def __init__(self, process: multiprocessing.Process):
        self._process = process
        self.terminate, self.kill = process.terminate, process.kill

    def poll(self) -> int | None:
        with ONE_AT_A_TIME:
            code = self._process.exitcode
        if code == NO_STATUS:
            with suppress(ProcessLookupError):  # it ended with this status of its own
                os.kill(self._process.pid, signal.SIGTERM)
                raise machine.Lost("the fork server was killed")
        return code

    def wait(self, timeout: float | None = None) -> int:
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(str(job.PROGRAM), timeout)
        return self.poll()


def _become_run(
    program: str, overrides: Sequence[str], log: str, environment: Mapping[str, str]
) -> None:
    """In the forked process: go on as `program` started afresh, until the sweep is gone."""
    import torch  # preloaded

    multiprocessing.current_process().daemon = False  # which may start processes
    threading.Thread(target=_stop_without_sweep, name="parent", daemon=True).start()
    with open(log, "ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    os.environ.clear()
    os.environ.update({name: value for name, value in environment.items() if name != PARENT})
    torch.set_num_threads(int(environment[machine.THREADS[0]]))  # the server may have had others
    sys.argv = [program, *overrides]
    try:
        runpy.run_path(program, run_name="__main__")
    except KeyboardInterrupt:  # as Python ends without multiprocessing
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        atexit._run_exitfuncs()  # which multiprocessing leaves out


def _stop_without_sweep() -> None:
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
