"""The arm names itself: how a run differs from the baseline of its suite and task.

The name is its own command line: suite, task and the comma-separated parts of the name compose to
the same run.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from agent.config import Suite, Task
from agent.errors import UserError
from agent.run.compose import composed, leaves, options_of, resolved

BASELINE = "baseline"
GIVEN = ("suite", "task", "tracker", "sweep")  # groups that make no arm
NORMALISATION = ("task.random", "task.reference")  # of scores; training does not read them
PROMISES = ("task.terminates",)  # that are checked before a run and change nothing in it
NO_ARM = ("suite", "run", "tracker", *NORMALISATION, *PROMISES)
BUDGET = "run.steps"
ALGORITHM = ("run.train_every", "run.precision")  # of the method, though among those of the run
NO_RESULT = (
    "suite.tasks",
    "suite.normalisation",
    "tracker",
    "hydra",
    "run.seed",
    *NORMALISATION,
    *PROMISES,
) + tuple(
    f"run.{key}"
    for key in (
        *("root", "device", "threads", "jobs_per_gpu", "fail_fast", "retry_failed"),
        "stop_seconds",
        *("log_every", "predict_every", "watch", "checkpoint_every", "keep_replay"),
    )
)


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
        return Path(
            *map(path_safe, (self.suite, self.task, self.arm)), f"{self.seed}-{self.digest}"
        )

    def __str__(self) -> str:
        return f"{self.suite}/{self.task}/{self.arm} seed {self.seed}"


def identify(cfg: DictConfig, choices: Mapping[str, str | None]) -> Identity:
    """Name a composed configuration, given the option chosen in each of its groups
    (hydra.runtime.choices).

    Raises UserError for a group without an option and for wrong values of suite and task.
    """
    _check_groups(choices)
    values = resolved(cfg)
    suite, task = (kind.of(values.get(kind.group)) for kind in (Suite, Task))
    return Identity(suite.name, task.name, arm_name(cfg, choices), cfg.run.seed, digest(cfg))


def arm_name(cfg: DictConfig, choices: Mapping[str, str | None]) -> str:
    """The choices and values that differ from those of the same suite and task, sorted:
    `kl.alpha=0.5,latent=gaussian`.

    A choice that another one implies, and a value equal to the default, leave no trace.
    """
    given = _given(choices)
    base, base_choices = composed(given)
    arm = []
    # presets and schedules come first: they choose options of other groups
    for group, option in choices.items():
        if group in GIVEN or group.startswith("hydra/"):
            continue
        if option != base_choices.get(group):
            arm.append(f"{group}={_text(option)}")
            base, base_choices = composed((*given, *arm))
    return ",".join(sorted(arm + _value_differences(cfg, base))) or BASELINE


def parts(arm: str) -> list[str]:
    """The command-line overrides that an arm's name stands for; none for the baseline."""
    return [] if arm == BASELINE else re.split(r",(?=[\w.+/]+=|~[\w.]+(?:,|$))", arm)


def toggles(choices: Mapping[str, str | None]) -> dict[str, str | None]:
    """The option chosen in each group that is a design choice."""
    return {
        k: v
        for k, v in sorted(choices.items())
        if k not in (*GIVEN, "recipe") and not k.startswith("hydra/")
    }


def digest(cfg: DictConfig) -> str:
    """Eight hexadecimal digits over every resolved value that can change a result, the seed
    aside."""
    values = {
        k: _number(v) for k, v in leaves(cfg, resolve=True).items() if not _below(k, NO_RESULT)
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def baseline_digest(cfg: DictConfig, choices: Mapping[str, str | None]) -> str:
    """The digest of the baseline of the same suite and task under the same protocol.

    Of the run's own values the baseline takes those that change a score and no arm's name, such as
    how an evaluation is made; not the budget, of which the analysis takes the common one.
    """
    base = _same_id(cfg, deepcopy(composed(_given(choices))[0]))
    for key, value in leaves(cfg, resolve=True).items():
        hidden = _below(key, NO_ARM) and not _below(key, (*NO_RESULT, *ALGORITHM, BUDGET))
        if hidden:
            OmegaConf.update(base, key, value)
    return digest(base)


def path_safe(name: str, longest: int = 120) -> str:
    """A folder name; a long one is cut and ends in a hash of the whole."""
    safe = re.sub(r"^\.+$|[^A-Za-z0-9._=,+-]", "_", name)
    if len(safe) <= longest:
        return safe
    return f"{safe[: longest - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _given(choices: Mapping[str, str | None]) -> tuple[str, ...]:
    """What the baseline of a suite and task is composed from."""
    return tuple(f"{group}={choices[group]}" for group in ("suite", "task"))


def _check_groups(choices: Mapping[str, str | None]) -> None:
    """UserError, with the options there are, for a group of which none is chosen."""
    base = {"suite": "", "task": ""}
    if all(choices.get(group) for group in base):
        base = composed(_given(choices))[1]
    for group, option in base.items():
        if option is not None and not choices.get(group):
            raise UserError(f"no {group} is chosen; allowed: {', '.join(options_of(group))}")


def _value_differences(cfg: DictConfig, base: DictConfig) -> list[str]:
    base = _same_id(cfg, deepcopy(base))
    known, changed = leaves(base, resolve=False).keys(), {}
    for literals_only in (
        True,
        False,
    ):  # what follows from a changed number by interpolation is no difference
        ours, theirs, written = _compared(cfg, True), _compared(base, True), _compared(base, False)
        for key in sorted(ours.keys() | theirs.keys()):
            same = key in ours and key in theirs and ours[key] == theirs[key]
            if same or key in changed or (literals_only and "${" in str(written.get(key))):
                continue
            changed[key] = (
                f"{'' if key in known else '+'}{key}={_text(ours[key])}"
                if key in ours
                else f"~{key}"
            )
            OmegaConf.update(base, key, ours.get(key), force_add=True)
    return list(changed.values())


def _same_id(cfg: DictConfig, base: DictConfig) -> DictConfig:
    """`base` for the environment of `cfg`, where the task is any environment, named by its id."""
    if cfg.task.name != base.task.name and "id" in cfg.task:
        base.task.id = cfg.task.id
    return base


def _compared(cfg: DictConfig, resolve: bool) -> dict[str, Any]:
    return {
        k: v for k, v in leaves(cfg, resolve).items() if k in ALGORITHM or not _below(k, NO_ARM)
    }


def _below(key: str, prefixes: tuple[str, ...]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)


def _number(value: Any) -> Any:
    """Whole numbers as numbers, in lists too: what is written 1 or 1.0 is one value."""
    if isinstance(value, list):
        return [_number(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _text(value: Any) -> str:
    """The value on Hydra's command line; a whole number has one form, as it has one digest."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return value if isinstance(value, str) else json.dumps(value)
