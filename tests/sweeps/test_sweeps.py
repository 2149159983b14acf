"""Sweeps as a user starts them: failures of every kind, rerunning, and being killed."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from benchmarks.sweep_kills import TINY, command, killed_sweep, scores

KILLED = ("latent=categorical,gaussian", "run.steps=160")
FAULTY = ("task.env._target_=tests.sweeps.faulty.make", "run.steps=60", "run.eval_every=1000")


def sweep(root, *overrides, launcher="basic"):
    done = subprocess.run(command(root, launcher, *TINY, *overrides), capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout, done.stderr


def runs(root):
    return {json.loads(file.read_text())["arm"]: json.loads(file.read_text()) for file in root.rglob("run.json")}


def test_one_failure_neither_ends_nor_hides_the_rest(tmp_path):
    grid = "+task.env.fault=exception,exit,kill,none"
    code, said, _ = sweep(tmp_path, *FAULTY, grid, launcher="local")
    assert code == 1
    table = said[said.index("not done") :]
    assert "RuntimeError: the pole fell on the experimenter" in table and "and more" not in said
    assert "SystemExit: 3" in table and "killed by SIGKILL" in table
    assert "1 cut off, 1 done, 2 failed, 0 done before" in table
    code, said, _ = sweep(tmp_path, *FAULTY, grid.replace("kill,", ""))
    assert code == 1 and "2 failed, 1 done before" in said and "run.retry_failed=true" in said


def test_fail_fast_starts_nothing_after_the_first_failure(tmp_path):
    code, said, _ = sweep(tmp_path, *FAULTY, "+task.env.fault=exception,none", "run.fail_fast=true")
    assert code == 1 and "1 failed, 1 not started, 0 done before" in said
    assert len(list(tmp_path.rglob("run.json"))) == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["latent=gaussian,gausian"], "gausian"),
        (["task=glob(nothing*)"], "names nothing"),
        (["recipe.clip=interval(1,2)"], "no grid; allowed"),
        (["+sweep=claims", "suite.tasks=[]"], "suite=mini has no tasks"),
        (["run.seed=0,1", "run.threads=0"], "run.threads=0"),
    ],
)
def test_a_bad_grid_is_refused_before_anything_starts(tmp_path, overrides, said):
    code, _, error = sweep(tmp_path, *overrides, launcher="local")
    assert code == 2 and said in error and "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_a_broken_run_folder_spoils_no_other_run(tmp_path):
    sweep(tmp_path, "run.steps=30", "run.seed=0")
    (first,) = tmp_path.rglob("run.json")
    first.write_text("{")
    code, said, _ = sweep(tmp_path, "run.steps=30", "run.seed=0,1")
    assert code == 1 and "1 done, 1 failed, 0 done before" in said and f"{first} is no valid JSON" in said


def test_two_sweeps_side_by_side_train_each_run_once(tmp_path):
    grid = ("run.steps=70", "run.seed=0,1")
    processes = [
        subprocess.Popen(command(tmp_path, "basic", *TINY, *grid), stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    logs = [file.read_text() for file in tmp_path.rglob("log.txt")]
    assert len(logs) == 2
    lines = [json.loads(line)["step"] for file in tmp_path.rglob("metrics.jsonl") for line in file.open()]
    assert len(lines) == 2 * len(set(lines))


def test_ctrl_c_keeps_what_was_trained_and_starts_no_more(tmp_path):
    """As a terminal sends it: to the sweep, its workers and the runs alike."""
    grid = ("run.steps=20_000", "run.seed=0,1,2", "run.threads=1", "hydra.launcher.n_jobs=2")
    process = subprocess.Popen(
        command(tmp_path, "local", *TINY, *grid), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    while sum(len(file.read_text().splitlines()) > 3 for file in tmp_path.rglob("metrics.jsonl")) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said, error = process.communicate(timeout=100)
    assert process.returncode == 130 and "2 cut off, 1 not started" in said and "goes on from the last" in error
    fields = [json.loads(file.read_text()) for file in tmp_path.rglob("run.json")]
    assert [run["status"] for run in fields] == ["interrupted"] * 2
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = tmp_path_factory.mktemp("unbroken")
    assert sweep(root, *KILLED, launcher="local")[0] == 0
    return scores(root)


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_a_sweep_that_is_killed_ends_as_if_it_had_not_been(tmp_path, unbroken, launcher):
    sweep = command(tmp_path, launcher, *TINY, *KILLED)
    last = killed_sweep(sweep, kills=1, longest=9.0, rng=random.Random(time.time()))
    assert last.returncode == 0, last.stdout
    assert scores(tmp_path) == unbroken and len(unbroken) == 2
