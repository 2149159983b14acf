"""Cores and GPUs are shared out: how many runs at a time, how many threads, which GPU."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.errors import UserError
from sweeps import parallel


@pytest.fixture
def machine(monkeypatch):
    def build(cores, gpus=()):
        monkeypatch.setattr(parallel, "cores", lambda: cores)
        monkeypatch.setattr(parallel, "gpus", lambda: list(gpus))

    return build


@pytest.mark.parametrize(
    ("gpus", "device", "threads", "jobs_per_gpu", "runs"),
    [
        ([], "auto", None, 1, 8),
        ([], "cpu", 2, 1, 4),
        ([], "cpu", 3, 1, 2),
        ([], "cpu", 99, 1, 1),
        (["0", "1"], "auto", None, 1, 2),
        (["0", "1"], "cuda", None, 3, 6),
        (["0", "1"], "cuda:1", None, 3, 3),
        (["0", "1"], "cpu", None, 3, 8),
    ],
)
def test_runs_at_a_time(machine, gpus, device, threads, jobs_per_gpu, runs):
    machine(8, gpus)
    assert parallel.at_a_time(device, threads, jobs_per_gpu) == runs


def test_threads_are_cores_over_runs(machine):
    machine(8)
    assert [parallel.threads_each(runs) for runs in (1, 3, 8, 99)] == [8, 2, 1, 1]


@pytest.mark.parametrize(("threads", "jobs"), [(0, 1), (-1, 1), (None, 0), (1.5, 1), (True, 1)])
def test_numbers_that_no_machine_has(threads, jobs):
    with pytest.raises(UserError, match="at least 1"):
        parallel.check(threads, jobs)


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [("0,3", ["0", "3"]), ("", []), ("-1", []), ("GPU-1f, GPU-2e", ["GPU-1f", "GPU-2e"])],
)
def test_visible_devices_are_the_gpus(monkeypatch, visible, gpus):
    monkeypatch.setattr(parallel, "_torch_has_cuda", lambda: True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert parallel.gpus() == gpus
    monkeypatch.setattr(parallel, "_torch_has_cuda", lambda: False)
    assert parallel.gpus() == []


def test_runs_fill_every_gpu_before_they_share_one(tmp_path):
    with (
        parallel.pinned(["0", "1"], 2, tmp_path) as a,
        parallel.pinned(["0", "1"], 2, tmp_path) as b,
    ):
        with parallel.pinned(["0", "1"], 2, tmp_path) as c:
            assert [place["CUDA_VISIBLE_DEVICES"] for place in (a, b, c)] == ["0", "1", "0"]
        with parallel.pinned(["0", "1"], 2, tmp_path) as c:
            assert c["CUDA_VISIBLE_DEVICES"] == "0"
    with parallel.pinned([], 2, tmp_path) as nowhere:
        assert nowhere == {}


def test_a_run_waits_for_a_place(tmp_path):
    entered = threading.Event()

    def wait():
        with parallel.pinned(["0"], 1, tmp_path):
            entered.set()

    with parallel.pinned(["0"], 1, tmp_path):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    thread.join()


SHOW = """
import os, sys
from omegaconf import OmegaConf
from pathlib import Path
from sweeps import job, parallel
from hydra.core.hydra_config import HydraConfig
parallel._torch_has_cuda = lambda: True
job.PROGRAM = Path(sys.argv[1])
class Fixed:
    class overrides: task = []
HydraConfig.get = staticmethod(lambda: Fixed)
cfg = OmegaConf.create({"run": {"device": "cuda", "jobs_per_gpu": 1}})
print(job._child(cfg, Path(sys.argv[2]))[1])
"""


def test_a_job_is_pinned_by_its_environment(tmp_path):
    program = tmp_path / "show.py"
    program.write_text(
        "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['OMP_NUM_THREADS'])"
    )
    given = {
        "SWEEP_LOCAL": "1",
        "OMP_NUM_THREADS": "3",
        "CUDA_VISIBLE_DEVICES": "7",
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", SHOW, str(program), str(tmp_path / "log.txt")],
        env={**os.environ, **given}, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "7 3", done.stderr
