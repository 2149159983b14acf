"""What a sweep will do, before anything runs: arms, tasks, seeds, what is done already, hours and disk.

python -m sweeps.plan suite=atari          # all claims of the suite; any other sweep by +sweep=latent or latent=a,b
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from agent.arm import Identity, identify
from agent.errors import UserError
from agent.record import read_run
from agent.runfolder import RunFolder

TODO, DONE, FAILED, CUT_OFF, UNDER_WAY, BROKEN = "to do", "done", "failed", "cut off", "under way", "unreadable"


@dataclass(frozen=True)
class Planned:
    """A run that a sweep asks for, and where it stands."""

    identity: Identity
    overrides: tuple[str, ...]
    folder: Path
    state: str
    error: str | None = None


def planned(jobs: Iterable[Sequence[str]]) -> list[Planned]:
    """The distinct runs of `jobs` with the state of their folders.

    Raises UserError naming the job that does not compose.
    """
    runs: dict[Path, Planned] = {}
    for overrides in jobs:
        identity, root = _identify(tuple(overrides))
        folder = root / identity.folder
        if folder not in runs:
            runs[folder] = Planned(identity, tuple(overrides), folder, *state(folder))
    return list(runs.values())


def state(folder: Path) -> tuple[str, str | None]:
    """How far the run in a folder is, and the first line of its error if it has one."""
    try:
        fields = read_run(folder)
    except UserError as error:
        return BROKEN, str(error)
    if fields is None:
        return TODO, None
    error = fields.get("error")
    if fields.get("status") in (DONE, FAILED):
        return fields["status"], error
    return (UNDER_WAY if RunFolder(folder).holder() else CUT_OFF), error


def _identify(overrides: tuple[str, ...]) -> tuple[Identity, Path]:
    """A run's identity and root; runs that differ in their seed alone are composed once."""
    seeds = [o for o in overrides if o.startswith("run.seed=")]
    cfg, identity = _unseeded(tuple(o for o in overrides if o not in seeds))
    seed = int(seeds[-1].split("=")[1]) if seeds else identity.seed
    return replace(identity, seed=seed), Path(cfg.run.root)


@cache
def _unseeded(overrides: tuple[str, ...]) -> tuple[DictConfig, Identity]:
    try:
        cfg = compose("config", list(overrides), return_hydra_config=True)
        choices = cfg.hydra.runtime.choices
        OmegaConf.set_struct(cfg, False)
        del cfg["hydra"]
        return cfg, identify(cfg, choices)
    except HydraException as error:
        raise UserError(f"{' '.join(overrides)}: {' '.join(str(error).split())}") from error
