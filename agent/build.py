"""The one door for configuration: a composed config comes in, typed objects go out."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from agent import config, networks, refusals
from agent.config import Recipe, Settings, Size, Suite, Task, check_choice, shown, unknown
from agent.dreamer import Dreamer, Toggles
from agent.envs.wrappers import one_line
from agent.errors import UserError
from agent.heads import Discount, Scalar, policy
from agent.rssm import RSSM
from agent.run import device
from agent.run.compose import resolved
from agent.run.loop import Training
from agent.run.record import Record, Tracker
from agent.world_model import WorldModel

LOWER = {"float32": None, "bf16": torch.bfloat16}  # of run.precision
TRANSFORMS = {"tanh": torch.tanh, "identity": lambda reward: reward}
NUMBERS = {"size": Size, "recipe": Recipe, "run": Settings, "task": Task, "suite": Suite}
OPTIONS = ("latent", "gru", *(field.name for field in fields(Toggles)))
GROUPS = (*OPTIONS, *NUMBERS, "tracker", "hydra")


def build(
    cfg: DictConfig, observations: spaces.Box, actions: spaces.Space, device: torch.device
) -> Dreamer:
    """The agent for an environment's spaces, initialised from torch's random numbers."""
    size, recipe = numbers(cfg, "size"), numbers(cfg, "recipe")
    encoder, decoder = networks.networks(observations, size)
    rssm = RSSM(
        latent=instantiate(cfg.latent),
        cell=instantiate(cfg.gru),
        action=spaces.flatdim(actions),
        embed=encoder.embed_size,
        deter=size.deter,
        hidden=size.hidden,
    )
    head = (rssm.feat_size, size.units, size.layers)
    model = WorldModel(
        encoder,
        rssm,
        observation=decoder(observations, size, rssm.feat_size),
        reward=Scalar(*head),
        discount=Discount(*head) if recipe.discount_scale else None,
        scales={
            "observation": recipe.observation_scale,
            "reward": recipe.reward_scale,
            "discount": recipe.discount_scale,
        },
        gamma=recipe.discount,
        reward_transform=_reward_transform(recipe.reward_transform, recipe.reward_factor),
    )
    actor = policy(actions, *head, recipe.action_min_std)
    lower = LOWER[numbers(cfg, "run").precision]
    return Dreamer(model, actor, Scalar(*head), toggles(cfg), recipe, lower).prepare(device)


def training(
    cfg: DictConfig,
    record: Record,
    stop: Callable[[], bool] = lambda: False,
    lost: Callable[[], bool] = lambda: False,
) -> Training:
    """The training of a run in the folder of `record`.

    `stop()` asks to stop; `lost()` tells that another host took the run over.
    """
    return Training(
        settings=numbers(cfg, "run"),
        recipe=numbers(cfg, "recipe"),
        action_repeat=cfg.task.action_repeat,
        make_env=partial(environment, cfg),
        make_agent=partial(build, cfg),
        record=record,
        stop=stop,
        lost=lost,
    )


def recorded(config: Mapping[str, Any]) -> DictConfig:
    """The configuration of a run, from its run.json."""
    return OmegaConf.create(dict(config))


def environment(cfg: DictConfig) -> gymnasium.Env:
    """The environment of a task; UserError of one line where it cannot be built."""
    numbers(cfg, "suite").check_task(numbers(cfg, "task"))
    try:
        return instantiate(cfg.task.env, size=cfg.size.image)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        raise UserError(f"task={cfg.task.name} cannot be built: {one_line(cause)}") from error


def tracker(cfg: DictConfig, record: Record) -> None:
    """Add the tracker that is chosen, if any, to the record of a run."""
    if start := tracker_maker(cfg):
        record.add_tracker(start, cfg.tracker.name)


def tracker_maker(cfg: DictConfig) -> Callable[..., Tracker] | None:
    """What makes the chosen tracker of `record=`; None where none is chosen."""
    if "_target_" not in cfg.tracker:
        return None
    return instantiate(cfg.tracker, _partial_=True)


def toggles(cfg: DictConfig) -> Toggles:
    """The options that the gradient step and the collection read."""
    return Toggles(**{field.name: instantiate(cfg[field.name]) for field in fields(Toggles)})


def numbers(cfg: DictConfig, group: str):
    """The checked dataclass of a group that is no toggle; UserError for a wrong value or key."""
    node = cfg.get(group)
    return NUMBERS[group].of(resolved(node) if isinstance(node, DictConfig) else node)


def check(cfg: DictConfig, choices: Mapping[str, str], overrides: Sequence[str] = ()) -> None:
    """Raise UserError for values out of range, unread keys, options that would change nothing, and
    a run without a gradient step; what only the machine of the run can tell is left to
    `check_machine`.

    `choices` maps each config group to its chosen option, as Hydra reports them; `overrides` is
    the command line.
    """
    for key in cfg:
        if key not in GROUPS:
            raise UserError(unknown(str(key), list(GROUPS)))
    for group in (*OPTIONS, "tracker"):
        if not isinstance(cfg.get(group), DictConfig):
            raise UserError(f"{group}={shown(cfg.get(group))} must be a table of keys and values")
    size, recipe, settings, task, suite = (numbers(cfg, group) for group in NUMBERS)
    check_choice("size.image", size.image, (networks.IMAGE_SIZE,))
    suite.check_task(task)
    try:
        _check_arguments(cfg)
        instantiate(cfg.latent)
        instantiate(cfg.gru)(1, 1)
        chosen = toggles(cfg)
    except (InstantiationException, ImportError, TypeError, ValueError) as error:
        cause = error.__cause__ or error if isinstance(error, InstantiationException) else error
        raise UserError(str(cause).splitlines()[0]) from error
    refusals.check_budget(settings.steps, settings.train_every, recipe)
    refusals.check_combination(chosen, recipe, choices)
    task.check_discount(recipe.discount_scale)
    refusals.check_read(OmegaConf.to_yaml(cfg, resolve=False), overrides)


def check_machine(cfg: DictConfig) -> None:
    """Raise UserError for what this machine does not have, the device, threads, the environment,
    and for an environment that fails at its first step."""
    settings = numbers(cfg, "run")
    device.choose(settings.device)
    device.check_threads(settings.threads)
    env = environment(cfg)
    try:
        env.reset(seed=0)
        env.step(env.action_space.sample())
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"task={cfg.task.name} cannot be played: {one_line(error)}") from error
    with suppress(Exception):  # how it closes says nothing about how it plays
        env.close()


def _check_arguments(cfg: DictConfig) -> None:
    """Raise UserError for arguments that an option, the environment or the tracker cannot take."""
    nodes = {group: cfg[group] for group in (*OPTIONS, "tracker")} | {"task.env": cfg.task.env}
    for group, node in nodes.items():
        given = resolved(node)
        function = _target(group, given)
        config.check_names(group, function, given)
        if group not in OPTIONS:  # which check their numbers' ranges too
            config.check_types(group, function, given)


def _target(group: str, given: Mapping[str, Any]) -> Callable:
    """The class or function that an option's `_target_` names; of no tracker, its name alone."""
    if group == "tracker" and "_target_" not in given:
        return lambda name: None
    target = given.get("_target_")
    if not isinstance(target, str):
        raise UserError(f"{group}._target_={shown(target)} must be a class or a function")
    return get_object(target)


def _reward_transform(name: str, factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    transform = TRANSFORMS[name]
    return lambda reward: transform(factor * reward)
