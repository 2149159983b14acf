"""What starts the jobs of a sweep, chosen by hydra/launcher: this machine, Slurm or Ray."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from hydra.utils import instantiate
from omegaconf import DictConfig

from agent.config import check_number
from agent.errors import UserError
from sweeps.engines.local import Local
from sweeps.job import Job, Outcome

NAMES = ("local", "basic", "slurm", "slurm_cpu", "ray_cluster")
LEAST = {  # of the launchers' numbers
    **{"n_jobs": -1, "array_parallelism": 1, "max_num_timeout": 0, "max_lost": 0},
    **{"num_cpus": 0, "num_gpus": 0, "max_retries": -1},
    **{"cpus_per_task": 1, "timeout_min": 1, "signal_delay_s": 0, "mem_gb": 0},
}
PARTS = ("num_cpus", "num_gpus", "mem_gb")  # need not be whole


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
    for key, least in LEAST.items():
        if key in launcher and launcher[key] is not None:
            check_number(f"hydra.launcher.{key}", launcher[key], least, whole=key not in PARTS)
    if launcher._target_.startswith(f"{__name__}."):
        return instantiate(launcher)
    name = config.hydra.runtime.choices["hydra/launcher"]
    if name == "basic":
        return Local(1, settings.threads, settings.device, settings.jobs_per_gpu)
    raise UserError(f"hydra/launcher={name}: allowed here: {', '.join(NAMES)}")
