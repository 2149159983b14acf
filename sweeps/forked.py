"""Processes of runs that a server forks which has imported what they need: `sweeps.forkserver`."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

from agent.run.stop import PARENT
from sweeps import job
from sweeps.forkserver import NUMBER

ROOT = job.PROGRAM.parent


class ForkServer:
    """The server, started with variables of the environment that libraries read when they load;
    ended on leaving the context."""

    def __init__(self, environment: Mapping[str, str]):
        self._socket, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.forkserver", str(theirs.fileno())],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )

    def __enter__(self) -> "ForkServer":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self.process.wait()

    def start(
        self, overrides: Sequence[str], output: IO[bytes], environment: Mapping[str, str]
    ) -> job.Child:
        """As `job.fresh`, which takes the server's place where it has died or cannot fork."""
        told = (
            str(job.PROGRAM),
            overrides,
            {**environment, PARENT: str(self.process.pid)},
            os.getcwd(),
        )
        try:
            return Forked(self._socket, output, json.dumps(told).encode() + b"\n")
        except OSError:
            return job.fresh(overrides, output, environment)


class Forked:
    """A process that the server behind `control` forks and tells what to run, with the methods of
    `subprocess.Popen` that a job needs.

    Raises OSError where there is no process; job.Lost, from its methods, where it has ended and the
    server that knew its exit status has died.
    """

    def __init__(self, control: socket.socket, output: IO[bytes], told: bytes):
        self._status: int | None = None
        self._socket, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(control, [b"r"], [theirs.fileno(), output.fileno()])
        self.pid = self._number()
        self._socket.sendall(told)

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status once it has ended; subprocess.TimeoutExpired where it goes on."""
        if self._status is None:
            self._socket.settimeout(timeout)
            try:
                self._status = self._number()
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(str(job.PROGRAM), timeout) from None
        return self._status

    def terminate(self) -> None:
        """Send SIGTERM where it still runs."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL where it still runs."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _number(self) -> int:
        try:
            told = self._socket.recv(NUMBER.size)
        except ConnectionError:
            told = b""
        if not told:
            raise job.Lost("the fork server was killed")
        return NUMBER.unpack(told)[0]
