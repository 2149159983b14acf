"""Discrete samples whose gradient is that of their probabilities (section 2.2, "straight-through
gradients")."""

import torch
from torch import Tensor


def attach(sample: Tensor, probs: Tensor) -> Tensor:
    """The sample in the forward pass, the gradient of `probs` in the backward pass; any shape."""
    return sample + (probs - probs.detach())


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities (..., C); on CPUs several times faster than torch's own for the few classes
    of a latent."""
    return logits - logits.logsumexp(-1, keepdim=True)


def gumbel_noise(
    shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
) -> Tensor:
    """Standard Gumbel noise: the index of the largest logit + noise is a sample of the
    categorical."""
    return -torch.rand(shape, device=device, generator=generator).log().neg().log()


def one_hot(logits: Tensor, noise: Tensor) -> Tensor:
    """Sample one-hot vectors (..., C) from logits (..., C) and Gumbel noise (..., C)."""
    sample = one_hot_mode(logits.detach() + noise)
    return attach(sample, log_softmax(logits).exp()) if logits.requires_grad else sample


def one_hot_mode(logits: Tensor) -> Tensor:
    """The most likely one-hot vector (..., C)."""
    return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
