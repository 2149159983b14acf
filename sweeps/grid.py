"""The jobs of a command: every combination of its sweeps, one list of overrides per run.

Hydra's syntax throughout: `latent=categorical,gaussian`, `run.seed=range(5)`, `latent=glob(*)`. A
glob over tasks stays within the suite's tasks. Jobs are ordered by seed first, so that an
unfinished sweep has whole rounds to look at.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from agent.errors import UserError
from agent.run.compose import composed, explained, section, sections, whole
from agent.run.identity import BASELINE, parts
from agent.run.lock import check_root

ROOT = Path(__file__).parents[1]
SEED = "run.seed"
FACTOR = re.compile(r"x([\d.]+)")  # x0.5: half of the task's own number
ONE_VALUE = re.compile(r"[+~]*(sweep$|hydra[./])")  # keys that say how to sweep


def configured(overrides: Sequence[str]) -> DictConfig:
    """The configuration of a sweep's command, with Hydra's own part; UserError naming all that is
    wrong whatever the sweep is."""
    single = tuple(fixed(overrides))
    cfg, choices = composed(single)
    if (sweeper := choices["hydra/sweeper"]) != "ablation":
        raise UserError(f"hydra/sweeper={sweeper}: allowed here: ablation")
    check_numbers(cfg)
    check_root(cfg.run.root)
    return whole(single)


def check_numbers(cfg: DictConfig) -> None:
    """UserError for a wrong value of run, size, recipe, task or suite, naming all that are."""
    try:
        sections(cfg)
    except UserError:
        from agent import build  # torch: only where there is something to say

        build.read(cfg)
        raise


def jobs(
    overrides: Sequence[str],
    params: Mapping[str, str],
    claims: str | None = None,
    rows: Sequence[str] | None = None,
) -> list[list[str]]:
    """Overrides of each job of a command line, with those of a sweep's `params` that it does not
    name and the arms of a claims file (or of its `rows`); UserError names what is wrong."""
    given = _parse([*(f"{key}={value}" for key, value in params.items()), *overrides])
    by_key = {override.get_key_element().lstrip("+"): override for override in given}
    by_key = {key: override for key, override in by_key.items() if not ONE_VALUE.match(key)}
    suite, task, seed = (by_key.pop(key, None) for key in ("suite", "task", SEED))
    where = _flags(overrides)
    fixed = [override for override in by_key.values() if not override.is_sweep_override()]
    same = [*where, *(override.input_line for override in fixed)]
    axes = [_values(override) for override in by_key.values()]
    found = []
    for chosen in _values(suite):
        base = composed((*same, *chosen))[0]
        for named in _tasks(task, base):
            claimed = [[]]
            if claims:
                actions = composed((*same, *chosen, *named))[0].task.actions
                claimed = of_claims(claims, rows, base.suite.name, actions)
            for several in product(claimed, *axes):
                choices = (part for parts in several for part in parts)
                found.append([*where, *chosen, *named, *choices])
    seeds = [[part.lstrip("+") for part in seeded] for seeded in _values(seed)]
    return [[*job, *seeded] for seeded in seeds for job in found]


def axes(params: Mapping[str, str]) -> dict[str, list[str | int]]:
    """The values of each of a sweep's `params`."""
    parsed = _parse([f"{key}={value}" for key, value in params.items()])
    return {override.get_key_element(): list(override.sweep_iterator()) for override in parsed}


def fixed(overrides: Sequence[str]) -> list[str]:
    """The overrides that are no sweep."""
    single = (one.input_line for one in _parse(overrides) if not one.is_sweep_override())
    return [*_flags(overrides), *single]


def _flags(overrides: Sequence[str]) -> list[str]:
    """The flags of a user's own configuration, which are none of Hydra's overrides."""
    return [given for given in overrides if given.startswith("--")]


def quoted(value: Any) -> str:
    """A value as the text of an override."""
    return "'{}'".format(value.replace("'", "\\'")) if isinstance(value, str) else json.dumps(value)


def multiplied(task: Sequence[str], override: str) -> str:
    """The override with `x0.5` written out as half of the number of the task of these overrides."""
    key, _, value = override.partition("=")
    if not (factor := FACTOR.fullmatch(value)):
        return override
    return f"{key}={OmegaConf.select(composed(tuple(task))[0], key) * float(factor[1])}"


def _parse(overrides: Sequence[str]) -> list[Override]:
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    own = [given for given in overrides if not given.startswith("--")]
    try:
        parsed = parser.parse_overrides(own)
    except HydraException as error:
        raise UserError(explained(error)) from error
    for override in parsed:
        if override.is_sweep_override() and ONE_VALUE.match(override.get_key_element()):
            raise UserError(f"{override.input_line}: several values; allowed: one a command")
    return parsed


def _values(override: Override | None) -> list[list[str]]:
    """The override's values, each a list of overrides; for none an empty one."""
    if override is None:
        return [[]]
    if not override.is_sweep_override():
        return [[override.input_line]]
    if not override.is_discrete_sweep():
        allowed = "a,b  range(a,b)  choice(a,b)  glob(*)"
        raise UserError(f"{override.input_line}: no grid; allowed: {allowed}")
    key = override.get_key_element()
    if not (values := [[f"{key}={value}"] for value in override.sweep_string_iterator()]):
        raise UserError(f"{override.input_line}: names nothing")
    return values


def _tasks(task: Override | None, base: DictConfig) -> list[list[str]]:
    tasks = section(base, "suite").tasks
    if not tasks:
        raise UserError(f"suite={base.suite.name} has no tasks")
    if task is None or "glob(" not in task.input_line:
        return _values(task)
    globbed = {value.split("=", 1)[1] for (value,) in _values(task)}
    within = [[f"task={name}"] for name in tasks if name in globbed]
    if not within:
        suite = f"suite={base.suite.name}, which has {', '.join(tasks)}"
        raise UserError(f"{task.input_line}: no task of {suite}")
    return within


def of_claims(path: str, rows: Sequence[str] | None, suite: str, actions: str) -> list[list[str]]:
    """Overrides of each arm that the claims (those with the ids `rows`, or all) name in a suite for
    tasks of this kind of actions; UserError for an unknown id."""
    claims = registered(path).rows
    ids = [claim.id for claim in claims]
    if unknown := sorted(set(rows or ()) - set(ids)):
        raise UserError(f"{path} has no claim {', '.join(unknown)}; it has {', '.join(ids)}")
    wanted = [claim for claim in claims if claim.where == actions and claim.id in (rows or ids)]
    arms = {arm for claim in wanted for arm in claim.arms(suite) or ()}
    return [parts(arm) for arm in sorted(arms, key=lambda arm: (arm != BASELINE, arm))]


@cache
def registered(path: str):
    """The claims file at a path, here or in the project; UserError for any other file."""
    from analysis import InputError, claims  # pandas: only where a claims file is read

    try:
        return claims.load(path if Path(path).is_file() else ROOT / path)
    except InputError as error:
        raise UserError(str(error)) from error
