"""The numbers of a model's size and of its training (appendix C, table D.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from agent.checked import Checked, choice, number, positive, text, whole
from agent.errors import UserError


@dataclass(frozen=True)
class Size(Checked, group="size"):
    """Numbers of every component; `latents` and `classes` are read by options."""

    name: str = text()
    image: int = whole(1)  # pixels, height and width
    latents: int = whole(1)
    classes: int = whole(2)
    deter: int = whole(1)
    hidden: int = whole(1)
    depth: int = whole(1)
    units: int = whole(1)
    layers: int = whole(1)


@dataclass(frozen=True)
class Ratio(Checked, group="recipe.ratio"):
    """What a preset's learning rates are of the recipe's."""

    model_lr: float = positive()
    actor_lr: float = positive()
    critic_lr: float = positive()


@dataclass(frozen=True)
class Recipe(Checked, group="recipe"):
    """Table D.1, and what it leaves to the released code."""

    name: str = text()
    capacity: int = whole(1)  # rows of replay
    prefill: int = whole(0)  # agent steps
    batch_size: int = whole(1)
    length: int = whole(2)  # states must follow
    model_lr: float = number(0)  # 0: a world model that is not trained, the positive control
    actor_lr: float = positive()
    critic_lr: float = positive()
    eps: float = positive()
    weight_decay: float = number(0, 1)
    clip: float = positive()
    kl_scale: float = number(0)
    free_nats: float = number(0)
    unbalanced_free_nats: float = number(0)
    observation_scale: float = number(0)
    reward_scale: float = number(0)
    discount_scale: float = number(0)
    reward_factor: float = positive()
    reward_transform: str = choice("tanh", "identity")
    start_every: int = whole(1)  # steps of a sequence
    horizon: int = whole(2)  # the actor's loss drops two
    discount: float = number(0, 1)
    lambda_: float = number(0, 1)
    entropy_scale: float = number(0)
    action_min_std: float = positive()
    slow_every: int = whole(1)
    schedule_share: float = positive()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Built from the values of its group: each learning rate times its `ratio`.

        A preset's is one of the recipe's `ratios`.
        """
        ratio = values.get("ratio")
        if not isinstance(ratio, Mapping):
            raise UserError(f"recipe.ratio={ratio} must hold model_lr, actor_lr and critic_lr")
        factors = vars(Ratio.of(ratio))
        own = {key: value for key, value in values.items() if key not in ("ratio", "ratios")}
        recipe = super().of(own)
        rates = {name: getattr(recipe, name) * factor for name, factor in factors.items()}
        return replace(recipe, **rates)

    def __post_init__(self):
        super().__post_init__()
        if self.capacity < self.length:
            raise UserError(
                f"recipe.capacity={self.capacity}: must hold a sequence of {self.length} steps"
            )
        if self.start_every > self.length:
            raise UserError(
                f"recipe.start_every={self.start_every}: a sequence has {self.length} steps"
            )
