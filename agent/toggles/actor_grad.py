"""Where the actor's gradient comes from (section 2.3, equation 6, figure I.1).

The paper's Atari agent uses Reinforce alone, its continuous control dynamics backpropagation alone;
so do the baselines here. Found: Reinforce alone against mixing both is better on 18 games, worse on
24, tied on 13 (mixing does not help substantially); dynamics backpropagation alone is better on 5,
worse on 44, tied on 6. For continuous control it is substantially better.

    reinforce:  E[ln policy(action) sg(target - value)]
    dynamics:   E[target], through the world model to the action
    mixed:      weight * dynamics + (1 - weight) * reinforce        weight = 1 - rho of the paper
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from agent.config import Fraction


class ActorGrad(Protocol):
    """What every option has."""

    through_model: bool  # imagination keeps its graph through the world model
    mixes: bool  # `dynamics_weight` weighs two objectives
    dynamics_weight: float  # before its schedule

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: Tensor) -> Tensor:
        """What the actor maximises, all (H - 1, N); `mix` () is the weight with its schedule."""


@dataclass(frozen=True)
class Reinforce:
    """ln p(action) sg(target - value): unbiased, needs no graph through the world model."""

    through_model = False
    mixes = False
    dynamics_weight = 0.0

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: Tensor) -> Tensor:
        """The Reinforce term."""
        return log_prob * advantage.detach()


@dataclass(frozen=True)
class Dynamics:
    """The target itself, differentiated through the world model to the action."""

    through_model = True
    mixes = False
    dynamics_weight = 1.0

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: Tensor) -> Tensor:
        """The dynamics backpropagation term."""
        return target


@dataclass(frozen=True)
class Mixed:
    """`dynamics_weight` (1 - rho) on dynamics backpropagation, the rest on Reinforce."""

    dynamics_weight: Fraction
    through_model = True
    mixes = True

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: Tensor) -> Tensor:
        """The weighted sum."""
        reinforce = log_prob * advantage.detach()
        return mix * target + (1 - mix) * reinforce
