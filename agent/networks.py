"""Dense networks, and an encoder and a decoder for each kind of observation: image, grid, vector.

Encoders map prepared observations (B, T, ...) to embeddings (B, T, E). Decoders map features (B, T,
F) to the parameters of a distribution of the observation and give its log-likelihood (B, T) in
nats.
"""

import math
from abc import ABC, abstractmethod

import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.nn import functional

from agent.config import Size
from agent.distributions import unit_log_prob
from agent.spaces import observation_kind


class MLP(nn.Sequential):
    """Dense layers that see one dimension before the features, whatever the input's shape.

    An in-place activation of a 3-D layer's output would write into a view, and autograd would copy
    it. The layers have no hooks, which to look for takes as long as a few rows.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) to (..., last)."""
        y = x.flatten(0, -2)
        for layer in self:
            y = layer.forward(y)
        return y.view(*x.shape[:-1], y.shape[-1])


def mlp(inputs: int, units: int, layers: int, outputs: int | None = None) -> MLP:
    """`layers` ELU layers of `units`, then a linear one to `outputs` if given."""
    widths = [inputs] + [units] * layers
    modules = []
    for before, after in zip(widths, widths[1:], strict=False):
        modules += [nn.Linear(before, after), nn.ELU(inplace=True)]
    if outputs is not None:
        modules.append(nn.Linear(widths[-1], outputs))
    return MLP(*modules)


def initialise(module: nn.Module) -> None:
    """Glorot uniform weights and zero biases, as in the official code; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)  # pyrefly: ignore[bad-argument-type]


class Encoder(nn.Module, ABC):
    """From observations to embeddings of `embed_size` numbers, E."""

    embed_size: int

    def prepare(self, obs: Tensor) -> Tensor:
        """Observations (B, T, ...) as they are in replay to floats, the decoder's target."""
        return obs.float()

    @abstractmethod
    def forward(self, obs: Tensor) -> Tensor:
        """Prepared observations (B, T, ...) to embeddings (B, T, E)."""


class Decoder(nn.Module, ABC):
    """From features to a distribution of prepared observations."""

    @abstractmethod
    def forward(self, feat: Tensor) -> Tensor:
        """Features (B, T, F) to the distribution's parameters (B, T, ...)."""

    @abstractmethod
    def log_prob(self, feat: Tensor, obs: Tensor) -> Tensor:
        """Log-likelihood (B, T) in nats of prepared observations (B, T, ...)."""

    @abstractmethod
    def picture(self, feat: Tensor) -> Tensor:
        """Features (B, T, F) to the predicted observations (B, T, ...) as they are shown."""

    def truth(self, obs: Tensor) -> Tensor:
        """Observations (B, T, ...) as they are in replay to floats, as they are shown."""
        return obs.float()


class ImageEncoder(Encoder):
    """Four convolutions, kernel 4, stride 2, ELU; 64x64 images become (B, T, 32 `depth`)."""

    def __init__(self, space: spaces.Box, size: Size):
        super().__init__()
        channels = [space.shape[2]] + [size.depth * 2**i for i in range(4)]
        self.convs = nn.ModuleList(
            nn.Conv2d(i, o, 4, 2) for i, o in zip(channels, channels[1:], strict=False)
        )
        self.to(memory_format=torch.channels_last)
        self.embed_size = 4 * channels[-1]

    def prepare(self, obs: Tensor) -> Tensor:
        """Bytes (..., H, W, C) to [-0.5, 0.5]."""
        return obs / 255 - 0.5

    def forward(self, obs: Tensor) -> Tensor:
        """Prepared images (B, T, H, W, C) to embeddings (B, T, E), flattened in H, W, C order."""
        # (B, T, 64, 64, C) -> (B T, C, 64, 64) -> (B T, 8 depth, 2, 2) -> (B, T, E)
        x = obs.flatten(0, 1).permute(0, 3, 1, 2)
        for conv in self.convs:
            x = functional.elu(conv(x), inplace=True)
        return x.permute(0, 2, 3, 1).reshape(*obs.shape[:2], self.embed_size)


class ImageDecoder(Decoder):
    """A dense layer and four transposed convolutions to the mean of each pixel's unit Gaussian."""

    def __init__(self, space: spaces.Box, size: Size, features: int):
        super().__init__()
        first = 32 * size.depth
        channels = [first, 4 * size.depth, 2 * size.depth, size.depth, space.shape[2]]
        self.dense = nn.Linear(features, first)
        self.convs = nn.ModuleList(
            nn.ConvTranspose2d(i, o, k, 2)
            for i, o, k in zip(channels, channels[1:], (5, 5, 6, 6), strict=False)
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, feat: Tensor) -> Tensor:
        """Features (B, T, F) to pixel means (B, T, H, W, C) in the prepared range."""
        # (B, T, F) -> (B T, 32 depth) -> (B T, C, 5, 5) -> (B T, C, 64, 64) -> (B, T, 64, 64, C)
        first, *others = self.convs
        x = self.dense(feat.flatten(0, 1))
        # from one pixel a transposed convolution is a matrix product, in a third of the time
        x = torch.einsum("ni,iohw->nohw", x, first.weight) + first.bias[:, None, None]
        for conv in others:
            x = conv(functional.elu(x, inplace=True))
        return x.float().permute(0, 2, 3, 1).unflatten(0, feat.shape[:2])

    def log_prob(self, feat: Tensor, obs: Tensor) -> Tensor:
        """Log-likelihood (B, T) of prepared images, summed over pixels."""
        return unit_log_prob(self(feat), obs, dims=3)

    def picture(self, feat: Tensor) -> Tensor:
        """Predicted images (B, T, H, W, C) in [0, 1]."""
        return (self(feat) + 0.5).clamp(0, 1)

    def truth(self, obs: Tensor) -> Tensor:
        """Observed images (B, T, H, W, C) in [0, 1]."""
        return obs / 255


class GridEncoder(Encoder):
    """A 3x3 convolution of 2 `depth` maps and dense layers, for small grids of binary planes."""

    def __init__(self, space: spaces.Box, size: Size):
        super().__init__()
        height, width, planes = space.shape
        self.conv = nn.Conv2d(planes, 2 * size.depth, 3, padding=1)
        self.to(memory_format=torch.channels_last)
        self.dense = mlp(height * width * 2 * size.depth, size.units, 1)
        self.embed_size = size.units

    def forward(self, obs: Tensor) -> Tensor:
        """Prepared grids (B, T, H, W, C) to embeddings (B, T, E)."""
        # (B, T, H, W, C) -> (B T, 2 depth, H, W) -> (B T, E) -> (B, T, E)
        x = functional.elu(self.conv(obs.flatten(0, 1).permute(0, 3, 1, 2)), inplace=True)
        return self.dense(x.permute(0, 2, 3, 1).flatten(1)).unflatten(0, obs.shape[:2])


class GridDecoder(Decoder):
    """Dense layers to the logit of each cell of each plane."""

    def __init__(self, space: spaces.Box, size: Size, features: int):
        super().__init__()
        self.shape = space.shape
        self.net = mlp(features, size.units, size.layers, math.prod(space.shape))

    def forward(self, feat: Tensor) -> Tensor:
        """Features (B, T, F) to logits (B, T, H, W, C)."""
        return self.net(feat).unflatten(-1, self.shape).float()

    def log_prob(self, feat: Tensor, obs: Tensor) -> Tensor:
        """Log-likelihood (B, T) of prepared grids, summed over cells and planes."""
        loss = functional.binary_cross_entropy_with_logits(self(feat), obs, reduction="none")
        return -loss.sum((-3, -2, -1))

    def picture(self, feat: Tensor) -> Tensor:
        """Probability (B, T, H, W, C) that a cell is set."""
        return self(feat).sigmoid()


class VectorEncoder(Encoder):
    """Dense layers."""

    def __init__(self, space: spaces.Box, size: Size):
        super().__init__()
        self.net = mlp(space.shape[0], size.units, size.layers)
        self.embed_size = size.units

    def forward(self, obs: Tensor) -> Tensor:
        """Prepared vectors (B, T, C) to embeddings (B, T, E)."""
        return self.net(obs)


class VectorDecoder(Decoder):
    """Dense layers to the mean of a Gaussian of unit variance for each number."""

    def __init__(self, space: spaces.Box, size: Size, features: int):
        super().__init__()
        self.net = mlp(features, size.units, size.layers, space.shape[0])

    def forward(self, feat: Tensor) -> Tensor:
        """Features (B, T, F) to means (B, T, C)."""
        return self.net(feat).float()

    def log_prob(self, feat: Tensor, obs: Tensor) -> Tensor:
        """Log-likelihood (B, T) of prepared vectors, summed over their numbers."""
        return unit_log_prob(self(feat), obs)

    def picture(self, feat: Tensor) -> Tensor:
        """Predicted vectors (B, T, C)."""
        return self(feat)


NETWORKS = {
    "image": (ImageEncoder, ImageDecoder),
    "grid": (GridEncoder, GridDecoder),
    "vector": (VectorEncoder, VectorDecoder),
}


def encoder_and_decoder(space: spaces.Box, size: Size) -> tuple[Encoder, type[Decoder]]:
    """The encoder for an observation space, and the decoder's class, which still needs features."""
    encoder, decoder = NETWORKS[observation_kind(space)]
    return encoder(space, size), decoder
