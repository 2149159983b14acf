"""Trackers show what the records hold: W&B online, offline, killed, without a network;
TensorBoard."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import KEY

ROOT = Path(__file__).parents[2]
RUN = """
import os, sys, time
import numpy as np
from omegaconf import OmegaConf
from agent.storage.record import Record
from agent.storage.track import add_tracker
path, options, resumed, last, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
record = Record(path)
task = {"action_repeat": 4, "random": 0.0, "reference": 100.0}
record.update(
    status="under way", arm="latent=gaussian", task="cartpole", suite="mini", seed=0, digest="0123abcd",
    choices={"latent": "gaussian", "kl": "balanced"}, config={"run": {"eval_episodes": 2}, "task": task},
)
name, *settings = options.split()
tracker = OmegaConf.merge(OmegaConf.load(f"conf/tracker/{name}.yaml"), OmegaConf.from_dotlist(settings))
add_tracker(tracker, record)
record.truncate(resumed)
for step in range(resumed + 1, last + 1):
    record.log(step, 4 * step, step // 2, 0.5, {"kl_loss": step / 10})
    if step % 3 == 0:
        for episode in range(2):
            record.score(step, 4 * step, "eval", episode, float(step + episode), 20)
record.image("prediction", last, np.zeros((8, 8, 3), np.uint8))
if end == "kill":
    os.kill(os.getpid(), 9)
record.update(status=end)
record.close()
"""


def execute(folder, options, resumed, last, end, environment):
    arguments = [str(folder), options, str(resumed), str(last), end]
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def history(run, key):
    rows = [json.loads(row) if isinstance(row, str) else row for row in run["history"]]
    return [(row["step"], row[key]) for row in rows if key in row]


def check_whole(run, last):
    """Every record up to `last` is there once."""
    assert run["group"] == "latent=gaussian" and run["jobType"] == "cartpole"
    assert set(run["tags"]) == {"latent=gaussian", "kl=balanced"}
    assert history(run, "metrics/kl_loss") == [(step, step / 10) for step in range(1, last + 1)]
    evaluated = range(3, last + 1, 3)
    assert history(run, "eval/return") == [(step, step + 0.5) for step in evaluated]
    assert history(run, "eval/score") == [(step, (step + 0.5) / 100) for step in evaluated]
    assert [step for step, _ in history(run, "pictures/prediction")] == [last]


def named(server, name):
    return next(run for run in server.runs if run["name"] == name)


def wandb_id(folder):
    return json.loads((folder / "run.json").read_text())["wandb_id"]


def test_wandb_run_is_resumed_under_its_own_id(wandb_server, tmp_path):
    options = "wandb timeout=30"
    execute(tmp_path, options, 0, 7, "interrupted", wandb_server.environment)
    first = named(wandb_server, wandb_id(tmp_path))
    assert [step for step, _ in history(first, "metrics/kl_loss")] == list(range(1, 8))
    execute(tmp_path, options, 4, 12, "done", wandb_server.environment)
    again = named(wandb_server, wandb_id(tmp_path))
    steps = [step for step, _ in history(again, "metrics/kl_loss")]
    assert (
        sorted(set(steps)) == list(range(1, 13)) and len(steps) <= 13
    )  # the last one of before is sent twice
    assert history(again, "eval/return") == [(3, 3.5), (6, 6.5), (9, 9.5), (12, 12.5)]
    assert again["state"] == "finished" and not _holding(tmp_path, KEY)


def test_wandb_offline_needs_no_account_and_syncs_to_the_same(wandb_server, tmp_path):
    lonely = {
        name: value for name, value in wandb_server.environment.items() if name != "WANDB_API_KEY"
    }
    lonely["WANDB_BASE_URL"] = "http://127.0.0.1:9"
    killed = execute(tmp_path, "wandb mode=offline", 0, 7, "kill", lonely)
    assert killed.returncode == -9
    done = execute(tmp_path, "wandb mode=offline", 4, 12, "done", lonely)
    assert done.returncode == 0, done.stderr
    folders = [str(folder) for folder in (tmp_path / "wandb").glob("offline-run-*")]
    subprocess.run(
        ["wandb", "sync", *folders], env=wandb_server.environment, check=True, capture_output=True
    )
    check_whole(named(wandb_server, wandb_id(tmp_path)), last=12)


def test_a_dead_network_stops_no_training(wandb_server, tmp_path):
    environment = {**wandb_server.environment, "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = execute(tmp_path, "wandb timeout=4", 0, 7, "done", environment)
    assert done.returncode == 0 and "goes on offline" in done.stderr, done.stderr
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 7
    assert not _holding(tmp_path, KEY)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    subprocess.run(
        ["wandb", "sync", str(folder)],
        env=wandb_server.environment,
        check=True,
        capture_output=True,
    )
    check_whole(named(wandb_server, wandb_id(tmp_path)), last=7)


def test_an_unknown_mode_is_bad_input(wandb_server, tmp_path):
    done = execute(tmp_path, "wandb mode=sometimes", 0, 1, "done", wandb_server.environment)
    assert "UserError: tracker.mode=sometimes: allowed: online, offline" in done.stderr


def test_tensorboard_hides_what_a_resumed_run_does_again(tmp_path, wandb_server):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for resumed, last, end in ((0, 7, "kill"), (4, 9, "done")):
        execute(tmp_path, "tensorboard", resumed, last, end, wandb_server.environment)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("metrics/kl_loss")][-5:] == [20, 24, 28, 32, 36]
    assert [event.value for event in events.Scalars("eval/return")][-1] == 9.5
    assert [event.step for event in events.Images("pictures/prediction")] == [36]


def _holding(folder, secret):
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and secret.encode() in file.read_bytes()
    ]
