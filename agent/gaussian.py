"""The constants and the density of Gaussians, for observations, rewards, values, policies and
latents alike."""

import math

from torch import Tensor

HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)
UNIT_ENTROPY = HALF_LOG_2_PI + 0.5  # nats, of a Gaussian of standard deviation 1


def unit_log_prob(mean: Tensor, value: Tensor) -> Tensor:
    """Log-density, elementwise, of a Gaussian of standard deviation 1."""
    return -0.5 * (mean - value).square() - HALF_LOG_2_PI
