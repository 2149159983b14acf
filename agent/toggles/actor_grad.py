"""Where the actor's gradient comes from (section 2.3, equation 6; ablated in figure I.1).

Every option takes the log-probability of the imagined action, the advantage and the target, all (H - 1, N), and
returns the objective (H - 1, N) that the actor maximises.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Reinforce:
    """ln p(action) sg(target - value): unbiased, needs no graph through the world model."""

    through_model = False
    mixes = False
    dynamics_weight = 0.0

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: float) -> Tensor:
        """The Reinforce term."""
        return log_prob * advantage.detach()


@dataclass(frozen=True)
class Dynamics:
    """The target itself, differentiated through rewards, values and the world model to the action."""

    through_model = True
    mixes = False
    dynamics_weight = 1.0

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: float) -> Tensor:
        """The dynamics backpropagation term."""
        return target


@dataclass(frozen=True)
class Mixed:
    """Both: `dynamics_weight` (1 - rho of the paper) on dynamics backpropagation, the rest on Reinforce."""

    dynamics_weight: float
    through_model = True
    mixes = True

    def objective(self, log_prob: Tensor, advantage: Tensor, target: Tensor, mix: float) -> Tensor:
        """The weighted sum; `mix` is `dynamics_weight` times its schedule's factor."""
        return mix * target + (1 - mix) * log_prob * advantage.detach()
