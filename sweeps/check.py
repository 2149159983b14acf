"""Checks of a sweep's runs before the first one starts."""

from collections.abc import Iterable, Sequence

from omegaconf import DictConfig

from agent.errors import UserError
from agent.run.compose import composed, sections, whole
from agent.run.lock import check_root
from agent.run.status import Status
from sweeps import grid
from sweeps.state import Planned, unseeded


def configured(overrides: Sequence[str]) -> DictConfig:
    """The configuration of a sweep's command, with Hydra's own part; UserError naming all that is
    wrong whatever the sweep is."""
    fixed = tuple(grid.fixed(overrides))
    cfg, choices = composed(fixed)
    if (sweeper := choices["hydra/sweeper"]) != "ablation":
        raise UserError(f"hydra/sweeper={sweeper}: allowed here: ablation")
    check_numbers(cfg)
    check_root(cfg.run.root)
    return whole(fixed)


def check_numbers(cfg: DictConfig) -> None:
    """UserError for a wrong value of run, size, recipe, task or suite, naming all that are."""
    try:
        sections(cfg)
    except UserError:
        from agent import build  # torch: only where there is something to say

        build.read(cfg)
        raise


def check(runs: Iterable[Planned], here: bool) -> None:
    """UserError naming the first run that would be refused; `here`: this machine's device and
    environments are tried too. Each configuration is checked once for all its seeds."""
    different = {unseeded(run.overrides): run for run in runs if run.state != Status.DONE}
    if not different:
        return
    from agent import build  # torch: only where something is to run

    tried = set()
    for overrides, run in different.items():
        try:
            build.check(run.cfg, composed(overrides)[1])
            settings = run.cfg.run
            needs = settings.device, settings.threads, settings.root, settings.watch
            machine = str((run.cfg.task.env, *needs))
            if here and machine not in tried:
                tried.add(machine)
                check_root(settings.root)
                build.check_machine(run.cfg)
        except UserError as error:
            lines = [f"{run.identity}: {line}" for line in str(error).splitlines()]
            raise UserError("\n".join(lines)) from error
