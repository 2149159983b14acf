"""The optimiser of the official implementation: clip by global norm, decoupled weight decay, Adam
in Keras's form."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


class Optimiser:
    """Adam for one of the three losses (table D.1).

    Weight decay multiplies every weight by 1 - `weight_decay`, whatever the learning rate. Keras
    adds `eps` outside the bias correction, which is torch's Adam with eps / sqrt(1 - beta2^t).
    """

    BETA2 = 0.999

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
        self.weight_decay = weight_decay
        self.clip = clip
        self.updates = 0
        fused = self.parameters[0].device.type in ("cpu", "cuda")
        self.adam = torch.optim.Adam(
            self.parameters, lr, (0.9, self.BETA2), eps, fused=fused, foreach=not fused
        )

    def step(self, loss: Tensor, lr_factor: float) -> Tensor:
        """One update of the parameters down the gradient of loss (); returns the gradient's norm ()
        before clipping."""
        self.updates += 1
        self.adam.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        with torch.no_grad():
            torch._foreach_mul_(self.parameters, 1 - self.weight_decay)
        (group,) = self.adam.param_groups
        group["lr"] = self.lr * lr_factor
        group["eps"] = self.eps / math.sqrt(1 - self.BETA2**self.updates)
        self.adam.step()
        return norm

    def state_dict(self) -> dict:
        """Adam's moments and the number of updates."""
        return {"adam": self.adam.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict) -> None:
        """The inverse of `state_dict`."""
        self.adam.load_state_dict(state["adam"])
        self.updates = state["updates"]
