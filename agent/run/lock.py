"""One run's folder, which one process at a time may own.

The owner holds a kernel lock on `lock`, which falls with the process however it ends, and keeps
`owner.json` fresh with its host and pid. On one machine, and on network file systems that carry
locks between machines (NFS v4, NFS v3 with lockd), the kernel lock alone is exact. Where locks stay
local to a machine, a heartbeat of the last two minutes from another host counts as held, and an
owner that finds another's name in `owner.json` stops and writes no more.
"""

import fcntl
import json
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

LOCK_SECONDS = 1.0  # how long a claim tries: who looks holds a shared lock for a moment
HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 120.0  # without a heartbeat, an owner on another host counts as dead
TAKEOVER_SECONDS = 2.0  # for a third host that takes over the same dead owner's run to show itself


class Busy(Exception):
    """Another process owns the run; the message names it."""


class ClaimLost(Busy):
    """A process on another host took the run over: nothing in its folder may be touched any
    more."""


def check_root(root: str | Path) -> None:
    """UserError unless folders can be made below `root`, which need not be there yet."""
    there = next(path for path in (Path(root), *Path(root).absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "may not be written" if there.is_dir() else "is no folder"
        raise UserError(f"run.root={root}: {there} {why}")


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._owner_file = self.path / "owner.json"
        self._lock_file = self.path / "lock"

    def holder(self) -> str | None:
        """Describe the process that owns the run; None where there is none. Looking keeps nobody
        from claiming."""
        return self._describe() if self._is_locked() else self._foreign_holder()

    @contextmanager
    def claim(self) -> Iterator[Callable[[], bool]]:
        """Own the folder, which is created; yields a function that tells whether the claim was lost
        to another host.

        Raises Busy naming the owner, and UserError where the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self._lock_file, timeout=LOCK_SECONDS))
                holder = self._foreign_holder()
                lost = None if holder else stack.enter_context(self._heartbeat())
            except Timeout:
                holder = self._describe()
            except OSError as error:
                raise UserError(
                    f"{self.path} cannot be written ({error.strerror}): see run.root"
                ) from None
            if holder:
                raise self._busy(holder)
            yield lost

    def _is_locked(self) -> bool:
        try:
            with open(self._lock_file) as file:
                fcntl.flock(
                    file, fcntl.LOCK_SH | fcntl.LOCK_NB
                )  # shared: those who look do not see each other
        except (FileNotFoundError, NotADirectoryError):
            return False
        except BlockingIOError:
            return True
        return False

    def _foreign_holder(self) -> str | None:
        """A process on another host with a recent heartbeat; one that is dated in the future is no
        owner's, who would have renewed it."""
        age = self._heartbeat_age() if self._is_foreign() else None
        return self._describe() if age is not None and abs(age) < STALE_SECONDS else None

    def _is_foreign(self) -> bool:
        """Whether the last owner is or was on another host."""
        owner = self._owner()
        return owner is not None and owner.get("host") != socket.gethostname()

    def _busy(self, holder: str) -> Busy:
        return Busy(f"{self.path} is under way: {holder}")

    def _describe(self) -> str:
        owner, age = self._owner() or {}, self._heartbeat_age()
        seen = "no heartbeat yet" if age is None else f"heartbeat {age:.0f} s ago"
        return f"host {owner.get('host', 'unknown')}, pid {owner.get('pid', 'unknown')}, {seen}"

    def _owner(self) -> dict[str, Any] | None:
        """Fields of owner.json; None where it is absent or torn."""
        try:
            owner = json.loads(self._owner_file.read_text())
        except (OSError, ValueError):
            return None
        return owner if isinstance(owner, dict) else None

    def _write_owner(self, owner: dict[str, Any]) -> None:
        partial = self.path / f".owner-{owner['token']}"
        try:
            partial.write_text(json.dumps(owner))
            os.replace(partial, self._owner_file)
        finally:
            partial.unlink(missing_ok=True)

    def _heartbeat_age(self) -> float | None:
        """Seconds by the clock of the file system, which may be another machine's."""
        probe = self.path / f".clock-{uuid.uuid4().hex}"
        try:
            probe.touch()
            return probe.stat().st_mtime - self._owner_file.stat().st_mtime
        except OSError:
            return None
        finally:
            probe.unlink(missing_ok=True)

    @contextmanager
    def _heartbeat(self) -> Iterator[Callable[[], bool]]:
        """Write owner.json and keep it fresh; Busy when another host takes over the same dead
        owner's run."""
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "token": uuid.uuid4().hex,
            "since": time.time(),
        }
        taking_over = self._is_foreign()
        self._write_owner(owner)
        if taking_over:
            time.sleep(TAKEOVER_SECONDS)
            if (self._owner() or owner).get("token") != owner["token"]:
                raise self._busy(self._describe())
        lost, ended = threading.Event(), threading.Event()

        def beat() -> None:
            last = time.time()
            while not ended.wait(HEARTBEAT_SECONDS):
                if not self._beat(owner, time.time() - last):
                    lost.set()
                    return
                last = time.time()

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield lost.is_set
        finally:
            ended.set()
            thread.join()
            if (self._owner() or {}).get("token") == owner["token"]:
                self._owner_file.unlink(missing_ok=True)

    def _beat(self, owner: dict[str, Any], silence: float) -> bool:
        """Keep owner.json fresh after `silence` seconds; returns whether the run is still this
        owner's."""
        found = self._owner()
        if (
            found is None and silence >= STALE_SECONDS
        ):  # suspended: another host may have come, finished and gone
            return False
        if found is not None and found.get("token") != owner["token"]:
            return False
        with suppress(OSError):
            if found is None:
                self._write_owner(owner)
            else:
                os.utime(self._owner_file)
        return True
