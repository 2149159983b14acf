"""The one place where configuration becomes objects; everything else takes typed arguments."""

from collections.abc import Mapping
from dataclasses import fields

import torch
from gymnasium import spaces
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from agent import observation
from agent.dreamer import Dreamer, Learning, Toggles
from agent.errors import UserError
from agent.heads import Discount, Scalar, policy
from agent.rssm import RSSM
from agent.world_model import WorldModel

TRANSFORMS = {"tanh": torch.tanh, "identity": lambda reward: reward}
POSITIVE = (
    *("recipe.horizon", "recipe.slow_every", "recipe.model_lr", "recipe.actor_lr", "recipe.critic_lr", "recipe.eps"),
    "recipe.reward_factor",
    *("recipe.clip", "size.latents", "size.classes", "size.deter", "size.hidden", "size.depth", "size.units"),
    "size.layers",
)


def build(cfg: DictConfig, observations: spaces.Box, actions: spaces.Space, device: torch.device) -> Dreamer:
    """The agent of a composed configuration for an environment's spaces, initialised from torch's random numbers."""
    size, recipe = cfg.size, cfg.recipe
    encoder, decoder = observation.networks(observations, size)
    cell, action_size = instantiate(cfg.gru), spaces.flatdim(actions)
    rssm = RSSM(instantiate(cfg.latent), cell, action_size, encoder.embed_size, size.deter, size.hidden)
    head = (rssm.feat_size, size.units, size.layers)
    model = WorldModel(
        encoder,
        rssm,
        observation=decoder(observations, size, rssm.feat_size),
        reward=Scalar(*head),
        discount=Discount(*head) if recipe.discount_scale else None,
        scales={name: recipe[f"{name}_scale"] for name in ("observation", "reward", "discount")},
        gamma=recipe.discount,
        reward_transform=lambda reward: TRANSFORMS[recipe.reward_transform](recipe.reward_factor * reward),
    )
    learning = Learning(**{field.name: recipe[field.name] for field in fields(Learning)})
    actor = policy(actions, *head, recipe.action_min_std)
    return Dreamer(model, actor, Scalar(*head), toggles(cfg), learning).prepare(device)


def toggles(cfg: DictConfig) -> Toggles:
    """The options that the gradient step and the collection read."""
    return Toggles(**{field.name: instantiate(cfg[field.name]) for field in fields(Toggles)})


def check(cfg: DictConfig, choices: Mapping[str, str]) -> None:
    """Raise UserError for numbers out of range and for options that would change nothing in combination.

    `choices` maps each config group to its chosen option, as Hydra reports them.
    """
    for name in POSITIVE:
        group, key = name.split(".")
        value = cfg[group][key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UserError(f"{name}={value} must be a number greater than zero")
    if cfg.recipe.length < 2:
        raise UserError(
            f"recipe.length={cfg.recipe.length} must be at least 2: actor and critic need a following state"
        )
    if cfg.recipe.horizon < 2:
        raise UserError(f"recipe.horizon={cfg.recipe.horizon} must be at least 2: the actor's loss drops two states")
    if cfg.recipe.reward_transform not in TRANSFORMS:
        raise UserError(
            f"recipe.reward_transform={cfg.recipe.reward_transform} is unknown; allowed: {', '.join(TRANSFORMS)}"
        )
    try:
        instantiate(cfg.latent)
        chosen = toggles(cfg)
    except InstantiationException as error:
        raise UserError(str(error.__cause__ or error).splitlines()[0]) from error
    for refused, reason in _refusals(cfg, chosen, choices):
        if refused:
            raise UserError(reason)


def _refusals(cfg: DictConfig, chosen: Toggles, choices: Mapping[str, str]) -> list[tuple[bool, str]]:
    """Combinations in which an option would change nothing, each with both options and the reason."""
    schedule, entropy_scale = chosen.schedule, chosen.explore.entropy_scale
    option = {group: f"{group}={choices[group]}" for group in ("schedule", "actor_grad", "entropy", "explore", "kl")}
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
        (
            "discount" in chosen.gradients.stop and cfg.recipe.discount_scale == 0,
            "gradients.stop=[discount] with recipe.discount_scale=0: there is no discount head to stop",
        ),
    ]
