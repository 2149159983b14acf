"""The optimiser of the official implementation: clip by global norm, decoupled weight decay, Adam
in Keras's form."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Optimiser:
    """Adam for one of the three losses (table D.1).

    Weight decay multiplies every weight by 1 - `weight_decay`, whatever the learning rate. Keras
    adds `eps` outside the bias correction, which is part of the learning rate here. What moves with
    time is set in place, so that a captured or compiled `step` reads it anew.
    """

    BETA1, BETA2 = 0.9, 0.999

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        eps: float,
        weight_decay: float,
        clip: float,
    ):
        self.parameters = list(parameters)
        self.lr = lr
        self.eps = eps
        device = self.parameters[0].device
        self.rate = torch.tensor(lr, device=device)  # of the update under way
        self.kept = torch.tensor(1 - weight_decay, device=device)
        self.late = torch.tensor(math.inf, device=device)  # time at which nothing is corrected
        self.clip = clip
        self.updates = 0
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    def begin(self) -> None:
        """Count the update that `step` makes, and set its learning rate."""
        self.updates += 1
        bias = math.sqrt(1 - self.BETA2**self.updates) / (1 - self.BETA1**self.updates)
        self.rate.fill_(self.lr * bias)

    def step(self, loss: Tensor, lr_factor: Tensor) -> Tensor:
        """Update the parameters down the gradient of loss (); return its norm (), unclipped."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward(inputs=self.parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        with torch.no_grad():
            norm = torch.stack(torch._foreach_norm(gradients)).norm()
            torch._foreach_mul_(gradients, (self.clip / (norm + 1e-6)).clamp(max=1))
            torch._foreach_mul_(self.parameters, self.kept)
            self._adam(gradients, self.rate * lr_factor)
        return norm

    def _adam(self, gradients: list[Tensor], lr: Tensor) -> None:
        """The kernel of torch.optim.Adam, whose own bookkeeping takes twice its time here."""
        torch._fused_adam_(
            self.parameters,
            gradients,
            self.means,
            self.squares,
            [],
            [self.late] * len(self.parameters),
            lr=lr,
            beta1=self.BETA1,
            beta2=self.BETA2,
            weight_decay=0.0,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict:
        """Adam's moments and the number of updates."""
        return {"means": self.means, "squares": self.squares, "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        torch._foreach_copy_(self.means + self.squares, state["means"] + state["squares"])
        self.updates = state["updates"]
