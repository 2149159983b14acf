"""Distributions of observations, rewards, values, latents and actions: the density of Gaussians,
discrete samples whose gradient is that of their probabilities (section 2.2, "straight-through
gradients"), and those of policies."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
MANY_CLASSES = 16
UNIT_ENTROPY = HALF_LOG_2_PI + 0.5  # nats, of a Gaussian of standard deviation 1


def unit_log_prob(mean: Tensor, value: Tensor, dims: int = 1) -> Tensor:
    """Log-density of Gaussians of standard deviation 1, summed over the last `dims` dimensions."""
    squares = functional.mse_loss(mean, value, reduction="none").sum(tuple(range(-dims, 0)))
    return -0.5 * squares - HALF_LOG_2_PI * math.prod(mean.shape[-dims:])


def straight_through(sample: Tensor, probs: Tensor) -> Tensor:
    """The sample in the forward pass, the gradient of `probs` in the backward pass; any shape."""
    return sample + (probs - probs.detach())


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities (..., C); on CPUs torch's own is several times slower for a few classes."""
    if logits.is_cuda or logits.shape[-1] >= MANY_CLASSES:
        return logits.log_softmax(-1)
    return logits - logits.logsumexp(-1, keepdim=True)


def gumbel_noise(
    shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
) -> Tensor:
    """Standard Gumbel noise: the argmax of logits + noise is a sample of the categorical."""
    return torch.rand(shape, device=device, generator=generator).log_().neg_().log_().neg_()


def one_hot(logits: Tensor, noise: Tensor) -> Tensor:
    """Sample one-hot vectors (..., C) from logits (..., C) and Gumbel noise (..., C); algorithm
    1, whose probabilities are computed only where a graph is kept."""
    sample = one_hot_mode(logits.detach() + noise)
    if torch.is_grad_enabled():
        return straight_through(sample, logits.softmax(-1))
    return sample


def one_hot_mode(logits: Tensor) -> Tensor:
    """The most likely one-hot vector (..., C)."""
    # (..., C) -> (..., 1) -> (..., C)
    return torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)


class ActionDistribution(Protocol):
    """A policy at features (..., F)."""

    def sample(self, noise: Tensor) -> Tensor:
        """Actions (..., A), differentiable in the parameters, from `Actor.noise` (..., A)."""

    def mode(self) -> Tensor:
        """The most likely actions (..., A)."""

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability (...) of actions (..., A), in which no gradient flows to the action."""

    def entropy(self) -> Tensor:
        """Entropy (...) in nats."""


@dataclass(frozen=True)
class OneHot:
    """Discrete actions as one-hot vectors with straight-through gradients; logits (..., A)."""

    logits: Tensor

    def log_probs(self) -> Tensor:
        """Log-probabilities (..., A) of all actions."""
        return log_softmax(self.logits)

    def sample(self, noise: Tensor) -> Tensor:
        """One-hot actions (..., A) from Gumbel noise (..., A)."""
        return one_hot(self.logits, noise)

    def mode(self) -> Tensor:
        """The most likely action (..., A)."""
        return one_hot_mode(self.logits)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability (...) of actions (..., A), in which no gradient flows to the action."""
        return (self.log_probs() * action.detach()).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy (...) in nats."""
        log_probs = self.log_probs()
        return -(log_probs.exp() * log_probs).sum(-1)


@dataclass(frozen=True)
class TruncatedNormal:
    """A normal of `mean` and `std` (..., A) restricted to [-1, 1], independent for each number."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Reparameterised actions (..., A) from uniform noise (..., A), by the inverse cdf."""
        low, high = self._cdf(-1.0), self._cdf(1.0)
        share = (low + noise * (high - low)).clamp(1e-6, 1 - 1e-6)
        return self._inside(self.mean + self.std * math.sqrt(2) * torch.erfinv(2 * share - 1))

    def mode(self) -> Tensor:
        """The most likely action (..., A)."""
        return self._inside(self.mean)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density (...) of actions (..., A), in which no gradient flows to the action."""
        score = (action.detach() - self.mean) / self.std
        return (-0.5 * score.square() - HALF_LOG_2_PI - self.std.log() - self._mass().log()).sum(-1)

    def entropy(self) -> Tensor:
        """Differential entropy (...) in nats."""
        low, high = (-1 - self.mean) / self.std, (1 - self.mean) / self.std
        mass = self._mass()
        tails = (low * self._density(low) - high * self._density(high)) / (2 * mass)
        return (UNIT_ENTROPY + (self.std * mass).log() + tails).sum(-1)

    def _cdf(self, value: float) -> Tensor:
        return 0.5 * (1 + torch.erf((value - self.mean) / (self.std * math.sqrt(2))))

    def _mass(self) -> Tensor:
        return self._cdf(1.0) - self._cdf(-1.0)

    @staticmethod
    def _density(score: Tensor) -> Tensor:
        return torch.exp(-0.5 * score.square() - HALF_LOG_2_PI)

    @staticmethod
    def _inside(action: Tensor) -> Tensor:
        """The action moved just inside the bounds, with the gradient of the action itself."""
        return action + (action.clamp(-1 + 1e-6, 1 - 1e-6) - action).detach()
