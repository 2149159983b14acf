"""A run that was killed and resumed equals an unbroken one, bit for bit on one CPU thread."""

import itertools
import json
import multiprocessing
import os
import random
import signal
import time
from contextlib import closing
from unittest.mock import Mock

import pytest
import torch
from gymnasium.envs.classic_control import CartPoleEnv

from agent.dreamer import Dreamer
from agent.run import checkpoint
from agent.run.record import Record
from agent.run.status import Interrupted
from tests import tiny

KILLS = random.Random(int(os.environ.get("KILL_SEED", "0")))  # draws the moments
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["agent.run.loop", "agent.build"])


def run(cfg, folder, stop=lambda: False):
    torch.set_num_threads(1)
    with closing(tiny.claimed(folder)) as record:
        tiny.train(cfg, record, stop)


def at(moment):
    """A request to stop at the call `moment` and later ones."""
    calls = itertools.count()
    return lambda: next(calls) >= moment


def saved(folder):
    return checkpoint.load(folder, Record(folder).identity)


def scores(folder, kind):
    lines = (folder / "scores.csv").read_text().splitlines()
    return [line for line in lines if line.split(",")[2] == kind]


def left(folder):
    """All that a run leaves, wall-clock times aside, in values that compare."""
    state, fields = saved(folder), json.loads((folder / "run.json").read_text())
    lines = list(Record(folder).metrics())
    del state["clock"]["seconds"], state["record"]  # a checksum of lines with times
    for timed in (fields, *lines):
        del timed["wall_seconds"]
    text = (folder / "scores.csv").read_text()
    return {"state": plain(state), "metrics": lines, "scores": text, "run": fields}


def plain(value):
    if isinstance(value, torch.Tensor):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def assert_equal(folder, other):
    one, other = left(folder), left(other)
    for what in one:
        assert one[what] == other[what], what


def kill_when(process, folder, lines):
    """SIGKILL, a moment after scores.csv has `lines` lines; False if the run ended first."""
    scores = folder / "scores.csv"
    while process.is_alive():
        if scores.exists() and scores.read_bytes().count(b"\n") >= lines:
            time.sleep(KILLS.uniform(0, 0.05))
            process.kill()
            break
        time.sleep(0.001)
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_killed_at_random_moments_a_run_equals_an_unbroken_one(configure, unbroken, tmp_path):
    total = (unbroken / "scores.csv").read_text().count("\n")
    moments, kills = sorted(KILLS.sample(range(2, total), 3)), 0
    for moment in (*moments, total + 1):
        process = PROCESSES.Process(target=run, args=(configure(), tmp_path))
        process.start()
        kills += kill_when(process, tmp_path, moment)
    assert process.exitcode == 0
    assert kills >= 2, f"killed at the scores {moments} (KILL_SEED draws others)"
    assert_equal(tmp_path, unbroken)


def test_asked_to_stop_it_writes_a_checkpoint_at_the_next_episode_end_and_goes_on_from_there(
    configure, unbroken, tmp_path, monkeypatch
):
    cfg = configure("run.checkpoint_every=1000")
    with pytest.raises(Interrupted):
        run(cfg, tmp_path, at(180))
    state = saved(tmp_path)
    assert 100 < state["clock"]["step"] < 300 and state["collector"]["under_way"] is None
    update, updates = Dreamer.update, []
    monkeypatch.setattr(Dreamer, "update", lambda *args: updates.append(1) or update(*args))
    run(cfg, tmp_path)
    assert len(updates) == 30 - (state["clock"]["step"] - 60) // 8 < 30
    assert_equal(tmp_path, unbroken)


LONG = ("task=pendulum", "recipe.prefill=30", "run.steps=230", "run.checkpoint_every=45")


@pytest.fixture(scope="module")
def long_episodes(configure, tmp_path_factory):
    folder = tmp_path_factory.mktemp("long")
    run(configure(*LONG), folder)
    return folder


def test_a_stop_that_waits_for_no_end_writes_a_checkpoint_inside_the_episode(
    configure, long_episodes, tmp_path
):
    """In the prefill, where the policy takes over, and later; evaluations and lines of the other
    run change nothing."""
    never, step = ("run.eval_every=1000", "run.log_every=1000"), 0
    for moment in (7, 30, 31, 170):
        with pytest.raises(Interrupted, match=f"stopped at step {moment}$"):
            run(configure(*LONG, *never, "run.stop_seconds=0"), tmp_path, at(moment - step))
        step = moment
    run(configure(*LONG, *never), tmp_path)
    ours, theirs = left(tmp_path)["state"], left(long_episodes)["state"]
    for what in ("agent", "replay", "collector"):
        assert ours[what] == theirs[what], what


def test_killed_inside_long_episodes_a_run_goes_on_from_inside(configure, long_episodes, tmp_path):
    """As if killed at once: the state on disk is all that the next process has."""
    resumed = []
    for moment in (95, 60, 90):  # calls, one a step and one a step of evaluation
        stop = Mock(side_effect=[False] * moment + [KeyboardInterrupt])
        with pytest.raises(KeyboardInterrupt):
            run(configure(*LONG), tmp_path, stop)
        state = saved(tmp_path)
        resumed.append((state["clock"]["step"], state["collector"]["under_way"] is not None))
    assert (90, True) in resumed
    run(configure(*LONG), tmp_path)
    assert_equal(tmp_path, long_episodes)


def test_an_evaluation_that_a_stop_or_a_kill_broke_off_is_made_again_and_no_step_is_lost(
    configure, unbroken, tmp_path, monkeypatch
):
    """The stop is in the first evaluation, of step 100, which begins at call 101; the kills are
    before and after the first of its two scores, and between those of step 200."""
    with pytest.raises(Interrupted, match="stopped at step 100$"):
        run(configure("run.stop_seconds=0"), tmp_path, at(105))
    assert saved(tmp_path)["clock"]["step"] == 100 and scores(tmp_path, "eval") == []
    score, cfg = Record.score, configure("run.checkpoint_every=10")
    for after in (0, 1, 3):
        dies = at(after)

        def dying(record, step, frames, kind, *rest, dies=dies):
            if kind == "eval" and dies():
                raise KeyboardInterrupt
            score(record, step, frames, kind, *rest)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Record, "score", dying)
            run(cfg, tmp_path)
    run(cfg, tmp_path)
    assert len(scores(tmp_path, "eval")) == 6
    assert_equal(tmp_path, unbroken)


def test_the_previous_checkpoint_does_as_well(configure, unbroken, tmp_path, capsys):
    with pytest.raises(Interrupted):
        run(configure(), tmp_path, at(220))
    current = tmp_path / checkpoint.CURRENT
    current.write_bytes(current.read_bytes()[:-1000])
    run(configure(), tmp_path)
    assert "resuming from the previous checkpoint" in capsys.readouterr().err
    assert_equal(tmp_path, unbroken)


def test_lines_are_synced_before_the_checkpoint_that_relies_on_them(
    configure, tmp_path, monkeypatch
):
    save, sync, events = checkpoint.save, os.fsync, []
    name_of = lambda file: os.path.basename(os.readlink(f"/proc/self/fd/{file}"))  # noqa: E731
    monkeypatch.setattr(checkpoint, "save", lambda *args: events.append("save") or save(*args))
    monkeypatch.setattr(os, "fsync", lambda file: events.append(name_of(file)) or sync(file))
    with pytest.raises(Interrupted):
        run(configure(), tmp_path, at(60))
    assert {"metrics.jsonl", "scores.csv", "000000.npy"} <= set(events[: events.index("save")])


def test_the_seed_fixes_everything_whatever_the_environment_seeds(
    configure, unbroken, tmp_path, monkeypatch
):
    again, other, step = tmp_path / "again", tmp_path / "other", CartPoleEnv.step
    monkeypatch.setattr(CartPoleEnv, "step", lambda *args: torch.manual_seed(0) and step(*args))
    run(configure(), again)
    assert_equal(again, unbroken)
    with pytest.raises(Interrupted):
        run(configure("run.seed=1"), other, at(150))
    losses = [[*Record(folder).metrics()][3]["kl_loss"] for folder in (other, unbroken)]
    assert losses[0] != losses[1]
    assert scores(other, "train")[0] != scores(unbroken, "train")[0]
