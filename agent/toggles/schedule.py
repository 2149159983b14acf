"""Which numbers change over the run (appendix C, "Scheduling").

The first release scheduled the actor's entropy scale and the gradient mix. The paper also tried
learning rates and the KL scale. Found: marginal or no benefit (does not help substantially).

    value(t) = base * factor(t)      factor linear from start to end over `share`, then constant

The base is a number of the recipe or an option. t in [0, 1] is the share of the run's agent steps
after prefill, so a schedule means the same at every budget.
"""

from dataclasses import dataclass

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor


@dataclass(frozen=True)
class Linear:
    """A factor from `start` to `end` over the first `share` of the run, then constant."""

    start: NonNegativeFloat
    end: NonNegativeFloat
    share: PositiveFloat

    def __call__(self, t: float) -> float:
        """The factor at t in [0, 1]."""
        return self.start + (self.end - self.start) * min(t / self.share, 1.0)


@dataclass(frozen=True)
class Factors:
    """The factors () at one time, each of the number that it is named after; set in place."""

    model_lr: Tensor
    actor_critic_lr: Tensor
    kl_scale: Tensor
    actor_entropy: Tensor
    actor_mix: Tensor


@dataclass(frozen=True)
class Schedule:
    """One factor for each number that the paper schedules; None keeps it constant."""

    model_lr: Linear | None
    actor_critic_lr: Linear | None
    kl_scale: Linear | None
    actor_entropy: Linear | None
    actor_mix: Linear | None

    def move(self, factors: Factors, t: float) -> None:
        """Set the factors that are not constant to their values at t in [0, 1]."""
        for name, factor in vars(self).items():
            if factor is not None:
                getattr(factors, name).fill_(factor(t))
