"""A process that has imported what every run imports and forks one for each run: `python -m
sweeps.forkserver FD`, as `sweeps.forked` starts it.

On the socket FD come two files for each run: a socket of its own, and its log. The forked process
sends its pid there, reads what it is to run, and goes on as that program; the server sends its exit
status. The server ends when the other end of FD is closed; its runs then find their parent gone.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from importlib import import_module

PRELOADED = ("run", "agent.build", "torch._dynamo")  # the last by the first step of an optimiser
NUMBER = struct.Struct("q")  # a pid or an exit status


def preload() -> None:
    """Import; what forks must not use CUDA and starts no thread of PyTorch's."""
    for module in PRELOADED:
        import_module(module)
    import torch

    from agent.run import provenance

    provenance.git()  # what is imported now, whatever the checkout is when a run starts
    assert not torch.cuda.is_initialized()
    gc.freeze()  # collections in the forks leave what was imported alone, so it is not copied


def serve(control: socket.socket) -> tuple[socket.socket, int] | None:
    """Fork until the other end is closed: None then, and in each forked process its two files."""
    runs: dict[int, socket.socket] = {}
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    handlers = {signal.SIGINT: signal.SIG_IGN, signal.SIGCHLD: lambda *_: None}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    signal.set_wakeup_fd(waker.fileno())
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _report_ended(runs)
        if control not in ready:
            continue
        _, files, _, _ = socket.recv_fds(control, 1, 2)
        if not files:
            return None
        run, log = socket.socket(fileno=files[0]), files[1]
        try:
            pid = os.fork()
        except OSError:  # no memory, too many processes: the sweep reads no pid
            pid = None
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for other in (control, woken, waker, *runs.values()):
                other.close()
            return run, log
        os.close(log)
        if pid:
            runs[pid] = run
        else:
            run.close()


def become(run: socket.socket, log: int) -> None:
    """Go on as the program that the sweep sends, with its arguments, environment and folder."""
    run.sendall(NUMBER.pack(os.getpid()))
    with run.makefile("rb") as file:
        told = file.readline()
    run.detach()  # open until this process ends: the sweep sees that end without the server too
    if not told:
        return
    for output in (1, 2):
        os.dup2(log, output)
    os.close(log)
    program, arguments, environment, folder = json.loads(told)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


def _report_ended(runs: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            with runs.pop(pid) as run, suppress(OSError):  # the sweep may not listen any more
                run.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def main() -> None:
    """The server, and each process that it forks."""
    control = socket.socket(fileno=int(sys.argv[1]))
    preload()
    if forked := serve(control):
        become(*forked)


if __name__ == "__main__":
    main()
