"""The one door for configuration: a composed config comes in, typed objects go out."""

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from omegaconf import DictConfig, OmegaConf

from agent import config, networks
from agent.config import Recipe, Settings, Size, Suite, Task, shown, unknown
from agent.dreamer import Dreamer, Toggles
from agent.envs.wrappers import one_line
from agent.errors import UserError, collect
from agent.heads import Discount, Scalar, make_actor
from agent.rssm import RSSM
from agent.run import numerics
from agent.run.compose import section, sections, table
from agent.run.loop import Training
from agent.run.record import Record, Tracker
from agent.toggles.gru import MakeCell
from agent.toggles.latent import Latent
from agent.world_model import WorldModel

Asked = Callable[[], bool]  # of a run: whether to stop, or whether it is lost
HEADS = ("observation", "reward", "discount")
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
    """The objects of a configuration; UserError has a line for each wrong value or key."""
    if strange := [str(key) for key in cfg if key not in (*GROUPS, "hydra")]:
        raise UserError("\n".join(unknown(key, list(GROUPS)) for key in strange))
    made = collect(
        {
            "sections": partial(sections, cfg),
            **{group: lambda group=group: _object(group, table(cfg, group)) for group in OPTIONS},
            "task.env": partial(_maker, cfg),
            "tracker": partial(tracker_maker, cfg),
        }
    )
    toggles = Toggles(**{name: made[name] for name in TOGGLES})
    return Parts(**made["sections"], latent=made["latent"], gru=made["gru"], toggles=toggles)


def check(cfg: DictConfig, choices: Mapping[str, str | None]) -> None:
    """Raise UserError for values out of range, unread keys, options that would change nothing, and
    a run without a gradient step; `choices` are the groups' options, as Hydra reports them."""
    parts = read(cfg)
    option = {group: f"{group}={choice}" for group, choice in choices.items()}
    if lines := [*_dead(parts.toggles, parts.recipe, option), *_untrained(parts)]:
        raise UserError("\n".join(lines))


def check_machine(cfg: DictConfig) -> None:
    """Raise UserError for a device, threads or an environment that fail on this machine."""
    settings = section(cfg, "run")
    numerics.choose_device(settings.device)
    numerics.check_threads(settings.threads)
    try:
        env = environment(cfg)
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
    size, recipe, transform = parts.size, parts.recipe, TRANSFORMS[parts.recipe.reward_transform]
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
        scales={head: getattr(recipe, f"{head}_scale") for head in HEADS},
        gamma=recipe.discount,
        reward_transform=lambda reward: transform(recipe.reward_factor * reward),
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


def training(cfg: DictConfig, record: Record, stop: Asked, lost: Asked) -> Training:
    """The training of a run in the folder of `record`, until `stop()` or `lost()`."""
    return Training(
        settings=section(cfg, "run"),
        recipe=section(cfg, "recipe"),
        action_repeat=cfg.task.action_repeat,
        make_env=_maker(cfg),
        make_agent=partial(build, cfg),
        record=record,
        stop=stop,
        lost=lost,
    )


def recorded(config: Mapping[str, Any]) -> DictConfig:
    """The configuration of a run, from its run.json."""
    return OmegaConf.create(dict(config))


def environment(cfg: DictConfig) -> gymnasium.Env:
    """The environment of a task."""
    return _maker(cfg)()


def tracker(cfg: DictConfig, record: Record) -> None:
    """Add the tracker that is chosen, if any, to the record of a run."""
    if start := tracker_maker(cfg):
        record.add_tracker(start, cfg.tracker.name)


def tracker_maker(cfg: DictConfig) -> Callable[..., Tracker] | None:
    """What makes the chosen tracker of `record=`; None where none is chosen."""
    values = table(cfg, "tracker")
    if "_target_" not in values:
        return config.make("tracker", _no_tracker, values)
    return _object("tracker", values | {"_partial_": True})


def _no_tracker(name: str) -> None: ...


def _maker(cfg: DictConfig) -> Callable[..., gymnasium.Env]:
    """What makes the task's environment; UserError for arguments that it does not take."""
    env = section(cfg, "task").env
    return _object("task.env", env | {"size": section(cfg, "size").image, "_partial_": True})


def _object(name: str, values: Mapping[str, Any]) -> Any:
    """What the `_target_` of values makes of the others, of which some may be such tables too."""
    target = shown(values.get("_target_"))
    try:
        function = pkgutil.resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        given = f"{name}._target_={target}"
        raise UserError(f"{given} must be a class or a function: {error}") from error
    arguments = {
        key: _object(f"{name}.{key}", value)
        if isinstance(value, Mapping) and "_target_" in value
        else value
        for key, value in values.items()
        if not key.startswith("_")
    }
    return config.make(name, function, arguments, values.get("_partial_", False))


def _dead(chosen: Toggles, recipe: Recipe, option: Mapping[str, str]) -> Iterator[str]:
    """Options of which nothing is read; `option` is each group's, as on the command line."""
    entropy_scale, weight = chosen.explore.entropy_scale, chosen.actor_grad.dynamics_weight
    unread = {
        "actor_mix": not chosen.actor_grad.mixes
        and f"{option['actor_grad']}: it schedules the gradient mix, which only "
        "actor_grad=mixed reads",
        "actor_entropy": entropy_scale == 0
        and f"{option['explore']}: it schedules the entropy scale, which is 0",
        "kl_scale": recipe.kl_scale == 0 and "recipe.kl_scale=0",
        "model_lr": recipe.model_lr == 0 and "recipe.model_lr=0",
    }
    scheduled = [name for name, factor in vars(chosen.schedule).items() if factor is not None]
    if scheduled and all(unread.get(name) for name in scheduled):
        yield from (f"{option['schedule']} with {unread[name]}" for name in scheduled)
    if chosen.actor_grad.mixes and not 0 < weight < 1:
        given = f"{option['actor_grad']} with actor_grad.dynamics_weight={weight}"
        yield f"{given}: it mixes nothing; allowed: between 0 and 1"
    if chosen.entropy.in_reward and entropy_scale == 0:
        yield f"{option['entropy']} with {option['explore']}: the entropy's scale is 0"
    for head in sorted(chosen.gradients.stop):
        if getattr(recipe, f"{head}_scale") == 0:
            given = f"{option['gradients']} with recipe.{head}_scale=0"
            yield f"{given}: the {head} head has no gradient to stop"


def _untrained(parts: Parts) -> Iterator[str]:
    """Runs that would train nothing, or not what their task and suite ask for."""
    recipe, run, option = parts.recipe, parts.run, parts.task.option or parts.task.name
    if not {option, parts.task.name} & {*parts.suite.tasks}:
        allowed = ", ".join(parts.suite.tasks)
        yield f"task={option} is not in suite={parts.suite.name}, whose tasks are {allowed}"
        return  # the task's numbers suit its own suite
    if recipe.capacity < recipe.length:
        yield f"recipe.capacity={recipe.capacity}: must hold a sequence of {recipe.length} steps"
    if recipe.start_every > recipe.length:
        yield f"recipe.start_every={recipe.start_every}: a sequence has {recipe.length} steps"
    first = max(recipe.prefill + run.train_every, recipe.length)
    if run.steps < first:
        yield (
            f"run.steps={run.steps}: no gradient step would be made, the first comes after "
            f"{first:g} steps (recipe.prefill={recipe.prefill}, recipe.length={recipe.length}, "
            f"run.train_every={run.train_every:g})"
        )
    if parts.task.terminates and not recipe.discount_scale:
        yield (
            f"recipe.discount_scale=0 with task={option}: its episodes terminate, which the "
            "discount head models; a task that never terminates says task.terminates=false"
        )
