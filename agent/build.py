"""The one door for configuration: a composed config comes in, typed objects go out."""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from omegaconf import DictConfig, OmegaConf

from agent import config, networks, refusals
from agent.config import Recipe, Settings, Size, Suite, Task, shown, unknown
from agent.dreamer import Dreamer, Toggles
from agent.envs.wrappers import one_line
from agent.errors import UserError, collect
from agent.heads import Discount, Scalar, make_actor
from agent.rssm import RSSM
from agent.run import numerics
from agent.run.compose import resolved, section, sections
from agent.run.loop import Training
from agent.run.record import Record, Tracker
from agent.toggles.gru import MakeCell
from agent.toggles.latent import Latent
from agent.world_model import WorldModel

COMPUTE_DTYPES = {"float32": None, "bf16": torch.bfloat16}  # of run.precision
TRANSFORMS = {"tanh": torch.tanh, "identity": lambda reward: reward}
TOGGLES = tuple(field.name for field in fields(Toggles))
OPTIONS = ("latent", "gru", *TOGGLES)
GROUPS = (*OPTIONS, *config.GROUPS, "tracker")


@dataclass(frozen=True)
class Parts:
    """What a configuration says, as objects; only the environment and the tracker are not made."""

    size: Size
    recipe: Recipe
    run: Settings
    task: Task
    suite: Suite
    latent: Latent
    gru: MakeCell
    toggles: Toggles


def read(cfg: DictConfig) -> Parts:
    """The objects that a configuration stands for; UserError has a line for each wrong value or
    key."""
    if strange := [str(key) for key in cfg if key not in (*GROUPS, "hydra")]:
        raise UserError("\n".join(unknown(key, list(GROUPS)) for key in strange))
    made = collect(
        {
            "sections": partial(sections, cfg),
            **{group: partial(_option, cfg, group) for group in OPTIONS},
            "task.env": partial(_maker, cfg),
            "tracker": partial(tracker_maker, cfg),
        }
    )
    toggles = Toggles(**{name: made[name] for name in TOGGLES})
    return Parts(**made["sections"], latent=made["latent"], gru=made["gru"], toggles=toggles)


def check(cfg: DictConfig, choices: Mapping[str, str | None]) -> None:
    """Raise UserError for values out of range, unread keys, options that would change nothing, and
    a run without a gradient step; what only the machine of the run can tell is left to
    `check_machine`.

    `choices` maps each config group to its chosen option, as Hydra reports them.
    """
    parts = read(cfg)
    parts.suite.check_task(parts.task)
    refusals.check(parts.toggles, parts.recipe, parts.run, parts.task, choices)


def check_machine(cfg: DictConfig) -> None:
    """Raise UserError for what this machine does not have, the device, threads, the environment,
    and for an environment that fails at its first step."""
    settings = section(cfg, "run")
    numerics.choose_device(settings.device)
    numerics.check_threads(settings.threads)
    env = environment(cfg)
    try:
        env.reset(seed=0)
        env.step(env.action_space.sample())
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"task={cfg.task.name} cannot be played: {one_line(error)}") from error
    env.close()


def build(
    cfg: DictConfig, observations: spaces.Box, actions: spaces.Space, device: torch.device
) -> Dreamer:
    """The agent for an environment's spaces, initialised from torch's random numbers."""
    parts = read(cfg)
    size, recipe = parts.size, parts.recipe
    encoder, decoder = networks.encoder_and_decoder(observations, size)
    rssm = RSSM(
        latent=parts.latent,
        cell=parts.gru,
        action=spaces.flatdim(actions),
        embed=encoder.embed_size,
        deter=size.deter,
        hidden=size.hidden,
    )
    head = {"features": rssm.feat_size, "units": size.units, "layers": size.layers}
    model = WorldModel(
        encoder,
        rssm,
        observation=decoder(observations, size, rssm.feat_size),
        reward=Scalar(**head),
        discount=Discount(**head) if recipe.discount_scale else None,
        scales={
            "observation": recipe.observation_scale,
            "reward": recipe.reward_scale,
            "discount": recipe.discount_scale,
        },
        gamma=recipe.discount,
        reward_transform=_reward_transform(recipe.reward_transform, recipe.reward_factor),
    )
    agent = Dreamer(
        model,
        actor=make_actor(actions, **head, min_std=recipe.action_min_std),
        critic=Scalar(**head),
        toggles=parts.toggles,
        recipe=recipe,
        compute_dtype=COMPUTE_DTYPES[parts.run.precision],
    )
    return agent.prepare(device)


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
        settings=section(cfg, "run"),
        recipe=section(cfg, "recipe"),
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
    task = section(cfg, "task")
    section(cfg, "suite").check_task(task)
    try:
        return _maker(cfg)()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"task={task.name} cannot be built: {one_line(error)}") from error


def tracker(cfg: DictConfig, record: Record) -> None:
    """Add the tracker that is chosen, if any, to the record of a run."""
    if start := tracker_maker(cfg):
        record.add_tracker(start, cfg.tracker.name)


def tracker_maker(cfg: DictConfig) -> Callable[..., Tracker] | None:
    """What makes the chosen tracker of `record=`; None where none is chosen."""
    values = _table(cfg, "tracker")
    if "_target_" not in values:
        return config.make("tracker", _no_tracker, values)
    return _object("tracker", values | {"_partial_": True})


def _no_tracker(name: str) -> None:
    """tracker=none has no _target_ and takes only `name`."""


def _option(cfg: DictConfig, group: str) -> Any:
    """The chosen option of a group."""
    return _object(group, _table(cfg, group))


def _maker(cfg: DictConfig) -> Callable[..., gymnasium.Env]:
    """What makes the task's environment; UserError for arguments that it does not take."""
    env = section(cfg, "task").env
    return _object("task.env", env | {"size": section(cfg, "size").image, "_partial_": True})


def _table(cfg: DictConfig, group: str) -> dict[str, Any]:
    node = cfg.get(group)
    if not isinstance(node, DictConfig):
        raise UserError(f"{group}={shown(node)} must be a table of keys and values")
    return resolved(node)


def _object(name: str, values: Mapping[str, Any]) -> Any:
    """What the `_target_` of values makes of the others, of which some may be such tables too."""
    given = {
        key: _object(f"{name}.{key}", value)
        if isinstance(value, Mapping) and "_target_" in value
        else value
        for key, value in values.items()
        if not key.startswith("_")
    }
    return config.make(name, _target(name, values), given, values.get("_partial_", False))


def _target(name: str, values: Mapping[str, Any]) -> Callable:
    """The class or function that values name."""
    target = values.get("_target_")
    if not isinstance(target, str):
        raise UserError(f"{name}._target_={shown(target)} must be a class or a function")
    try:
        return pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{name}._target_={target} is not there: {error}") from error


def _reward_transform(name: str, factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    transform = TRANSFORMS[name]
    return lambda reward: transform(factor * reward)
