"""Scalar heads and policies: features (..., F) in, distributions out."""

from abc import ABC, abstractmethod

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from agent import distributions
from agent.distributions import ActionDistribution, OneHot, TruncatedNormal, unit_log_prob
from agent.networks import mlp
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
        return unit_log_prob(self(feat)[..., None], value[..., None])


class Discount(nn.Module):
    """The probability that the episode goes on, times gamma: binary cross-entropy, soft labels."""

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


class Actor(nn.Module, ABC):
    """The policy's network, of `actions` action dimensions."""

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


class DiscreteActor(Actor):
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
        return distributions.gumbel_noise((*shape, self.actions), device)

    def perturb(self, action: Tensor, epsilon: float, std: float) -> Tensor:
        """Replace each action (B, A) by a uniformly random one with probability `epsilon`."""
        uniform = distributions.one_hot_mode(self.noise(action.shape[:-1], action.device))
        return torch.where(torch.rand_like(action[..., :1]) < epsilon, uniform, action)


class ContinuousActor(Actor):
    """A truncated normal in [-1, 1]: mean tanh(x), std 2 sigmoid(x / 2) + `min_std`."""

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
        """Add Gaussian noise of `std` to actions (B, A) and keep them within [-1, 1]."""
        return (action + std * torch.randn_like(action)).clamp(-1, 1)


def make_actor(
    space: spaces.Space, features: int, units: int, layers: int, min_std: float
) -> Actor:
    """The actor for an action space; `min_std` is of the continuous one."""
    if action_kind(space) == "discrete":
        return DiscreteActor(features, spaces.flatdim(space), units, layers)
    return ContinuousActor(features, spaces.flatdim(space), units, layers, min_std)
