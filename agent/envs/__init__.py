"""Environments: every source ends as one `gymnasium.Env` with the spaces of `agent.spaces`."""

import gymnasium
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig

from agent.envs.wrappers import one_line
from agent.errors import UserError


def check_task(cfg: DictConfig) -> None:
    """Refuse a task that does not belong to the suite; UserError names the suite's tasks."""
    option = cfg.task.get("option", cfg.task.name)
    if option not in cfg.suite.tasks:
        tasks = ", ".join(cfg.suite.tasks)
        raise UserError(f"task={option} is not in suite={cfg.suite.name}, whose tasks are {tasks}")


def make(cfg: DictConfig) -> gymnasium.Env:
    """Build the environment of `cfg.task.env`; UserError of one line where it cannot be built."""
    check_task(cfg)
    try:
        return instantiate(cfg.task.env, size=cfg.size.image)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        if isinstance(cause, ValueError | TypeError):
            raise UserError(f"task={cfg.task.name} cannot be built: {one_line(cause)}") from error
        raise
