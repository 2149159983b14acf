"""How posterior and prior are pulled together (section 2.2, algorithm 2, figures 5 and G.1).

The paper balances: most of the loss trains the prior towards the posterior, the rest regularises
the posterior. Found: KL balancing instead of the standard KL is better on 44 games, worse on 6,
tied on 5; instead of free nats it helps too.

    balanced:   alpha KL(sg(post) || prior) + (1 - alpha) KL(post || sg(prior))
    standard:   max(free, KL(post || prior)), with the recipe's free nats: 0 on Atari
    free_nats:  max(free, KL(post || prior)), with free nats in place of balancing

Each is multiplied by `scale` (beta). The standard KL has gradient weight 1 on both sides; alpha =
0.5 would halve it. It clamps as the baseline does, so that balancing alone differs.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from torch import Tensor

from agent.config import Checked, choice, number
from agent.toggles.latent import Latent

CLAMPS = ("mean", "step")


class KL(NamedTuple):
    """The loss in nats, (B, T) or () where it was clamped on the mean; the plain value (B, T); the
    share clamped ()."""

    loss: Tensor
    value: Tensor
    clamped: Tensor


class Divergence(Protocol):
    """What every option has."""

    scale: float  # beta, before its schedule

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """The loss of stats (B, T, P)."""


def clamp(value: Tensor, free: float, where: str) -> tuple[Tensor, Tensor]:
    """Keep nats (B, T) from falling below `free`, on their mean or step by step; also the share ()
    that was below."""
    value = value.mean() if where == "mean" else value
    return value.clamp(min=free), (value < free).float().mean()


@dataclass(frozen=True)
class Balanced(Checked, group="kl"):
    """alpha KL(sg(post) || prior) + (1 - alpha) KL(post || sg(prior)), each side at least `free`
    nats (algorithm 2)."""

    scale: float = number(0)
    alpha: float = number(0, 1)
    free: float = number(0)
    clamp: str = choice(*CLAMPS)

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """Loss of stats (B, T, P)."""
        value = latent.kl(post.detach(), prior)
        to_prior, clamped = clamp(value, self.free, self.clamp)
        to_post, _ = clamp(latent.kl(post, prior.detach()), self.free, self.clamp)
        return KL(self.alpha * to_prior + (1 - self.alpha) * to_post, value.detach(), clamped)


@dataclass(frozen=True)
class Standard(Checked, group="kl"):
    """KL(post || prior) with gradient weight 1 on both sides, at least `free` nats: the ablation
    "No KL Balancing" of table 2."""

    scale: float = number(0)
    free: float = field(default=0.0, metadata=number(0).metadata)
    clamp: str = field(default="step", metadata=choice(*CLAMPS).metadata)

    def __call__(self, latent: Latent, post: Tensor, prior: Tensor) -> KL:
        """Loss of stats (B, T, P)."""
        value = latent.kl(post, prior)
        loss, clamped = clamp(value, self.free, self.clamp)
        return KL(loss, value.detach(), clamped)


@dataclass(frozen=True)
class FreeNats(Standard):
    """max(free, KL(post || prior)), as in DreamerV1: no gradient while the KL is below `free`
    nats."""
