"""Which prediction heads shape the representation (section 3.2, figures 5 and H.1).

The paper lets all heads do it. Found: stopping the image gradients is better on 3 games, worse on
51, tied on 1 (they help); stopping the reward gradients is better on 15, worse on 22, tied on 18 (a
small difference).

    all:        every head sees feat
    no_image:   the observation decoder sees sg(feat), whatever the kind of observation
    no_reward:  the reward head sees sg(feat)
"""

from collections.abc import Sequence

from torch import Tensor


class Gradients:
    """Heads named in `stop` still learn, but their gradient does not reach the features."""

    HEADS = ("observation", "reward", "discount")

    def __init__(self, stop: Sequence[str]):
        """Raises ValueError for a name that is not a head's."""
        unknown = sorted(set(stop) - set(self.HEADS))
        if unknown:
            raise ValueError(
                f"gradients.stop={unknown} is unknown; allowed: {', '.join(self.HEADS)}"
            )
        self.stop = frozenset(stop)

    def route(self, head: str, feat: Tensor) -> Tensor:
        """The features (B, T, F) as the head sees them."""
        return feat.detach() if head in self.stop else feat
