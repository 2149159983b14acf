"""run.py: what a run leaves, when it is skipped, and how each way to end is told."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from hydra.core.global_hydra import GlobalHydra

import run
from agent import build
from agent.errors import UserError
from agent.run import lock
from agent.run.compose import composed, project_config
from agent.run.lock import ClaimLost
from agent.run.record import Record
from agent.run.status import Exit, Interrupted
from tests import tiny
from tests.waiting import wait_until

FULL = "No space left on device"
SHORT = (*tiny.NUMBERS, "recipe.length=8", "recipe.prefill=20", "run.steps=60")
SHORT += ("run.train_every=8", "run.eval_episodes=1", "run.log_every=20", "run.checkpoint_every=20")
SHORT += ("run.device=cpu", "run.threads=1")


@pytest.fixture
def execute(tmp_path):
    """Function of overrides: the exit status of a run in this process."""

    def function(*overrides, stop=lambda: False):
        given = (f"run.root={tmp_path}", *overrides)
        return run.train(run.Command(*composed(given), given), stop)

    GlobalHydra.instance().clear()
    with project_config():
        yield function


@pytest.fixture
def trainer(monkeypatch):
    """Stands in for training: counts calls and raises what it is told to."""
    trainer = Mock(calls=0, error=None)

    def training(cfg, record, stop, lost):
        def run():
            trainer.calls += 1
            record.update(steps=7)
            if trainer.error:
                raise trainer.error(record.path) if callable(trainer.error) else trainer.error

        trainer.lost = lost
        return Mock(run=run)

    monkeypatch.setattr(build, "training", training)
    return trainer


def only_run(root):
    (file,) = root.rglob("run.json")
    return json.loads(file.read_text())


def test_a_run_leaves_its_whole_story(execute, tmp_path):
    assert execute(*SHORT, "latent=gaussian", "run.seed=3") == Exit.DONE
    fields = only_run(tmp_path)
    assert fields["status"] == "done" and fields["error"] is None and fields["schema"] == 1
    assert fields["suite"] == "mini" and fields["task"] == "cartpole" and fields["seed"] == 3
    assert "latent=gaussian" in fields["arm"] and fields["actions"] == "discrete"
    assert "latent=gaussian" in fields["overrides"]
    assert fields["choices"]["latent"] == "gaussian" and "task" not in fields["choices"]
    assert fields["config"]["task"]["reference"] == 500.0 and fields["config"]["run"]["steps"] == 60
    assert fields["steps"] == fields["env_frames"] == 60 and fields["gradient_steps"] == 5
    assert fields["parameters"]["total"] > 0 and fields["versions"]["torch"] and fields["host"]
    assert set(fields["saturation"]) and fields["wall_seconds"] > 0 and fields["device"] == "cpu"


def test_a_done_run_is_skipped_without_importing_torch(execute, trainer, tmp_path):
    assert [execute(), execute("kl.alpha=0.8"), execute("run.seed=1")] == [Exit.DONE] * 3
    assert trainer.calls == 2
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('torch was imported')")
    (tmp_path / "torch" / "version.py").write_text("cuda = None")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for seed, said in ((1, "done already"), (2, "torch was imported")):
        asked = command(f"run.root={tmp_path}", f"run.seed={seed}")
        done = subprocess.run(asked, capture_output=True, text=True, timeout=300, env=environment)
        assert said in done.stdout + done.stderr


@pytest.mark.parametrize(
    "error",
    [
        FloatingPointError("kl_loss is nan at step 40\nmore"),
        SystemExit(3),
        OSError("the simulator's socket is closed"),  # of the environment, as the next
        FileNotFoundError(errno.ENOENT, "No such file or directory", "/games/pong.bin"),
    ],
)
def test_a_failure_is_recorded_and_retried_only_when_asked(
    execute, trainer, tmp_path, capsys, error
):
    trainer.error, (named, *_) = error, f"{type(error).__name__}: {error}".splitlines()
    assert execute() == Exit.FAILED
    fields = only_run(tmp_path)
    assert (fields["status"], fields["error"]) == ("failed", named)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"error: {named} (traceback in ")
    assert "in run" in next(tmp_path.rglob("error.txt")).read_text()
    with pytest.raises(UserError, match=rf"{re.escape(named)}.*run\.retry_failed=true"):
        execute()
    assert trainer.calls == 1
    trainer.error = None
    assert execute("run.retry_failed=true") == Exit.DONE
    assert only_run(tmp_path)["error"] is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("the replay is missing"), "the replay is missing"),
        (OSError(errno.ENOSPC, FULL, "/full/1.npy"), f"/full/1.npy: {FULL}"),
        (OSError(errno.ENOSPC, FULL), rf"mini/cartpole/baseline/0-\w+: {FULL}$"),
        (lambda run: OSError(errno.EACCES, "No permission", f"{run}/replay"), "replay: No perm"),
    ],
)
def test_bad_surroundings_do_not_mark_the_run_as_failed(execute, trainer, tmp_path, error, said):
    trainer.error = error
    with pytest.raises(UserError, match=said):
        execute()
    fields = only_run(tmp_path)
    assert fields["status"] == "interrupted" and re.search(said, fields["error"])
    assert not list(tmp_path.rglob("error.txt"))
    trainer.error = None
    assert execute() == Exit.DONE


def test_a_disk_too_full_for_the_status_is_told_all_the_same(tmp_path, monkeypatch):
    full = OSError(errno.ENOSPC, FULL)
    with closing(Record(tmp_path / "run")) as record:
        monkeypatch.setattr(record, "update", Mock(side_effect=full))
        with pytest.raises(UserError, match=FULL):
            run._ended(record, full)


@pytest.mark.parametrize("error", [None, Interrupted("stopped"), OSError("stale file handle")])
def test_a_run_that_another_host_took_over_writes_nothing_more(
    execute, trainer, monkeypatch, tmp_path, error
):
    def taken_over(run):
        (run / "owner.new").write_text('{"host": "elsewhere", "pid": 1, "token": "theirs"}')
        (run / "owner.new").replace(run / "owner.json")
        (run / "run.json").write_text("theirs")
        wait_until(trainer.lost)
        return error or ClaimLost(f"{run} was taken over")

    trainer.error = taken_over
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.02)
    with pytest.raises(ClaimLost, match="taken over"):
        execute()
    assert next(tmp_path.rglob("run.json")).read_text() == "theirs"
    assert not list(tmp_path.rglob("error.txt"))


def command(*overrides):
    root = Path(run.__file__).parent
    return [sys.executable, str(root / "run.py"), *overrides]


def test_a_signal_stops_the_process_and_the_same_command_goes_on(tmp_path):
    asked = command(*SHORT, "run.steps=240", f"run.root={tmp_path}")
    process = subprocess.Popen(asked, stderr=subprocess.PIPE, text=True)
    lines = lambda: [line for file in tmp_path.rglob("metrics.jsonl") for line in file.open()]  # noqa: E731
    wait_until(lambda: len(lines()) > 3 or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == Exit.INTERRUPTED, said
    assert only_run(tmp_path)["status"] == "interrupted" and only_run(tmp_path)["steps"] < 240
    (file,) = tmp_path.rglob("run.json")
    git = {"commit": "earlier", "dirty": False}
    file.write_text(json.dumps(only_run(tmp_path) | {"git": git}))
    subprocess.run(asked, check=True, timeout=300)
    assert only_run(tmp_path)["status"] == "done" and only_run(tmp_path)["steps"] == 240
    assert only_run(tmp_path)["git"] == git | {"dirty": True}, "other code went on with it"


def test_help_lists_the_groups_and_says_what_a_setting_means(run_py):
    code, said, _ = run_py("--help")
    assert code == 0 and "latent: binary, categorical, gaussian" in said and "+sweep=claims" in said
    assert "eval_episodes: 10          # greedy episodes of an evaluation" in said
