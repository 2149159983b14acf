"""Arms name themselves: implied choices and default values leave no trace, everything else does."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from agent.run.identity import (
    BASELINE,
    Identity,
    arm_name,
    baseline_digest,
    digest,
    identify,
    leaves,
    parts,
    path_safe,
    toggles,
)
from sweeps.config import CONF
from sweeps.machine import register_resolver


@pytest.fixture(scope="module", autouse=True)
def hydra():
    register_resolver()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def build(*overrides):
    cfg = compose("config", list(overrides), return_hydra_config=True)
    choices = dict(cfg.hydra.runtime.choices)
    OmegaConf.set_struct(cfg, False)
    del cfg["hydra"]
    return cfg, choices


def name(*overrides):
    return arm_name(*build(*overrides))


@pytest.mark.parametrize(
    ("overrides", "arm"),
    [
        ([], BASELINE),
        (["suite=atari"], BASELINE),
        (["suite=mini", "task=pendulum"], BASELINE),
        (["latent=gaussian"], "latent=gaussian"),
        (["latent=gaussian", "kl=standard"], "kl=standard,latent=gaussian"),
        (["latent=categorical", "kl.alpha=0.8"], BASELINE),
        (["kl.alpha=0.5"], "kl.alpha=0.5"),
        (["schedule=all"], "schedule=all"),
        (["schedule=all", "actor_grad=mixed"], "schedule=all"),
        (["suite=mini", "task=pendulum", "actor_grad=reinforce"], "actor_grad=reinforce"),
        (["suite=mini", "task=pendulum", "actor_grad=dynamics"], BASELINE),
        (["size=tiny"], "size=tiny"),
        (["suite=atari", "size=13m"], "size=13m"),
        (["recipe.kl_scale=0.5"], "recipe.kl_scale=0.5"),
        (["recipe.horizon=10"], BASELINE),
        (["run.train_every=8"], "run.train_every=8"),
        (["run.train_every=4"], BASELINE),
        (["run.precision=bf16"], "run.precision=bf16"),
        (["run.precision=float32"], BASELINE),
        (["preset=dreamer_v1"], "preset=dreamer_v1"),
        (["task.env.action_repeat=2"], "task.env.action_repeat=2"),
        (["suite=gym", "task.id=LunarLander-v3"], BASELINE),
        (["suite=gym", "task=gym_continuous", "task.id=Pendulum-v1", "kl=standard"], "kl=standard"),
        (["task.id=Acrobot-v1"], "task.id=Acrobot-v1"),
        (["task.random=1", "task.reference=400"], BASELINE),
        (["recipe.clip=50"], "recipe.clip=50"),
        (["recipe.clip=50.0"], "recipe.clip=50"),
        (["recipe.clip=inf"], "recipe.clip=inf"),
        (
            ["+task.env.kwargs.sutton_barto_reward=null"],
            "+task.env.kwargs.sutton_barto_reward=null",
        ),
        (["~task.env.pixels"], "~task.env.pixels"),
    ],
)
def test_name(overrides, arm):
    assert name(*overrides) == arm


@pytest.mark.parametrize(
    "setting",
    [
        "run.seed=3",
        "run.steps=99",
        "run.device=cpu",
        "run.root=elsewhere",
        "tracker=wandb",
        "run.eval_every=7",
    ],
)
def test_what_the_run_does_with_an_arm_is_no_arm(setting):
    assert name(setting) == BASELINE


def test_an_interpolated_number_is_named_where_it_was_changed():
    """A literal equal to the number that its interpolation had is a difference once that number
    changed."""
    assert name("kl.scale=0.1") == BASELINE
    assert name("recipe.kl_scale=0.5", "kl.scale=0.1") == "kl.scale=0.1,recipe.kl_scale=0.5"
    assert name("recipe.kl_scale=0.5", "kl.scale=0.5") == "recipe.kl_scale=0.5"


@pytest.mark.parametrize(
    "overrides",
    [
        ["latent=gaussian", "kl=standard", "recipe.kl_scale=0.5", "kl.scale=0.3"],
        ["schedule=all", "size.units=32", "run.train_every=2"],
        ["preset=dreamer_v1", "gru=layer_norm"],
        ["+task.env.kwargs.max_episode_steps=100", "latent=gaussian"],
        ["~task.env.pixels", "~task.env.flatten", "kl.alpha=0.5"],
        ["recipe.clip=50.0", "recipe.reward_factor=inf"],
    ],
)
def test_the_name_is_its_own_command_line(overrides):
    cfg, choices = build(*overrides)
    again, _ = build("suite=mini", "task=cartpole", *parts(arm_name(cfg, choices)))
    assert leaves(again, resolve=True) == leaves(cfg, resolve=True)


def test_every_option_of_every_toggle_is_named():
    """An option that is not the baseline gives an arm of its own name, whatever group it is added
    to."""
    baseline = build("suite=mini")[1]
    for group in toggles(baseline):
        for file in sorted((CONF / group).glob("*.yaml")):
            expected = BASELINE if baseline[group] == file.stem else f"{group}={file.stem}"
            assert name(f"{group}={file.stem}") == expected


def test_parts_of_a_list_stay_together():
    assert parts("a.b=[1, 2],c=x") == ["a.b=[1, 2]", "c=x"]
    assert parts("+a.b=[x, ~y],c=x,~d.e,~f") == ["+a.b=[x, ~y]", "c=x", "~d.e", "~f"]
    assert parts(BASELINE) == []


@pytest.mark.parametrize(
    "setting",
    [
        *(
            "run.root=x",
            "run.device=cpu",
            "run.threads=2",
            "tracker=wandb",
            "run.checkpoint_every=9",
            "run.seed=4",
        ),
        *(
            "run.log_every=9",
            "run.keep_replay=true",
            "run.jobs_per_gpu=2",
            "suite.tasks=[cartpole]",
            "kl.alpha=0.80",
        ),
        *("task.random=1", "task.reference=400"),
    ],
)
def test_digest_ignores_what_cannot_change_a_result(setting):
    assert digest(build(setting)[0]) == digest(build()[0])


@pytest.mark.parametrize(
    "setting",
    ["run.steps=9", "kl.alpha=0.7", "latent=gaussian", "run.eval_every=9", "recipe.discount=0.9"],
)
def test_digest_changes_with_what_can(setting):
    assert digest(build(setting)[0]) != digest(build()[0])


def test_whole_numbers_are_one_number_however_written():
    assert digest(build("recipe.clip=50")[0]) == digest(build("recipe.clip=50.0")[0])


def test_a_gym_task_is_named_by_its_id():
    assert identify(*build("suite=gym", "task.id=LunarLander-v3")).task == "LunarLander-v3"


def test_folders_are_safe_and_short():
    folder = Identity("gym", "ALE/Pong-v5", "x=" + "y" * 300, 0, "0123abcd").folder
    assert len(folder.parts) == 4 and folder.parts[1] == "ALE_Pong-v5"
    assert len(folder.parts[2]) <= 120
    assert path_safe("x" * 300) != path_safe("x" * 301)


@pytest.mark.parametrize(
    "overrides, folder",
    [
        ([], "mini/cartpole/baseline/0-fe9179d2"),
        (["task=catch"], "mini/catch/baseline/0-408f61c5"),
        (["task=pendulum"], "mini/pendulum/baseline/0-b98447bb"),
        (["task=minigrid_empty_random_5x5"], "mini/minigrid_empty_random_5x5/baseline/0-240e7cb5"),
        (
            ["suite=minatar", "task=minatar_space_invaders"],
            "minatar/minatar_space_invaders/baseline/0-a5f0457e",
        ),
        (["latent=gaussian"], "mini/cartpole/latent=gaussian/0-841ef179"),
        (["kl.alpha=0.5"], "mini/cartpole/kl.alpha=0.5/0-a906354f"),
        (["preset=dreamer_v1"], "mini/cartpole/preset=dreamer_v1/0-4c48809c"),
        (["suite=atari", "task=pong", "size=13m"], "atari/pong/size=13m/0-24dcef41"),
        (["suite=gym", "task.id=LunarLander-v3"], "gym/LunarLander-v3/baseline/0-bfdb9e5e"),
    ],
)
def test_finished_runs_are_found_again(overrides, folder):
    """Moving code moves no run: folders change only with a number that can change a result."""
    assert str(identify(*build(*overrides)).folder) == folder


def test_the_baseline_of_another_protocol_is_another():
    """Runs that are evaluated in another way are not compared; budgets the analysis sees."""
    base = baseline_digest(*build())
    assert baseline_digest(*build("latent=gaussian", "run.seed=3", "run.steps=9_000")) == base
    assert baseline_digest(*build("run.train_every=8", "run.device=cpu")) == base
    for protocol in ("run.eval_episodes=1", "run.eval_max_steps=50", "run.matmul_precision=high"):
        assert baseline_digest(*build("latent=gaussian", protocol)) != base


def test_a_list_has_one_digest_however_its_numbers_are_written():
    one, other = ("task.env.scale=[1,1,1,1]", "task.env.scale=[1.0,1.0,1.0,1.0]")
    assert digest(build(one)[0]) == digest(build(other)[0])
