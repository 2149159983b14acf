"""W&B has what the files hold, each record once, however a run went or was published."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from unittest.mock import Mock

import pytest
from wandb import Run

from agent.run.record import Record
from agent.run.status import AGENT_JOB, STOPPED_BY_SERVER
from analysis.schema import Problem
from sweeps import publish
from tests.sweeps import tracked
from tests.sweeps.tracked import check_files, check_whole, history, track
from tests.waiting import wait_until

PATIENT = ["tracker.timeout=300"]
DEAD = {"WANDB_BASE_URL": "http://127.0.0.1:9"}


def killed(server, folder, options, resumed, last, sent=-1, **environment):
    """Record steps in a process that is killed at the last one, once W&B has the step `sent`."""
    numbers = [str(number) for number in (resumed, last, sent)]
    process = subprocess.Popen(
        [sys.executable, tracked.__file__, str(folder), options, *numbers],
        env={**server.environment, "PYTHONPATH": str(tracked.ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    if sent > 0:
        wait_until(lambda: _has(server, folder, sent) or process.poll() is not None)
        (folder / str(sent)).touch()
    said, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return said


def _has(server, folder, step):
    with suppress(OSError, KeyError, StopIteration):  # before the run has begun
        return step in dict(history(server.run(folder), "train/return"))


def _has_no_key(server, folder):
    files, key = [*folder.rglob("*")], server.environment["WANDB_API_KEY"].encode()
    return files and not any(key in file.read_bytes() for file in files if file.is_file())


def test_a_run_killed_and_resumed_again_and_again_is_sent_once(wandb, tmp_path, capsys):
    killed(wandb, tmp_path, "wandb", 0, 7, sent=7)
    killed(wandb, tmp_path, "wandb", 4, 11, sent=9)
    track(tmp_path, "wandb", 6, 15)
    shown = wandb.run(tmp_path)
    check_whole(shown, last=15)
    again = list(tmp_path.glob("wandb/latest-run/files/media/*/*/*"))
    assert 3 <= len(again) <= 5, "of eight pictures those of steps 9 to 15 alone"
    assert shown["state"] == "finished" and _has_no_key(wandb, tmp_path)
    assert shown["group"] == "latent=gaussian" and shown["jobType"] == "cartpole"
    assert set(shown["tags"]) == {"latent=gaussian", "kl=balanced"}
    url = Record(tmp_path).fields["wandb_url"]
    assert capsys.readouterr().out.splitlines() == [f"W&B: {url}"] and url.endswith(shown["name"])


def test_offline_synced_and_published_is_sent_once(wandb, tmp_path, capsys):
    said = killed(wandb, tmp_path, "wandb mode=offline", 0, 7, **DEAD, WANDB_API_KEY="")
    wandb.use(**DEAD)
    track(tmp_path, "wandb timeout=1", 4, 12, "interrupted")
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    printed = capsys.readouterr()
    assert printed.out == f"W&B: {folder}, later: wandb sync {folder}\n" and folder.name not in said
    assert "goes on offline" in printed.err and _has_no_key(wandb, tmp_path)
    command = ["wandb", "sync", str(tmp_path / "wandb")]
    subprocess.run(command, env=wandb.environment, capture_output=True, check=True)
    check_whole(wandb.run(tmp_path), last=12)
    check_files(wandb.run(tmp_path))
    again = track(tmp_path, "wandb mode=offline", 8, 15)
    later = f"W&B has a part of this run already; later: python -m sweeps.publish {tmp_path}"
    assert later in capsys.readouterr().err and len(list(again.path.glob("wandb/offline*"))) == 1
    wandb.use(**wandb.environment)
    assert publish.main([str(tmp_path), *PATIENT]) == 0
    check_whole(wandb.run(tmp_path), last=15)


@pytest.fixture
def preempting(monkeypatch):
    """Ids of the runs that asked to be handed out again."""
    asked = []
    monkeypatch.setattr(Run, "mark_preempting", lambda run: asked.append(run.id))
    return asked


def test_what_was_offline_is_online_and_asks_to_be_handed_out_again(
    wandb, tmp_path, preempting, capsys
):
    track(tmp_path, "wandb mode=offline", 0, 3, "interrupted")
    capsys.readouterr()
    track(tmp_path, "wandb mode=disabled", 3, 4, "interrupted")
    assert list(tmp_path.glob("wandb/offline*")) and capsys.readouterr().out == ""
    track(tmp_path, "wandb", 3, 5, "interrupted")
    shown = wandb.run(tmp_path)
    check_whole(shown, last=5)
    assert not list(tmp_path.glob("wandb/offline*")), "nothing is left to sync"
    assert preempting == [shown["name"]] * 2 and shown["state"] != "finished"


def test_a_run_stops_when_wandbs_page_asks(wandb, tmp_path, preempting):
    track(tmp_path, "wandb", 0, 1)
    wandb.stop(wandb.run(tmp_path))
    asked = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: asked.set())
    try:
        track(tmp_path, "wandb", 1, 2, "interrupted", after=lambda step: asked.wait(300))
    finally:
        signal.signal(signal.SIGTERM, before)
    shown = wandb.run(tmp_path)
    assert asked.is_set() and shown["state"] == "finished" and not preempting
    assert Record(tmp_path).fields["error"] == STOPPED_BY_SERVER


def test_wandbs_own_environment_variables_and_artifacts(wandb, tmp_path, monkeypatch):
    logged, defined = Mock(), Mock()
    monkeypatch.setattr(Run, "log_artifact", logged)
    monkeypatch.setattr(Run, "define_metric", defined)
    (tmp_path / "checkpoint.pt").write_bytes(b"weights")
    names = {"PROJECT": "mine", "RUN_GROUP": "night", "TAGS": "first,second", "NAME": "lucky"}
    wandb.use(**{f"WANDB_{key}": value for key, value in names.items()})
    track(tmp_path, "wandb artifacts=true", 0, 3)
    shown, [(artifact,)] = wandb.run(tmp_path), [call.args for call in logged.call_args_list]
    axes = {call.args[0]: call.kwargs.get("step_metric") for call in defined.call_args_list}
    assert artifact.name == f"run-{shown['name']}"
    assert artifact.manifest.entries.keys() == {"checkpoint.pt", "scores.csv"}
    assert axes["metrics/*"] == "gradient_steps" and axes["eval/*"] == axes["train/*"]
    assert axes["eval/*"] == axes["pictures/*"] == "env_frames"
    assert (shown["project"], shown["group"], shown["displayName"]) == ("mine", "night", "lucky")
    assert set(shown["tags"]) == {"latent=gaussian", "kl=balanced", "first", "second"}


def test_ids_are_believed_where_an_agent_started_the_run_alone(wandb, tmp_path):
    ids = {"WANDB_RUN_ID": "asked", "WANDB_SWEEP_ID": "later"}
    wandb.use(**ids)
    own = track(tmp_path / "shell", "wandb", 0, 1).fields["wandb_id"]
    assert own != "asked" and wandb.run(tmp_path / "shell")["sweep"] is None
    wandb.use(**ids, **{AGENT_JOB: str(os.getppid())})
    assert track(tmp_path / "agent", "wandb", 0, 1).fields["wandb_id"] == "asked"
    assert wandb.run(tmp_path / "agent")["sweep"] == "later"
    wandb.use(WANDB_RUN_ID="another")
    assert publish.main([str(tmp_path / "shell"), *PATIENT]) == 0
    assert Record(tmp_path / "shell").fields["wandb_id"] == own
    assert {"another", own} <= {run["name"] for run in wandb.runs if run["state"] == "finished"}
    wandb.use(WANDB_RUN_ID="another", WANDB_SWEEP_ID="later")
    assert track(tmp_path / "shell", "wandb", 1, 3).fields["wandb_id"] == own
    check_whole(wandb.run(tmp_path / "shell"), last=3)


def test_a_finished_run_is_sent_to_wandb_once_there_is_a_server(wandb, tmp_path, capsys):
    runs = tmp_path / "runs"  # that no tracker saw
    for name, status in (("first", "done"), ("second", "interrupted")):
        track(runs / name, "wandb mode=disabled", 0, 10, status)
    wandb.use(**DEAD)
    assert publish.main([str(runs), "tracker.timeout=1"]) == 1
    assert f"error: {runs / 'first'}: " in capsys.readouterr().err
    assert not list(runs.rglob("offline-run-*"))
    wandb.use(**wandb.environment)
    for _ in range(2):
        assert publish.main([str(runs), "tracker.project=later", *PATIENT]) == 0
        shown = wandb.run(runs / "first")
        check_whole(shown, last=10)
        check_files(shown)
        assert shown["state"] == "finished" and shown["project"] == "later"
        url = Record(runs / "first").fields["wandb_url"]
        assert capsys.readouterr().out.splitlines() == [
            str(runs / "first"),
            f"W&B: {url}",
            "1 finished runs are there, 1 interrupted left out",
        ]
    assert "wandb_id" not in Record(runs / "second").fields  # mode=disabled sends nothing


def test_folders_that_cannot_be_entered_are_named(tmp_path, monkeypatch, capsys):
    def found(root, problems):
        problems.append(Problem("closed", "left out: Permission denied"))
        return [(str(root), [])]

    monkeypatch.setattr(publish, "run_folders", found)
    assert publish.main([str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.err == f"{tmp_path}/closed: left out: Permission denied\n"
    assert said.out.startswith("0 finished runs are there, 1 not started left out")
