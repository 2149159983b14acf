"""Arms name themselves: implied choices and default values leave no trace, everything else does."""

import itertools
import random
from contextlib import suppress
from copy import deepcopy

import pytest
import torch
from omegaconf import OmegaConf

from agent.build import build as agent_of
from agent.build import read
from agent.errors import UserError
from agent.run.compose import CONF, composed, project_config
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
    unread_keys,
)
from tests import tiny


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with project_config():
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
        (["latent=categorical", "kl.alpha=0.8"], BASELINE),
        (["kl.alpha=0.5"], "kl.alpha=0.5"),
        (["schedule=all", "actor_grad=mixed"], "actor_grad=mixed,schedule=all"),
        (["schedule=actor_mix", "actor_grad=mixed"], "schedule=actor_mix"),
        (["suite=mini", "task=pendulum", "actor_grad=reinforce"], "actor_grad=reinforce"),
        (["run.train_every=8"], "run.train_every=8"),
        (["run.precision=bf16"], "run.precision=bf16"),
        (["suite=mini", "task=pendulum"], BASELINE),
        (["suite=gym", "task=gym_continuous", "task.id=Pendulum-v1", "kl=standard"], "kl=standard"),
        (["task.id=Acrobot-v1"], "task.id=Acrobot-v1"),
        (["task.random=1", "task.reference=400", "task.terminates=false"], BASELINE),
        (["suite=gym", "task.env.flatten=true", "task.action_repeat=2"], BASELINE),
        (["suite=gym", "+task.env.kwargs.x=1", "~task.env.pixels", "kl.alpha=0"], "kl.alpha=0"),
        (["latent=gaussian", "size.classes=16"], "latent=gaussian"),
        (["latent=binary", "latent.bits=7", "size.classes=4"], "latent.bits=7,latent=binary"),
        (["latent=binary", "latent.bits=64"], "latent=binary"),
        (["recipe.name=mine", "size.name=mine"], BASELINE),
        (["recipe.clip=50.0"], "recipe.clip=50"),
    ],
)
def test_name(overrides, arm):
    assert name(*overrides) == arm


def test_every_option_of_every_toggle_is_named():
    """An option that is not the baseline gives an arm of its own name, whatever group it is added
    to."""
    baseline = build("suite=mini")[1]
    for group in toggles(baseline):
        for file in sorted((CONF / group).glob("*.yaml")):
            expected = BASELINE if baseline[group] == file.stem else f"{group}={file.stem}"
            assert name(f"{group}={file.stem}") == expected


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


@pytest.mark.parametrize(
    "options", [(), ("kl=free_nats", "explore=action_noise", "schedule=all", "latent=gaussian")]
)
def test_numbers_that_nothing_reads_are_refused_and_leave_no_trace(options):
    cfg, choices = build(*options)
    written = leaves(cfg, resolve=False)
    unread = [key for key in unread_keys(cfg) if isinstance(written.get(key), int | float)]
    changed = deepcopy(cfg)
    for key in unread:  # each of which takes a whole number
        OmegaConf.update(changed, key, 5)
        one = deepcopy(cfg)
        OmegaConf.update(one, key, 5)
        if key.startswith("size."):
            assert arm_name(one, choices) == arm_name(cfg, choices)
            continue
        with pytest.raises(UserError, match=rf"{key}=5: none of the chosen options reads {key}$"):
            arm_name(one, choices)
    assert len(unread) > 8 and digest(changed) == digest(cfg)
    torch.testing.assert_close(trained(cfg), trained(changed), rtol=0, atol=0)


def trained(cfg):
    """The state after two updates in the middle of every schedule."""
    torch.manual_seed(0)
    agent = agent_of(cfg, tiny.VECTOR, tiny.DISCRETE, torch.device("cpu"))
    for _ in range(2):
        agent.update(tiny.batch(tiny.VECTOR, tiny.DISCRETE), 0.02)
    return agent.state_dict()


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
        for numbers in random.Random(0).sample(several, 32):
            cfg = deepcopy(base)
            for key, value in numbers:
                OmegaConf.update(cfg, key, value)
            with suppress(UserError):
                own = identify(cfg, choices)
                found.setdefault(effective(cfg), set()).add((own.arm, own.digest))
        assert all(len(names) == 1 for names in found.values())
        assert len(set().union(*found.values())) == len(found) > 8


def singles(cfg):
    """Another value for each number of the method, and for some of each other kind."""
    for key, value in leaves(cfg, resolve=True).items():
        method = key.split(".")[0] not in ("run", "task", "suite", "tracker")
        if method and isinstance(value, int | float) and not isinstance(value, bool):
            yield key, value * 2 if isinstance(value, int) else value / 2
    yield from [("run.train_every", 8), ("run.eval_every", 50), ("run.seed", 3)]
    yield from [("task.random", 7.0), ("task.action_repeat", 3), ("recipe.name", "mine")]


def effective(cfg):
    """What trains, without what names it: the objects and the numbers that no object holds."""
    parts = read(cfg)
    numbers = {**vars(parts.recipe), **vars(parts.size), **vars(parts.run)}
    for held in ("name", "seed", "rates", "free_nats", "unbalanced_free_nats", "entropy_scale"):
        del numbers[held]
    for held in ("schedule_share", "latents", "classes"):
        del numbers[held]
    factor = numbers.pop("learning_rates")
    rates = [factor * numbers.pop(name) for name in ("model_lr", "actor_lr", "critic_lr")]
    task = parts.task.env, parts.task.action_repeat
    return repr((parts.latent, parts.gru, parts.toggles, numbers, rates, task))


@pytest.mark.parametrize(
    "overrides",
    [
        ["latent=gaussian", "kl=standard", "recipe.kl_scale=0.5", "recipe.free_nats=0.3"],
        ["schedule=all", "size.units=32", "run.train_every=2"],
        ["+task.env.kwargs.max_episode_steps=100", "latent=gaussian"],
        ["~task.env.pixels", "~task.env.flatten", "kl.alpha=0.5"],
        ["recipe.clip=50.0", "preset=dreamer_v1", "gru=layer_norm"],
    ],
)
def test_the_name_is_its_own_command_line(overrides):
    cfg, choices = build(*overrides)
    again, _ = build("suite=mini", "task=cartpole", *parts(arm_name(cfg, choices)))
    assert leaves(again, resolve=True) == leaves(cfg, resolve=True)


def test_parts_of_a_list_stay_together():
    assert parts("a.b=[1, 2],c=x") == ["a.b=[1, 2]", "c=x"] and parts(BASELINE) == []
    assert parts("+a.b=[x, ~y],c=x,~d.e,~f") == ["+a.b=[x, ~y]", "c=x", "~d.e", "~f"]


def test_the_digest_changes_with_what_can_change_a_result_alone():
    base = digest(build()[0])
    for setting in (
        *("run.root=x", "run.device=cpu", "run.threads=2", "run.checkpoint_every=9", "run.seed=4"),
        *("run.log_every=9", "run.keep_replay=true", "suite.tasks=[cartpole]", "kl.alpha=0.80"),
        *("tracker=wandb", "task.random=1", "task.reference=400"),
    ):
        cfg, choices = build(setting)
        assert (arm_name(cfg, choices), digest(cfg)) == (BASELINE, base)
    whole, real = (f"task.env.scale=[1{zero},2,3,4]" for zero in ("", ".0"))
    assert digest(build(whole)[0]) == digest(build(real)[0]) != base
    for setting in ("run.steps=9", "run.eval_every=9"):
        assert digest(build(setting)[0]) != base and name(setting) == BASELINE
    for setting in ("kl.alpha=0.7", "latent=gaussian", "recipe.discount=0.9", "run.precision=bf16"):
        assert digest(build(setting)[0]) != base


def test_folders_are_safe_and_short():
    _, task, arm, _ = Identity("gym", "ALE/Pong-v5", "x=" + "y" * 300, 0, "0123abcd").folder.parts
    assert task == "ALE_Pong-v5" and len(arm) <= 120
    assert path_safe("x" * 300) != path_safe("x" * 301)


@pytest.mark.parametrize(
    "overrides, folder",
    [
        ([], "mini/cartpole/baseline/0-927bb904"),
        (["preset=dreamer_v1"], "mini/cartpole/preset=dreamer_v1/0-852478d5"),
        (
            ["suite=control", "preset=dreamer_v2_control"],
            "control/pendulum/preset=dreamer_v2_control/0-1b508a14",
        ),
        (
            ["suite=atari", "task=pong", "schedule=all", "actor_grad=mixed"],
            "atari/pong/actor_grad=mixed,schedule=all/0-fa2e6b76",
        ),
        (["suite=atari", "task=pong", "size=13m"], "atari/pong/size=13m/0-53fbad18"),
        (["suite=control"], "control/pendulum/baseline/0-c0d71e20"),
        (["suite=gym", "task.id=LunarLander-v3"], "gym/LunarLander-v3/baseline/0-1d26a121"),
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
