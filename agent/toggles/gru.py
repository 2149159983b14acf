"""The recurrent cell of the world model, with and without layer normalisation (appendix C, figure
J.1).

The released Atari agents normalise, so the baseline does. Found: scores go up and down on about as
many games (does not help substantially; table 2: clipped record mean 0.25 with and without).

    layer_norm:  r, c, u = norm(W [x, h] + b);  h' = u tanh(r c) + (1 - u) h, sigmoids of r and u
    plain:       the standard GRU cell
"""

from collections.abc import Callable
from typing import Protocol

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn import functional


class Cell(Protocol):
    """What every option builds, from the sizes of its input and of deter."""

    def __call__(self, x: Tensor, deter: Tensor) -> Tensor:
        """Next deter (B, D) from input x (B, inputs) and deter (B, D)."""


MakeCell = Callable[[int, int], Cell]  # (inputs, deter)


class LayerNorm(nn.Module):
    """A GRU cell whose three gates are normalised together before their nonlinearities.

    update * tanh(reset * candidate) + (1 - update) * state, with update = sigmoid(normalised +
    `update_bias`).
    """

    def __init__(self, inputs: int, deter: int, eps: PositiveFloat, update_bias: float):
        super().__init__()
        self.update_bias = update_bias
        self.gates = nn.Linear(inputs + deter, 3 * deter)
        self.norm = nn.LayerNorm(3 * deter, eps=eps)

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """Next deter (B, D) from input x (B, inputs) and deter (B, D)."""
        return self._next(self.gates(torch.cat([x, deter], -1)), deter)

    def _next(self, gates: Tensor, deter: Tensor) -> Tensor:
        reset, candidate, update = self.norm(gates.float()).chunk(3, -1)
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        return torch.lerp(deter, candidate, torch.sigmoid(update + self.update_bias))


class Plain(nn.GRUCell):
    """The standard GRU cell, as in the official ablation "No Layer Norm"; orthogonal recurrent
    weights as in Keras."""

    def __init__(self, inputs: int, deter: int):
        super().__init__(inputs, deter)

    def reset_parameters(self) -> None:
        """Glorot uniform input weights, orthogonal recurrent weights, zero biases."""
        nn.init.xavier_uniform_(self.weight_ih)
        nn.init.orthogonal_(self.weight_hh)
        nn.init.zeros_(self.bias_ih)
        nn.init.zeros_(self.bias_hh)

    def forward(self, x: Tensor, deter: Tensor) -> Tensor:
        """Next deter (B, D) from input x (B, inputs) and deter (B, D)."""
        from_x = functional.linear(x, self.weight_ih, self.bias_ih)
        return self._next(from_x, functional.linear(deter, self.weight_hh, self.bias_hh), deter)

    def _next(self, from_x: Tensor, from_deter: Tensor, deter: Tensor) -> Tensor:
        sizes = [2 * self.hidden_size, self.hidden_size]
        gates, candidate = from_x.float().split(sizes, -1)
        other_gates, other_candidate = from_deter.float().split(sizes, -1)
        reset, update = torch.sigmoid(gates + other_gates).chunk(2, -1)
        candidate = torch.tanh(torch.addcmul(candidate, reset, other_candidate))
        return torch.lerp(candidate, deter, update)
