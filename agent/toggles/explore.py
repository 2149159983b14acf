"""How the agent explores while it collects data, never in evaluation (section 2.3; appendix C,
"Policy entropy").

The paper regularises the policy's entropy, in imagination and thereby during collection, where
DreamerV1 adds noise to actions. Found: it helps.

    policy_entropy:  the actor maximises objective + eta H[policy(state)];  a ~ policy
    action_noise:    the actor maximises the objective;  a ~ policy, then epsilon-greedy or plus Gaussian noise
"""

from dataclasses import dataclass

from torch import Tensor

from agent import errors


@dataclass(frozen=True)
class PolicyEntropy:
    """An entropy bonus eta = `entropy_scale` in the actor's loss; actions are samples of the
    policy."""

    entropy_scale: float

    def __post_init__(self):
        errors.number("explore.entropy_scale", self.entropy_scale, 0)

    def collect(self, action: Tensor, policy, progress: float) -> Tensor:
        """The action (B, A) as the policy sampled it."""
        return action


@dataclass(frozen=True)
class ActionNoise:
    """No entropy bonus; noise on the policy's sample, as in DreamerV1.

    Discrete actions: epsilon-greedy, epsilon linear from `epsilon_start` to `epsilon_end` over the
    first `epsilon_share` of the run. Continuous actions: Gaussian noise of standard deviation
    `std`.
    """

    epsilon_start: float
    epsilon_end: float
    epsilon_share: float
    std: float
    entropy_scale = 0.0

    def __post_init__(self):
        errors.number("explore.epsilon_start", self.epsilon_start, 0, 1)
        errors.number("explore.epsilon_end", self.epsilon_end, 0, 1)
        errors.positive("explore.epsilon_share", self.epsilon_share)
        errors.number("explore.std", self.std, 0)

    def collect(self, action: Tensor, policy, progress: float) -> Tensor:
        """The policy's sample (B, A) with noise; `progress` is the share of the run in [0, 1]."""
        epsilon = self.epsilon_start + (self.epsilon_end - self.epsilon_start) * min(
            progress / self.epsilon_share, 1.0
        )
        return policy.perturb(action, epsilon=epsilon, std=self.std)
