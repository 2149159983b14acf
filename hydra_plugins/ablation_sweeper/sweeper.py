"""What Hydra finds: imports nothing of the project until a multirun starts, so that one run starts
fast."""

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class AblationSweeper(Sweeper):
    """Hydra's name for `sweeps.sweep.Sweep`, which reads its options from the configuration."""

    def __init__(self, **_options) -> None:
        pass

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from sweeps.sweep import Sweep

        self.body = Sweep(config)

    def sweep(self, arguments: list[str]) -> list:
        return self.body.sweep(arguments)
