"""What starts the jobs of a sweep, chosen by hydra/launcher: this machine, Slurm or Ray."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig

from agent.errors import UserError
from sweeps.engines.local import Local
from sweeps.job import Job, Outcome

NAMES = ("local", "basic", "slurm", "slurm_cpu", "ray_cluster")


class Engine(Protocol):
    """Starts jobs and waits for them."""

    is_here: bool  # whether jobs run on this machine
    submit_only: bool  # whether `run` yields what was submitted instead of waiting for it

    def places(self) -> int:
        """Jobs at a time."""

    def check(self) -> None:
        """UserError, before anything starts, where this engine cannot run jobs here."""

    def run(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Yield the outcome of each job as it ends, in any order."""


def chosen(config: DictConfig) -> Engine:
    """The engine of a configuration's hydra/launcher; UserError for one that is not known here.

    Hydra's `basic` is this machine with one run after another.
    """
    launcher, settings = config.hydra.launcher, config.run
    if launcher._target_.startswith(f"{__name__}."):
        return instantiate(launcher)
    name = config.hydra.runtime.choices["hydra/launcher"]
    if name == "basic":
        return Local(1, settings.threads, settings.device, settings.jobs_per_gpu)
    raise UserError(f"hydra/launcher={name}: allowed here: {', '.join(NAMES)}")
