"""Discrete samples whose gradient is that of their probabilities (section 2.2, "straight-through
gradients")."""

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def attach(sample: Tensor, probs: Tensor) -> Tensor:
    """The sample in the forward pass, the gradient of `probs` in the backward pass; any shape."""
    return sample + (probs - probs.detach())


def fused(logits: Tensor) -> bool:
    """Whether torch's own softmax is the fast one: on CUDA it is one kernel; on CPUs it is several
    times slower than its parts for the few classes of a latent."""
    return logits.is_cuda


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities (..., C)."""
    if fused(logits):
        return logits.log_softmax(-1)
    return logits - logits.logsumexp(-1, keepdim=True)


def gumbel_noise(
    shape: tuple[int, ...], device: torch.device, generator: torch.Generator | None = None
) -> Tensor:
    """Standard Gumbel noise: the index of the largest logit + noise is a sample of the
    categorical."""
    return torch.rand(shape, device=device, generator=generator).log_().neg_().log_().neg_()


def one_hot(logits: Tensor, noise: Tensor) -> Tensor:
    """Sample one-hot vectors (..., C) from logits (..., C) and Gumbel noise (..., C)."""
    return _OneHot.apply(logits, noise)


def one_hot_mode(logits: Tensor) -> Tensor:
    """The most likely one-hot vector (..., C)."""
    return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)


class _OneHot(torch.autograd.Function):
    """Algorithm 1 as one node: `attach(sample, probs)`, with the probabilities computed only where
    their gradient is asked for."""

    @staticmethod
    def forward(ctx, logits: Tensor, noise: Tensor) -> Tensor:
        ctx.save_for_backward(logits)
        return one_hot_mode(logits + noise)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (logits,) = ctx.saved_tensors
        if fused(logits):
            probs = logits.softmax(-1)
            return torch._softmax_backward_data(gradient, probs, -1, logits.dtype), None
        probs = log_softmax(logits).exp()
        weighted = gradient * probs
        return weighted - probs * weighted.sum(-1, keepdim=True), None
