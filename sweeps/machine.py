"""How many runs a machine takes at a time, with how many threads, and on which GPU each."""

import os
import runpy
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from filelock import FileLock, Timeout

PLACE_SECONDS = 1.0  # between looks for a free place on a GPU
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # environment variables


class Lost(OSError):
    """A process was not started, or its exit status is lost."""


def cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer where Slurm gave it fewer."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(bound or 1, _number("SLURM_CPUS_PER_TASK") or bound or 1)


def gpus() -> list[str]:
    """The GPUs that runs may use, as CUDA_VISIBLE_DEVICES names them."""
    if not _torch_has_cuda():
        return []
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.check_output(command, text=True, timeout=30).split()
    return []


def shared_gpus(device: str) -> list[str]:
    """The GPUs that runs of `run.device` are spread over; none where it names one."""
    return gpus() if device in ("auto", "cuda") else []


def at_a_time(device: str, threads: int | None, jobs_per_gpu: int) -> int:
    """Runs at a time: `jobs_per_gpu` on each GPU, or one for each `threads` cores."""
    if device.startswith("cuda:"):
        return jobs_per_gpu
    on_cores = max(1, cores() // (threads_wanted(threads) or 1))
    return len(shared_gpus(device)) * jobs_per_gpu or on_cores


def threads_wanted(threads: int | None) -> int | None:
    """Threads of a run that the user asks for by `run.threads` or OMP_NUM_THREADS."""
    return threads or _number("OMP_NUM_THREADS")


def threads_each(parallel: int) -> int:
    return max(1, cores() // parallel)


def thread_environment(threads: int) -> dict[str, str]:
    return {name: str(threads) for name in THREADS}


def slurm_environment() -> dict[str, str]:
    """A thread for each core that Slurm gave this job, unless the user says how many."""
    given = _number("SLURM_CPUS_PER_TASK")
    return thread_environment(given) if given and threads_wanted(None) is None else {}


@contextmanager
def pinned(
    devices: Sequence[str], jobs_per_gpu: int, is_stopping: Callable[[], bool]
) -> Iterator[dict[str, str]]:
    """Hold one of `jobs_per_gpu` places on a GPU; yields the environment that pins a process to it.
    Lost when stopped before. Places are kernel locks, so that sweeps side by side share them."""
    if not devices:
        yield {}
        return
    while not (taken := _take_place(devices, jobs_per_gpu)):
        if is_stopping():
            raise Lost("stopped before a GPU was free")
        time.sleep(PLACE_SECONDS)
    device, lock = taken
    try:
        yield {"CUDA_VISIBLE_DEVICES": device, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    finally:
        lock.release()


def _take_place(devices: Sequence[str], jobs_per_gpu: int) -> tuple[str, FileLock] | None:
    """A GPU with a free place and its lock; every GPU's first place before any second."""
    places = Path(tempfile.gettempdir()) / f"ablation-gpus-{os.getuid()}"
    places.mkdir(parents=True, exist_ok=True)
    for place, device in product(range(jobs_per_gpu), devices):
        lock = FileLock(places / f"{device.replace('/', '_')}-{place}.lock", timeout=0)
        with suppress(Timeout):
            lock.acquire()
            return device, lock
    return None


def _number(variable: str) -> int | None:
    """A whole number of at least 1 in an environment variable, of a list the first; else None."""
    first = os.environ.get(variable, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else None


def _torch_has_cuda() -> bool:
    """Without the seconds that importing PyTorch takes."""
    version = Path(find_spec("torch").origin).with_name("version.py")
    return runpy.run_path(str(version))["cuda"] is not None
