"""Trackers show what the records hold, each record once: W&B online, offline, killed, stopped,
without a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.run.record import Record
from agent.run.status import STOPPED_BY_SERVER
from agent.run.track import offline
from agent.run.track.history import Slot
from tests.sweeps.standin import KEY
from tests.sweeps.tracked import check_whole, history

ROOT = Path(__file__).parents[2]
TRACKED = Path(__file__).with_name("tracked.py")
DEAD = "http://127.0.0.1:9"


@pytest.fixture
def track(wandb_server, tmp_path):
    """A function that records steps in a process of their own, with a tracker's options."""

    def run(options, resumed, last, end, sent=-1, **environment):
        arguments = [str(tmp_path), options, str(resumed), str(last), end, str(sent)]
        return subprocess.run(
            [sys.executable, str(TRACKED), *arguments],
            cwd=ROOT,
            env={**wandb_server.environment, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def sync(wandb_server, tmp_path):
    """A function that sends what W&B wrote into the run's folder."""

    def run():
        command = ["wandb", "sync", str(tmp_path / "wandb")]
        environment = wandb_server.environment
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    return run


def test_a_run_killed_and_resumed_again_and_again_is_sent_once(wandb_server, track, tmp_path):
    track("wandb", 0, 7, "kill", sent=7)
    shown = wandb_server.run(tmp_path)
    assert len(history(shown, "metrics/kl_loss")) == 7, "the kill was meant to come after"
    track("wandb", 2, 5, "kill")
    track("wandb", 4, 11, "kill", sent=9)
    done = track("wandb", 6, 15, "done")
    shown = wandb_server.run(tmp_path)
    check_whole(shown, last=15)
    assert shown["state"] == "finished" and not _holding(tmp_path, KEY)
    assert shown["group"] == "latent=gaussian" and shown["jobType"] == "cartpole"
    assert set(shown["tags"]) == {"latent=gaussian", "kl=balanced"}
    url = json.loads((tmp_path / "run.json").read_text())["wandb_url"]
    assert done.stdout.splitlines() == [f"W&B: {url}"] and url.endswith(shown["name"])


def test_offline_synced_resumed_and_synced_is_sent_once(wandb_server, track, sync, tmp_path):
    lonely = {"WANDB_BASE_URL": DEAD, "WANDB_API_KEY": ""}
    assert track("wandb mode=offline", 0, 7, "kill", sent=7, **lonely).returncode == -9
    sync()
    assert track("wandb", 4, 9, "kill", WANDB_MODE="offline", **lonely).returncode == -9
    assert track("wandb mode=offline", 6, 12, "interrupted", **lonely).returncode == 0
    sync()
    check_whole(wandb_server.run(tmp_path), last=12)
    track("wandb", 8, 13, "interrupted")
    check_whole(wandb_server.run(tmp_path), last=13)
    again = track("wandb mode=offline", 13, 15, "interrupted", **lonely)
    assert "is not known offline; later: python -m sweeps.publish" in again.stderr
    sync()
    track("wandb", 15, 15, "done")
    check_whole(wandb_server.run(tmp_path), last=15)


def test_a_dead_network_stops_no_training(wandb_server, track, sync, tmp_path):
    done = track("wandb timeout=4", 0, 7, "done", WANDB_BASE_URL=DEAD)
    assert done.returncode == 0 and "goes on offline" in done.stderr, done.stderr
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 7
    assert not _holding(tmp_path, KEY)
    sync()
    check_whole(wandb_server.run(tmp_path), last=7)


def test_what_a_log_synced_too_early_lacks_is_not_guessed(track, sync, tmp_path):
    track("wandb mode=offline", 0, 3, "interrupted")
    sync()
    (log,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    os.utime(log)
    again = track("wandb mode=offline", 3, 5, "interrupted")
    assert "was synced before its end" in again.stderr


def test_the_last_index_of_a_torn_log_is_that_of_its_last_whole_record(track, tmp_path):
    track("wandb mode=offline", 0, 900, "interrupted")
    (log,) = (tmp_path / "wandb").glob("offline-run-*/*.wandb")
    whole = log.read_bytes()
    assert len(whole) > 10 * offline.BLOCK and offline.last_index(log) == 8 * 900 + Slot.PREDICTION
    log.write_bytes(whole[: len(whole) // 2])
    assert 8 * 300 < offline.last_index(log) < 8 * 600
    log.write_bytes(whole[: offline.FILE_HEADER])
    assert offline.last_index(log) == -1


def test_an_interrupted_run_asks_to_be_handed_out_again(wandb_server, track, tmp_path):
    track("wandb", 0, 3, "interrupted")
    assert wandb_server.run(tmp_path)["preempting"]


def test_an_early_stop_by_the_server_is_an_end(wandb_server, track, tmp_path):
    track("wandb", 0, 2, "done")
    wandb_server.stop(wandb_server.run(tmp_path))
    track("wandb", 2, 3, "interrupted")
    shown = wandb_server.run(tmp_path)
    assert shown["state"] == "finished" and "preempting" not in shown
    assert Record(tmp_path).fields["error"] == STOPPED_BY_SERVER


def test_the_last_checkpoint_and_the_scores_are_kept_where_asked(wandb_server, track, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"weights")
    track("wandb artifacts=true", 0, 3, "done")
    kept = f"artifacts/run-{wandb_server.run(tmp_path)['name']}/files/"
    names = {file.removeprefix(kept) for file in wandb_server.state["files"] if kept in file}
    assert {"checkpoint.pt", "scores.csv"} <= names
    assert wandb_server.run(tmp_path)["state"] == "finished"


def test_wandbs_own_environment_variables_are_honoured(wandb_server, track, tmp_path):
    names = {"PROJECT": "mine", "RUN_GROUP": "night", "TAGS": "first,second", "NAME": "lucky"}
    track("wandb", 0, 1, "done", **{f"WANDB_{key}": value for key, value in names.items()})
    shown = wandb_server.run(tmp_path)
    assert (shown["project"], shown["group"], shown["displayName"]) == ("mine", "night", "lucky")
    assert set(shown["tags"]) == {"latent=gaussian", "kl=balanced", "first", "second"}


def _holding(folder, secret):
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and secret.encode() in file.read_bytes()
    ]
