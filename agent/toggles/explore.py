"""How the agent explores during collection (section 2.3; appendix C, "Policy entropy").

The paper rewards the policy's entropy in imagination, so the policy also explores in collection.
DreamerV1 adds noise to actions instead. Found: entropy helps. Evaluation never explores.

    policy_entropy:  the actor maximises objective + eta H[policy(state)];  a ~ policy
    action_noise:    the actor maximises the objective;  a ~ policy, epsilon-greedy or + Gaussian
"""

from dataclasses import dataclass
from typing import Protocol

from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from agent.config import Fraction
from agent.heads import Actor
from agent.toggles.schedule import Linear


class Explore(Protocol):
    """What every option has."""

    entropy_scale: float  # eta, before its schedule

    def collect(self, action: Tensor, actor: Actor, progress: float) -> Tensor:
        """The action (B, A) to take, of one that the policy sampled."""


@dataclass(frozen=True)
class PolicyEntropy:
    """A bonus eta = `entropy_scale` in the actor's loss; actions are the policy's samples."""

    entropy_scale: NonNegativeFloat

    def collect(self, action: Tensor, actor: Actor, progress: float) -> Tensor:
        """The action (B, A) as the policy sampled it."""
        return action


@dataclass(frozen=True)
class ActionNoise:
    """No entropy bonus; noise on the policy's sample, as in DreamerV1.

    Discrete actions: epsilon-greedy, epsilon linear from `epsilon_start` to `epsilon_end` over the
    first `epsilon_share` of the run. Continuous actions: Gaussian noise of standard deviation
    `std`.
    """

    epsilon_start: Fraction
    epsilon_end: Fraction
    epsilon_share: PositiveFloat
    std: NonNegativeFloat
    entropy_scale = 0.0

    def collect(self, action: Tensor, actor: Actor, progress: float) -> Tensor:
        """The policy's sample (B, A) with noise; `progress` is the share of the run in [0, 1]."""
        epsilon = Linear(self.epsilon_start, self.epsilon_end, self.epsilon_share)
        return actor.perturb(action, epsilon=epsilon(progress), std=self.std)
