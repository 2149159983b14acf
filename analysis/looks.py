"""A suite's runs judged by its registered ladder, round by round.

A round is looked at once it is complete, at exactly its seeds; a first decision is final.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from analysis import controls, rows, verdicts
from analysis.claims import Claim, Claims
from analysis.comparison import Comparison
from analysis.ladder import Climbed, Ladder, climb
from analysis.rule import ALPHA, DEGENERATE, DIFFERS, UNDECIDED, Evidence
from analysis.standing import Cells, Standing

CLOSED = {"value": 0.0, "p_zero": 1.0, "p_below": 1.0, "p_above": 1.0, "trusted": False}


def judge(frame: pd.DataFrame, claims: Claims, suite: str, kinds: Mapping[str, str]) -> Standing:
    """The verdicts of a suite's complete rounds, and what the next one takes.

    `frame` holds normalised final scores, one row per run, and `kinds` the kind of actions of each
    task that is known. Raises `InputError` for a suite without a ladder or a margin.
    """
    climber = _Climber(frame[frame.suite == suite], claims, suite, kinds)
    while climber.waiting() and not climber.lacking():
        climber.look()
    return climber.standing()


def cells(
    ladder: Ladder, number: int, takes: Iterable[Claim], suite: str, kinds: Mapping[str, str]
) -> Cells:
    """The seeds by task and arm that a round takes for some claims and controls: those of their own
    kind of actions. A task of unknown kind counts for both."""
    return {
        (task, arm): ladder.seeds(number, task, arm)
        for row in takes
        for task in ladder.ratios
        if kinds.get(task, row.where) == row.where
        for arm in row.arms(suite)
    }


class _Climber:
    """The state between two rounds."""

    def __init__(self, frame: pd.DataFrame, claims: Claims, suite: str, kinds: Mapping[str, str]):
        self.frame, self.claims, self.suite, self.kinds = frame, claims, suite, kinds
        self.ladder, self.margin = claims.climbed(suite), verdicts.margin(claims, suite)
        self.complete = 0
        self.looks: list[Evidence] = []
        self.sensitive: list[np.ndarray] = []
        self.seen = {row.id: np.array([], int) for row in claims.rows}
        self.rows = {row.id: self._unseen(row) for row in claims.rows}

    def _unseen(self, row: Claim) -> dict:
        """A row before the first look."""
        none, _ = rows.compared(self.frame[:0], row, self.suite, row.where, self.margin)
        if self._has_cells(row):
            none["note"] = "round 1 is not complete" + verdicts.near(none, set(self.frame.arm))
        elif row.arms(self.suite) is not None:
            none["note"] = f"no task of its ladder has {row.where} actions"
        is_control = row in self.claims.controls
        return none | {"role": controls.role(row, self.suite) if is_control else verdicts.CLAIM}

    def waiting(self) -> tuple[Claim, ...]:
        """The open claims, and the controls of their kinds of actions that more seeds may
        settle."""
        if self.complete == len(self.ladder.rounds):
            return ()
        claims = [claim for claim in self.claims.claims if self._is_open(claim)]
        kinds = {claim.where for claim in claims}
        waits = [row for row in self.claims.controls if row.where in kinds and self._waits(row)]
        return (*claims, *waits)

    def _is_open(self, claim: Claim) -> bool:
        row = self.rows[claim.id]
        final = row["round"] or row["verdict"] == DEGENERATE
        return self._has_cells(claim) and not final

    def _waits(self, control: Claim) -> bool:
        return self._has_cells(control) and not self.rows[control.id]["round"]

    def _has_cells(self, row: Claim) -> bool:
        """Whether the suite has arms for it, and tasks of its kind of actions."""
        return row.arms(self.suite) is not None and bool(
            cells(self.ladder, 1, [row], self.suite, self.kinds)
        )

    def _is_settled(self, row: dict) -> bool:
        return controls.hurts(row, self.margin) or row["verdict"] == DIFFERS

    def needed(self) -> Cells:
        """The cells of the next round."""
        number = min(self.complete + 1, len(self.ladder.rounds))
        return cells(self.ladder, number, self.waiting(), self.suite, self.kinds)

    def lacking(self) -> dict[str, int]:
        """The runs that the next round lacks, by arm."""
        needed = self.needed()
        there = within(self.frame, needed).groupby(["task", "arm"]).size()
        counts: dict[str, int] = {}
        for (task, arm), seeds in needed.items():
            counts[arm] = counts.get(arm, 0) + seeds - int(there.get((task, arm), 0))
        return {arm: count for arm, count in counts.items() if count}

    def look(self) -> None:
        """Judge the next round, which is complete."""
        waiting, frame = self.waiting(), within(self.frame, self.needed())
        share = self.ladder.shares[self.complete]
        self.complete += 1
        for control in self.claims.controls:
            if control in waiting:
                row = controls.judged(frame, control, self.suite, self.margin, ALPHA * share)
                row["round"] = self.complete if self._is_settled(row) else 0
                self._keep(control, row, frame)
        missing = self._missing()
        open_: dict[str, Comparison] = {}
        for claim in self.claims.claims:
            if claim in waiting:
                row, compared = verdicts.claim(
                    frame, claim, self.suite, claim.where, self.margin, missing[claim.where]
                )
                self._keep(claim, row, frame)
                if row["verdict"] == UNDECIDED and row["moving"]:
                    open_[claim.id] = compared
        climbed = self._climb(open_, missing)
        for number, claim in enumerate(self.claims.claims):
            if compared := open_.get(claim.id):
                row = self.rows[claim.id]
                row |= rows.decided(row, compared, climbed, number)
                row["round"] = int(climbed.round[number])

    def _keep(self, claim: Claim, row: dict, frame: pd.DataFrame) -> None:
        self.rows[claim.id] = row | {"looks": self.complete}
        own = frame[(frame.actions == claim.where) & frame.arm.isin(claim.arms(self.suite))]
        self.seen[claim.id] = own.run.to_numpy()

    def _climb(self, open_: Mapping[str, Comparison], missing: Mapping[str, str]) -> Climbed:
        """The ladder's verdicts over all claims so far, in the order of the file."""
        listed = [
            vars(Evidence.of(open_[claim.id])) if claim.id in open_ else CLOSED
            for claim in self.claims.claims
        ]
        self.looks.append(
            Evidence(**{name: np.array([one[name] for one in listed]) for name in CLOSED})
        )
        self.sensitive.append(np.array([not missing[claim.where] for claim in self.claims.claims]))
        shares, family = self.ladder.shares, self.claims.family(self.suite)
        return climb(self.looks, shares, family, self.sensitive)

    def _missing(self) -> dict[str, str]:
        return controls.sensitive([self.rows[row.id] for row in self.claims.controls], self.margin)

    def standing(self) -> Standing:
        """Where the climb ended; a suite that has become sensitive since makes earlier decisions
        agree or disagree."""
        missing = self._missing()
        for claim in self.claims.claims:
            row = self.rows[claim.id]
            row["lacking"] = missing[claim.where]
            row["agrees"] = verdicts.agrees(row)
        family, waiting = self.claims.family(self.suite), self.waiting()
        table = pd.DataFrame([self.rows[row.id] for row in self.claims.rows])
        looked = self.frame.run.isin(np.concatenate([*self.seen.values()]))
        return Standing(
            self.ladder,
            family,
            self.complete,
            table.assign(suite=self.suite, margin=self.margin, family=family),
            self.frame[looked],
            self.seen,
            waiting,
            self.needed() if waiting else {},
            self.lacking() if waiting else {},
            self.frame.arm[~looked].value_counts().to_dict(),
        )


def within(frame: pd.DataFrame, needed: Cells) -> pd.DataFrame:
    """The runs whose seed is one of the needed ones."""
    seeds = [needed.get(cell, 0) for cell in zip(frame.task, frame.arm, strict=True)]
    return frame[(frame.seed >= 0) & (frame.seed < np.array(seeds, int))]
