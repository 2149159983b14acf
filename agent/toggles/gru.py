"""The recurrent cell: a GRU with layer normalisation, or a standard GRU (appendix C, figure J.1).

The released Atari agents normalise, so the baseline does. Found: about as many games get better as
worse (does not help substantially; table 2: clipped record mean 0.25 with and without).

    layer_norm:  r, c, u = norm(W [x, h] + b);        u = sigmoid(u - 1)
                 h' = u tanh(sigmoid(r) c) + (1 - u) h
    plain:       r, u = sigmoid(W [x, h] + b);        c = tanh(V x + a + r (U h + d))
                 h' = (1 - u) c + u h

`plain` is Keras's cell, as in the paper, and differs in more than the normalisation. Its reset gate
multiplies only the recurrent part of the candidate. At first it keeps half of the state, not about
0.7. Its recurrent weights start orthogonal.
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


class LayerNormGRUCell(nn.Module):
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
        # (B, inputs + D) -> (B, 3 D) -> 3 of (B, D)
        gates = self.gates(torch.cat([x, deter], -1)).float()
        reset, candidate, update = self.norm(gates).chunk(3, -1)
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        return torch.lerp(deter, candidate, torch.sigmoid(update + self.update_bias))


class PlainGRUCell(nn.GRUCell):
    """The standard GRU cell, initialised as Keras does: the official ablation "No Layer Norm"."""

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
        # (B, inputs), (B, D) -> (B, 3 D) each -> (B, 2 D) and (B, D) each
        sizes = [2 * self.hidden_size, self.hidden_size]
        from_x = functional.linear(x, self.weight_ih, self.bias_ih).float()
        from_deter = functional.linear(deter, self.weight_hh, self.bias_hh).float()
        gates_x, candidate_x = from_x.split(sizes, -1)
        gates_deter, candidate_deter = from_deter.split(sizes, -1)
        reset, update = torch.sigmoid(gates_x + gates_deter).chunk(2, -1)
        candidate = torch.tanh(torch.addcmul(candidate_x, reset, candidate_deter))
        return torch.lerp(candidate, deter, update)
