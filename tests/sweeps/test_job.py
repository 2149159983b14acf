"""The parent of a run's process: preempted by a scheduler, and what exit statuses mean."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.storage.status import Exit
from sweeps import job

CHILD = """
import signal, sys, time
from pathlib import Path
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
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from sweeps import job
class Fixed:
    class overrides: task = []
HydraConfig.get = staticmethod(lambda: Fixed)
job.PROGRAM = Path(sys.argv[1])
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))  # as submitit does once it has put the job back
cfg = OmegaConf.create({"run": {"device": "cpu", "jobs_per_gpu": 1}})
job._child(cfg, Path(sys.argv[2]))
"""


@pytest.fixture
def preempted(tmp_path):
    program, log = tmp_path / "child.py", tmp_path / "log.txt"
    program.write_text(CHILD)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(program), str(log)], cwd=Path(__file__).parents[2]
    )
    while not (log.exists() and "running" in log.read_text()):
        assert parent.poll() is None
        time.sleep(0.02)
    yield parent, log
    parent.kill()
    parent.wait()


def test_a_job_that_is_put_back_waits_for_the_checkpoint(preempted):
    parent, log = preempted
    parent.send_signal(signal.SIGUSR2)
    assert parent.wait(30) == 7
    assert "checkpoint written" in log.read_text()


@pytest.mark.parametrize(
    ("code", "said", "outcome"),
    [
        (Exit.DONE, "", ("failed", "ValueError: recorded")),
        (Exit.INTERRUPTED, "", ("interrupted", None)),
        (Exit.BUSY, "error: x is under way", ("under way", "error: x is under way")),
        (Exit.BAD_INPUT, "error: no such task", ("failed", "no such task")),
        (Exit.FAILED, "error: told", ("failed", "ValueError: recorded")),
        (-signal.SIGKILL, "", ("interrupted", "killed by SIGKILL")),
        (99, "", ("failed", "exit status 99")),
    ],
)
def test_exit_statuses(tmp_path, code, said, outcome):
    (tmp_path / "run.json").write_text(json.dumps({"error": "ValueError: recorded"}))
    assert job._result(code, said, tmp_path) == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("done", ("done", None)), ("under way", ("failed", job.UNFINISHED))],
)
def test_a_job_is_done_only_if_its_run_says_so(tmp_path, status, outcome):
    (tmp_path / "run.json").write_text(json.dumps({"status": status}))
    assert job._result(Exit.DONE, "", tmp_path) == outcome
