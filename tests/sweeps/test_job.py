"""One run of a sweep: its child process, who stops it, and what exit statuses mean."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest
from omegaconf import OmegaConf

from agent.run.lock import RunFolder
from agent.run.status import STOPPED_BY_SERVER, Exit
from sweeps import job
from sweeps.job import Job
from sweeps.sweep import Sweep
from tests.waiting import wait_until


def stop_run(process):  # as Slurm does first
    for child in psutil.Process(process.pid).children():
        child.terminate()


def test_a_job_that_is_put_back_waits_for_the_checkpoint(sweeping, stoppable):
    process = sweeping()
    process.send_signal(signal.SIGUSR2)
    assert process.wait(300) == 7
    assert "checkpoint written" in stoppable.read_text()


def test_a_job_whose_run_slurm_stopped_returns_no_result(sweeping, stoppable):
    process = sweeping("slurm")
    stop_run(process)
    wait_until(lambda: "checkpoint written" in stoppable.read_text())
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    stoppable.with_name("stop").touch()
    assert process.communicate(timeout=300)[0].endswith("interrupted\n")


@pytest.mark.parametrize("error, start", [(STOPPED_BY_SERVER, "slurm"), (None, "fresh")])
def test_a_run_that_slurm_did_not_stop_is_a_result(sweeping, tmp_path, error, start):
    fields = {"status": "interrupted", "error": error}
    (tmp_path / "run.json").write_text(json.dumps(fields))
    process = sweeping(start, SUBMITIT_EXECUTOR="slurm")
    stop_run(process)
    assert process.communicate(timeout=300)[0] == "interrupted\n"


def test_a_child_has_the_seconds_that_its_run_may_take_to_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "GRACE_SECONDS", 0.0)
    code = "import signal, time; signal.signal(15, lambda *_: (time.sleep(0.3), exit(130)))\n"
    code += "print(1, flush=True)\nwhile True: time.sleep(0.02)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    child.stdout.read(1)
    patient = Job("a run", tmp_path, (), tmp_path / "stop", stop_seconds=300)
    assert patient._end(child) == Exit.INTERRUPTED


def test_a_run_that_another_process_holds_and_a_stopped_sweep_start_nothing(jobs, monkeypatch):
    held, other = jobs[:2]
    monkeypatch.setattr(job, "PROGRAM", Path("/nonexistent"))
    with RunFolder(held.folder).claim():
        outcome = held()
    assert outcome.status == "under way" and f"pid {os.getpid()}" in outcome.error
    assert not (held.folder / "log.txt").exists()
    other.stop_file.touch()
    assert other().status == "not started" and not other.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_a_full_disk_is_named_before_the_run_starts(tmp_path):
    (tmp_path / "log.txt").symlink_to("/dev/full")
    never = Mock(side_effect=AssertionError)
    outcome = Job("a run", tmp_path, (), tmp_path / "stop", start=never)()
    assert "No space left" in outcome.error


FAILED = {"status": "failed", "error": "ValueError: recorded"}


@pytest.mark.parametrize(
    ("fields", "code", "said", "outcome"),
    [
        (FAILED, Exit.DONE, "", ("failed", "ValueError: recorded")),
        (FAILED, Exit.INTERRUPTED, "", ("interrupted", None)),
        (FAILED, Exit.BUSY, "error: x is under way", ("under way", "x is under way")),
        (FAILED, Exit.BAD_INPUT, "error: no such task", ("failed", "no such task")),
        (FAILED, Exit.FAILED, "error: told", ("failed", "ValueError: recorded")),
        (FAILED, -signal.SIGKILL, "", ("interrupted", "killed by SIGKILL")),
        ({"status": "done"}, Exit.DONE, "", ("done", None)),
        ({"status": "under way"}, Exit.DONE, "", ("failed", job.UNFINISHED)),
        (None, 99, "", ("failed", "exit status 99")),
    ],
)
def test_exit_statuses(tmp_path, fields, code, said, outcome):
    if fields:
        (tmp_path / "run.json").write_text(json.dumps(fields))
    assert job.result(code, said, tmp_path) == outcome


def test_a_sweep_that_fail_fast_stopped_waits_for_no_run_of_another_sweep(tmp_path):
    sweep = Sweep(OmegaConf.create({"run": {"root": str(tmp_path)}, "hydra": {"sweeper": {}}}))
    sweep.stop_file.touch()
    run = SimpleNamespace(folder=tmp_path / "run")
    with RunFolder(run.folder).claim():
        assert sweep._wait_for_one([run]) == []
