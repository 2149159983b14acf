"""What a task and a suite say beside the environment's own arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.checked import Checked, choice, flag, names, number, table, text, whole
from agent.errors import UserError


@dataclass(frozen=True)
class Task(Checked, group="task"):
    """An environment: `env` is its maker and arguments, the two scores are the analysis's."""

    name: str = text()
    env: Mapping[str, Any] = table()
    actions: str = choice("discrete", "continuous")
    action_repeat: int = whole(1)
    terminates: bool = flag()  # whether an episode may end but by its time limit
    random: float | None = number(optional=True)
    reference: float | None = number(optional=True)
    id: str | None = text(optional=True)  # of Gymnasium
    option: str | None = text(optional=True)  # the file in conf/task, where it is not the name

    def check_discount(self, scale: float) -> None:
        """Raise UserError for episodes that end where the scale of the discount loss is 0, so that
        no head predicts the end."""
        if self.terminates and not scale:
            raise UserError(
                f"recipe.discount_scale={scale} with task={self.option or self.name}: its episodes "
                "terminate, and without a discount head nothing models that; a task that never "
                "terminates says task.terminates=false"
            )


@dataclass(frozen=True)
class Suite(Checked, group="suite"):
    """Tasks that belong together, and how the analysis normalises their scores."""

    name: str = text()
    tasks: list[str] = names()
    normalisation: str = choice("clipped_record", "reference")

    def check_task(self, task: Task) -> None:
        """Raise UserError that names the suite's tasks for one that is not of them."""
        option = task.option or task.name
        if option not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise UserError(f"task={option} is not in suite={self.name}, whose tasks are {allowed}")
