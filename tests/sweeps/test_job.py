"""One run of a sweep: its child process, stopped by a scheduler or another sweep's, and what exit
statuses mean."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from omegaconf import OmegaConf

from agent.run.lock import RunFolder
from agent.run.status import STOPPED_BY_SERVER, Exit
from sweeps import job
from sweeps.job import Job
from sweeps.sweep import Sweep

CHILD = """
import signal, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print("running", flush=True)
while not asked:
    time.sleep(0.02)
print("checkpoint written", flush=True)
sys.exit(130)
"""
PARENT = """
import signal, sys
from pathlib import Path
from sweeps import job
job.PROGRAM = Path(sys.argv[1])
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))  # as submitit does in the end
print(job.Job("a run", Path(sys.argv[2]), (), Path(sys.argv[2]) / "stop")().status)
"""


@pytest.fixture
def started(tmp_path):
    """Function of environment variables: a job's process whose run has started."""
    program, log = tmp_path / "child.py", tmp_path / "log.txt"
    program.write_text(CHILD)
    processes = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(program), str(tmp_path)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        wait(lambda: log.exists() and "running" in log.read_text(), process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait(condition, process):
    while not condition():
        assert process.poll() is None
        time.sleep(0.02)


def stop_run(process):
    """What Slurm does first: SIGTERM for every process of the job."""
    for child in psutil.Process(process.pid).children():
        child.terminate()


def test_a_job_that_is_put_back_waits_for_the_checkpoint(started, tmp_path):
    process = started()
    process.send_signal(signal.SIGUSR2)
    assert process.wait(300) == 7
    assert "checkpoint written" in (tmp_path / "log.txt").read_text()


def test_a_job_whose_run_slurm_stopped_returns_no_result(started, tmp_path):
    """A result would end the job; Slurm puts it back only if it ends the job itself."""
    process = started(SUBMITIT_EXECUTOR="slurm")
    stop_run(process)
    wait(lambda: "checkpoint written" in (tmp_path / "log.txt").read_text(), process)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.0)
    (tmp_path / "stop").touch()
    assert process.communicate(timeout=300)[0].endswith("interrupted\n")


def test_a_run_that_the_wandb_server_stopped_is_a_result_under_slurm(started, tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"status": "interrupted", "error": STOPPED_BY_SERVER})
    )
    process = started(SUBMITIT_EXECUTOR="slurm")
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


def test_elsewhere_a_stopped_run_is_a_result(started):
    process = started()
    stop_run(process)
    assert process.communicate(timeout=300)[0] == "interrupted\n"


def test_a_run_that_another_process_holds_starts_no_child(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PROGRAM", Path("/nonexistent"))
    with RunFolder(tmp_path / "run").claim():
        outcome = Job("a run", tmp_path / "run", (), tmp_path / "stop")()
    assert outcome.status == "under way" and f"pid {os.getpid()}" in outcome.error
    assert not (tmp_path / "run" / "log.txt").exists()


def test_a_stopped_sweep_starts_nothing(tmp_path):
    (tmp_path / "stop").touch()
    assert Job("a run", tmp_path / "run", (), tmp_path / "stop")().status == "not started"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [
        (Exit.DONE, "", ("failed", "ValueError: recorded")),
        (Exit.INTERRUPTED, "", ("interrupted", None)),
        (Exit.BUSY, "error: x is under way", ("under way", "x is under way")),
        (Exit.BAD_INPUT, "error: no such task", ("failed", "no such task")),
        (Exit.FAILED, "error: told", ("failed", "ValueError: recorded")),
        (-signal.SIGKILL, "", ("interrupted", "killed by SIGKILL")),
    ],
)
def test_exit_statuses(tmp_path, code, said, outcome):
    fields = {"status": "failed", "error": "ValueError: recorded"}
    (tmp_path / "run.json").write_text(json.dumps(fields))
    assert job.result(code, said, tmp_path) == outcome


def test_a_process_that_wrote_nothing_down_is_known_by_its_exit_status(tmp_path):
    assert job.result(99, "", tmp_path) == ("failed", "exit status 99")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("done", ("done", None)), ("under way", ("failed", job.UNFINISHED))],
)
def test_a_job_is_done_only_if_its_run_says_so(tmp_path, status, outcome):
    (tmp_path / "run.json").write_text(json.dumps({"status": status}))
    assert job.result(Exit.DONE, "", tmp_path) == outcome


def test_a_sweep_that_fail_fast_stopped_waits_for_no_run_of_another_sweep(tmp_path):
    sweep = Sweep(OmegaConf.create({"run": {"root": str(tmp_path)}, "hydra": {"sweeper": {}}}))
    sweep.stop_file.touch()
    run = SimpleNamespace(folder=tmp_path / "run")
    with RunFolder(run.folder).claim():
        assert sweep._wait_for_one([run]) == []
