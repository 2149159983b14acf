"""A run that was killed and resumed equals an unbroken one, bit for bit on one CPU thread."""

import json
import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from agent.run import checkpoint
from agent.run.record import Record
from agent.run.stop import Interrupted
from tests.tiny import train

FIELDS = {"suite": "mini", "task": "cartpole", "arm": "baseline", "seed": 0, "digest": "0123abcd"}
KILLS = random.Random(int(os.environ.get("KILL_SEED", "0")))  # draws the moments
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["agent.run.loop", "agent.build"])


def run(cfg, folder, stop=lambda: False):
    torch.set_num_threads(1)
    record = Record(folder)
    record.update(**FIELDS)
    try:
        train(cfg, record, stop)
    finally:
        record.close()


def left(folder):
    """All that a run leaves, wall-clock times aside, in values that compare."""
    state = checkpoint.load(folder, {name: str(value) for name, value in FIELDS.items()})
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    fields = json.loads((folder / "run.json").read_text())
    del state["clock"]["seconds"]
    for timed in (fields, *metrics):
        del timed["wall_seconds"]
    return {
        "state": plain(state),
        "metrics": metrics,
        "scores": (folder / "scores.csv").read_text(),
        "run": fields,
    }


def plain(value):
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def assert_equal(one, other):
    for what in one:
        assert one[what] == other[what], what


@pytest.fixture(scope="module")
def unbroken(configure, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    run(configure(), folder)
    return left(folder)


def kill_when(process, folder, lines):
    """SIGKILL as soon as scores.csv has `lines` lines, plus a moment; False if the run ended
    first."""
    scores, deadline = folder / "scores.csv", time.monotonic() + 60
    while process.is_alive() and time.monotonic() < deadline:
        if scores.exists() and scores.read_bytes().count(b"\n") >= lines:
            time.sleep(KILLS.uniform(0, 0.05))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            return process.exitcode == -signal.SIGKILL
        time.sleep(0.001)
    return False


def test_killed_at_random_moments_a_run_equals_an_unbroken_one(configure, unbroken, tmp_path):
    total = unbroken["scores"].count("\n")
    moments = sorted(KILLS.sample(range(2, total), 3))
    kills = 0
    for moment in (*moments, None):
        process = PROCESSES.Process(target=run, args=(configure(), tmp_path))
        process.start()
        if moment is None:
            process.join(60)
            assert process.exitcode == 0
        elif kill_when(process, tmp_path, moment):
            kills += 1
    assert kills >= 2, f"killed at the scores {moments} (KILL_SEED draws others)"
    assert_equal(left(tmp_path), unbroken)


def test_resuming_really_uses_the_checkpoint(configure, unbroken, tmp_path):
    calls = iter(range(10_000))
    with pytest.raises(Interrupted, match="the last checkpoint is of step"):
        run(configure(), tmp_path, stop=lambda: next(calls) > 200)
    step = checkpoint.load(tmp_path, {name: str(value) for name, value in FIELDS.items()})["clock"][
        "step"
    ]
    assert 100 < step < 300
    (tmp_path / "scores.csv").write_text("step,env_frames,kind,episode,return,length\n")
    run(configure(), tmp_path)
    resumed = left(tmp_path)
    steps = [int(line.split(",")[0]) for line in resumed["scores"].splitlines()[1:]]
    assert min(steps) > step
    assert resumed["state"] == unbroken["state"]


def test_asked_to_stop_it_writes_a_checkpoint_at_the_next_episode_end(
    configure, unbroken, tmp_path
):
    calls = iter(range(10_000))
    with pytest.raises(Interrupted):
        run(configure("run.checkpoint_every=1000"), tmp_path, stop=lambda: next(calls) > 130)
    assert (tmp_path / checkpoint.CURRENT).exists()
    run(configure("run.checkpoint_every=1000"), tmp_path)
    assert_equal(left(tmp_path), unbroken)


LONG = ("task=pendulum", "recipe.prefill=30", "run.checkpoint_every=45")  # episodes of 100 steps


@pytest.fixture(scope="module")
def long_episodes(configure, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    run(configure(*LONG), folder)
    return left(folder)


@pytest.mark.parametrize("moment", [7, 30, 31, 77, 170, 250])
def test_a_stop_that_waits_for_no_end_writes_a_checkpoint_inside_the_episode(
    configure, long_episodes, tmp_path, moment
):
    """In the prefill, where the policy takes over, and later."""
    calls = iter(range(10_000))
    cfg = configure(*LONG, "run.stop_seconds=0", "run.eval_every=1000")
    with pytest.raises(Interrupted, match=f"stopped at step {moment + 1}"):
        run(cfg, tmp_path, stop=lambda: next(calls) == moment)
    run(configure(*LONG, "run.eval_every=1000"), tmp_path)
    ours = left(tmp_path)
    for what in ("agent", "replay", "collector", "random"):
        assert ours["state"][what] == long_episodes["state"][what], what


def test_killed_inside_long_episodes_a_run_goes_on_from_inside(configure, long_episodes, tmp_path):
    """As if killed at once: the state on disk is all that the next process has."""
    resumed = []
    for moment in (95, 60, 90):  # calls, one a step and one a step of evaluation
        calls = iter(range(10_000))

        def die(calls=calls, moment=moment):
            if next(calls) == moment:
                raise KeyboardInterrupt
            return False

        with pytest.raises(KeyboardInterrupt):
            run(configure(*LONG), tmp_path, stop=die)
        state = checkpoint.load(tmp_path, {name: str(value) for name, value in FIELDS.items()})
        resumed.append((state["clock"]["step"], state["collector"]["actions"] is not None))
    assert (90, True) in resumed
    run(configure(*LONG), tmp_path)
    assert_equal(left(tmp_path), long_episodes)


def test_an_evaluation_that_outlasts_a_stop_leaves_the_last_checkpoint(
    configure, unbroken, tmp_path
):
    calls = iter(range(10_000))
    with pytest.raises(Interrupted, match="stopped at step 1"):
        run(configure("run.stop_seconds=0"), tmp_path, stop=lambda: next(calls) == 101)
    run(configure(), tmp_path)
    assert_equal(left(tmp_path), unbroken)


def test_the_previous_checkpoint_does_as_well(configure, unbroken, tmp_path, capsys):
    calls = iter(range(10_000))
    with pytest.raises(Interrupted):
        run(configure(), tmp_path, stop=lambda: next(calls) > 220)
    current = tmp_path / checkpoint.CURRENT
    current.write_bytes(current.read_bytes()[:-1000])
    run(configure(), tmp_path)
    assert "resuming from the previous checkpoint" in capsys.readouterr().err
    assert_equal(left(tmp_path), unbroken)


def test_the_seed_fixes_everything(configure, unbroken, tmp_path):
    run(configure(), tmp_path / "again")
    assert_equal(left(tmp_path / "again"), unbroken)
    run(configure("run.seed=1"), tmp_path / "other")
    other = left(tmp_path / "other")
    assert other["scores"] != unbroken["scores"]
    assert other["metrics"][-1]["kl_loss"] != unbroken["metrics"][-1]["kl_loss"]
