"""Every option of every group changes what the agent computes; every number that a YAML owns is read."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf

from agent.errors import UserError
from agent.toggles.entropy import Policy
from agent.toggles.gradients import Gradients
from tests import tiny

GROUPS = ["latent", "kl", "actor_grad", "gru", "schedule", "entropy", "explore", "gradients"]
OPTIONS = [(group, path.stem) for group in GROUPS for path in sorted((tiny.CONF / group).glob("*.yaml"))]
BASELINE = {"latent": "categorical", "kl": "balanced", "actor_grad": "reinforce", "gru": "layer_norm"}
BASELINE |= {"schedule": "constant", "entropy": "policy", "explore": "policy_entropy", "gradients": "all"}
OFF_DEFAULT = [(group, option) for group, option in OPTIONS if BASELINE[group] != option]
WITH_PARAMETERS = ["latent", "gru", "size"]
LOUD = ["recipe.kl_scale=1", "recipe.entropy_scale=0.1", "recipe.model_lr=1e-2", "recipe.actor_lr=1e-2"]
LOUD += ["recipe.critic_lr=1e-2"]
MIDDLE = 0.02  # of the run: inside every schedule


def fingerprint(*overrides, observations=tiny.VECTOR, actions=tiny.DISCRETE):
    """Losses, weights and actions after two updates, always from the same seed and batch."""
    agent = tiny.agent(*LOUD, *overrides, observations=observations, actions=actions)
    replay = tiny.batch(observations, actions)
    torch.manual_seed(1)
    metrics = [agent.update(replay, MIDDLE) for _ in range(2)]
    weights = torch.cat([parameter.detach().flatten() for parameter in agent.parameters()])
    state, collected = agent.initial(8), []
    for step in range(8):
        action, state = agent.act(
            np.ones((8, *observations.shape), observations.dtype), state, np.full(8, step == 0), False, MIDDLE
        )
        collected.append(action)
    return {"metrics": metrics, "weights": weights, "actions": np.stack(collected)}


def differ(left, right):
    if left["weights"].shape != right["weights"].shape or not torch.equal(left["weights"], right["weights"]):
        return True
    return left["metrics"] != right["metrics"] or not np.array_equal(left["actions"], right["actions"])


def test_the_fingerprint_is_reproducible():
    assert not differ(fingerprint(), fingerprint())


@pytest.mark.parametrize("group, option", OFF_DEFAULT)
def test_every_option_is_alive(group, option):
    assert differ(fingerprint(), fingerprint(f"{group}={option}"))


def test_a_dead_option_is_found():
    """An option with a number that it never reads changes nothing, and the fingerprint says so."""
    planted = ["entropy._target_=tests.test_toggles.Dead", "+entropy.strength=0.5"]
    assert not differ(fingerprint(), fingerprint(*planted))
    assert not differ(fingerprint(*planted), fingerprint(*planted[:1], "+entropy.strength=0.25"))


@dataclasses.dataclass(frozen=True)
class Dead(Policy):
    """A planted option that nothing depends on."""

    strength: float


@pytest.mark.parametrize("group, option", OPTIONS)
def test_the_keys_of_each_yaml_are_the_fields_of_its_class(group, option):
    cfg = tiny.compose(f"{group}={option}")[group]
    target = get_class(cfg._target_)
    if dataclasses.is_dataclass(target):
        fields = {field.name for field in dataclasses.fields(target)}
    else:
        given = {"self", "inputs", "deter"}
        fields = set(inspect.signature(target.__init__).parameters) - given
    assert {key for key in cfg if key not in ("_target_", "_partial_")} == fields


def numbers(node, prefix):
    """Dotted names and values of all numbers below a node."""
    for key, value in node.items():
        if OmegaConf.is_config(value) and not OmegaConf.is_list(value):
            yield from numbers(value, f"{prefix}.{key}")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}.{key}", value


TOGGLE_NUMBERS = [
    (f"{group}={option}", name, value)
    for group, option in OPTIONS
    for name, value in numbers(tiny.compose(*tiny.NUMBERS, *LOUD, f"{group}={option}")[group], group)
]
INSIDE = {"latent.latents": 5, "latent.classes": 3, "explore.epsilon_share": 0.01, "explore.epsilon_end": 1.0}
INSIDE |= {"kl.free": 50.0}


@pytest.mark.parametrize("option, name, value", TOGGLE_NUMBERS, ids=lambda value: str(value))
def test_every_number_of_a_toggle_is_alive(option, name, value):
    actions = tiny.CONTINUOUS if name == "explore.std" else tiny.DISCRETE
    grads = ["actor_grad=dynamics"] if name == "explore.std" else []
    changed = INSIDE.get(name, value * 0.5 if value else 0.5)
    settings = [option, *grads]
    before = fingerprint(*settings, actions=actions)
    assert differ(before, fingerprint(*settings, f"{name}={changed}", actions=actions)), f"{name} is dead"


SIZE = ["latents", "classes", "deter", "hidden", "units", "layers"]
RECIPE = ["model_lr", "actor_lr", "critic_lr", "eps", "weight_decay", "clip", "kl_scale", "observation_scale"]
RECIPE += ["reward_scale", "discount_scale", "horizon", "discount", "lambda_", "entropy_scale", "reward_factor"]


@pytest.mark.parametrize("name", [f"size.{key}" for key in SIZE] + [f"recipe.{key}" for key in RECIPE])
def test_every_number_of_size_and_recipe_is_alive(name):
    group, key = name.split(".")
    value = tiny.compose(*tiny.NUMBERS, *LOUD)[group][key]
    changed = value + 1 if isinstance(value, int) else value * 0.5
    changed = {"recipe.clip": 1e-3, "recipe.weight_decay": 1e-2}.get(name, changed)
    assert differ(fingerprint(), fingerprint(f"{name}={changed}"))


def test_numbers_that_act_elsewhere_are_alive():
    images = {"observations": tiny.IMAGE}
    assert differ(fingerprint(**images), fingerprint("size.depth=3", **images))
    assert differ(fingerprint("kl=free_nats"), fingerprint("kl=free_nats", "size.free_nats=50"))
    assert differ(fingerprint(), fingerprint("recipe.free_nats=50"))
    assert differ(fingerprint(), fingerprint("recipe.slow_every=1"))
    assert differ(fingerprint("recipe.reward_transform=tanh"), fingerprint("recipe.reward_transform=identity"))
    continuous = {"actions": tiny.CONTINUOUS}
    assert differ(fingerprint(**continuous), fingerprint("recipe.action_min_std=0.2", **continuous))
    assert differ(fingerprint("latent=binary"), fingerprint("latent=binary", "latent.bits=7"))


@pytest.mark.parametrize("group, option", [pair for pair in OFF_DEFAULT if pair[0] not in WITH_PARAMETERS])
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
        (["schedule=actor_mix", "actor_grad=reinforce"], ["schedule=actor_mix", "actor_grad=reinforce"]),
        (["schedule=all", "actor_grad=dynamics"], ["schedule=all", "actor_grad=dynamics"]),
        (["schedule=actor_entropy", "explore=action_noise"], ["schedule=actor_entropy", "explore=action_noise"]),
        (["entropy=long_term", "explore=action_noise"], ["entropy=long_term", "explore=action_noise"]),
        (["entropy=long_term", "explore.entropy_scale=0"], ["entropy=long_term", "explore=policy_entropy"]),
        (["schedule=kl_scale", "kl.scale=0"], ["schedule=kl_scale", "kl=balanced"]),
        (["actor_grad=mixed", "actor_grad.dynamics_weight=0"], ["actor_grad=mixed", "dynamics_weight=0"]),
        (["gradients.stop=[discount]", "recipe.discount_scale=0"], ["gradients.stop", "recipe.discount_scale"]),
        (["size.latents=0"], ["size.latents=0"]),
        (["recipe.model_lr=fast"], ["recipe.model_lr=fast"]),
        (["+latent.colours=3"], ["colours"]),
        (["recipe.horizon=1"], ["recipe.horizon=1"]),
        (["recipe.reward_transform=sign"], ["recipe.reward_transform=sign", "tanh, identity"]),
    ],
)
def test_what_would_change_nothing_is_refused_by_name(overrides, named):
    with pytest.raises(UserError) as error:
        tiny.compose(*overrides)
    assert all(name in str(error.value) for name in named), error.value


@pytest.mark.parametrize("option", ["actor_mix", "all"])
@pytest.mark.parametrize("task", ["cartpole", "pendulum"])
def test_a_scheduled_mix_selects_mixed_gradients(option, task):
    assert tiny.compose(f"schedule={option}", f"task={task}").actor_grad._target_.endswith("Mixed")


def test_unknown_clamps_and_heads_are_refused():
    with pytest.raises(UserError, match="^kl.clamp=never is unknown; allowed: mean, step$"):
        tiny.compose("kl.clamp=never")
    with pytest.raises(ValueError, match="allowed: observation, reward, discount"):
        Gradients(["picture"])
