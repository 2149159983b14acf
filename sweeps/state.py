"""The distinct runs that jobs stand for, how far each is, and which would be refused."""

import re
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from omegaconf import DictConfig
from rich.progress import track

from agent.config import Seed, check_value
from agent.errors import UserError
from agent.run.compose import composed, leaves, section
from agent.run.identity import Identity, identify
from agent.run.lock import RunFolder, check_root
from agent.run.record import read_run
from agent.run.status import Status
from sweeps.grid import SEED, quoted

FOLLOWS = re.compile(r"\$\{(run\.seed\}|now:)")
ENDED = (Status.FAILED, Status.DIVERGED, Status.UNREADABLE)  # unless retried


@dataclass(frozen=True)
class Planned:
    """A run that a sweep asks for, and where it stands; `cfg` leaves its seed out."""

    identity: Identity
    cfg: DictConfig
    overrides: tuple[str, ...]
    folder: Path
    state: Status
    error: str | None = None
    fields: dict | None = None

    @property
    def is_over(self) -> bool:
        """Whether the run ended badly and is not to be tried again."""
        return self.state in ENDED and not (self.fields and self.cfg.run.retry_failed)

    @property
    def is_due(self) -> bool:
        """Whether a sweep starts the run."""
        return self.state != Status.DONE and not self.is_over


def planned(jobs: Iterable[Sequence[str]]) -> list[Planned]:
    """The distinct runs of `jobs`; UserError names a job that does not compose."""
    runs: dict[Path, Planned] = {}
    shown = {"transient": True, "disable": not sys.stdout.isatty()}
    for overrides in track(list(map(tuple, jobs)), "composing", **shown):
        cfg, identity, settled = _identify(overrides)
        folder = Path(cfg.run.root, identity.folder).absolute()
        if folder not in runs:
            runs[folder] = Planned(identity, cfg, settled, folder, *look(folder))
    return list(runs.values())


def look(folder: Path) -> tuple[Status, str | None, dict | None]:
    """How far the run in a folder is, the first line of its error, and its run.json."""
    try:
        fields = read_run(folder)
    except UserError as error:
        return Status.UNREADABLE, str(error), None
    status, error = (fields or {}).get("status"), (fields or {}).get("error")
    if status in (Status.DONE, *ENDED):
        return Status(status), error, fields
    if RunFolder(folder).holder():
        return Status.UNDER_WAY, error, fields
    return (Status.TODO if fields is None else Status.INTERRUPTED), error, fields


def check(runs: Iterable[Planned], here: bool) -> None:
    """UserError naming the first run that would be refused; `here`: this machine's device and
    environments are tried too. Each configuration is checked once for all its seeds."""
    different = {unseeded(run.overrides): run for run in runs if run.state != Status.DONE}
    tried = set()
    for overrides, run in different.items():
        from agent import build  # torch: only where something is to run

        try:
            build.check(run.cfg, composed(overrides)[1])
            settings = run.cfg.run
            machine = str((run.cfg.task.env, settings.device, settings.threads, settings.root))
            if here and machine not in tried:
                tried.add(machine)
                check_root(settings.root)
                build.check_machine(run.cfg)
        except UserError as error:
            lines = [f"{run.identity}: {line}" for line in str(error).splitlines()]
            raise UserError("\n".join(lines)) from error


def unseeded(overrides: Sequence[str]) -> tuple[str, ...]:
    """The overrides without the seed."""
    return tuple(override for override in overrides if not override.startswith(f"{SEED}="))


def _identify(overrides: tuple[str, ...]) -> tuple[DictConfig, Identity, tuple[str, ...]]:
    """A run's configuration, composed once for all seeds unless values follow the seed; its
    identity; and its overrides, with the values that another process would find otherwise."""
    cfg, identity, following = _composed(unseeded(overrides))
    if seeds := [override for override in overrides if override.startswith(f"{SEED}=")]:
        identity = replace(identity, seed=_seed(seeds[-1]))
    if following:
        cfg, identity, _ = _composed(overrides)
    values = leaves(cfg, resolve=True) if following else {}
    return cfg, identity, (*overrides, *(f"++{key}={quoted(values[key])}" for key in following))


@cache
def _composed(overrides: tuple[str, ...]) -> tuple[DictConfig, Identity, list[str]]:
    """Configuration and identity of overrides, and the keys that follow the seed or the clock."""
    cfg, choices = composed(overrides)
    section(cfg, "run")
    written = leaves(cfg, resolve=False).items()
    following = [key for key, value in written if FOLLOWS.search(str(value))]
    return cfg, identify(cfg, choices), following


def _seed(override: str) -> int:
    seed = override.partition("=")[2]
    with suppress(ValueError):
        seed = int(seed)
    check_value(SEED, seed, Seed)
    return seed
