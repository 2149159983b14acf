"""What a task and a suite say beside the environment's own arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.checked import Checked, choice, number, text, whole
from agent.errors import UserError


@dataclass(frozen=True)
class Task(Checked, group="task"):
    """An environment: `env` is its maker and arguments, the two scores are the analysis's."""

    name: str = text()
    env: Mapping[str, Any]
    actions: str = choice("discrete", "continuous")
    action_repeat: int = whole(1)
    random: float | None = number(optional=True)
    reference: float | None = number(optional=True)
    id: str | None = text(optional=True)  # of Gymnasium
    option: str | None = text(optional=True)  # the file in conf/task, where it is not the name


@dataclass(frozen=True)
class Suite(Checked, group="suite"):
    """Tasks that belong together, and how the analysis normalises their scores."""

    name: str = text()
    tasks: list[str]
    normalisation: str = choice("clipped_record", "reference")

    def check_task(self, task: Task) -> None:
        """Raise UserError that names the suite's tasks for one that is not of them."""
        option = task.option or task.name
        if option not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise UserError(f"task={option} is not in suite={self.name}, whose tasks are {allowed}")
