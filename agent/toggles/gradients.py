"""Which prediction heads shape the representation (section 3.2, figures 5 and H.1).

The paper lets all heads do it. Found: stopping the image gradients is better on 3 games, worse on
51, tied on 1 (they help); stopping the reward gradients is better on 15, worse on 22, tied on 18.

    all:        every head sees feat
    no_image:   the observation decoder sees sg(feat), whatever the kind of observation
    no_reward:  the reward head sees sg(feat)
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor


@dataclass(frozen=True)
class Gradients:
    """Heads named in `stop` still learn, but their gradient does not reach the features."""

    stop: list[Literal["observation", "reward", "discount"]]

    def route(self, head: str, feat: Tensor) -> Tensor:
        """The features (B, T, F) as the head sees them."""
        return feat.detach() if head in self.stop else feat
