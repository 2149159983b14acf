"""The arm names itself: how a run differs from the baseline of its suite and task.

The name is its own command line: suite, task and the comma-separated parts of the name compose to
the same run. `agent.config.Effect` says of each value what it changes.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from agent.config import ARM, BUDGET, OPTIONS, PROTOCOL, effect
from agent.errors import UserError
from agent.run.compose import composed, leaves, section

BASELINE = "baseline"
GIVEN = ("suite", "task", "tracker", "sweep")  # groups that make no arm
RATES = ("recipe.model_lr", "recipe.actor_lr", "recipe.critic_lr")
FACTORS = {  # of a schedule: the key that each multiplies, if some option has it
    "schedule.actor_mix": "actor_grad.dynamics_weight",
    "schedule.actor_entropy": "explore.entropy_scale",
}
OF_ACTIONS = {  # what one kind of actions has no use for
    "discrete": ("explore.std", "recipe.action_min_std"),
    "continuous": ("explore.epsilon_start", "explore.epsilon_end", "explore.epsilon_share"),
}
FOLLOWS = re.compile(r"\$\{([\w.]+)\}")  # a value that is another key's


@dataclass(frozen=True)
class Identity:
    """What a run is: the same identity is the same run, whichever sweep asks for it."""

    suite: str
    task: str
    arm: str
    seed: int
    digest: str

    @property
    def folder(self) -> Path:
        """The run's folder below the root; made for people, never parsed."""
        names = (self.suite, self.task, self.arm, f"{self.seed}-{self.digest}")
        return Path(*map(path_safe, names))

    def __str__(self) -> str:
        return f"{self.suite}/{self.task}/{self.arm} seed {self.seed}"


def identify(cfg: DictConfig, choices: Mapping[str, str | None]) -> Identity:
    """Name a composed configuration, given the option chosen in each of its groups
    (hydra.runtime.choices).

    Raises UserError for wrong values of run, suite, task and recipe, and for a changed number that
    nothing reads.
    """
    suite, task, settings, _ = (section(cfg, group) for group in ("suite", "task", "run", "recipe"))
    return Identity(suite.name, task.name, arm_name(cfg, choices), settings.seed, digest(cfg))


def arm_name(cfg: DictConfig, choices: Mapping[str, str | None]) -> str:
    """The choices and values that differ from those of the same suite and task, sorted:
    `kl.alpha=0.5,latent=gaussian`.

    A choice that another one implies, or a value equal to the default, is not in the name.
    """
    given = _given(choices)
    base, base_choices = composed(given)
    arm = []
    # presets and schedules come first: they choose options of other groups
    for group, option in choices.items():
        is_given = group in GIVEN or group.startswith("hydra/")
        if not is_given and option != base_choices.get(group):
            arm.append(f"{group}={_text(option)}")
            base, base_choices = composed((*given, *arm))
    return ",".join(sorted([*arm, *_value_differences(cfg, base)])) or BASELINE


def parts(arm: str) -> list[str]:
    """The command-line overrides that an arm's name stands for; none for the baseline."""
    return [] if arm == BASELINE else re.split(r",(?=[\w.+/]+=|~[\w.]+(?:,|$))", arm)


def toggles(choices: Mapping[str, str | None]) -> dict[str, str | None]:
    """The option chosen in each group that is a design choice."""
    groups = sorted(group for group in choices if not group.startswith("hydra/"))
    return {group: choices[group] for group in groups if group not in (*GIVEN, "recipe")}


def digest(cfg: DictConfig) -> str:
    """Eight hexadecimal digits over every resolved value that changes results, the seed aside."""
    unread = unread_keys(cfg)
    values = {
        key: value
        for key, value in leaves(cfg, resolve=True).items()
        if effect(key) in (ARM, PROTOCOL, BUDGET) and key not in unread
    }
    values = _one_form(values)
    factor = values.pop("recipe.learning_rates")
    values |= {rate: factor * values[rate] for rate in RATES}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def baseline_digest(cfg: DictConfig, choices: Mapping[str, str | None]) -> str:
    """The digest of the baseline of the same suite, task and protocol. The budget is not in it: the
    analysis compares runs of one budget."""
    base = deepcopy(_of_the_task(cfg, composed(_given(choices))[0]))
    for key, value in leaves(cfg, resolve=True).items():
        if effect(key) is PROTOCOL:
            OmegaConf.update(base, key, value)
    return digest(base)


def unread_keys(cfg: DictConfig) -> set[str]:
    """Keys whose values change nothing: no option takes them, or what they scale is not there."""
    keys = leaves(cfg, resolve=False)
    written = str(keys.values())
    unread = {key for key in keys if effect(key) is OPTIONS and f"{{{key}}}" not in written}
    absent = tuple(factor for factor, number in FACTORS.items() if number not in keys)
    unread |= {key for key in keys if key.startswith(absent)}
    return unread | {*OF_ACTIONS[cfg.task.actions]}


def path_safe(name: str, longest: int = 120) -> str:
    """A folder name; a long one is cut and ends in a hash of the whole."""
    safe = re.sub(r"^\.+$|[^A-Za-z0-9._=,+-]", "_", name)
    if len(safe) <= longest:
        return safe
    return f"{safe[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _given(choices: Mapping[str, str | None]) -> tuple[str, ...]:
    return tuple(f"{group}={choices[group]}" for group in ("suite", "task"))


def _value_differences(cfg: DictConfig, base: DictConfig) -> Iterator[str]:
    """The overrides that make `base`, of the same choices, the configuration `cfg`.

    Raises UserError for a value that belongs to another key, and for one that nothing reads.
    """
    base, unread, values = _of_the_task(cfg, base), unread_keys(cfg), leaves(cfg, resolve=True)
    ours, theirs = (leaves(one, resolve=False) for one in (cfg, base))
    for key in sorted(key for key in ours | theirs if effect(key) in (ARM, OPTIONS)):
        if key not in ours:
            yield f"~{key}"
        elif key not in theirs:
            yield f"+{key}={_text(values[key])}"
        elif ours[key] != theirs[key] and values[key] != _with(cfg, key, theirs[key]):
            given = f"{key}={_text(values[key])}"
            if owner := FOLLOWS.fullmatch(str(theirs[key])):
                raise UserError(f"{given}: it is {owner[1]}; allowed: {owner[1]}=...")
            if key not in unread:
                yield given
            elif not key.startswith("size."):  # a size is of all options; this one needs less
                raise UserError(f"{given}: none of the chosen options reads {key}")


def _with(cfg: DictConfig, key: str, written: Any) -> Any:
    changed = deepcopy(cfg) if "${" in str(written) else OmegaConf.create()  # a copy takes 10 ms
    OmegaConf.update(changed, key, written)
    return leaves(changed, resolve=True)[key]


def _of_the_task(cfg: DictConfig, base: DictConfig) -> DictConfig:
    """`base`, for the task of `cfg` where that is any environment by its id: what is said of it
    belongs to the task and not to the arm."""
    if cfg.task.get("option"):
        base = deepcopy(base)
        base.task = cfg.task
    return base


def _one_form(values: Any) -> Any:
    """Values with whole numbers as integers: what is written 1 or 1.0 is one value."""
    return json.loads(
        json.dumps(values),
        parse_float=lambda text: int(float(text)) if float(text).is_integer() else float(text),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_one_form(value))
