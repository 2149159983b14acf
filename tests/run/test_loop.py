"""The training loop: what is done when, what a run leaves, and how it ends when something is
wrong."""

import shutil
from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from agent.build import training
from agent.dreamer import Dreamer
from agent.errors import UserError
from agent.run import checkpoint, device, seeding
from agent.run.episodes import EnvironmentFault
from agent.run.lock import ClaimLost
from agent.run.progress import Diverged, Meter
from agent.run.record import Record
from agent.run.stop import Interrupted
from tests.tiny import train


def rows(record, kind):
    return [row for row in record.scores() if row["kind"] == kind]


def test_a_run_leaves_what_it_says(configure, record):
    train(configure(), record)
    metrics = list(record.metrics())
    assert [row["step"] for row in metrics] == list(range(30, 301, 30))
    assert [row["gradient_steps"] for row in metrics] == [
        max(0, (step - 60) // 8) for step in range(30, 301, 30)
    ]
    assert (
        metrics[-1]["kl_loss"] > 0
        and metrics[-1]["critic_loss"] > 0
        and "kl_loss" not in metrics[0]
    )
    assert [(row["step"], row["episode"]) for row in rows(record, "eval")] == [
        (step, episode) for step in (100, 200, 300) for episode in (0, 1)
    ]
    episodes = rows(record, "train")
    assert [row["episode"] for row in episodes] == list(range(len(episodes)))
    assert np.array_equal(
        np.cumsum([row["length"] for row in episodes]), [row["step"] for row in episodes]
    )
    assert all(row["return"] == row["length"] for row in episodes)  # cartpole pays 1 a step
    run = record.fields
    assert (run["steps"], run["env_frames"], run["gradient_steps"]) == (300, 300, 30)
    assert (
        run["parameters"]["total"] > 0
        and run["device"] == "cpu"
        and set(run["saturation"]) == {"kl_clamped"}
    )
    assert not (record.path / "replay").exists()
    assert checkpoint.load(record.path, identity(record))["clock"]["step"] == 300


def identity(record):
    return {name: str(record.fields[name]) for name in ("suite", "task", "arm", "seed", "digest")}


def test_more_than_one_gradient_step_per_agent_step(configure, record):
    train(configure("run.steps=70", "run.train_every=0.5"), record)
    assert record.fields["gradient_steps"] == 20


def test_progress_is_the_share_of_the_steps_after_the_prefill(configure, record, monkeypatch):
    """Of 300 steps 60 are prefill, the policy acts from step 60 on, and every eighth step
    learns."""
    update, act, learned, acted = Dreamer.update, Dreamer.act, [], []

    def updating(agent, batch, progress):
        learned.append(progress)
        return update(agent, batch, progress)

    def acting(agent, obs, state, is_first, evaluate, progress=0.0, generator=None):
        if not evaluate:
            acted.append(progress)
        return act(agent, obs, state, is_first, evaluate, progress, generator)

    monkeypatch.setattr(Dreamer, "update", updating)
    monkeypatch.setattr(Dreamer, "act", acting)
    train(configure(), record)
    assert acted == pytest.approx([step / 240 for step in range(240)])
    assert learned == pytest.approx([8 * update / 240 for update in range(1, 31)])
    assert acted[0] == 0.0 and acted[120] == 0.5 and learned[14] == 0.5 and learned[-1] == 1.0


def test_no_step_of_the_prefill_is_progress(configure, record, monkeypatch):
    run = []
    monkeypatch.setattr(
        "agent.run.loop.Collector.step", lambda _, step, progress: run.append(progress)
    )
    monkeypatch.setattr("agent.run.loop.Training._evaluate", lambda _: None)
    train(configure("run.steps=70"), record)
    assert run[:61] == [0.0] * 61 and run[61:] == pytest.approx(
        [step / 10 for step in range(1, 10)]
    )


def test_a_run_says_how_far_it_is_before_its_first_log_line(configure, record):
    seen, calls = [], iter(range(10_000))
    overrides = ("run.log_every=1000", "run.steps=300")

    def stop():
        seen.append(
            {
                name: record.fields.get(name)
                for name in ("steps", "env_frames", "gradient_steps", "saturation")
            }
        )
        return next(calls) > 200

    with pytest.raises(Interrupted):
        train(configure(*overrides), record, stop)
    assert seen[0] == {"steps": 0, "env_frames": 0, "gradient_steps": 0, "saturation": {}}
    state = checkpoint.load(record.path, identity(record))
    record.update(steps=999, gradient_steps=999, wall_seconds=1e9)  # of an attempt that died later
    seen.clear()
    with pytest.raises(Interrupted):
        train(configure(*overrides), record, lambda: stop() or True)
    assert (seen[0]["steps"], seen[0]["gradient_steps"]) == (
        state["clock"]["step"],
        state["clock"]["gradient_steps"],
    )
    assert record.fields["wall_seconds"] < 1e6


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
    evaluated = []
    monkeypatch.setattr(
        checkpoint, "save", lambda *_: pytest.fail("wrote over the new owner's checkpoint")
    )
    monkeypatch.setattr(
        "agent.run.loop.Training._evaluate", lambda run: evaluated.append(run.clock.step)
    )
    with pytest.raises(ClaimLost):
        cfg = configure("run.steps=100", "run.checkpoint_every=1000")
        train(cfg, record, lost=lambda: bool(evaluated))
    assert evaluated == [100]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_checkpoints_wait_two_intervals_for_the_end_of_an_episode(configure, record, monkeypatch):
    """Pendulum's episodes take 100 steps."""
    written, save = [], checkpoint.save

    def saving(folder, run, state):
        written.append(state["clock"]["step"])
        save(folder, run, state)

    monkeypatch.setattr(checkpoint, "save", saving)
    never = ("run.eval_every=1000", "run.log_every=1000", "run.train_every=100")
    train(configure("task=pendulum", "run.steps=250", "run.checkpoint_every=40", *never), record)
    assert written == [80, 160, 200, 250]  # the end at step 100 comes too early
    written.clear()
    shutil.rmtree(record.path)
    again = Record(record.path)
    train(configure("task=pendulum", "run.steps=250", "run.checkpoint_every=60", *never), again)
    assert written == [100, 200, 250]


def test_an_evaluation_that_does_not_end_is_cut_and_told(configure, record, capsys):
    train(configure("task=pendulum", "run.steps=100", "run.eval_max_steps=30"), record)
    assert {row["length"] for row in rows(record, "eval")} == {30}
    assert record.fields["eval_episodes_cut"] == 2
    assert capsys.readouterr().err == "run.eval_max_steps cut 2 evaluation episodes\n"


def test_prefill_and_replay_draw_from_generators_of_their_own(configure, record):
    """So a batch can be drawn ahead: how many there were does not move the random actions."""
    cfg = configure("recipe.prefill=60")
    with closing(training(cfg, record)) as run:
        for _ in range(20):
            run._collect()
        run.random["REPLAY"].random(1000)
        actions = [run.collector._random_action().tolist() for _ in range(40)]
    other = Record(record.path.parent / "other")
    with closing(training(cfg, other)) as run:
        for _ in range(20):
            run._collect()
        assert actions == [run.collector._random_action().tolist() for _ in range(40)]


def test_a_finished_run_only_finishes_again(configure, record, monkeypatch):
    train(configure("run.keep_replay=true"), record)
    left = (record.path / "scores.csv").read_bytes(), (record.path / "metrics.jsonl").read_bytes()
    assert list((record.path / "replay").glob("*.npy"))
    monkeypatch.setattr(Dreamer, "update", None)
    train(configure(), record)
    assert left == (
        (record.path / "scores.csv").read_bytes(),
        (record.path / "metrics.jsonl").read_bytes(),
    )
    assert not (record.path / "replay").exists()


@pytest.mark.parametrize("task", ["pendulum", "minigrid_empty_random_5x5"])
def test_continuous_actions_and_grids(configure, record, task):
    train(
        configure(f"task={task}", "run.steps=100", "run.eval_every=1000", "run.predict_every=50"),
        record,
    )
    assert record.fields["gradient_steps"] == 5
    pictures = sorted(path.name for path in record.path.glob("predictions/*.png"))
    assert pictures == ["0000000050.png", "0000000100.png"]


def test_looking_at_a_run_leaves_it_as_it_is(configure, record, tmp_path):
    other = Record(tmp_path / "other")
    other.update(**record.fields)
    overrides = ("task=minigrid_empty_random_5x5", "run.steps=150", "run.eval_every=1000")
    train(configure(*overrides), record)
    train(
        configure(*overrides, "run.predict_every=25", "run.eval_every=40", "run.log_every=7"), other
    )
    weights = [checkpoint.load(each.path, identity(each))["agent"] for each in (record, other)]
    torch.testing.assert_close(*weights, rtol=0, atol=0)
    assert list((tmp_path / "other" / "predictions").iterdir())


def test_nan_stops_the_run_names_loss_and_step_and_keeps_the_last_good_checkpoint(
    configure, record, monkeypatch
):
    update = Dreamer.update

    def broken(agent, batch, progress):
        metrics = update(agent, batch, progress)
        return metrics | {
            "reward_loss": metrics["reward_loss"] * float("nan" if agent.updates >= 15 else 1)
        }

    monkeypatch.setattr(Dreamer, "update", broken)
    with pytest.raises(Diverged, match=r"NaN or infinity in reward_loss at step 180$"):
        train(configure("run.log_every=1000"), record)
    state = checkpoint.load(record.path, identity(record))
    assert 40 <= state["clock"]["step"] < 180 and state["agent"]["_extra_state"]["updates"] < 15


def test_a_disk_too_small_is_refused_before_the_start(configure, record, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(UserError, match=r"needs .* of disk .* lower recipe.capacity"):
        train(configure(), record)
    assert list(record.metrics()) == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("run.seed=-1", "run.seed=-1 must be a whole number of at least 0"),
        ("run.predict_every=-5", "run.predict_every=-5 must be a whole number of at least 0"),
        ("run.eval_every=2.5", "run.eval_every=2.5 must be a whole number greater than 0"),
        ("run.steps=0", "run.steps=0 must be a whole number greater than 0"),
        ("run.steps=60", "run.steps=60: no gradient step would be made"),
        ("run.train_every=x", "run.train_every=x must be a number greater than 0"),
        ("run.train_every=nan", "run.train_every=nan must be a number greater than 0"),
        ("recipe.capacity=7", "recipe.capacity=7: must hold a sequence of 8 steps"),
        ("run.device=cuda:99", "run.device=cuda:99: not on this machine; allowed here: auto, cpu"),
        (
            "run.matmul_precision=low",
            "run.matmul_precision=low is unknown; allowed: highest, high, medium",
        ),
    ],
)
def test_bad_numbers_are_refused(configure, record, override, message):
    with pytest.raises(UserError) as error:
        train(configure(override), record)
    assert str(error.value).startswith(message)


def test_the_device_is_chosen_among_those_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert str(device.choose("auto")) == "cuda" and str(device.choose("cuda:1")) == "cuda:1"
    with pytest.raises(UserError, match="allowed here: auto, cpu, cuda, cuda:0, cuda:1"):
        device.choose("cuda:2")


@pytest.mark.parametrize("precision, tf32", [("highest", False), ("high", True), ("medium", True)])
def test_the_precision_covers_matrix_products_and_convolutions(precision, tf32):
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        device.configure(None, precision)
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cudnn.allow_tf32 is tf32
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_the_random_numbers_of_the_runs_own_device_alone_are_kept(monkeypatch):
    states = {"cuda:1": torch.arange(16, dtype=torch.uint8)}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: pytest.fail("touched every GPU"))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: states[str(device)])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: states.update({str(device): state})
    )
    rng = {"REPLAY": np.random.default_rng(0)}
    gpu, cpu = torch.device("cuda:1"), torch.device("cpu")
    on_gpu, on_cpu = seeding.state_dict(rng, gpu), seeding.state_dict(rng, cpu)
    states["cuda:1"] = None
    seeding.load_state_dict(rng, on_gpu, gpu)
    assert states["cuda:1"].tolist() == list(range(16))
    states.clear()
    seeding.load_state_dict(rng, on_gpu, cpu)
    seeding.load_state_dict(rng, on_cpu, gpu)
    assert on_cpu["cuda"] is None and not states


def test_a_meter_means_since_the_last_line_and_saturation_over_the_run():
    meter = Meter(["clamped"])
    for step, clamped in enumerate((1.0, 1.0, 0.0)):
        meter.add({"loss": torch.tensor(float(step)), "clamped": torch.tensor(clamped)}, step)
    assert meter.flush() == {"loss": 1.0, "clamped": pytest.approx(2 / 3)}
    assert meter.flush() == {}
    meter.add({"loss": torch.tensor(8.0), "clamped": torch.tensor(0.0)}, 4)
    assert meter.flush()["loss"] == 8.0 and meter.saturation() == {"clamped": 0.5}


def test_a_meter_names_the_first_step_that_was_not_finite():
    meter = Meter([])
    for step, loss in ((4, 1.0), (8, float("inf")), (12, float("nan"))):
        meter.add({"a": torch.tensor(1.0), "b": torch.tensor(loss), "c": torch.tensor(loss)}, step)
    with pytest.raises(Diverged, match="NaN or infinity in b, c at step 8"):
        meter.check()


def test_what_diverged_is_not_the_environments_fault(configure, record, monkeypatch):
    """NaN weights act before a log line is due; the environment's NaN is theirs."""
    update = Dreamer.update

    def diverging(agent, batch, progress):
        metrics = update(agent, batch, progress)
        with torch.no_grad():
            for parameter in agent.parameters():
                parameter.fill_(float("nan"))
        return metrics | {"actor_loss": metrics["actor_loss"] * float("nan")}

    monkeypatch.setattr(Dreamer, "update", diverging)
    with pytest.raises(Diverged, match="actor_loss"):
        train(configure("task=pendulum", "run.log_every=1000"), record)


def test_a_task_that_terminates_against_its_word_is_a_fault(configure, record):
    never = ("recipe.discount_scale=0", "task.terminates=false")
    with pytest.raises(EnvironmentFault, match="task.terminates=false does not hold"):
        train(configure(*never), record)
