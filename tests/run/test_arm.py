"""Arms name themselves: implied choices and default values leave no trace, everything else does."""

import dataclasses
import itertools
import random
from contextlib import suppress
from copy import deepcopy

import pytest
import torch
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from agent.build import build as agent_of
from agent.build import read
from agent.config import GROUPS, Effect, effect
from agent.errors import UserError
from agent.run.compose import CONF, composed
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
from tests import tiny


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def build(*overrides):
    """The configuration and the options of a command, not to be changed."""
    return composed(overrides)


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
        (["schedule=all", "actor_grad=mixed"], "actor_grad=mixed,schedule=all"),
        (["schedule=actor_mix", "actor_grad=mixed"], "schedule=actor_mix"),
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
        (["task.action_repeat=2"], "task.action_repeat=2"),
        (["suite=gym", "task.id=LunarLander-v3"], BASELINE),
        (["suite=gym", "task=gym_continuous", "task.id=Pendulum-v1", "kl=standard"], "kl=standard"),
        (["task.id=Acrobot-v1"], "task.id=Acrobot-v1"),
        (["task.random=1", "task.reference=400", "task.terminates=false"], BASELINE),
        (["suite=gym", "task.env.flatten=true", "task.action_repeat=2"], BASELINE),
        (["suite=gym", "+task.env.kwargs.x=1", "~task.env.pixels", "kl.alpha=0"], "kl.alpha=0"),
        (["latent=binary", "latent.bits=7"], "latent.bits=7,latent=binary"),
        (["latent=gaussian", "size.classes=16"], "latent=gaussian"),
        (["latent=binary", "latent.bits=7", "size.classes=4"], "latent.bits=7,latent=binary"),
        (["latent=binary", "latent.bits=64"], "latent=binary"),
        (["recipe.learning_rates=2"], "recipe.learning_rates=2"),
        (["recipe.name=mine", "size.name=mine"], BASELINE),
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


def test_a_number_is_set_where_it_belongs():
    """So that one training has one name."""
    assert name("kl.free=0") == BASELINE
    for overrides, owner in (
        (["kl.free=0.5"], "recipe.free_nats"),
        (["recipe.free_nats=0.5", "kl.free=0"], "recipe.free_nats"),
        (["explore.entropy_scale=1"], "recipe.entropy_scale"),
        (["latent.latents=3"], "size.latents"),
        (["task.env.action_repeat=2"], "task.action_repeat"),
    ):
        with pytest.raises(UserError, match=rf"{overrides[-1]}: it is {owner}; allowed: {owner}="):
            name(*overrides)


UNREAD = [
    ([], "recipe.unbalanced_free_nats"),
    (["kl=free_nats"], "recipe.free_nats"),
    (["explore=action_noise"], "recipe.entropy_scale"),
    (["explore=action_noise"], "explore.std"),
    ([], "recipe.schedule_share"),
    (["schedule=all"], "schedule.actor_mix.end"),
    (["schedule=all", "explore=action_noise"], "schedule.actor_entropy.end"),
    ([], "recipe.action_min_std"),
    ([], "recipe.rates.dreamer_v1.model_lr"),
]


@pytest.mark.parametrize("options, key", UNREAD)
def test_a_number_that_nothing_reads_is_refused_and_leaves_no_trace(options, key):
    """Its value is given as a whole number, which every one of these keys takes."""
    with pytest.raises(UserError, match=rf"^{key}=3: none of the chosen options reads {key}$"):
        name(*options, f"{key}=3")
    assert digest(build(*options, f"{key}=3")[0]) == digest(build(*options)[0])
    one, other = (trained(*options, f"{key}={value}") for value in (2, 3))
    assert all(torch.equal(one[name], other[name]) for name in one)


def trained(*overrides):
    """The weights after two updates in the middle of every schedule."""
    torch.manual_seed(0)
    cfg = build(*overrides)[0]
    agent = agent_of(cfg, tiny.VECTOR, tiny.DISCRETE, torch.device("cpu"))
    for _ in range(2):
        agent.update(tiny.batch(tiny.VECTOR, tiny.DISCRETE), 0.02)
    state = agent.state_dict()
    return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}


def test_one_training_is_one_identity():
    """Over all pairs of single numbers, in several combinations of options: two commands have one
    digest and one name exactly where the same objects train."""
    for options in (
        [],
        ["latent=gaussian", "kl=free_nats", "explore=action_noise"],
        ["schedule=all", "latent=binary"],
        ["preset=dreamer_v1", "task=pendulum"],
    ):
        base, choices = build(*options)
        several = [[], *itertools.combinations(singles(base), 2)]
        found = {}
        for numbers in random.Random(0).sample(several, 40):
            cfg = deepcopy(base)
            for key, value in numbers:
                OmegaConf.update(cfg, key, value)
            with suppress(UserError):
                own = identify(cfg, choices)
                found.setdefault(effective(cfg), set()).add((own.arm, own.digest))
        assert all(len(names) == 1 for names in found.values())
        assert len(set().union(*found.values())) == len(found) > 10


def singles(cfg):
    """Another value for each number of the method, and for some of each other kind."""
    for key, value in leaves(cfg, resolve=True).items():
        method = key.split(".")[0] not in ("run", "task", "suite", "tracker")
        if method and isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value * 2 if isinstance(value, int) else value / 2
    yield from [("run.train_every", 8), ("run.eval_every", 50), ("run.seed", 3)]
    yield from [("task.random", 7.0), ("task.action_repeat", 3), ("recipe.name", "mine")]


def effective(cfg):
    """What trains, without what names it: the objects, their numbers, and the protocol."""
    parts = read(cfg)
    run = parts.run
    protocol = (run.steps, run.train_every, run.precision, run.matmul_precision)
    evaluation = (run.eval_every, run.eval_episodes, run.eval_max_steps)
    recipe = dataclasses.asdict(parts.recipe)
    for name in ("name", "rates", "free_nats", "unbalanced_free_nats", "entropy_scale"):
        del recipe[name]
    del recipe["schedule_share"]
    factor = recipe.pop("learning_rates")
    rates = [factor * recipe.pop(name) for name in ("model_lr", "actor_lr", "critic_lr")]
    size = dataclasses.asdict(parts.size)
    for name in ("name", "latents", "classes"):
        del size[name]
    return repr(
        (
            parts.latent,
            parts.gru,
            parts.toggles,
            recipe,
            rates,
            size,
            parts.task.env,
            parts.task.action_repeat,
            protocol,
            evaluation,
        )
    )


@pytest.mark.parametrize(
    "overrides",
    [
        ["latent=gaussian", "kl=standard", "recipe.kl_scale=0.5", "recipe.free_nats=0.3"],
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


def test_every_setting_says_what_it_changes():
    """A new field joins the digest and the names of arms on purpose, or not at all."""
    for group in ("run", "task", "suite"):
        for field in dataclasses.fields(GROUPS[group]):
            assert isinstance(effect(f"{group}.{field.name}"), Effect)
    with pytest.raises(KeyError):
        effect("run.something_new")


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
        ([], "mini/cartpole/baseline/0-1cec34cc"),
        (["task=catch"], "mini/catch/baseline/0-0c7b5f72"),
        (["task=pendulum"], "mini/pendulum/baseline/0-ecfd25c7"),
        (["task=minigrid_empty_random_5x5"], "mini/minigrid_empty_random_5x5/baseline/0-e92515f8"),
        (
            ["suite=minatar", "task=minatar_space_invaders"],
            "minatar/minatar_space_invaders/baseline/0-36c15d22",
        ),
        (["latent=gaussian"], "mini/cartpole/latent=gaussian/0-341a4eec"),
        (["kl.alpha=0.5"], "mini/cartpole/kl.alpha=0.5/0-ad54b9ce"),
        (["preset=dreamer_v1"], "mini/cartpole/preset=dreamer_v1/0-71417bc5"),
        (["suite=atari", "task=pong", "size=13m"], "atari/pong/size=13m/0-1907ca01"),
        (["suite=gym", "task.id=LunarLander-v3"], "gym/LunarLander-v3/baseline/0-9a19f1ea"),
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
