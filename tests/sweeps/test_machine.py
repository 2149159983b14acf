"""Cores and GPUs are shared out: how many runs at a time, how many threads, which GPU."""

from contextlib import ExitStack
from dataclasses import replace

import pytest

from sweeps import job, machine
from sweeps.local import Local

SHOW = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'), os.environ['OMP_NUM_THREADS'])"


@pytest.fixture
def has(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "")

    def build(cores, gpus=()):
        monkeypatch.setattr(machine, "cores", lambda: cores)
        monkeypatch.setattr(machine, "gpus", lambda: list(gpus))

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
def test_runs_at_a_time(has, gpus, device, threads, jobs_per_gpu, runs):
    has(8, gpus)
    assert machine.at_a_time(device, threads, jobs_per_gpu) == runs


def test_visible_devices_are_the_gpus(monkeypatch):
    monkeypatch.setattr(machine, "_torch_has_cuda", lambda: True)
    names = {"": [], "-1": [], "GPU-1f, GPU-2e": ["GPU-1f", "GPU-2e"], "0,3": ["0", "3"]}
    for visible, gpus in names.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert machine.gpus() == gpus
    monkeypatch.setattr(machine, "_torch_has_cuda", lambda: False)
    assert machine.gpus() == []


@pytest.fixture
def pinned(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.tempfile, "gettempdir", lambda: str(tmp_path))
    return lambda gpus, jobs_each: machine.pinned(gpus, jobs_each, lambda: False)


def test_runs_fill_every_gpu_before_they_share_one(pinned):
    two = ["0", "1"]
    with pinned(two, 2) as a, pinned(two, 2) as b:
        for _ in range(2):  # a place is given back
            with pinned(two, 2) as c:
                assert [place["CUDA_VISIBLE_DEVICES"] for place in (a, b, c)] == ["0", "1", "0"]
    with pinned([], 2) as nowhere:
        assert nowhere == {}


def test_a_run_waits_for_a_place(pinned, monkeypatch):
    with ExitStack() as held:
        held.enter_context(pinned(["0"], 1))
        looks = iter([lambda: None, held.close])
        monkeypatch.setattr(machine.time, "sleep", lambda _: next(looks)())
        with pinned(["0"], 1) as place:
            assert place["CUDA_VISIBLE_DEVICES"] == "0"
        assert not list(looks)


def test_a_sweep_that_stops_waits_for_no_place(pinned, jobs, monkeypatch):
    job = replace(jobs[0], gpus=("0",))
    monkeypatch.setattr(machine.time, "sleep", lambda _: job.stop_file.touch())
    with pinned(["0"], 1):
        assert str(job()) == "a: not started: stopped before a GPU was free"


@pytest.fixture
def shown(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "PROGRAM", tmp_path / "show.py")
    job.PROGRAM.write_text(SHOW)
    return lambda one: (one.folder / "log.txt").read_text().strip()


def test_local_jobs_get_a_gpu_and_threads_by_their_environment(pinned, jobs, shown, has):
    has(8, ["5", "7"])
    outcomes = list(Local(2, None, "cuda", 1).run(jobs[:2]))
    assert sorted(outcome.name for outcome in outcomes) == ["a", "b"]
    assert {shown(one) for one in jobs[:2]} <= {"5 4", "7 4"}


def test_the_users_threads_are_honoured(has, monkeypatch, jobs, shown):
    has(8)
    assert [machine.threads_each(runs) for runs in (1, 3, 8, 99)] == [8, 2, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert machine.at_a_time("cpu", None, 1) == 4
    assert machine.at_a_time("cpu", 8, 1) == 1, "run.threads goes first"
    list(Local(1, None, "cpu", 1).run(jobs[:1]))
    assert shown(jobs[0]).endswith(" 2")


def test_a_slurm_job_has_as_many_threads_as_slurm_gave_it_cores(monkeypatch, jobs, shown):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    all_cores = machine.cores()
    for given, cores in {"1": 1, "100": all_cores, "x": all_cores}.items():
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", given)
        assert machine.cores() == cores
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    for one, wanted, threads in ((jobs[0], "", " 3"), (jobs[1], "1", " 1")):
        monkeypatch.setenv("OMP_NUM_THREADS", wanted)
        one()
        assert shown(one).endswith(threads)
