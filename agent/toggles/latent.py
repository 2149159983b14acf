"""The distribution of the world model's stochastic state (section 2.2, figures 5 and G.1).

The paper replaces DreamerV1's Gaussian latents by 32 categorical variables of 32 classes, with
straight-through gradients. Found: categorical instead of Gaussian is better on 42 games, worse on
8, tied on 5 (helps); a larger number of binary latents is worse (does not help). Its Gaussian and
binary sizes are not published.

    categorical:  z = one_hot(sample) + p - sg(p)      KL summed over the variables
    gaussian:     z = mean + std * noise               std = 2 sigmoid(x / 2) + 0.1
    binary:       z = bit(sample) + p - sg(p)          KL summed over the bits
"""

from dataclasses import dataclass
from typing import Annotated, Protocol

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn import functional

from agent import distributions
from agent.distributions import UNIT_ENTROPY


class Latent(Protocol):
    """What every option has: flat statistics (..., P) of a dense layer in, flat samples (..., S)
    out. The rest of the agent never asks which kind it is."""

    @property
    def stats_size(self) -> int:
        """P, the numbers that the dense layer gives."""

    @property
    def stoch_size(self) -> int:
        """S, the numbers of a sample."""

    def noise(
        self, shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """The random numbers (*shape, ...) of samples (*shape, S)."""

    def sample(self, stats: Tensor, noise: Tensor) -> Tensor:
        """Stoch (..., S) from stats (..., P), with a gradient to the stats."""

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left || right) in nats, (...), of stats (..., P)."""

    def entropy(self, stats: Tensor) -> Tensor:
        """Entropy in nats, (...), of stats (..., P)."""


@dataclass(frozen=True)
class Categorical:
    """`latents` one-hot vectors of `classes` classes each, with straight-through gradients."""

    latents: PositiveInt
    classes: Annotated[int, Field(ge=2)]

    @property
    def stats_size(self) -> int:
        """P, the logits of all variables."""
        return self.latents * self.classes

    stoch_size = stats_size  # the one-hot vectors of all variables

    def noise(
        self, shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Gumbel noise (*shape, latents, classes) for `sample`."""
        return distributions.gumbel_noise((*shape, self.latents, self.classes), device, generator)

    def sample(self, stats: Tensor, noise: Tensor) -> Tensor:
        """Stoch (..., S) from stats (..., P): `sample += probs - sg(probs)` (algorithm 1)."""
        return distributions.one_hot(self._logits(stats), noise).flatten(-2)

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left || right) in nats, (...), summed over the variables; stats (..., P)."""
        left, right = self._log_probs(left), self._log_probs(right)
        return (left.exp() * (left - right)).sum((-2, -1))

    def entropy(self, stats: Tensor) -> Tensor:
        """Entropy in nats, (...), summed over the variables."""
        log_probs = self._log_probs(stats)
        return -(log_probs.exp() * log_probs).sum((-2, -1))

    def _logits(self, stats: Tensor) -> Tensor:
        # (..., P) -> (..., latents, classes)
        return stats.unflatten(-1, (self.latents, self.classes)).float()

    def _log_probs(self, stats: Tensor) -> Tensor:
        return distributions.log_softmax(self._logits(stats))


@dataclass(frozen=True)
class Gaussian:
    """`latents` numbers of a diagonal Gaussian; std = 2 sigmoid(x / 2) + `min_std`."""

    latents: PositiveInt
    min_std: PositiveFloat

    @property
    def stats_size(self) -> int:
        """P, means and unbounded standard deviations."""
        return 2 * self.latents

    @property
    def stoch_size(self) -> int:
        """S, one number for each variable."""
        return self.latents

    def noise(
        self, shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Standard normal noise (*shape, latents) for `sample`."""
        return torch.empty(*shape, self.latents, device=device).normal_(generator=generator)

    def sample(self, stats: Tensor, noise: Tensor) -> Tensor:
        """Sample stoch (..., S) = mean + std * noise from stats (..., P)."""
        mean, std = self._moments(stats)
        return mean + std * noise

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left || right) in nats, (...), summed over the variables; stats (..., P)."""
        (mean, std), (other_mean, other_std) = self._moments(left), self._moments(right)
        ratio = (std / other_std).square()
        return 0.5 * (ratio + ((mean - other_mean) / other_std).square() - 1 - ratio.log()).sum(-1)

    def entropy(self, stats: Tensor) -> Tensor:
        """Entropy in nats, (...), summed over the variables."""
        return (self._moments(stats)[1].log() + UNIT_ENTROPY).sum(-1)

    def _moments(self, stats: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = stats.float().chunk(2, -1)
        return mean, 2 * torch.sigmoid(std / 2) + self.min_std


@dataclass(frozen=True)
class Binary:
    """`bits` independent variables of 0 or 1 with straight-through gradients."""

    bits: PositiveInt

    @property
    def stats_size(self) -> int:
        """P, one logit for each bit."""
        return self.bits

    stoch_size = stats_size

    def noise(
        self, shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Uniform noise (*shape, bits) for `sample`."""
        return torch.empty(*shape, self.stats_size, device=device).uniform_(generator=generator)

    def sample(self, stats: Tensor, noise: Tensor) -> Tensor:
        """Sample stoch (..., S) of zeros and ones from stats (..., P) and noise."""
        probs = stats.float().sigmoid()
        sample = (noise < probs.detach()).to(probs.dtype)
        return distributions.straight_through(sample, probs)

    def kl(self, left: Tensor, right: Tensor) -> Tensor:
        """KL(left || right) in nats, (...), summed over the bits; stats (..., P)."""
        left, right = left.float(), right.float()
        on = functional.logsigmoid(left) - functional.logsigmoid(right)
        off = functional.logsigmoid(-left) - functional.logsigmoid(-right)
        return (left.sigmoid() * on + (-left).sigmoid() * off).sum(-1)

    def entropy(self, stats: Tensor) -> Tensor:
        """Entropy in nats, (...), summed over the bits."""
        logits = stats.float()
        return functional.binary_cross_entropy_with_logits(
            logits, logits.sigmoid(), reduction="none"
        ).sum(-1)
