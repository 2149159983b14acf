"""One run's folder, which one process at a time may own.

The owner holds a kernel lock on `lock`, which falls with the process however it ends, and keeps `owner.json` fresh with
its host and pid. On one machine, and on network file systems that carry locks between machines (NFS v4, NFS v3 with
lockd), the kernel lock alone is exact. Where locks stay local to a machine, a heartbeat of the last two minutes from
another host counts as held, and an owner that finds another's name in `owner.json` stops.
"""

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

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 120.0  # without a heartbeat, an owner on another host counts as dead


class Busy(Exception):
    """Another process owns the run; the message names it."""


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._owner_file = self.path / "owner.json"

    def holder(self) -> str | None:
        """Describe the process that owns the run; None where there is none."""
        if not self.path.exists():
            return None
        try:
            with self._locked():
                return self._foreign_holder()
        except Timeout:
            return self._describe()

    @contextmanager
    def claim(self) -> Iterator[Callable[[], bool]]:
        """Own the folder, which is created; yields a function that tells whether the claim was lost to another host.

        Raises Busy naming the owner, and UserError where the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(self._locked())
                holder = self._foreign_holder()
                lost = None if holder else stack.enter_context(self._heartbeat())
            except Timeout:
                holder = self._describe()
            except OSError as error:
                raise UserError(f"{self.path} cannot be written ({error.strerror}): see run.root") from None
            if holder:
                raise Busy(f"{self.path} is under way: {holder}")
            yield lost

    def _locked(self) -> FileLock:
        return FileLock(self.path / "lock", blocking=False)

    def _foreign_holder(self) -> str | None:
        owner, age = self._owner(), self._heartbeat_age()
        if owner and owner.get("host") != socket.gethostname() and age is not None and age < STALE_SECONDS:
            return self._describe()
        return None

    def _describe(self) -> str:
        owner, age = self._owner() or {}, self._heartbeat_age()
        seen = "no heartbeat yet" if age is None else f"heartbeat {age:.0f} s ago"
        return f"host {owner.get('host', 'unknown')}, pid {owner.get('pid', 'unknown')}, {seen}"

    def _owner(self) -> dict[str, Any] | None:
        try:
            return json.loads(self._owner_file.read_text())
        except (OSError, ValueError):
            return None

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
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex, "since": time.time()}
        self._owner_file.write_text(json.dumps(owner))
        lost, ended = threading.Event(), threading.Event()

        def beat() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                if (self._owner() or owner)["token"] != owner["token"]:
                    lost.set()
                    return
                with suppress(OSError):
                    os.utime(self._owner_file)

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield lost.is_set
        finally:
            ended.set()
            thread.join()
            if not lost.is_set():
                self._owner_file.unlink(missing_ok=True)
