"""Dense networks, dense layers that a loop repeats, and the initialisation that all networks
share."""

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Dense layers that see one dimension before the features, whatever the input's shape.

    An in-place activation of a 3-D layer's output would write into a view, and autograd would copy
    it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., last)."""
        return super().forward(x.flatten(0, -2)).unflatten(0, x.shape[:-1])


def mlp(inputs: int, units: int, layers: int, outputs: int | None = None) -> MLP:
    """`layers` dense ELU layers of `units`, then a linear one to `outputs` if given; (..., inputs)
    to (..., last)."""
    widths = [inputs] + [units] * layers
    modules = []
    for before, after in zip(widths, widths[1:], strict=False):
        modules += [nn.Linear(before, after), nn.ELU(inplace=True)]
    if outputs is not None:
        modules.append(nn.Linear(widths[-1], outputs))
    return MLP(*modules)


class Repeated:
    """A dense layer of a loop over time, the gradient of whose weight is one product over all
    steps instead of a sum of one for each."""

    def __init__(self, weight: Tensor, bias: Tensor):
        """Weight (O, I); bias (T, B, O), one for each of T calls, often a parameter expanded."""
        dtype = _product_dtype(weight)
        self.inputs: list[Tensor] = []
        self.weight = weight.detach().to(dtype).t()
        self.biases = iter(_Weight.apply(bias.to(dtype), weight, self.inputs).unbind())

    def __call__(self, x: Tensor) -> Tensor:
        """The next step's output (B, O) of input (B, I)."""
        x = x.to(self.weight.dtype)
        self.inputs.append(x.detach())
        return torch.addmm(next(self.biases), x, self.weight)


class _Weight(torch.autograd.Function):
    """The biases (T, B, O) as they are; their gradient, which is that of the outputs, gives the
    gradient of the weight once all `inputs`, T of (B, I), are known."""

    @staticmethod
    def forward(ctx, biases: Tensor, weight: Tensor, inputs: list[Tensor]) -> Tensor:
        ctx.inputs, ctx.dtype = inputs, weight.dtype
        return biases.view_as(biases)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        of_weight = gradient.flatten(0, 1).t() @ torch.cat(ctx.inputs)
        return gradient, of_weight.to(ctx.dtype), None


def _product_dtype(tensor: Tensor) -> torch.dtype:
    """The type in which a matrix product of a float32 tensor is computed: autocast may lower it."""
    device = tensor.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return tensor.dtype


def initialise(module: nn.Module) -> None:
    """Glorot uniform weights and zero biases, the defaults of the official implementation; for
    `nn.Module.apply`."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
