"""The numbers of a model's size and of its training (appendix C, table D.1)."""

from dataclasses import dataclass

from agent.checked import Checked, choice, number, positive, text, whole
from agent.errors import UserError


@dataclass(frozen=True)
class Size(Checked, group="size"):
    """Numbers of every component; `latents`, `classes` and `free_nats` are read by options."""

    name: str = text()
    image: int = whole(1)  # pixels, height and width
    latents: int = whole(1)
    classes: int = whole(2)
    deter: int = whole(1)
    hidden: int = whole(1)
    depth: int = whole(1)
    units: int = whole(1)
    layers: int = whole(1)
    free_nats: float = number(0)


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
    observation_scale: float = number(0)
    reward_scale: float = number(0)
    discount_scale: float = number(0)
    reward_factor: float = positive()
    reward_transform: str = choice("tanh", "identity")
    horizon: int = whole(2)  # the actor's loss drops two
    discount: float = number(0, 1)
    lambda_: float = number(0, 1)
    entropy_scale: float = number(0)
    action_min_std: float = positive()
    slow_every: int = whole(1)

    def __post_init__(self):
        super().__post_init__()
        if self.capacity < self.length:
            raise UserError(
                f"recipe.capacity={self.capacity}: must hold a sequence of {self.length} steps"
            )
