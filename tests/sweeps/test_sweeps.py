"""Sweeps as a user starts them: failures of every kind, rerunning, and being killed."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from hydra.core.global_hydra import GlobalHydra

from agent.run.compose import project_config
from benchmarks.sweep_kills import TINY, command, killed_sweep, scores
from sweeps import state

KILLED = ("latent=categorical,gaussian", "run.steps=160")
FAULTY = ("task.env._target_=tests.sweeps.faulty.make", "run.steps=60", "run.eval_every=1000")


def sweep(root, *overrides, launcher="basic"):
    done = subprocess.run(
        command(root, launcher, *TINY, *overrides), capture_output=True, text=True, timeout=300
    )
    return done.returncode, done.stdout, done.stderr


def test_one_failure_neither_ends_nor_hides_the_rest(tmp_path):
    grid = "+task.env.fault=exit,kill,none"
    code, said, _ = sweep(tmp_path, *FAULTY, grid, launcher="local")
    assert code == 1
    table = said[said.index("not done") :]
    assert "SystemExit: 3" in table and "killed by SIGKILL" in table
    assert "1 done, 1 failed, 1 interrupted, 0 done before" in table
    code, said, _ = sweep(tmp_path, *FAULTY, grid.replace("kill,", ""))
    assert code == 1 and "1 failed, 1 done before" in said and "run.retry_failed=true" in said


def test_fail_fast_starts_nothing_after_the_first_failure(tmp_path):
    code, said, _ = sweep(tmp_path, *FAULTY, "+task.env.fault=exception,none", "run.fail_fast=true")
    assert code == 1 and "1 failed, 1 not started, 0 done before" in said
    assert "RuntimeError: the pole fell on the experimenter" in said and "and more" not in said
    assert len(list(tmp_path.rglob("run.json"))) == 1


def test_a_bad_grid_is_refused_before_anything_starts(tmp_path):
    code, _, error = sweep(tmp_path, "latent=gaussian,gausian", launcher="local")
    assert code == 2 and "gausian" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_broken_run_folder_spoils_no_other_run(tmp_path):
    GlobalHydra.instance().clear()
    with project_config():
        (broken,) = state.planned([[*TINY, "run.steps=60", f"run.root={tmp_path}"]])
    broken.folder.mkdir(parents=True)
    (broken.folder / "run.json").write_text("{")
    code, said, _ = sweep(tmp_path, "run.steps=60", "run.seed=0,1")
    assert code == 1 and "1 done, 1 unreadable, 0 done before" in said
    assert "run.json is no valid JSON" in said


def test_ctrl_c_keeps_what_was_trained_and_starts_no_more(tmp_path):
    """As a terminal sends it: to the sweep, its workers and the runs alike."""
    grid = ("run.steps=20_000", "run.seed=0,1,2", "run.threads=1", "hydra.launcher.n_jobs=2")
    process = subprocess.Popen(
        command(tmp_path, "local", *TINY, *grid),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while (
        sum(len(file.read_text().splitlines()) > 3 for file in tmp_path.rglob("metrics.jsonl")) < 2
    ):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    said, error = process.communicate(timeout=300)
    assert (
        process.returncode == 130
        and "2 interrupted, 1 not started" in said
        and "goes on from the last" in error
    )
    fields = [json.loads(file.read_text()) for file in tmp_path.rglob("run.json")]
    assert [run["status"] for run in fields] == ["interrupted"] * 2
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of two sweeps over the same runs that were started at the same time and left
    alone."""
    root = tmp_path_factory.mktemp("unbroken")
    both = [
        subprocess.Popen(command(root, "basic", *TINY, *KILLED), stdout=subprocess.PIPE, text=True)
        for _ in "ab"
    ]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    return root


def test_two_sweeps_side_by_side_train_each_run_once(unbroken):
    files = list(unbroken.rglob("metrics.jsonl"))
    assert len(files) == 2
    for file in files:
        steps = [json.loads(line)["step"] for line in file.open()]
        assert steps and len(steps) == len(set(steps))


@pytest.mark.parametrize("launcher", ["basic", "local"])
def test_a_sweep_that_is_killed_ends_as_if_it_had_not_been(tmp_path, unbroken, launcher):
    sweep = command(tmp_path, launcher, *TINY, *KILLED)
    last = killed_sweep(sweep, kills=1, longest=9.0, rng=random.Random(launcher))
    assert last.returncode == 0, last.stdout
    assert scores(tmp_path) == scores(unbroken) and len(scores(unbroken)) == 2
