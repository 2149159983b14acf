"""Runs that a fork server starts: as fresh processes in all that a run sees and writes, and none is
left behind whoever is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from agent.run.stop import PARENT
from benchmarks.sweep_kills import TINY
from sweeps import job, machine
from sweeps.forked import Forked, ForkServer
from sweeps.job import Job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux alone")
THREADS = machine.thread_environment(2)
ASKED = """
import sys, time
from agent.run.stop import Stop
asked = Stop()
print("running", flush=True)
while not asked():
    time.sleep(0.02)
print("checkpoint written", flush=True)
sys.exit(130)
"""
SWEEP = """
import sys
from pathlib import Path
from sweeps import forked, job
job.PROGRAM = Path(sys.argv[1])
with forked.ForkServer({}) as server:
    print(server.process.pid, flush=True)
    print(job.Job("a run", Path(sys.argv[2]), (), Path("stop"), start=server.start)())
"""
NO_FORK = """
import os, socket, sys
from sweeps import forkserver
def fails():
    raise OSError("no memory")
os.fork = fails
forkserver.serve(socket.socket(fileno=int(sys.argv[1])))
"""
SEEN = """
import atexit, json, os, signal, sys, threading
import torch
atexit.register(print, "at exit")
signals = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE]
print(json.dumps({
    "arguments": sys.argv,
    "environment": {name: os.environ[name] for name in sorted(os.environ)},
    "seen by libraries": torch.__config__.parallel_info(),
    "folder": os.getcwd(),
    "imported from": sys.path[1:],
    "main": [__name__, sys.modules["__main__"].__file__],
    "signals": [str(signal.getsignal(number)) for number in signals],
    "masked": [str(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "woken by": signal.set_wakeup_fd(-1),
    "group": [os.getpgid(0), os.getsid(0)],
    "files": [os.readlink(f"/proc/self/fd/{number}") for number in range(3)],
    "buffered": [sys.stdout.line_buffering, sys.stderr.line_buffering],
    "cuda": torch.cuda.is_initialized(),
    "threads": [thread.name for thread in threading.enumerate()],
}))
"""


@pytest.fixture(scope="module")
def server():
    """A fork server with two threads for each run."""
    with ForkServer(THREADS) as server:
        yield server


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Function of a program's text, how to start it and its arguments: the process, and its log
    once it has ended."""
    monkeypatch.setattr(job, "PROGRAM", tmp_path / "program.py")

    def start(text, start, *arguments, **environment):
        job.PROGRAM.write_text(text)
        with open(tmp_path / "log.txt", "ab") as log:
            return start(arguments, log, {**os.environ, **THREADS, **environment})

    return start


def waited(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_forked_run_sees_what_a_fresh_one_sees(started, server, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONSTARTUP", "one more")
    monkeypatch.chdir(tmp_path)
    seen = []
    for start in (job.fresh, server.start):
        child = started(SEEN, start, "a=1", "b='x y'", CUDA_VISIBLE_DEVICES="3")
        assert isinstance(child, Forked) == (start is not job.fresh) and child.wait(60) == 0
        told, last = (tmp_path / "log.txt").read_text().splitlines()
        seen.append(json.loads(told))
        (tmp_path / "log.txt").unlink()
        assert last == "at exit"
    fresh, forked = seen
    assert fresh["environment"].pop(PARENT) == str(os.getpid())
    assert forked["environment"].pop(PARENT) == str(server.process.pid)
    assert forked == fresh
    assert fresh["environment"]["CUDA_VISIBLE_DEVICES"] == "3" and not fresh["cuda"]


def test_a_fork_that_fails_is_told(tmp_path):
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [sys.executable, "-c", NO_FORK, str(theirs.fileno())],
        cwd=job.PROGRAM.parent,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    socket.setdefaulttimeout(30)
    try:
        with open(tmp_path / "log.txt", "wb") as log, pytest.raises(job.Lost):
            Forked(ours, log, b"")
    finally:
        socket.setdefaulttimeout(None)
        ours.close()
    assert server.wait(60) == 0


def test_the_server_lends_a_run_none_of_its_files(started, server, tmp_path):
    """Another run's socket would hide that run's end."""
    files = "import glob, os; print(list(map(os.path.realpath, glob.glob('/proc/self/fd/*'))))"
    log = tmp_path / "log.txt"
    other = started(ASKED, server.start)
    waited(lambda: "running" in log.read_text())
    assert started(files, server.start).wait(60) == 0
    held = log.read_text().splitlines()[-1]
    other.kill()
    assert other.wait(60) == -signal.SIGKILL
    assert held.count("socket:") == 1, f"its own alone, not {held}"


@pytest.mark.parametrize(
    "text",
    [
        "raise SystemExit(75)",
        "raise SystemExit('said')",
        "raise ValueError",
        "import os; os._exit(255)",
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "raise KeyboardInterrupt",
    ],
)
def test_exit_statuses_are_those_of_a_fresh_process(started, server, tmp_path, text):
    codes = [started(text, start).wait(60) for start in (job.fresh, server.start)]
    assert codes[0] == codes[1] != 0
    said = (tmp_path / "log.txt").read_text().splitlines()
    assert not said or said[-1] == said[(len(said) - 1) // 2] or "Traceback" in said[0]


def test_a_run_is_asked_to_stop_and_then_killed(started, server, tmp_path):
    log = tmp_path / "log.txt"
    child = started(ASKED, server.start)
    waited(lambda: "running" in log.read_text())
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    child.terminate()
    assert child.wait(60) == child.poll() == 130 and "checkpoint written" in log.read_text()
    child = started("import time; time.sleep(60)", server.start)
    child.kill()
    assert child.wait(60) == -signal.SIGKILL
    child.terminate()


def written(folder, overrides, start):
    """What a run writes down, the clock apart."""
    Job("a run", folder, overrides, folder / "stop", environment=THREADS, start=start)()
    (metrics,) = folder.rglob("metrics.jsonl")
    rows = [json.loads(line) for line in metrics.open()]
    for row in rows:
        del row["wall_seconds"]
    assert sum("model_loss" in row for row in rows) > 1, rows[-1]
    return rows, metrics.with_name("scores.csv").read_text()


def test_results_are_those_of_a_fresh_process_bit_for_bit(server, tmp_path):
    """With two threads, and layers so wide that PyTorch and MKL use both."""
    wide = ("size.deter=192", "size.hidden=256", "size.units=256", "recipe.batch_size=16")
    sized = [entry for entry in TINY if entry.split("=")[0] not in [w.split("=")[0] for w in wide]]
    overrides = (*sized, *wide, "run.steps=100", "run.log_every=10", "run.threads=null")
    fresh, forked = (
        written(tmp_path / name, (*overrides, f"run.root={tmp_path / name}"), start)
        for name, start in (("fresh", job.fresh), ("forked", server.start))
    )
    assert fresh == forked


def test_a_run_outlives_its_server_until_its_checkpoint(started, tmp_path):
    """The job waits for it, and the next is a fresh process."""
    log, outcomes = tmp_path / "log.txt", []
    (tmp_path / "run.json").write_text(json.dumps({"status": "under way"}))
    with ForkServer(THREADS) as server:
        started("", server.start).wait(60)
        job.PROGRAM.write_text(ASKED)
        run = Job("a run", tmp_path, (), tmp_path / "stop", start=server.start)
        thread = threading.Thread(target=lambda: outcomes.append(run()))
        thread.start()
        waited(lambda: "running" in log.read_text())
        server.process.kill()
        thread.join(60)
        assert "checkpoint written" in log.read_text()
        assert str(outcomes[0]) == "a run: interrupted: the fork server was killed"
        child = started("print('and so on')", server.start)
        assert isinstance(child, subprocess.Popen) and child.wait(60) == 0


def test_a_killed_sweep_leaves_neither_server_nor_run(tmp_path):
    program, log = tmp_path / "program.py", tmp_path / "log.txt"
    program.write_text(ASKED)
    sweep = subprocess.Popen(
        [sys.executable, "-c", SWEEP, str(program), str(tmp_path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    server = int(sweep.stdout.readline())
    waited(lambda: log.exists() and "running" in log.read_text())
    (run,) = (child.pid for child in psutil.Process(server).children())
    sweep.kill()
    sweep.wait()
    waited(lambda: not lives(server) and not lives(run))
    assert "checkpoint written" in log.read_text()
