"""Dense networks and the initialisation that all networks share."""

from torch import nn


def mlp(inputs: int, units: int, layers: int, outputs: int | None = None) -> nn.Sequential:
    """`layers` dense ELU layers of `units`, then a linear one to `outputs` if given; (..., inputs)
    to (..., last)."""
    widths = [inputs] + [units] * layers
    modules = []
    for before, after in zip(widths, widths[1:], strict=False):
        modules += [nn.Linear(before, after), nn.ELU(inplace=True)]
    if outputs is not None:
        modules.append(nn.Linear(widths[-1], outputs))
    return nn.Sequential(*modules)


def initialise(module: nn.Module) -> None:
    """Glorot uniform weights and zero biases, the defaults of the official implementation; for
    `nn.Module.apply`."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
