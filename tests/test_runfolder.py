"""One owner at a time: locks of live, dead and foreign owners."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent import runfolder
from agent.errors import UserError
from agent.runfolder import Busy, RunFolder

OWNER = """
import sys, time
from agent.runfolder import RunFolder
with RunFolder(sys.argv[1]).claim():
    print("mine", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def owner(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
    )
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.wait()


def test_a_live_owner_keeps_the_run_and_is_named(tmp_path, owner):
    with pytest.raises(Busy, match=rf"pid {owner.pid}, heartbeat"), RunFolder(tmp_path).claim():
        pass
    assert str(owner.pid) in RunFolder(tmp_path).holder()


def test_a_killed_owner_loses_the_run_at_once(tmp_path, owner):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert RunFolder(tmp_path).holder() is None
    with RunFolder(tmp_path).claim() as lost:
        assert json.loads((tmp_path / "owner.json").read_text())["pid"] == os.getpid()
        assert not lost()
    assert not (tmp_path / "owner.json").exists()


def test_the_run_is_free_after_an_exception(tmp_path):
    with pytest.raises(PermissionError, match="inside"), RunFolder(tmp_path).claim():
        raise PermissionError("inside")
    with RunFolder(tmp_path).claim():
        pass


def foreign(tmp_path, age):
    file = tmp_path / "owner.json"
    file.write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "theirs"}))
    os.utime(file, (time.time() - age,) * 2)


def test_a_heartbeat_on_another_host_counts_where_locks_stay_local(tmp_path):
    foreign(tmp_path, age=20)
    with pytest.raises(Busy, match="host elsewhere"), RunFolder(tmp_path).claim():
        pass


def test_a_stale_heartbeat_on_another_host_is_taken_over(tmp_path):
    foreign(tmp_path, age=runfolder.STALE_SECONDS + 20)
    with RunFolder(tmp_path).claim():
        assert json.loads((tmp_path / "owner.json").read_text())["pid"] == os.getpid()


def test_an_owner_beats_and_notices_when_another_host_took_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(runfolder, "HEARTBEAT_SECONDS", 0.02)
    with RunFolder(tmp_path).claim() as lost:
        os.utime(tmp_path / "owner.json", (0, 0))
        wait_until(lambda: (tmp_path / "owner.json").stat().st_mtime > 0)
        foreign(tmp_path, age=0)
        wait_until(lost)
    assert (tmp_path / "owner.json").exists()


def test_a_folder_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"file/run cannot be written.*run\.root"),
        RunFolder(tmp_path / "file/run").claim(),
    ):
        pass


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
