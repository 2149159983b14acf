"""The rule from p-values to verdicts, on arrays: one study's claims, or thousands of simulated
studies.

Letters: `C` claims of one family on the last axis.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.comparison import Comparison
from analysis.stats import holm

HELPS, HURTS, NO_HELP, UNDECIDED = "helps", "hurts", "no substantial help", "undecided"
DECIDED = (HELPS, HURTS, NO_HELP)
DEGENERATE, NO_DATA = "degenerate arm", "no data"
DIFFERS, ALIKE = "differs", "does not differ"
ALPHA = 0.05


@dataclass(frozen=True)
class Decision:
    """By claim, `(..., C)`: the verdict, whether it helps by at least the margin, and Holm's levels
    against 0 and against the margin."""

    verdict: np.ndarray
    substantial: np.ndarray
    level_zero: np.ndarray
    level_margin: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """By claim, `(..., C)`: the effect, its p-values against 0, the margin or more, and the margin
    or less, and whether it may help or hurt."""

    value: np.ndarray
    p_zero: np.ndarray
    p_below: np.ndarray
    p_above: np.ndarray
    trusted: np.ndarray

    @classmethod
    def of(cls, compared: Comparison) -> "Evidence":
        """Of a comparison whose last leading axis is claims."""
        return cls(
            compared.effect.value,
            compared.p_zero,
            compared.p_below,
            compared.p_above,
            compared.trusted,
        )

    @classmethod
    def listed(cls, compared: Sequence[Comparison]) -> "Evidence":
        """Of C comparisons, each of one claim with tasks of its own."""
        single = [cls.of(one) for one in compared]
        return cls(*(np.array([vars(one)[name] for one in single]) for name in vars(single[0])))


def decide(
    evidence: Evidence,
    family: int | np.ndarray,
    sensitive: np.ndarray = True,
    alpha: float = ALPHA,
    family_margin: int | np.ndarray | None = None,
    family_substantial: int | np.ndarray | None = None,
) -> Decision:
    """The verdicts of claims out of a family of registered ones.

    Against 0 and against the margin each at `alpha` by Holm's method, so that each kind of false
    verdict is rare whatever the other claims do; helping by at least the margin is a third family.
    `sensitive` tells whether the positive control hurts, without which nothing is "no substantial
    help". The families are of one size unless others are given, each `(..., 1)` or a number.
    """
    zero = holm(evidence.p_zero, alpha, family)
    below = holm(evidence.p_below, alpha, family if family_margin is None else family_margin)
    differs = evidence.p_zero <= zero
    no_help = (evidence.p_below <= below) & sensitive
    verdict = np.select(
        [
            differs & (evidence.value < 0) & evidence.trusted,
            differs & (evidence.value < 0),
            no_help,
            differs & evidence.trusted,
        ],
        [HURTS, UNDECIDED, NO_HELP, HELPS],
        UNDECIDED,
    )
    size = family if family_substantial is None else family_substantial
    above = evidence.p_above <= holm(evidence.p_above, alpha, size)
    return Decision(verdict, (verdict == HELPS) & above, zero, below)
