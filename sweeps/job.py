"""One job of a sweep: a child process, of which only its exit status and its files count."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from agent.errors import UserError
from agent.storage.arm import identify
from agent.storage.record import read_run
from agent.storage.status import Exit, Status
from agent.training.stop import PARENT
from sweeps import parallel
from sweeps.state import Planned, look

PROGRAM = Path(__file__).parents[1] / "run.py"
STOP_FILE = "SWEEP_STOP"  # environment variable: no more runs once this file exists
LOCAL = "SWEEP_LOCAL"  # environment variable: the sweep shares this machine's GPUs out itself
HYDRAS_HINT = "HYDRA_FULL_ERROR"  # ends what Hydra says of an error
UNFINISHED = "the process ended with exit status 0 before the run was done"
POLL_SECONDS = 0.2
GRACE_SECONDS = 60.0  # for a child to write its checkpoint


@dataclass(frozen=True)
class Outcome:
    """What came of one job."""

    name: str
    folder: str
    status: Status
    error: str | None


def found(run: Planned) -> Outcome:
    """What a job left whose launcher did not come back."""
    state, error, _ = look(run.folder)
    return Outcome(str(run.identity), str(run.folder), state, error)


def start(cfg: DictConfig) -> Outcome:
    """Run the composed job as a child process and wait for it; never raises for what happens in the
    child."""
    identity = identify(cfg, HydraConfig.get().runtime.choices)
    folder = Path(cfg.run.root) / identity.folder
    number, started = HydraConfig.get().job.num, time.monotonic()
    if _stop_asked():
        return Outcome(str(identity), str(folder), Status.TODO, None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        code, said = _child(cfg, folder / "log.txt")
        status, error = _result(code, said, folder)
    except (OSError, UserError) as problem:
        status, error = Status.FAILED, str(problem)
    seconds = time.monotonic() - started
    print(
        f"#{number} {identity}: {status} after {seconds:.0f} s{f': {error}' if error else ''}",
        flush=True,
    )
    if status == Status.FAILED and cfg.run.fail_fast and STOP_FILE in os.environ:
        Path(os.environ[STOP_FILE]).touch()
    return Outcome(str(identity), str(folder), status, error)


def _child(cfg: DictConfig, log: Path) -> tuple[int, str]:
    """Exit status of the run's process, negative for a signal, and what it said last."""
    with ExitStack() as stack:
        devices = parallel.shared_gpus(cfg.run.device) if LOCAL in os.environ else []
        pin = stack.enter_context(parallel.pinned(devices, cfg.run.jobs_per_gpu))
        output = stack.enter_context(open(log, "ab"))
        start = output.tell()
        child = subprocess.Popen(
            [sys.executable, str(PROGRAM), *HydraConfig.get().overrides.task],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **pin, PARENT: str(os.getpid())},
        )
        try:
            code = _wait(child)
        finally:
            _end(child)
    with open(log, "rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").split("\n")
    return code, next(
        (line for line in reversed(lines) if line.strip() and HYDRAS_HINT not in line), ""
    )


def _wait(child: subprocess.Popen) -> int:
    parent = os.getppid()
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # a worker: Ctrl-C comes by way of the sweep
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        with suppress(subprocess.TimeoutExpired):
            return child.wait(POLL_SECONDS)
        if _stop_asked() or os.getppid() != parent:  # the sweep was stopped, or killed
            return _end(child)


def _end(child: subprocess.Popen) -> int:
    """Ask a child that still runs to stop, and wait for its checkpoint."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _result(code: int, said: str, folder: Path) -> tuple[Status, str | None]:
    if code == Exit.DONE:
        state, error, _ = look(folder)
        return (state, None) if state == Status.DONE else (Status.FAILED, error or UNFINISHED)
    if code == Exit.BUSY:
        return Status.UNDER_WAY, said
    if code == Exit.INTERRUPTED:
        return Status.INTERRUPTED, None
    if code < 0:
        return Status.INTERRUPTED, f"killed by {signal.Signals(-code).name}"
    error = (read_run(folder) or {}).get("error") if code == Exit.FAILED else None
    return Status.FAILED, error or said.removeprefix("error: ") or f"exit status {code}"


def _stop_asked() -> bool:
    return STOP_FILE in os.environ and Path(os.environ[STOP_FILE]).exists()
