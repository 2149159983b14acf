"""Which jobs a command stands for, and what the plan says of them."""

import json
import shlex

import pytest
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from agent.errors import UserError
from agent.run.compose import CONF, _by_hydra, composed, leaves, project_config
from agent.run.identity import toggles
from benchmarks.sweep_kills import TINY
from sweeps import grid, job, machine, plan, state


@pytest.fixture(autouse=True)
def config(hydra_free):
    with project_config():
        yield


@pytest.fixture
def hydra_free():
    GlobalHydra.instance().clear()


def test_every_combination_seed_by_seed():
    assert grid.jobs(["latent=categorical,gaussian", "run.seed=0,1", "kl.alpha=0.5"], {}) == [
        ["latent=categorical", "kl.alpha=0.5", "run.seed=0"],
        ["latent=gaussian", "kl.alpha=0.5", "run.seed=0"],
        ["latent=categorical", "kl.alpha=0.5", "run.seed=1"],
        ["latent=gaussian", "kl.alpha=0.5", "run.seed=1"],
    ]


def test_a_glob_lists_the_options_and_over_tasks_stays_within_the_suite():
    options = [file.stem for file in (CONF / "latent").glob("*.yaml")]
    jobs = grid.jobs(["suite=minatar", "latent=glob(*)", "task=glob(*)"], {})
    tasks = {job[1] for job in jobs}
    assert tasks and all(task.startswith("task=minatar_") for task in tasks)
    assert {job[2] for job in jobs} == {f"latent={option}" for option in options}
    assert len(jobs) == len(tasks) * len(options)


def test_each_suite_of_a_sweep_has_its_own_tasks():
    jobs = grid.jobs(["suite=mini,minatar", "task=glob(*)"], {})
    pairs = {tuple(job) for job in jobs}
    assert ("suite=mini", "task=cartpole") in pairs and (
        "suite=minatar",
        "task=minatar_seaquest",
    ) in pairs
    assert ("suite=minatar", "task=cartpole") not in pairs


def test_the_command_line_replaces_what_a_sweep_says():
    params = {"latent": "glob(*)", "task": "glob(*)", "run.seed": "range(5)"}
    assert grid.jobs(["+sweep=latent", "task=acrobot", "latent=binary", "run.seed=7"], params) == [
        ["task=acrobot", "latent=binary", "run.seed=7"]
    ]


def test_every_toggle_has_a_sweep_of_all_its_options():
    """A new group fails here until it has a sweep; a new option joins its sweep by being there."""
    some = {"preset": "glob(*,exclude=dreamer_v2_control)"}  # which trains on few tasks
    for group in toggles(composed(())[1]):
        sweeper = OmegaConf.load(CONF / "sweep" / f"{group}.yaml").hydra.sweeper
        if "claims" not in sweeper:
            options = some.get(group, "glob(*)")
            assert sweeper.params == {group: options, "task": "glob(*)", "run.seed": "range(5)"}


def claimed(suite, actions):
    return [
        ",".join(overrides)
        for overrides in grid.of_claims("sweeps/claims.yaml", None, suite, actions)
    ]


def test_claims_give_each_arm_once_and_only_where_it_makes_sense():
    discrete = claimed("mini", "discrete")
    assert discrete[0] == "" and len(discrete) == len(set(discrete)) == 15
    assert {"latent=gaussian", "kl=standard", "schedule=all", "size=tiny"} <= set(discrete)
    assert "size=13m" in claimed("atari", "discrete")
    assert claimed("mini", "continuous") == ["", "actor_grad=reinforce", "recipe.model_lr=0"]


def test_a_claim_that_does_not_exist_is_named():
    with pytest.raises(UserError, match="no claim binary_latent; it has .*binary_latents"):
        grid.of_claims("sweeps/claims.yaml", ["binary_latent"], "mini", "discrete")


def test_a_claim_about_an_arm_that_does_not_exist_is_named(tmp_path):
    row = "{id: x, paper: helps, with: baseline, without: latent=cubic, where: discrete}"
    (tmp_path / "claims.yaml").write_text(f"margin: {{mini: 0.1}}\nclaims:\n- {row}\n")
    jobs = grid.jobs(["task=cartpole"], {}, str(tmp_path / "claims.yaml"))
    with pytest.raises(
        UserError,
        match="latent=cubic is not known; allowed: binary, categorical, gaussian",
    ):
        state.planned(jobs)


def test_jobs_that_are_one_run_are_planned_once():
    runs = state.planned(
        [
            ["latent=gaussian"],
            ["latent=gaussian", "kl.alpha=0.8"],
            ["latent=gaussian", "run.seed=1"],
        ]
    )
    assert [(run.identity.arm, run.identity.seed) for run in runs] == [
        ("latent=gaussian", 0),
        ("latent=gaussian", 1),
    ]


def write(root, overrides, **fields):
    (run,) = state.planned([[*overrides, f"run.root={root}"]])
    run.folder.mkdir(parents=True)
    (run.folder / "run.json").write_text(json.dumps(fields))


def test_the_plan_counts_what_is_done_cut_off_and_failed(tmp_path, capsys, monkeypatch):
    for seed, status in enumerate(("done", "failed", "under way", "interrupted")):
        write(
            tmp_path,
            [f"run.seed={seed}"],
            status=status,
            steps=8000,
            wall_seconds=160.0,
            error="the disk is full",
        )
    folder = write(tmp_path, ["run.seed=4"]) or next(tmp_path.rglob("4-*"))
    (folder / "run.json").write_text("{")
    monkeypatch.setattr(plan.machine, "cores", lambda: 2)
    GlobalHydra.instance().clear()
    assert plan.main(["run.seed=range(6)", f"run.root={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert "1 not started, 0 under way, 2 interrupted, 1 done, 1 failed" in said
    assert "1 unreadable; 6 runs in all" in said
    assert (
        "failed: mini/cartpole/baseline seed 1: the disk is full" in said
        and "run.json is no valid JSON" in said
    )
    assert "expected hours:" in said and "2 runs at a time" in said and "peak disk:" in said
    start = said.partition("start: ")[2]
    assert shlex.split(start) == [
        "python",
        "run.py",
        "-m",
        "run.seed=range(6)",
        f"run.root={tmp_path}",
    ]
    assert "'run.seed=range(6)'" in start, "a shell takes it as it is printed"


def test_commands_are_those_of_the_runs_that_go_on(tmp_path, capsys, hydra_free):
    write(tmp_path, ["run.seed=0"], status="done")
    write(tmp_path, ["run.seed=1"], status="failed")
    write(tmp_path, ["run.seed=2"], status="interrupted")
    GlobalHydra.instance().clear()
    root = f"run.root={tmp_path}"
    assert plan.main(["run.seed=range(4)", root, "kl.alpha=0.8", "--commands"]) == 0
    lines = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["python", "run.py", root, "kl.alpha=0.8", f"run.seed={seed}"] for seed in (2, 3)
    ]


def test_commands_have_the_failed_runs_where_they_are_retried(tmp_path, capsys, hydra_free):
    write(tmp_path, ["run.seed=1"], status="failed")
    GlobalHydra.instance().clear()
    root = f"run.root={tmp_path}"
    assert plan.main(["run.seed=0,1", root, "run.retry_failed=true", "--commands"]) == 0
    assert capsys.readouterr().out.count("run.seed=1") == 1


@pytest.mark.parametrize(
    ("launcher", "places"),
    [("local", 2), ("basic", 1), ("slurm", 64), ("slurm_cpu", 64)],
)
def test_the_plan_has_the_places_of_the_engine(launcher, places, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = compose("config", [f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert job.chosen(config).places() == places


def test_a_launcher_that_is_no_engine_is_refused():
    config = compose("config", [], return_hydra_config=True)
    config.hydra.launcher._target_ = "hydra_plugins.other.Other"
    config.hydra.runtime.choices["hydra/launcher"] = "other"
    with pytest.raises(UserError, match="hydra/launcher=other: allowed here: local, basic, slurm"):
        job.chosen(config)


def test_hours_are_those_of_finished_runs_scaled_to_what_is_left(tmp_path, capsys):
    write(tmp_path, ["run.seed=0"], status="done", steps=8000, wall_seconds=720.0)
    write(tmp_path, ["run.seed=1"], status="interrupted", steps=4000)
    root = f"run.root={tmp_path}"
    runs = state.planned([[f"run.seed={seed}", root] for seed in range(3)])
    steps, known = runs[0].cfg.run.steps, plan.rates(runs)
    assert plan.hours(runs[1:], known) == pytest.approx((2 * steps - 4000) * 720 / 8000 / 3600)
    assert plan.hours(runs[:2], known, whole=True) == pytest.approx(2 * steps * 0.09 / 3600)
    GlobalHydra.instance().clear()
    assert plan.main(["size=tiny", root]) == 0
    assert "no run of suite=mini with size=tiny has finished yet" in capsys.readouterr().out


def test_replay_on_disk_grows_with_the_run(tmp_path):
    short, long = state.planned([["run.steps=1000"], ["run.steps=4000"]])
    assert plan.replay_bytes(long) > 2 * plan.replay_bytes(short) > 0


def test_a_probe_measures_seconds_per_step_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(plan.tempfile, "tempdir", str(tmp_path))
    (run,) = state.planned([[*TINY, "run.steps=1000000"]])
    assert 1e-5 < plan.probe(run, threads=1) < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "given, said",
    [
        ("suite=nope", "suite=nope is not known; allowed: atari, "),
        ("+sweep=nope", "sweep=nope is not known; allowed: actor_grad, "),
        ("task=carpole", "task=carpole is not known; did you mean task=cartpole?"),
    ],
)
def test_a_mistyped_name_is_named_with_what_there_is(given, said, capsys):
    GlobalHydra.instance().clear()
    assert plan.main([given]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}") and error.count("\n") == 1


@pytest.mark.parametrize(
    "given",
    [
        "latent=gaussian kl=standard size=tiny explore=action_noise",
        "task=pendulum actor_grad=reinforce gradients=no_image recipe.model_lr=0 run.seed=3",
        "preset=dreamer_v1 latent=binary gru=plain kl=standard",
        "schedule=all entropy=long_term latent=gaussian",
        "latent=gaussian latent.latents=7 kl=free_nats",
        "suite=atari task=pong size=13m kl.alpha=0.5 kl=balanced",
        "explore=action_noise +explore.new=1 tracker=wandb",
    ],
)
def test_options_that_are_laid_compose_as_hydra_does(given):
    overrides = tuple(given.split(" "))
    (ours, choices), (theirs, expected) = composed(overrides), _by_hydra(overrides)
    assert leaves(ours, resolve=True) == leaves(theirs, resolve=True)
    assert leaves(ours, resolve=False) == leaves(theirs, resolve=False)
    assert list(choices.items()) == list(expected.items())
