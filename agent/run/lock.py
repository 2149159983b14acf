"""One run's folder, which one process at a time may own.

The owner holds a kernel lock on `lock`, which falls with the process however it ends, and keeps
`owner.json` fresh with its host and pid. On one machine, and on network file systems that carry
locks between machines (NFS v4, NFS v3 with lockd), the kernel lock alone is exact. Where locks stay
local to a machine, a heartbeat of the last two minutes from another host counts as held, and an
owner that finds another's name in `owner.json` stops and writes no more.
"""

import fcntl
import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from agent.errors import UserError
from agent.run.record import write_atomically

LOCK_SECONDS = 1.0  # how long a claim tries: who looks holds a shared lock for a moment
HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 120.0  # without a heartbeat, an owner on another host counts as dead
TAKEOVER_SECONDS = 2.0  # for a third host that takes over the same dead owner's run to show itself


class Busy(Exception):
    """Another process owns the run; the message names it."""


class ClaimLost(Busy):
    """Another host took the run over: nothing in its folder may be touched any more."""


def check_root(root: str | Path) -> None:
    """UserError unless folders can be made below `root`, which need not be there yet."""
    there = next(path for path in (Path(root), *Path(root).absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "may not be written" if there.is_dir() else "is no folder"
        raise UserError(f"run.root={root}: {there} {why}")


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path).absolute()  # an environment may change directory
        self._owner_file = self.path / "owner.json"
        self._lock_file = self.path / "lock"

    def holder(self) -> str | None:
        """Describe the process that owns the run, or None. Looking does not block a claim."""
        return self._describe() if self._is_locked() or self._is_foreign_alive() else None

    @contextmanager
    def claim(self) -> Iterator[Callable[[], bool]]:
        """Own the folder, which is created; yields a function that tells whether the claim was lost
        to another host.

        Raises Busy naming the owner, and UserError where the folder cannot be written or locked.
        """
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self._lock_file, timeout=LOCK_SECONDS))
                if self._is_foreign_alive():
                    raise self._busy()
                lost = stack.enter_context(self._heartbeat())
            except Timeout:
                raise self._busy() from None
            except OSError as error:
                raise UserError(
                    f"{self.path} cannot be written or locked ({error.strerror}): see run.root"
                ) from None
            yield lost

    def _is_locked(self) -> bool:
        """Whether a process holds the kernel's lock; those who look share it for a moment."""
        try:
            with open(self._lock_file) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except BlockingIOError:
            return True
        except OSError as error:
            raise UserError(f"{self._lock_file} cannot be locked ({error.strerror})") from None
        return False

    def _is_foreign_alive(self) -> bool:
        """Whether an owner on another host has a recent heartbeat; one from the future is ignored,
        as a live owner would have renewed it."""
        return self._is_foreign() and abs(self._heartbeat_age()) < STALE_SECONDS

    def _is_foreign(self) -> bool:
        """Whether the last owner is or was on another host."""
        return self._owner().get("host", socket.gethostname()) != socket.gethostname()

    def _busy(self) -> Busy:
        return Busy(f"{self.path} is under way: {self._describe()}")

    def _describe(self) -> str:
        owner, age = {"host": "unknown", "pid": "unknown"} | self._owner(), self._heartbeat_age()
        return f"host {owner['host']}, pid {owner['pid']}, heartbeat {age:.0f} s ago"

    def _owner(self) -> dict[str, Any]:
        """Fields of owner.json; empty where it is absent or torn."""
        try:
            owner = json.loads(self._owner_file.read_text())
        except (OSError, ValueError):
            return {}
        return owner if isinstance(owner, dict) else {}

    def _heartbeat_age(self) -> float:
        """Seconds by the clock of the file system, which may be another machine's; infinite where
        there was no heartbeat."""
        probe = self.path / f".clock-{uuid.uuid4().hex}"
        try:
            probe.touch()
            return probe.stat().st_mtime - self._owner_file.stat().st_mtime
        except OSError:
            return math.inf
        finally:
            probe.unlink(missing_ok=True)

    @contextmanager
    def _heartbeat(self) -> Iterator[Callable[[], bool]]:
        """Keep owner.json fresh; Busy when another host takes over the same dead owner's run."""
        token, taking_over = uuid.uuid4().hex, self._is_foreign()
        self._write_owner(token)
        if taking_over:
            time.sleep(TAKEOVER_SECONDS)
            if not self._is_mine(token):
                raise self._busy()
        lost, ended = threading.Event(), threading.Event()
        given = token, lost, ended
        thread = threading.Thread(target=self._beat, args=given, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield lost.is_set
        finally:
            ended.set()
            thread.join()
            if self._owner() and self._is_mine(token):
                self._owner_file.unlink(missing_ok=True)

    def _beat(self, token: str, lost: threading.Event, ended: threading.Event) -> None:
        """Keep owner.json fresh until the claim has `ended` or is `lost`."""
        last = time.time()
        while not lost.is_set() and not ended.wait(HEARTBEAT_SECONDS):
            named, silence, last = bool(self._owner()), time.time() - last, time.time()
            if not self._is_mine(token) or (not named and silence >= STALE_SECONDS):
                lost.set()  # after such a silence another host may have come, finished and gone
                return
            with suppress(OSError):
                os.utime(self._owner_file) if named else self._write_owner(token)

    def _is_mine(self, token: str) -> bool:
        """Whether owner.json names nobody else."""
        return self._owner().get("token", token) == token

    def _write_owner(self, token: str) -> None:
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": token}
        write_atomically(self._owner_file, json.dumps(owner | {"since": time.time()}))
