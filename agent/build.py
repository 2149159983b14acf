"""The one place where configuration becomes objects; everything else takes typed arguments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

import torch
from gymnasium import spaces
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from agent import errors, observation
from agent.dreamer import Dreamer, Learning, Toggles
from agent.errors import UserError
from agent.heads import Discount, Scalar, policy
from agent.rssm import RSSM
from agent.world_model import WorldModel

TRANSFORMS = {"tanh": torch.tanh, "identity": lambda reward: reward}
WHOLE = {f"size.{name}": 1 for name in ("latents", "deter", "hidden", "depth", "units", "layers")}
WHOLE |= {
    "size.classes": 2,
    "recipe.batch_size": 1,
    "recipe.capacity": 1,
    "recipe.slow_every": 1,
    "recipe.prefill": 0,
}
WHOLE |= {"recipe.length": 2, "recipe.horizon": 2}  # states must follow; the actor's loss drops two
POSITIVE = [
    f"recipe.{name}"
    for name in ("model_lr", "actor_lr", "critic_lr", "eps", "clip", "reward_factor")
]
POSITIVE += ["recipe.action_min_std"]
NOT_NEGATIVE = [
    f"recipe.{name}_scale" for name in ("kl", "entropy", "observation", "reward", "discount")
]
NOT_NEGATIVE += ["recipe.free_nats", "size.free_nats"]
SHARES = ["recipe.discount", "recipe.lambda_", "recipe.weight_decay"]
THROUGH_OPTIONS = ("recipe.entropy_scale", "recipe.free_nats", "size.free_nats")


def build(
    cfg: DictConfig, observations: spaces.Box, actions: spaces.Space, device: torch.device
) -> Dreamer:
    """The agent of a composed configuration for an environment's spaces, initialised from torch's
    random numbers."""
    size, recipe = cfg.size, cfg.recipe
    encoder, decoder = observation.networks(observations, size)
    cell, action_size = instantiate(cfg.gru), spaces.flatdim(actions)
    rssm = RSSM(
        instantiate(cfg.latent), cell, action_size, encoder.embed_size, size.deter, size.hidden
    )
    head = (rssm.feat_size, size.units, size.layers)
    model = WorldModel(
        encoder,
        rssm,
        observation=decoder(observations, size, rssm.feat_size),
        reward=Scalar(*head),
        discount=Discount(*head) if recipe.discount_scale else None,
        scales={name: recipe[f"{name}_scale"] for name in ("observation", "reward", "discount")},
        gamma=recipe.discount,
        reward_transform=_reward_transform(recipe.reward_transform, recipe.reward_factor),
    )
    learning = Learning(**{field.name: recipe[field.name] for field in fields(Learning)})
    actor = policy(actions, *head, recipe.action_min_std)
    return Dreamer(model, actor, Scalar(*head), toggles(cfg), learning).prepare(device)


def _reward_transform(name: str, factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    transform = TRANSFORMS[name]
    return lambda reward: transform(factor * reward)


def toggles(cfg: DictConfig) -> Toggles:
    """The options that the gradient step and the collection read."""
    return Toggles(**{field.name: instantiate(cfg[field.name]) for field in fields(Toggles)})


def check(cfg: DictConfig, choices: Mapping[str, str], overrides: Sequence[str] = ()) -> None:
    """Raise UserError for numbers out of range and for options that would change nothing in
    combination.

    `choices` maps each config group to its chosen option, as Hydra reports them; `overrides` is the
    command line.
    """
    try:
        _check_numbers(cfg)
        instantiate(cfg.latent)
        instantiate(cfg.gru)(1, 1)
        chosen = toggles(cfg)
    except (InstantiationException, TypeError, ValueError) as error:
        cause = (
            error.__cause__
            if isinstance(error, InstantiationException) and error.__cause__
            else error
        )
        raise UserError(str(cause).splitlines()[0]) from error
    for refused, reason in _refusals(cfg, chosen, choices) + _unread(cfg, overrides):
        if refused:
            raise UserError(reason)


def _check_numbers(cfg: DictConfig) -> None:
    for name, low in WHOLE.items():
        errors.number(name, OmegaConf.select(cfg, name), low, whole=True)
    for name in POSITIVE:
        errors.positive(name, OmegaConf.select(cfg, name))
    for name in NOT_NEGATIVE:
        errors.number(name, OmegaConf.select(cfg, name), 0)
    for name in SHARES:
        errors.number(name, OmegaConf.select(cfg, name), 0, 1)
    if cfg.size.image != observation.IMAGE_SIZE:
        raise ValueError(
            f"size.image={cfg.size.image}: the image encoder takes {observation.IMAGE_SIZE} pixels"
        )
    if cfg.recipe.reward_transform not in TRANSFORMS:
        raise ValueError(
            f"recipe.reward_transform={cfg.recipe.reward_transform} is unknown; allowed: {', '.join(TRANSFORMS)}"
        )


def _unread(cfg: DictConfig, overrides: Sequence[str]) -> list[tuple[bool, str]]:
    """Numbers of the command line that reach the agent only through an option, and no chosen option
    reads them."""
    raw = OmegaConf.to_yaml(cfg, resolve=False)
    given = {override.partition("=")[0]: override for override in overrides}
    return [
        ("${" + name + "}" not in raw, f"{given[name]}: none of the chosen options reads {name}")
        for name in THROUGH_OPTIONS
        if name in given
    ]


def _refusals(
    cfg: DictConfig, chosen: Toggles, choices: Mapping[str, str]
) -> list[tuple[bool, str]]:
    """Combinations in which an option would change nothing, each with both options and the
    reason."""
    schedule, entropy_scale = chosen.schedule, chosen.explore.entropy_scale
    option = {
        group: f"{group}={choices[group]}"
        for group in ("schedule", "actor_grad", "entropy", "explore", "kl", "gradients")
    }
    return [
        (
            schedule.actor_mix is not None and not chosen.actor_grad.mixes,
            f"{option['schedule']} with {option['actor_grad']}: it schedules the gradient mix, which only "
            "actor_grad=mixed reads",
        ),
        (
            chosen.actor_grad.mixes and not 0 < chosen.actor_grad.dynamics_weight < 1,
            f"{option['actor_grad']} with actor_grad.dynamics_weight={chosen.actor_grad.dynamics_weight}: it mixes "
            "nothing; allowed: between 0 and 1",
        ),
        (
            schedule.actor_entropy is not None and entropy_scale == 0,
            f"{option['schedule']} with {option['explore']}: it schedules the entropy scale, which is 0",
        ),
        (
            chosen.entropy.in_reward and entropy_scale == 0,
            f"{option['entropy']} with {option['explore']}: it adds the policy's entropy times a scale that is 0",
        ),
        (
            schedule.kl_scale is not None and chosen.kl.scale == 0,
            f"{option['schedule']} with {option['kl']} and kl.scale=0: it schedules a scale that is 0",
        ),
        *(
            (
                cfg.recipe[f"{head}_scale"] == 0,
                f"{option['gradients']} with recipe.{head}_scale=0: the {head} head has no gradient to stop",
            )
            for head in chosen.gradients.stop
        ),
    ]
