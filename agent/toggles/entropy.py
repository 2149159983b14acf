"""Whether the policy's entropy also enters the value (appendix C, "Long-term entropy").

Found: entropy in the value function's temporal-difference loss does not help substantially.

    policy:     the actor's loss asks for entropy, nothing else does
    long_term:  reward_t + eta H[policy(state_t)] for every t, in the lambda-return of both

The first release's option also drops the entropy bonus from the actor's loss. Ours keeps the bonus,
because the paper changes the value's loss only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Entropy(Protocol):
    """What every option has."""

    in_reward: bool  # whether it reads the entropy scale

    def reward(self, reward: Tensor, entropy: Callable[[], Tensor], scale: Tensor) -> Tensor:
        """The imagined reward (H, N) for the lambda-return."""


@dataclass(frozen=True)
class ActorOnly:
    """Entropy acts only where the actor's loss asks for it (equation 6)."""

    in_reward = False

    def reward(self, reward: Tensor, entropy: Callable[[], Tensor], scale: Tensor) -> Tensor:
        """The imagined reward (H, N), unchanged."""
        return reward


@dataclass(frozen=True)
class LongTerm:
    """reward_t + eta H[policy(state_t)] in the lambda-return of both actor and critic."""

    in_reward = True

    def reward(self, reward: Tensor, entropy: Callable[[], Tensor], scale: Tensor) -> Tensor:
        """The imagined reward (H, N) plus eta times the policy's entropy in the same state.

        Under dynamics backpropagation the bonus has its graph, to the actor and through the states
        to earlier actions; under Reinforce it has none.
        """
        return reward + scale * entropy()
