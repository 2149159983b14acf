"""Rounds of seeds: who gets how many, and the rule that looks after each round and stops what is
decided, on arrays.

Letters: `C` claims of one family on the last axis, as in `rule`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.rule import ALPHA, HELPS, HURTS, NO_HELP, UNDECIDED, Evidence, decide
from analysis.schema import BASELINE


@dataclass(frozen=True)
class Ladder:
    """The registered rounds of a suite: `rounds` are seeds per task and arm, `shares` what part of
    the error each round may spend, `baseline` how many times as many seeds the baseline has, and
    `ratios` by task what multiplies a round's seeds."""

    rounds: tuple[int, ...]
    shares: tuple[float, ...]
    baseline: int
    ratios: Mapping[str, float]

    def seeds(self, number: int, task: str, arm: str) -> int:
        """How many seeds (0, 1, ...) an arm has on a task after round `number`, counted from 1."""
        times = self.baseline if arm == BASELINE else 1
        return times * round(self.rounds[number - 1] * self.ratios[task])


@dataclass(frozen=True)
class Climbed:
    """By claim, `(..., C)`: the first verdict that was reached, in which round (0: in none),
    whether it helps by at least the margin, and Holm's levels in that round or the last one."""

    verdict: np.ndarray
    round: np.ndarray
    substantial: np.ndarray
    level_zero: np.ndarray
    level_margin: np.ndarray


def climb(
    looks: Sequence[Evidence],
    shares: Sequence[float],
    family: int,
    sensitive: Sequence[np.ndarray] | None = None,
) -> Climbed:
    """The verdicts after the complete rounds `looks`, of claims out of a family of registered ones.

    Round k judges what is still open at shares[k] of the error, against 0 and against the margin
    each by Holm's method over the family less what that side has decided so far. A first verdict
    stays. `sensitive` tells by round whether the positive control hurts.
    """
    shape = np.shape(looks[0].value)
    verdict, number = np.full(shape, UNDECIDED, object), np.zeros(shape, int)
    substantial = np.zeros(shape, bool)
    zero, margin = np.full(shape, np.nan), np.full(shape, np.nan)
    for index, evidence in enumerate(looks):
        still = verdict == UNDECIDED
        decision = decide(
            replace(
                evidence,
                **{
                    name: np.where(still, getattr(evidence, name), 1.0)
                    for name in ("p_zero", "p_below", "p_above")
                },
            ),
            family - np.isin(verdict, (HELPS, HURTS)).sum(-1, keepdims=True),
            True if sensitive is None else sensitive[index],
            ALPHA * shares[index],
            family_margin=family - (verdict == NO_HELP).sum(-1, keepdims=True),
            family_substantial=family - substantial.sum(-1, keepdims=True),
        )
        new = still & (decision.verdict != UNDECIDED)
        verdict = np.where(new, decision.verdict, verdict)
        number = np.where(new, index + 1, number)
        substantial = np.where(new, decision.substantial, substantial)
        zero = np.where(still, decision.level_zero, zero)
        margin = np.where(still, decision.level_margin, margin)
    return Climbed(verdict, number, substantial, zero, margin)
