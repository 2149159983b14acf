"""Runs that the fork server starts are as fresh processes in all that a run sees and writes, and
none is left behind whoever is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from multiprocessing import forkserver
from multiprocessing.pool import ThreadPool
from unittest.mock import Mock

import psutil
import pytest

from agent.run.status import PARENT
from sweeps import job, machine
from sweeps.job import Job
from sweeps.local import Forked, forked, start_server
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux alone")
THREADS = machine.thread_environment(2)
SEEN = """
import atexit, json, os, signal, sys
import torch
atexit.register(print, "at exit")
signals = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE]
print(json.dumps({
    "arguments": sys.argv,
    "environment": {name: os.environ[name] for name in sorted(os.environ)},
    "seen by libraries": torch.__config__.parallel_info(),
    "computed": (torch.ones(400, 400) / 3 @ torch.arange(160_000.0).view(400, 400)).sum().item(),
    "folder": os.getcwd(),
    "main": [__name__, sys.modules["__main__"].__file__],
    "signals": [str(signal.getsignal(number)) for number in signals],
    "masked": [str(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "woken by": signal.set_wakeup_fd(-1),
    "group": [os.getpgid(0), os.getsid(0)],
    "files": [os.readlink(f"/proc/self/fd/{number}") for number in range(3)],
    "cuda": [torch.cuda.is_initialized(), torch.cuda._is_in_bad_fork()],
}))
"""


@pytest.fixture(scope="module", autouse=True)
def server():
    start_server(THREADS)


@pytest.fixture
def started(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PROGRAM", tmp_path / "program.py")

    def start(text, start, *arguments, **environment):
        written = tmp_path / f"{threading.get_ident()}.py"
        written.write_text(text)
        written.replace(job.PROGRAM)  # whole at any time, for threads
        with open(tmp_path / "log.txt", "ab") as log:
            return start(arguments, log, {**os.environ, **THREADS, **environment})

    return start


@pytest.mark.parametrize("threads", [1, 2])
def test_a_forked_run_sees_what_a_fresh_one_sees(started, tmp_path, monkeypatch, threads):
    monkeypatch.setenv("PYTHONSTARTUP", "one more")
    monkeypatch.chdir(tmp_path)
    seen = []
    given = {**machine.thread_environment(threads), "CUDA_VISIBLE_DEVICES": "3"}
    for start in (job.fresh, forked):
        child = started(SEEN, start, "a=1", "b='x y'", **given)
        assert isinstance(child, Forked) == (start is forked) and child.wait(300) == 0
        told, last = (tmp_path / "log.txt").read_text().splitlines()
        seen.append(json.loads(told))
        (tmp_path / "log.txt").unlink()
        assert last == "at exit"
    fresh, other = seen
    assert fresh["environment"].pop(PARENT) == str(os.getpid())
    assert other == fresh
    assert fresh["environment"]["CUDA_VISIBLE_DEVICES"] == "3" and fresh["cuda"] == [False, False]


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
def test_exit_statuses_are_those_of_a_fresh_process(started, text):
    codes = [started(text, start).wait(300) for start in (job.fresh, forked)]
    assert codes[0] == codes[1] != 0


def test_a_run_is_asked_to_stop_and_then_killed(started, stoppable):
    child = started(job.PROGRAM.read_text(), forked)
    wait_until(lambda: "running" in stoppable.read_text())
    assert child.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    child.terminate()
    assert child.wait(300) == child.poll() == 130
    assert "checkpoint written" in stoppable.read_text()
    child = started("import time; time.sleep(600)", forked)
    child.kill()
    assert child.wait(300) == -signal.SIGKILL
    child.terminate()


def test_where_the_server_cannot_fork_a_fresh_process_runs(started, tmp_path, monkeypatch):
    fails = Mock(side_effect=OSError("too many open files"))
    monkeypatch.setattr(forkserver._forkserver, "connect_to_new_process", fails)
    monkeypatch.setattr("multiprocessing.popen_forkserver.forkserver.connect_to_new_process", fails)
    child = started("print('and so on')", forked)
    assert isinstance(child, subprocess.Popen) and child.wait(300) == 0
    assert (tmp_path / "log.txt").read_text() == "and so on\n"


def test_many_threads_read_each_exit_status_once(started):
    def run(number):
        return started("import sys; sys.exit(int(sys.argv[1]))", forked, str(number)).wait(300)

    with ThreadPool(12) as pool:
        assert pool.map(run, range(1, 13)) == [*range(1, 13)]


def test_a_run_whose_server_is_killed_stops_with_a_checkpoint(started, stoppable, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"status": "under way"}))
    run = Job("a run", tmp_path, (), tmp_path / "stop", environment=THREADS, start=forked)
    with ThreadPool(1) as pool:
        outcome = pool.apply_async(run)
        wait_until(lambda: "running" in stoppable.read_text())
        os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
        assert str(outcome.get(300)) == "a run: interrupted: the fork server was killed"
    wait_until(lambda: "checkpoint written" in stoppable.read_text())
    assert started("print('and so on')", forked).wait(300) == 0


def test_a_killed_sweep_leaves_neither_server_nor_run(stoppable, sweeping):
    sweep = sweeping("forked")
    started = psutil.Process(sweep.pid).children(recursive=True)
    assert len(started) == 3, "the fork server, its run, and what tidies up for multiprocessing"
    sweep.kill()
    sweep.wait()
    wait_until(lambda: all(not one.is_running() or one.status() == "zombie" for one in started))
    assert "checkpoint written" in stoppable.read_text()
