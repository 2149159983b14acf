"""Sweeps as a user starts them: failures of every kind, rerunning, and being killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.sweep_kills import TINY, command, scores
from sweeps import local
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux alone")
ENDS = {"1": (1, {"status": "failed", "error": "it broke"}), "3": (-9, {"status": "under way"})}
KILLED = ("latent=categorical,gaussian", "run.steps=120")


def test_runs_get_a_configuration_of_ones_own_and_outlive_who_reads(tmp_path):
    (tmp_path / "latent").mkdir()
    (tmp_path / "latent" / "own.yaml").write_text("_target_: agent.toggles.latent.Binary\nbits: 3")
    (tmp_path / "mine.yaml").write_text("defaults: [config, _self_]\nkl: {alpha: 0.5}")
    flags = ("--config-dir", str(tmp_path), "latent=own,gaussian", "--config-name", "mine")
    sweep = command(tmp_path / "runs-${now:%f}" / "${run.seed}", "local", *TINY, *flags)
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run([*sweep, "run.seed=3"], stdout=written, timeout=300)
    os.close(written)
    files = tmp_path.glob("runs-[0-9]*/3/*/*/*/*/run.json")
    runs = [json.loads(file.read_text()) for file in files]
    assert done.returncode == 0 and [run["status"] for run in runs] == ["done"] * 2
    assert all("kl.alpha=0.5" in run["arm"] for run in runs)
    assert sum("latent=own" in run["arm"] for run in runs) == 1


@pytest.fixture
def faked(tmp_path, monkeypatch, run_py):
    """Function of overrides: the exit status and the words of a sweep whose run of seed 1 fails and
    that of seed 3 is killed."""

    def start(overrides, output, environment):
        (seed,) = (given[-1] for given in overrides if given.startswith("run.seed="))
        code, fields = ENDS.get(seed, (0, {"status": "done"}))
        Path(output.name).with_name("run.json").write_text(json.dumps(fields))
        return SimpleNamespace(poll=lambda: code, wait=lambda timeout=None: code)

    monkeypatch.setattr(local, "start_server", lambda environment: None)
    monkeypatch.setattr(local, "forked", start)
    return lambda *overrides: run_py(*command(tmp_path, "basic", *TINY, *overrides)[2:])


def test_one_failure_neither_ends_nor_hides_the_rest(faked):
    code, said, _ = faked("run.seed=1,3,0")
    table = said[said.index("not done") :]
    assert code == 1 and "it broke" in table and "killed by SIGKILL" in table
    assert "1 done, 1 failed, 1 interrupted, 0 done before" in table


def test_fail_fast_starts_nothing_after_the_first_failure(faked, tmp_path):
    code, said, _ = faked("run.seed=1,0", "run.fail_fast=true")
    assert code == 1 and "1 failed, 1 not started, 0 done before" in said and "it broke" in said
    assert len(list(tmp_path.rglob("run.json"))) == 1


def test_the_same_command_skips_what_is_done_and_leaves_alone_what_failed(faked, tmp_path):
    assert "1 done, 1 failed, 0 done before" in faked("run.seed=0,1")[1]
    code, said, _ = faked("run.seed=0,1")
    assert code == 1 and "1 failed, 1 done before" in said and "run.retry_failed=true" in said
    again = faked("run.seed=0,1", "run.retry_failed=true")[1]
    assert "1 to launch" in again and "1 failed, 1 done before" in again
    (done,) = tmp_path.rglob("0-*")
    (done / "run.json").write_text("{")
    code, said, _ = faked("run.seed=0,2")
    assert code == 1 and "1 done, 1 unreadable, 0 done before" in said
    assert "run.json is no valid JSON" in said


def test_ctrl_c_keeps_what_was_trained_and_starts_no_more(tmp_path):
    # as a terminal sends it: to the sweep, its workers and the runs alike
    grid = ("run.steps=20_000", "run.seed=0,1,2", "run.threads=1", "hydra.launcher.n_jobs=2")
    told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweep = command(tmp_path, "local", *TINY, *grid)
    process = subprocess.Popen(sweep, **told, start_new_session=True)
    logs = tmp_path.rglob
    wait_until(lambda: sum(log.read_text().count("\n") > 3 for log in logs("metrics.jsonl")) == 2)
    os.killpg(process.pid, signal.SIGINT)
    said, error = process.communicate(timeout=300)
    assert process.returncode == 130 and "goes on from the last" in error
    assert "2 interrupted, 1 not started" in said
    fields = [json.loads(file.read_text()) for file in tmp_path.rglob("run.json")]
    assert [run["status"] for run in fields] == ["interrupted"] * 2
    assert len(list(tmp_path.rglob("checkpoint.pt"))) == 2


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    root = tmp_path_factory.mktemp("unbroken")
    sweep = command(root, "basic", *TINY, *KILLED)
    both = [subprocess.Popen(sweep, stdout=subprocess.PIPE, text=True) for _ in "ab"]
    said = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    return root


def test_two_sweeps_side_by_side_train_each_run_once(unbroken):
    first, second = unbroken.rglob("metrics.jsonl")
    for file in (first, second):
        steps = [json.loads(line)["step"] for line in file.open()]
        assert steps and len(steps) == len(set(steps))


def test_a_sweep_that_is_killed_ends_as_if_it_had_not_been(tmp_path, unbroken):
    sweep = command(tmp_path, "local", *TINY, *KILLED)
    process = subprocess.Popen(sweep, stdout=subprocess.DEVNULL)
    wait_until(lambda: list(tmp_path.rglob("checkpoint.pt")))
    process.kill()
    assert process.wait() == -signal.SIGKILL
    subprocess.run(sweep, check=True, capture_output=True)
    assert scores(tmp_path) == scores(unbroken) and len(scores(unbroken)) == 2
