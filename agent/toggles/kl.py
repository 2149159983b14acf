"""The KL loss between posterior and prior (section 2.2, algorithm 2, figures 5 and G.1).

The paper balances: most of the loss trains the prior towards the posterior, the rest regularises
the posterior. Found: KL balancing instead of the standard KL is better on 44 games, worse on 6,
tied on 5. Instead of free nats it helps too.

    balanced:   alpha KL(sg(post) || prior) + (1 - alpha) KL(post || sg(prior))
    standard:   max(free, KL(post || prior)), with the recipe's free nats: 0 on Atari
    free_nats:  max(free, KL(post || prior)), with free nats in place of balancing

Each is multiplied by the recipe's `kl_scale` (beta). The standard KL has gradient weight 1 on both
sides; alpha = 0.5 would halve it. It clamps as the baseline does, so only balancing differs.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from pydantic import NonNegativeFloat
from torch import Tensor

from agent.config import Fraction
from agent.toggles.latent import Latent

Clamp = Literal["mean", "step"]  # of the batch, or each step


class KL(NamedTuple):
    """The loss in nats, (B, T) or () where it was clamped on the mean; the plain value (B, T),
    detached; the share clamped ()."""

    loss: Tensor
    value: Tensor
    clamped: Tensor


class KLLoss(Protocol):
    """What every option has."""

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """The loss of stats (B, T, P)."""


def clamp(value: Tensor, free: float, where: str) -> tuple[Tensor, Tensor]:
    """Keep nats (B, T), or their mean, from falling below `free`; also the share () below it."""
    value = value.mean() if where == "mean" else value
    return value.clamp(min=free), (value < free).float().mean()


@dataclass(frozen=True)
class Balanced:
    """alpha KL(sg(post) || prior) + (1 - alpha) KL(post || sg(prior)), each side at least `free`
    nats (algorithm 2)."""

    alpha: Fraction
    free: NonNegativeFloat
    clamp: Clamp

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """Loss of stats (B, T, P)."""
        value = latent.kl(post.detach(), prior)
        to_prior, clamped = clamp(value, self.free, self.clamp)
        to_post, _ = clamp(latent.kl(post, prior.detach()), self.free, self.clamp)
        return KL(self.alpha * to_prior + (1 - self.alpha) * to_post, value.detach(), clamped)


@dataclass(frozen=True)
class Standard:
    """max(free, KL(post || prior)): gradient weight 1 on both sides, none while it is below
    `free` nats; "No KL Balancing" of table 2, and DreamerV1's loss."""

    free: NonNegativeFloat
    clamp: Clamp

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """Loss of stats (B, T, P)."""
        value = latent.kl(post, prior)
        loss, clamped = clamp(value, self.free, self.clamp)
        return KL(loss, value.detach(), clamped)
