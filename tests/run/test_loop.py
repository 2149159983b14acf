"""The training loop: what is done when, what a run leaves, and how it ends when something is
wrong."""

import io
import itertools
import os
import platform
import re
import resource
import shutil
from contextlib import closing

import numpy as np
import pytest
import torch
from gymnasium.envs.classic_control import CartPoleEnv
from rich.console import Console

from agent.dreamer import Dreamer
from agent.errors import UserError
from agent.run import checkpoint, numerics
from agent.run.episodes import Collector, EnvironmentFault
from agent.run.lock import ClaimLost, RunFolder
from agent.run.loop import Training
from agent.run.progress import Clock, Display, Diverged
from agent.run.record import Record
from agent.run.status import Interrupted
from tests import tiny
from tests.tiny import train


def rows(record, kind):
    return [row for row in record.scores() if row["kind"] == kind]


def test_a_run_leaves_what_it_says(unbroken):
    record = Record(unbroken)
    metrics, episodes = list(record.metrics()), rows(record, "train")
    done = [(row["step"], row["gradient_steps"]) for row in metrics]
    assert done == [(step, max(0, (step - 60) // 8)) for step in range(30, 301, 30)]
    assert metrics[-1]["kl_loss"] > 0 and metrics[-1]["critic_loss"] > 0
    assert "kl_loss" not in metrics[0]
    evaluated = [(row["step"], row["episode"]) for row in rows(record, "eval")]
    assert evaluated == [(step, episode) for step in (100, 200, 300) for episode in (0, 1)]
    assert [row["episode"] for row in episodes] == list(range(len(episodes)))
    ends = np.cumsum([row["length"] for row in episodes])
    assert ends.tolist() == [row["step"] for row in episodes]
    assert all(row["return"] == row["length"] for row in episodes)  # cartpole pays 1 a step
    assert record.fields["gpu"] is None
    state = checkpoint.load(unbroken, record.identity)
    assert state["clock"]["step"] == 300 and not (unbroken / "replay").exists()


def test_progress_and_the_saturation_are_those_of_all_updates(configure, record, monkeypatch):
    """Of 160 steps 60 are prefill, the policy acts from step 60 on, and every eighth learns."""
    update, act, learned, acted, clamped = Dreamer.update, Dreamer.act, [], [], []

    def updating(agent, batch, progress):
        learned.append(progress)
        clamped.append(len(clamped) % 4 / 3)
        return update(agent, batch, progress) | {"kl_clamped": torch.tensor(clamped[-1])}

    def acting(agent, obs, state, is_first, evaluate, progress=0.0, generator=None):
        if not evaluate:
            acted.append(progress)
        return act(agent, obs, state, is_first, evaluate, progress, generator)

    monkeypatch.setattr(Dreamer, "update", updating)
    monkeypatch.setattr(Dreamer, "act", acting)
    train(configure("run.steps=160", "run.log_every=40", "task.action_repeat=2"), record)
    assert acted == pytest.approx([step / 100 for step in range(100)])
    assert learned == pytest.approx([8 * update / 100 for update in range(1, 13)])
    assert record.fields["env_frames"] == 320
    told = [row["kl_clamped"] for row in record.metrics() if "kl_clamped" in row]
    assert told == pytest.approx([*map(np.mean, (clamped[:2], clamped[2:7], clamped[7:]))])
    assert record.fields["saturation"] == {"kl_clamped": pytest.approx(np.mean(clamped))}


def test_a_run_says_how_far_it_is_before_its_first_log_line(configure, record):
    seen, calls = [], iter(range(10_000))
    cfg, told = configure("run.log_every=1000"), ("steps", "env_frames", "gradient_steps")

    def stop():
        seen.append([record.fields.get(name) for name in told])
        return next(calls) > 200

    with pytest.raises(Interrupted):
        train(cfg, record, stop)
    assert seen[0] == [0, 0, 0] and record.fields["saturation"] == {}
    step = checkpoint.load(record.path, record.identity)["clock"]["step"]
    updates = (step - 60) // 8
    record.update(steps=999, gradient_steps=999, wall_seconds=1e9)  # of an attempt that died later
    seen.clear()
    with pytest.raises(Interrupted):
        train(cfg, record, lambda: stop() or True)
    assert seen[0] == [step, step, updates] and updates > 0
    assert record.fields["wall_seconds"] < 1e6


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_that_another_host_took_over_touches_no_file(configure, record):
    calls, left = iter(range(10_000)), {}

    def lost():
        if next(calls) < 200:
            return False
        left.setdefault("before", files(record.path))
        return True

    with pytest.raises(ClaimLost, match="taken over"):
        train(configure(), record, lambda: bool(left), lost)
    assert (record.path / checkpoint.CURRENT).exists()
    assert files(record.path) == left["before"]


def test_a_claim_lost_while_a_step_is_made_keeps_the_checkpoint_of_the_new_owner(
    configure, record, monkeypatch
):
    made, step = [], Collector.step
    monkeypatch.setattr(checkpoint, "save", lambda *_: pytest.fail("wrote over the new owner's"))
    monkeypatch.setattr(Collector, "step", lambda *args: made.append(1) or step(*args))
    with pytest.raises(ClaimLost):
        cfg = configure("run.steps=100", "run.checkpoint_every=1000")
        train(cfg, record, lost=lambda: len(made) == 100)
    assert len(made) == 100


@pytest.mark.parametrize(
    ("every", "steps"),
    [(40, [80, 160, 200, 250]), (60, [100, 200, 250])],  # the end at step 100 comes too early
)
def test_checkpoints_wait_two_intervals_for_the_end_of_an_episode(
    configure, record, monkeypatch, every, steps
):
    """Pendulum's episodes take 100 steps."""
    written = []
    monkeypatch.setattr(checkpoint, "save", lambda *args: written.append(args[2]["clock"]["step"]))
    never = ("run.eval_every=1000", "run.log_every=1000", "run.train_every=100")
    cfg = configure("task=pendulum", "run.steps=250", f"run.checkpoint_every={every}", *never)
    train(cfg, record)
    assert written == steps


def test_continuous_actions_and_an_evaluation_that_does_not_end_which_is_cut_and_told(
    configure, record, capsys
):
    short = ("run.steps=100", "run.eval_max_steps=30", "run.predict_every=50")
    train(configure("task=pendulum", *short), record)
    pictures = sorted(path.name for path in record.path.glob("predictions/*.png"))
    assert pictures == ["0000000050.png", "0000000100.png"]
    assert record.fields["gradient_steps"] == 5
    assert {row["length"] for row in rows(record, "eval")} == {30}
    assert record.fields["eval_episodes_cut"] == 2
    said = capsys.readouterr().err.splitlines()
    assert "run.eval_max_steps cut 2 evaluation episodes" in said
    start, end = said[0], said[-1]
    assert start.startswith("baseline on cartpole, seed 0, ") and "on cpu, step 0 of 100" in start
    assert any(line.startswith("step 100 of 100: score ") for line in said)
    assert end.startswith("done: score -") and f"python -m agent.watch {record.path}" in end


def test_a_finished_run_only_evaluates_again(configure, unbroken, tmp_path, monkeypatch):
    folder = shutil.copytree(unbroken, tmp_path / "run")
    (folder / "replay").mkdir()
    left = [(folder / name).read_bytes() for name in ("scores.csv", "metrics.jsonl")]
    monkeypatch.setattr(Dreamer, "update", None)
    train(configure(), Record(folder))
    assert left == [(folder / name).read_bytes() for name in ("scores.csv", "metrics.jsonl")]
    assert not (folder / "replay").exists()


@pytest.mark.parametrize(("task", "acts"), [("cartpole", False), ("pendulum", True)])
def test_nan_names_loss_and_update_and_keeps_the_last_good_checkpoint(
    configure, record, monkeypatch, task, acts
):
    """Where the weights are NaN too, so is an action, and then what the environment says."""
    update = Dreamer.update

    def broken(agent, batch, progress):
        metrics = update(agent, batch, progress)
        factor = float("nan" if agent.updates >= 15 else 1)
        with torch.no_grad():
            for parameter in agent.parameters() if acts else ():
                parameter.mul_(factor)
        return metrics | {"reward_loss": metrics["reward_loss"] * factor}

    monkeypatch.setattr(Dreamer, "update", broken)
    with pytest.raises(Diverged, match=r"NaN or infinity in reward_loss at gradient step 15$"):
        train(configure(f"task={task}", "run.log_every=1000"), record)
    state = checkpoint.load(record.path, record.identity)
    assert 40 <= state["clock"]["step"] < 180  # of the 15th


def test_the_device_and_the_precision_are_set(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for suite, device in {"mini": "cpu", "gym": "cuda", "atari": "cuda"}.items():
        chosen = tiny.compose(f"suite={suite}").run.device
        assert str(numerics.choose_device(chosen)) == device, "small models on the CPU"
    assert str(numerics.choose_device("cuda:1")) == "cuda:1"
    with pytest.raises(UserError, match="allowed here: auto, cpu, cuda, cuda:0, cuda:1"):
        numerics.choose_device("cuda:2")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    for precision in ("high", "medium", "highest"):  # as the tests have it
        numerics.configure(None, precision)
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cudnn.allow_tf32 is (precision != "highest")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone is told")
def test_what_an_update_frees_the_next_one_takes():
    numerics.configure(None, "highest")
    taken = []
    for _ in range(6):
        _ = [torch.ones(2**22) for _ in range(8)]  # of 4,096 pages each
        taken.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
    assert min(later - before for before, later in itertools.pairwise(taken)) < 2**10


def test_an_environment_that_changes_directory_and_cannot_be_closed_spoils_no_run(
    configure, tmp_path, monkeypatch, capsys
):
    def close(env):
        raise RuntimeError("not connected to the server")

    monkeypatch.chdir(tmp_path)
    reset = CartPoleEnv.reset
    monkeypatch.setattr(CartPoleEnv, "reset", lambda *a, **b: os.chdir("/") or reset(*a, **b))
    monkeypatch.setattr(CartPoleEnv, "close", close)
    with RunFolder("run").claim() as lost, closing(tiny.claimed("run")) as record:
        train(configure("run.steps=70", "run.train_every=0.5"), record, lost=lost)
    said = capsys.readouterr().err
    assert "cannot be closed: RuntimeError: not connected to the server\n" in said
    assert (record.fields["steps"], record.fields["gradient_steps"]) == (70, 20)
    assert {"checkpoint.pt", "run.json"} <= {file.name for file in (tmp_path / "run").iterdir()}
    assert not (tmp_path / "run" / "owner.json").exists()


def test_a_task_that_terminates_against_its_word_is_a_fault(configure, record):
    never = ("recipe.discount_scale=0", "task.terminates=false")
    with pytest.raises(EnvironmentFault, match="task.terminates=false does not hold"):
        train(configure(*never), record)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_person_sees_lines_and_on_a_terminal_a_bar(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    clock = Clock(steps=2000, prefill=20, action_repeat=1)
    display = Display(clock, 0, console)
    with display.bar:
        display.say("baseline on [cartpole], " + "long " * 40)
        for clock.step, updates, display.last_return in ((500, 3, None), (1000, 6, 12.5)):
            display.update(updates)
        display.evaluated(6, 321.5)
    shown, start = console.file.getvalue(), re.escape("baseline on [cartpole], " + "long " * 40)
    line = r"step 1,000 of 2,000: score 321.5, [\d.]+ updates/s, 0:00:0\d left"
    assert re.search(line, shown)
    assert all((part in shown) == terminal for part in ("1000/2000", "return 12.5", "steps/s"))
    assert terminal or re.fullmatch(f"{start}\n{line}\n", shown)


def test_environments_of_an_evaluation_are_made_apart_from_the_episode_under_way(
    configure, record, monkeypatch
):
    """What their constructors draw is not missing in training."""
    evaluate, make, same = Training._evaluate, Training._open_env, []

    def watched(self):
        before = np.random.get_state()[1].copy()
        evaluate(self)
        same.append(np.array_equal(before, np.random.get_state()[1]))

    monkeypatch.setattr(Training, "_open_env", lambda self: (np.random.random(999), make(self))[1])
    monkeypatch.setattr(Training, "_evaluate", watched)
    tiny.train(configure(), record)
    assert same == [True] * 3
