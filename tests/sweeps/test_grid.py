"""Which jobs a command stands for, and what the plan says of them."""

import json
import shlex
from unittest.mock import Mock

import pytest
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from agent import build
from agent.errors import UserError
from agent.run.compose import CONF, _by_hydra, composed, leaves, project_config
from agent.run.identity import toggles
from benchmarks.sweep_kills import TINY
from sweeps import grid, job, machine, plan, state


@pytest.fixture(autouse=True)
def config():
    GlobalHydra.instance().clear()
    with project_config():
        yield


@pytest.fixture
def planned(capsys):
    def run(*arguments):
        GlobalHydra.instance().clear()
        return plan.main(arguments), *capsys.readouterr()

    return run


def test_every_combination_seed_by_seed():
    assert grid.jobs(["latent=categorical,gaussian", "run.seed=0,1", "kl.alpha=0.5"], {}) == [
        ["latent=categorical", "kl.alpha=0.5", "run.seed=0"],
        ["latent=gaussian", "kl.alpha=0.5", "run.seed=0"],
        ["latent=categorical", "kl.alpha=0.5", "run.seed=1"],
        ["latent=gaussian", "kl.alpha=0.5", "run.seed=1"],
    ]


def test_a_glob_lists_the_options_and_the_tasks_of_each_suite():
    options = [file.stem for file in (CONF / "latent").glob("*.yaml")]
    jobs = grid.jobs(["suite=mini,minatar", "latent=glob(*)", "task=glob(*)"], {})
    pairs = {(suite, task) for suite, task, _ in jobs}
    minatar = [task for suite, task in pairs if suite == "suite=minatar"]
    assert minatar and all(task.startswith("task=minatar_") for task in minatar)
    assert ("suite=mini", "task=cartpole") in pairs
    assert {job[2] for job in jobs} == {f"latent={option}" for option in options}
    assert len(jobs) == len(pairs) * len(options)


def test_the_command_line_replaces_what_a_sweep_says():
    params = {"latent": "glob(*)", "task": "glob(*)", "run.seed": "range(5)"}
    given = ["task=acrobot", "latent=binary", "run.seed=7"]
    assert grid.jobs(["+sweep=latent", *given], params) == [given]
    assert grid.jobs(["task=acrobot", "latent=binary", "++run.seed=7"], params) == [given]


def test_every_toggle_has_a_sweep_of_all_its_options():
    some = {"preset": "glob(*,exclude=dreamer_v2_control)"}  # which trains on few tasks
    for group in toggles(composed(())[1]):
        sweeper = OmegaConf.load(CONF / "sweep" / f"{group}.yaml").hydra.sweeper
        if "claims" not in sweeper:
            options = some.get(group, "glob(*)")
            assert sweeper.params == {group: options, "task": "glob(*)", "run.seed": "range(5)"}


def claimed(suite, actions, rows=None):
    arms = grid.of_claims("sweeps/claims.yaml", rows, suite, actions)
    return [",".join(overrides) for overrides in arms]


def test_claims_give_each_arm_once_and_only_where_it_makes_sense():
    discrete = claimed("mini", "discrete")
    assert discrete[0] == "" and len(discrete) == len(set(discrete)) == 15
    assert {"latent=gaussian", "kl=standard", "schedule=all", "size=tiny"} <= set(discrete)
    assert "size=13m" in claimed("atari", "discrete")
    assert claimed("mini", "continuous") == ["", "actor_grad=reinforce", "recipe.model_lr=0"]
    for task, actions in (("cartpole", "discrete"), ("pendulum", "continuous")):
        for arm in grid.of_claims("sweeps/claims.yaml", None, "mini", actions):
            build.check(*composed((f"task={task}", *arm)))
    with pytest.raises(UserError, match="no claim binary_latent; it has .*binary_latents"):
        claimed("mini", "discrete", ["binary_latent"])


def test_jobs_that_are_one_run_are_planned_once():
    other = ["latent=gaussian", "run.seed=1"]
    runs = state.planned([["latent=gaussian"], ["latent=gaussian", "kl.alpha=0.8"], other])
    assert [run.identity.arm for run in runs] == ["latent=gaussian"] * 2
    assert [run.identity.seed for run in runs] == [0, 1]
    assert state.planned([["run.seed=1_000"]])[0].identity.seed == 1000


def write(root, *overrides, **fields):
    (run,) = state.planned([[*overrides, f"run.root={root}"]])
    run.folder.mkdir(parents=True)
    (run.folder / "run.json").write_text(json.dumps(fields))


def test_the_plan_counts_what_is_done_cut_off_and_failed(planned, tmp_path, monkeypatch):
    numbers = {"steps": 8000, "wall_seconds": 160.0, "error": "the disk is full"}
    for seed, status in enumerate(("done", "failed", "under way", "interrupted", "done")):
        write(tmp_path, f"run.seed={seed}", status=status, **numbers)
    (next(tmp_path.rglob("4-*")) / "run.json").write_text("{")
    monkeypatch.setattr(machine, "cores", lambda: 2)
    root = f"run.root={tmp_path}"
    code, said, _ = planned("run.seed=range(6)", root)
    assert code == 0
    assert "1 not started, 0 under way, 2 interrupted, 1 done, 1 failed" in said
    assert "1 unreadable; 6 runs in all" in said and "run.json is no valid JSON" in said
    assert "failed: mini/cartpole/baseline seed 1: the disk is full" in said
    assert "2 runs at a time on run.device=cpu" in said and "peak disk:" in said
    start = said.partition("start: ")[2]
    assert shlex.split(start) == ["python", "run.py", "-m", "run.seed=range(6)", root]
    assert "'run.seed=range(6)'" in start, "a shell takes it as it is printed"


def test_commands_are_those_of_the_runs_that_go_on(planned, tmp_path):
    for seed, status in enumerate(("done", "failed", "interrupted")):
        write(tmp_path, f"run.seed={seed}", status=status)
    given = [f"run.root={tmp_path}", "kl.alpha=0.8"]
    for retried, seeds in (((), (2, 3)), (("run.retry_failed=true",), (1, 2, 3))):
        code, said, _ = planned("run.seed=range(4)", *given, "--commands", *retried)
        assert code == 0 and [shlex.split(line) for line in said.splitlines()] == [
            ["python", "run.py", *given, *retried, f"run.seed={seed}"] for seed in seeds
        ]


def test_the_plan_has_the_places_of_the_engine(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for launcher, places in {"local": 2, "basic": 1, "slurm": 64, "slurm_cpu": 64}.items():
        config = compose("config", [f"hydra/launcher={launcher}"], return_hydra_config=True)
        assert job.chosen(config).places() == places
    config.hydra.launcher._target_ = "other.Other"
    config.hydra.runtime.choices["hydra/launcher"] = "other"
    with pytest.raises(UserError, match="hydra/launcher=other: allowed here: local, basic, slurm"):
        job.chosen(config)


def test_hours_are_those_of_finished_runs_scaled_to_what_is_left(planned, tmp_path):
    write(tmp_path, "run.seed=0", status="done", steps=8000, wall_seconds=720.0)
    write(tmp_path, "run.seed=1", status="interrupted", steps=4000)
    root = f"run.root={tmp_path}"
    runs = state.planned([[f"run.seed={seed}", root] for seed in range(3)])
    steps, known = runs[0].cfg.run.steps, plan.rates(runs)
    assert plan.hours(runs[1:], known) == pytest.approx((2 * steps - 4000) * 720 / 8000 / 3600)
    assert plan.hours(runs[:2], known, whole=True) == pytest.approx(2 * steps * 0.09 / 3600)
    write(tmp_path, "task=catch", status="done", steps=8000, wall_seconds=2160.0)
    runs = state.planned([[f"task={task}", root] for task in ("cartpole", "catch", "pendulum")])
    each = plan.hours(runs, plan.rates(runs), whole=True) * 3600 / steps
    assert each == pytest.approx(0.09 + 0.27 + 0.18), "a task without runs takes as long as others"
    said = planned("size=tiny", "run.seed=0,1", root)[1]
    assert "no run of suite=mini with size=tiny has finished yet" in said


def test_a_plan_of_no_sweep_is_that_of_the_papers_claims():
    assert plan._with_sweep(["size=tiny"]) == ["+sweep=claims", "size=tiny"]
    for swept in ("run.seed=0,1", "+sweep=latent", "hydra.sweeper.grid=x.yaml"):
        assert plan._with_sweep(["size=tiny", swept]) == ["size=tiny", swept]


def test_replay_grows_with_the_run_and_a_probe_measures_and_leaves_nothing(tmp_path, monkeypatch):
    short, long = state.planned([["run.steps=1000"], ["run.steps=4000"]])
    assert plan.replay_bytes(long) > 2 * plan.replay_bytes(short) > 0
    monkeypatch.setattr(plan.tempfile, "tempdir", str(tmp_path))
    (run,) = state.planned([[*TINY, "run.steps=1000000"]])
    assert 1e-5 < plan.probe(run, threads=1) < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given",
    [
        "latent=gaussian kl=standard size=tiny explore=action_noise",
        "task=pendulum actor_grad=reinforce gradients=no_image recipe.model_lr=0 run.seed=3",
        "preset=dreamer_v1 latent=binary gru=plain kl=standard",
        "schedule=all entropy=long_term latent=gaussian",
        "latent=gaussian latent.latents=7 kl=free_nats",
        "suite=atari task=pong size=13m kl.alpha=0.5 kl=balanced",
        "schedule=all task=pendulum recipe.learning_rates=2 kl=standard recipe.entropy_scale=1e-3",
        "suite=atari size=22m latent=binary run.steps=0 kl.alpha=1 recipe.batch_size=16",
        "explore=action_noise +explore.new=1 tracker=wandb",
        "run.steps=520 run.steps=6_000 run={seed:3,threads:1} run.seed=4",
        "run.seed=4 run={seed:3,threads:1}",
        "task=cartpole task.env.scale.0=3 task.env.scale=[1,2,3,4]",
    ],
)
def test_options_that_are_laid_compose_as_hydra_does(given):
    overrides = tuple(given.split(" "))
    (ours, choices), (theirs, expected) = composed(overrides), _by_hydra(overrides)
    assert leaves(ours, resolve=True) == leaves(theirs, resolve=True)
    assert leaves(ours, resolve=False) == leaves(theirs, resolve=False)
    assert list(choices.items()) == list(expected.items())


def test_what_hydra_composes_is_composed_once_for_all_options(monkeypatch):
    asked = Mock(side_effect=_by_hydra)
    monkeypatch.setattr("agent.run.compose._by_hydra", asked)
    own = ("suite=mini", "task=catch", "task.env.pixels=true")
    for options in (("latent=gaussian", "size=tiny"), ("kl=standard", "recipe.entropy_scale=3")):
        composed((*own, *options))
    asked.assert_called_once_with(own)
