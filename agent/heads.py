"""Scalar heads and policies: features (..., F) in, distributions out."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from agent import straight_through
from agent.gaussian import HALF_LOG_2_PI, UNIT_ENTROPY, unit_log_prob
from agent.nets import mlp
from agent.spaces import action_kind


class Scalar(nn.Module):
    """The mean of a Gaussian of unit variance: the reward head and the critics."""

    def __init__(self, features: int, units: int, layers: int):
        super().__init__()
        self.net = mlp(features, units, layers, 1)

    def forward(self, feat: Tensor) -> Tensor:
        """Mean (...)."""
        return self.net(feat).squeeze(-1).float()

    def log_prob(self, feat: Tensor, value: Tensor) -> Tensor:
        """Log-likelihood (...) of value (...)."""
        return unit_log_prob(self(feat), value)


class Discount(nn.Module):
    """The probability that the episode goes on, times gamma: soft labels, hence binary
    cross-entropy."""

    def __init__(self, features: int, units: int, layers: int):
        super().__init__()
        self.net = mlp(features, units, layers, 1)

    def forward(self, feat: Tensor) -> Tensor:
        """Discount (...) in [0, 1]."""
        return self._logit(feat).sigmoid()

    def log_prob(self, feat: Tensor, value: Tensor) -> Tensor:
        """Log-likelihood (...) of labels (...) = gamma (1 - terminal)."""
        return -functional.binary_cross_entropy_with_logits(
            self._logit(feat), value, reduction="none"
        )

    def _logit(self, feat: Tensor) -> Tensor:
        return self.net(feat).squeeze(-1).float()


class ActionDistribution(Protocol):
    """A policy at features (..., F)."""

    def sample(self, noise: Tensor) -> Tensor:
        """Actions (..., A), differentiable in the distribution's parameters; `Policy.noise` draws
        the noise (..., A)."""

    def mode(self) -> Tensor:
        """The most likely actions (..., A)."""

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability (...) of actions (..., A), in which no gradient flows to the action."""

    def entropy(self) -> Tensor:
        """Entropy (...) in nats."""


@dataclass(frozen=True)
class OneHot:
    """A categorical over discrete actions, as one-hot vectors with straight-through gradients;
    logits (..., A)."""

    logits: Tensor

    @cached_property
    def log_probs(self) -> Tensor:
        """Log-probabilities (..., A) of all actions."""
        return straight_through.log_softmax(self.logits)

    def sample(self, noise: Tensor) -> Tensor:
        """One-hot actions (..., A) from Gumbel noise (..., A)."""
        return straight_through.one_hot(self.logits, noise)

    def mode(self) -> Tensor:
        """The most likely action (..., A)."""
        return straight_through.one_hot_mode(self.logits)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-probability (...) of one-hot actions (..., A), in which no gradient flows to the
        action."""
        return (self.log_probs * action.detach()).sum(-1)

    def entropy(self) -> Tensor:
        """Entropy (...) in nats."""
        return -(self.log_probs.exp() * self.log_probs).sum(-1)


@dataclass(frozen=True)
class TruncatedNormal:
    """A normal of `mean` and `std` (..., A) restricted to [-1, 1], independent for each number of
    the action."""

    mean: Tensor
    std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Reparameterised actions (..., A) from uniform noise (..., A), by the inverse of the
        distribution function."""
        low, high = self._cdf(-1.0), self._cdf(1.0)
        share = (low + noise * (high - low)).clamp(1e-6, 1 - 1e-6)
        return self._inside(self.mean + self.std * math.sqrt(2) * torch.erfinv(2 * share - 1))

    def mode(self) -> Tensor:
        """The most likely action (..., A)."""
        return self._inside(self.mean)

    def log_prob(self, action: Tensor) -> Tensor:
        """Log-density (...) of actions (..., A), in which no gradient flows to the action."""
        score = (action.detach() - self.mean) / self.std
        return (-0.5 * score.square() - HALF_LOG_2_PI - self.std.log() - self._mass.log()).sum(-1)

    def entropy(self) -> Tensor:
        """Differential entropy (...) in nats."""
        low, high = (-1 - self.mean) / self.std, (1 - self.mean) / self.std
        tails = (low * self._density(low) - high * self._density(high)) / (2 * self._mass)
        return (UNIT_ENTROPY + (self.std * self._mass).log() + tails).sum(-1)

    def _cdf(self, value: float) -> Tensor:
        return 0.5 * (1 + torch.erf((value - self.mean) / (self.std * math.sqrt(2))))

    @cached_property
    def _mass(self) -> Tensor:
        return self._cdf(1.0) - self._cdf(-1.0)

    @staticmethod
    def _density(score: Tensor) -> Tensor:
        return torch.exp(-0.5 * score.square() - HALF_LOG_2_PI)

    @staticmethod
    def _inside(action: Tensor) -> Tensor:
        """The action moved just inside the bounds, with the gradient of the action itself."""
        return action + (action.clamp(-1 + 1e-6, 1 - 1e-6) - action).detach()


class Policy(nn.Module):
    """The actor, of `actions` action dimensions."""

    actions: int

    @abstractmethod
    def forward(self, feat: Tensor) -> ActionDistribution:
        """The policy at features (..., F)."""

    @abstractmethod
    def noise(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """The random numbers (*shape, A) of actions (*shape, A)."""

    @abstractmethod
    def perturb(self, action: Tensor, epsilon: float, std: float) -> Tensor:
        """Actions (B, A) with noise: uniform with probability `epsilon`, or Gaussian of `std`."""


class DiscretePolicy(Policy):
    """The actor for discrete actions."""

    def __init__(self, features: int, actions: int, units: int, layers: int):
        super().__init__()
        self.actions = actions
        self.net = mlp(features, units, layers, actions)

    def forward(self, feat: Tensor) -> OneHot:
        """The policy at features (..., F)."""
        return OneHot(self.net(feat).float())

    def noise(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Gumbel noise (*shape, A)."""
        return straight_through.gumbel_noise((*shape, self.actions), device)

    def perturb(self, action: Tensor, epsilon: float, std: float) -> Tensor:
        """Replace each action (B, A) by a uniformly random one with probability `epsilon`."""
        uniform = straight_through.one_hot_mode(self.noise(action.shape[:-1], action.device))
        return torch.where(torch.rand_like(action[..., :1]) < epsilon, uniform, action)


class ContinuousPolicy(Policy):
    """The actor for actions in [-1, 1]: a truncated normal, mean tanh(x), std 2 sigmoid(x / 2) +
    `min_std`."""

    def __init__(self, features: int, actions: int, units: int, layers: int, min_std: float):
        super().__init__()
        self.actions = actions
        self.min_std = min_std
        self.net = mlp(features, units, layers)
        self.mean = nn.Linear(units, actions)
        self.std = nn.Linear(units, actions)

    def forward(self, feat: Tensor) -> TruncatedNormal:
        """The policy at features (..., F)."""
        x = self.net(feat)
        mean, std = self.mean(x).float(), self.std(x).float()
        return TruncatedNormal(torch.tanh(mean), 2 * torch.sigmoid(std / 2) + self.min_std)

    def noise(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Uniform noise (*shape, A)."""
        return torch.rand(*shape, self.actions, device=device)

    def perturb(self, action: Tensor, epsilon: float, std: float) -> Tensor:
        """Add Gaussian noise of standard deviation `std` to actions (B, A) and keep them within
        [-1, 1]."""
        return (action + std * torch.randn_like(action)).clamp(-1, 1)


def policy(space: spaces.Space, features: int, units: int, layers: int, min_std: float) -> Policy:
    """The actor for an action space; `min_std` is of the continuous one."""
    if action_kind(space) == "discrete":
        return DiscretePolicy(features, int(space.n), units, layers)
    return ContinuousPolicy(features, space.shape[0], units, layers, min_std)
