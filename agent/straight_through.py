"""Discrete samples whose gradient is that of their probabilities (section 2.2, "straight-through gradients")."""

import torch
from torch import Tensor


def attach(sample: Tensor, probs: Tensor) -> Tensor:
    """The sample in the forward pass, the gradient of `probs` in the backward pass; any shape."""
    return sample + (probs - probs.detach()) if probs.requires_grad else sample


def one_hot_of(index: Tensor, like: Tensor) -> Tensor:
    """One-hot vectors (..., C) of indices (...), in the dtype and on the device of `like` (..., C)."""
    return torch.zeros_like(like).scatter_(-1, index.unsqueeze(-1), 1.0)


def one_hot(logits: Tensor, noise: Tensor) -> Tensor:
    """Sample one-hot vectors (..., C) from logits (..., C) and unit exponential noise (..., C).

    The index of the smallest noise / probability is distributed as the categorical (exponential races).
    """
    probs = logits.softmax(-1)
    return attach(one_hot_of((probs.detach() / noise).argmax(-1), probs), probs)


def one_hot_mode(logits: Tensor) -> Tensor:
    """The most likely one-hot vector (..., C)."""
    return one_hot_of(logits.argmax(-1), logits)
