"""Every option of every group changes what the agent computes; every number that a YAML owns is
read."""

import dataclasses
import functools

import numpy as np
import pytest
import toggles
import torch
from omegaconf import OmegaConf

from agent.errors import UserError
from agent.run.compose import section
from agent.toggles.entropy import ActorOnly
from tests import tiny

DEFAULTS = OmegaConf.load(tiny.CONF / "config.yaml").defaults
NO_TOGGLES = ("recipe", "task", "suite", "tracker")  # groups that are no design choices
BASELINE = {
    group: option
    for entry in DEFAULTS
    if "_self_" not in entry
    for group, option in entry.items()
    if "/" not in group and group not in NO_TOGGLES
}
GROUPS = [group for group in BASELINE if group not in ("size", "preset")]  # a class an option
CHOICES = [
    (group, path.stem) for group in BASELINE for path in sorted((tiny.CONF / group).glob("*.yaml"))
]
OPTIONS = [(group, option) for group, option in CHOICES if group in GROUPS]
OFF_DEFAULT = [  # of sizes, the numbers of parameters differ
    (group, option) for group, option in CHOICES if option != BASELINE[group] and group != "size"
]

NEEDS = {  # what schedules select besides
    "actor_mix": ["actor_grad=mixed"],
    "dreamer_v2_control": ["task=pendulum"],
}
LOUD = [*tiny.NUMBERS, *(f"recipe.{rate}_lr=1e-2" for rate in ("model", "actor", "critic"))]
LOUD += ["recipe.kl_scale=1", "recipe.entropy_scale=0.1"]
MIDDLE = 0.02  # of the run: inside every schedule


@functools.cache
def fingerprint(*overrides, observations="VECTOR", actions="DISCRETE"):
    """Losses, weights and actions after two updates, always from the same seed and batch."""
    observations, actions = getattr(tiny, observations), getattr(tiny, actions)
    agent = tiny.agent(*overrides, observations=observations, actions=actions, numbers=LOUD)
    replay = tiny.batch(observations, actions)
    torch.manual_seed(1)
    metrics = [agent.update(replay, MIDDLE) for _ in range(2)]
    weights = torch.cat([parameter.detach().flatten() for parameter in agent.parameters()])
    state, collected = agent.initial(8), []
    obs = np.ones((8, *observations.shape), observations.dtype)
    for step in range(8):
        action, state = agent.act(obs, state, np.full(8, step == 0), False, MIDDLE)
        collected.append(action)
    return {"metrics": metrics, "weights": weights, "actions": np.stack(collected)}


def differ(left, right):
    equal = [np.array_equal(left[name], right[name]) for name in ("weights", "actions")]
    return left["metrics"] != right["metrics"] or not all(equal)


@pytest.mark.parametrize("group, option", OFF_DEFAULT)
def test_every_option_is_alive(group, option):
    """Against the baseline with whatever else the option selects."""
    needs = NEEDS.get(option, [])
    task = [choice for choice in needs if choice.startswith("task=")]
    assert differ(fingerprint(*needs), fingerprint(f"{group}={option}", *task))


def test_a_dead_option_is_found():
    """And what is computed again from the same seed and batch is the same."""
    planted = ["entropy._target_=tests.test_toggles.Dead", "+entropy.strength=0.5"]
    assert not differ(fingerprint(), fingerprint(*planted))


@dataclasses.dataclass(frozen=True)
class Dead(ActorOnly):
    """A planted option that nothing depends on."""

    strength: float


def numbers(node, prefix):
    """Dotted names and values of all numbers below a node."""
    for key, value in node.items():
        if OmegaConf.is_config(value) and not OmegaConf.is_list(value):
            yield from numbers(value, f"{prefix}.{key}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}.{key}", value


ELSEWHERE = {  # who tests the keys that act outside the gradient step, or what those name
    "recipe.capacity": "test_replay",
    **dict.fromkeys(["recipe.prefill", "recipe.batch_size", "recipe.length"], "test_loop"),
    **dict.fromkeys(["recipe.name", "size.name"], "a label"),
    "size.image": "the only value that the image encoder takes",
    "recipe.rates": "test_presets_have_the_released_learning_rates",
}
NUMBERS = [
    (f"{group}={option}", name, value)
    for group, option in OPTIONS
    if option != "all"  # whose numbers are those of the single schedules
    for name, value in numbers(tiny.compose(f"{group}={option}", numbers=LOUD)[group], group)
]
NUMBERS += [
    (None, f"{group}.{key}", value)
    for group in ("size", "recipe")
    for key, value in tiny.compose(numbers=LOUD)[group].items()
    if f"{group}.{key}" not in ELSEWHERE
]
CHANGED = {"latent.latents": 5, "latent.classes": 3, "latent.bits": 7, "kl.free": 50.0}
CHANGED |= {"explore.epsilon_share": 0.01, "explore.epsilon_end": 1.0, "recipe.clip": 1e-3}
CHANGED |= {"recipe.free_nats": 50.0, "recipe.unbalanced_free_nats": 50.0, "recipe.slow_every": 1}
CHANGED |= {"recipe.weight_decay": 1e-2, "recipe.reward_transform": "tanh"}
WHERE = {  # what else a number needs to be read
    "schedule.actor_mix": (["actor_grad=mixed"], {}),
    "explore.std": (["actor_grad=dynamics"], {"actions": "CONTINUOUS"}),
    "size.depth": ([], {"observations": "IMAGE"}),
    "recipe.unbalanced_free_nats": (["kl=free_nats"], {}),
    "recipe.schedule_share": (["schedule=all"], {}),
    "recipe.action_min_std": ([], {"actions": "CONTINUOUS"}),
}


def another(name, value):
    """A value that the key also takes."""
    if name in CHANGED:
        return CHANGED[name]
    whole = isinstance(value, int) and name.startswith(("size", "recipe"))
    return value + 1 if whole else value * 0.5 or 0.5


@pytest.mark.parametrize("option, name, value", NUMBERS, ids=str)
def test_every_number_is_alive(option, name, value):
    needs, spaces = WHERE.get(".".join(name.split(".")[:2]), ([], {}))
    options = [*filter(None, [option]), *needs]
    changed = f"{name}={another(name, value)}"
    assert differ(fingerprint(*options, **spaces), fingerprint(*options, changed, **spaces))


@pytest.mark.parametrize(
    "group, option", [pair for pair in OFF_DEFAULT if pair[0] not in ("latent", "gru", "preset")]
)
def test_toggles_without_parameters_leave_the_initial_weights_alone(group, option):
    ours, baseline = tiny.agent(f"{group}={option}").state_dict(), tiny.agent().state_dict()
    for name, tensor in baseline.items():
        if isinstance(tensor, torch.Tensor):
            assert torch.equal(tensor, ours[name])


def test_binary_has_the_parameters_of_categorical_and_its_own_bits():
    assert tiny.agent("latent=binary").parameter_counts() == tiny.agent().parameter_counts()
    agent = tiny.agent("latent=binary", "latent.bits=160")
    assert agent.model.rssm.latent.stoch_size == 160


@pytest.mark.parametrize(
    "overrides, named",
    [
        ("schedule=kl_scale recipe.kl_scale=0", ""),
        ("gradients=no_image recipe.observation_scale=0", ""),
        ("entropy=long_term explore.entropy_scale=0", "entropy=long_term explore=policy_entropy"),
        ("actor_grad=mixed actor_grad.dynamics_weight=0", "actor_grad=mixed dynamics_weight=0"),
        ("gradients.stop=[discount] recipe.discount_scale=0", "gradients=all discount_scale=0"),
        ("preset=dreamer_v2_control", "recipe.discount_scale=0 task.terminates=false"),
        ("kl=free_nats kl.free=abc", "kl.free=abc"),
        ("latent=binary latent.bits=0", "latent.bits=0"),
        ("latent=gaussian latent.min_std=-1", "latent.min_std=-1"),
        ("explore=action_noise explore.epsilon_share=0", "explore.epsilon_share=0"),
        ("schedule=model_lr schedule.model_lr.share=0", "share=0"),
        ("recipe.learning_rates=0", "recipe.learning_rates=0 greater"),
        ("recipe.discount_scale=0", "recipe.discount_scale=0 task=cartpole"),
        ("recipe.discount=1.5", "recipe.discount=1.5 most"),
        ("recipe.reward_transform=sign", "recipe.reward_transform=sign tanh, identity"),
        ("kl.clamp=never", "kl.clamp=never one of mean, step"),
        ("gradients.stop=[picture]", "list observation, reward, discount"),
        *(("recipe.horizon=1", ""), ("recipe.weight_decay=2", ""), ("recipe.kl_scale=-1", "")),
        *(("recipe.entropy_scale=-1", ""), ("recipe.model_lr=fast", ""), ("size.image=32", "")),
        *(("size.latents=0", ""), ("latent.latents=0", ""), ("schedule.kl_scale=0.5", "")),
        *(("gru.eps=abc", ""), ("recipe.horizon=2.5", ""), ("+gru.x=1", "x")),
    ],
)
def test_a_refusal_names_what_is_wrong_and_what_is_allowed(overrides, named):
    """All of the choices, if `named` is empty."""
    with pytest.raises(UserError) as error:
        tiny.compose(*overrides.split())
    assert all(word in str(error.value) for word in (named or overrides).split()), error.value


RELEASED = {  # learning rates of model, actor and critic
    "dreamer_v1": (6e-4, 8e-5, 8e-5),
    "dreamer_v2": (2e-4, 4e-5, 1e-4),
    "dreamer_v2_control": (3e-4, 8e-5, 8e-5),
}
TIMES = {"atari": 1, "control": 1, "mini": 10}  # small tasks: ten times the paper's
RATES = [(preset, recipe) for preset in RELEASED if preset != "dreamer_v2" for recipe in TIMES]


@pytest.mark.parametrize("preset, recipe", [("dreamer_v2", "atari"), *RATES])
def test_presets_have_the_released_learning_rates(preset, recipe):
    free = ["task.terminates=false", "run.steps=100_000", f"recipe={recipe}"]
    found = section(tiny.compose(*free, f"preset={preset}"), "recipe")
    rates = (found.model_lr, found.actor_lr, found.critic_lr)
    assert rates == pytest.approx([TIMES[recipe] * rate for rate in RELEASED[preset]])


def test_the_page_of_toggles_is_fresh_and_complete():
    page = (tiny.CONF.parent / "docs" / "toggles.md").read_text()
    assert page == toggles.page(), "run python docs/toggles.py"
    assert all(f"`{group}={option}`" in page for group, option in OPTIONS)
