"""Where a suite stands on its registered ladder, and how captions say it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.claims import Claim
from analysis.formats import span
from analysis.ladder import Ladder
from analysis.rule import UNDECIDED
from analysis.schema import Status
from analysis.verdicts import CLAIM

Cells = Mapping[tuple[str, str], int]  # seeds by task and arm


@dataclass(frozen=True)
class Standing:
    """After `complete` rounds: `rows` as of `verdicts.evaluate`, `runs` the scored runs that rounds
    looked at, `seen` by claim or control those of its last look.

    `waiting` are the claims and controls that the next round looks at, `needed` its cells, and
    `lacking` by arm the runs that it does not have, all empty once the ladder has ended; `unused`
    are by arm the scored runs that no complete round looks at.
    """

    ladder: Ladder
    family: int
    complete: int
    rows: pd.DataFrame
    runs: pd.DataFrame
    seen: Mapping[str, np.ndarray]
    waiting: tuple[Claim, ...]
    needed: Cells
    lacking: Mapping[str, int]
    unused: Mapping[str, int]

    @property
    def rounds(self) -> int:
        """How many rounds are registered."""
        return len(self.ladder.rounds)

    @property
    def ended(self) -> bool:
        """Whether no round is left, or nothing that one would decide."""
        return not self.waiting

    @property
    def spent(self) -> float:
        """What part of the 5% error the complete rounds had."""
        return sum(self.ladder.shares[: self.complete])

    def caption(self) -> str:
        """How the verdicts came about: the family, the looks, the error spent, seeds, failures."""
        parts = [
            f"judged by the registered ladder: {_counted(self.family, 'claim')}, "
            f"{self.complete} of {_counted(self.rounds, 'round')} complete, "
            f"{self.spent:.0%} of the 5% error spent",
            self._seeds(),
            self._diverged(),
        ]
        return "; ".join(filter(None, parts))

    def _seeds(self) -> str:
        """The fewest and most seeds of an arm on a task, arms of the same together."""
        cells = self.runs.groupby(["arm", "task"]).size().groupby("arm")
        arms: dict[str, list[str]] = {}
        for arm, fewest, most in zip(cells.groups, cells.min(), cells.max(), strict=True):
            arms.setdefault(span(fewest, most), []).append(arm)
        listed = (f"{seeds} of {', '.join(names)}" for seeds, names in arms.items())
        return f"seeds per task: {', '.join(listed)}" if arms else ""

    def _diverged(self) -> str:
        counts = self.runs.arm[self.runs.status == Status.DIVERGED].value_counts()
        return f"{counts.sum()} diverged: {_listed(counts)}" if len(counts) else "none diverged"

    def next(self) -> str:
        """What the ladder waits for, or how it ended."""
        if self.complete == self.rounds:
            open_ = self.rows[(self.rows.role == CLAIM) & (self.rows.verdict == UNDECIDED)].claim
            left = f" Undecided: {', '.join(open_)}." if len(open_) else ""
            return f"The ladder has ended: its last round is complete.{left}"
        if self.ended:
            return "The ladder has ended: nothing is open."
        count = sum(self.lacking.values())
        return f"Round {self.complete + 1} lacks {_counted(count, 'run')}: {_listed(self.lacking)}."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{arm} {count}" for arm, count in counts.items())
