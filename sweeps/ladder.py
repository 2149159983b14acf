"""The registered ladder of a suite as runs: which are done, which round is next, what it takes.

Nothing is remembered between rounds: every decision is made again from the runs that there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from agent.config import Suite, check_number
from agent.errors import UserError
from agent.run.compose import composed, resolved
from agent.run.identity import parts
from agent.run.status import Status
from analysis import InputError, formats, looks, scores
from analysis.claims import Claim
from analysis.frames import Problem
from analysis.rule import DEGENERATE
from analysis.standing import Cells, Standing
from sweeps import grid, ladder_data
from sweeps.grid import SEED
from sweeps.state import Planned, planned


class Rounds:
    """The rounds of the suite that `overrides` choose, which apply to every run.

    `results` are exported csv files whose ended runs count as done. Raises UserError for a suite
    without a ladder, and for what a ladder fixes: tasks, seeds, arms, the family of claims.
    """

    def __init__(self, overrides: Sequence[str], claims: str, results: Sequence[str] = ()):
        self.overrides = grid.of_a_ladder(overrides)
        self.cfg = composed(tuple(self.overrides))[0]
        suite = Suite.of(resolved(self.cfg).get("suite"))
        self.suite, self.scheme = suite.name, suite.normalisation
        self.claims = grid.registered(claims)
        try:
            self.ladder = self.claims.climbed(self.suite)
        except InputError as error:
            raise UserError(f"{claims}: {error}") from error
        self._check_evaluations()
        if unknown := [task for task in self.ladder.ratios if task not in suite.tasks]:
            raise UserError(
                f"{claims}: the ladder of suite={self.suite} has the task {unknown[0]}; "
                f"the suite has {', '.join(suite.tasks)}"
            )
        self.kinds = {
            task: composed((*self.overrides, f"task={task}"))[0].task.actions
            for task in self.ladder.ratios
        }
        self.cells = self._cells()
        self.imported = {path: ladder_data.of_csv(path, self.cells) for path in results}
        self.there = ladder_data.done(ladder_data.joined(self.imported)) if self.imported else {}
        self.problems: list[Problem] = []

    def _check_evaluations(self) -> None:
        """UserError where the runs would have fewer evaluations than their score takes."""
        run, window = self.cfg.run, self.claims.window(self.suite)
        count, fewest = run.steps // run.eval_every, scores.FEWEST.get(window, 1)
        if count < fewest:
            raise UserError(
                f"run.steps={run.steps} with run.eval_every={run.eval_every}: the score {window} "
                f"of suite={self.suite} takes {fewest} evaluations, here are {count}"
            )

    @property
    def rows(self) -> list[Claim]:
        """All claims and controls that are registered for the suite."""
        return [row for row in self.claims.rows if row.arms(self.suite) is not None]

    def judge(self) -> Standing:
        """The verdicts of the rounds that are complete; `problems` are of runs without a score."""
        folders = ladder_data.of_folders(Path(self.cfg.run.root), self.cells)
        store = ladder_data.joined({str(self.cfg.run.root): folders, **self.imported})
        final, unscored = scores.final_scores(store, self.claims.window(self.suite))
        frame, unnormalised = scores.normalise(final, self.scheme)
        self.problems = [*unscored, *unnormalised]
        return looks.judge(frame, self.claims, self.suite, self.kinds)

    def takes(self, standing: Standing, number: int) -> list[Claim]:
        """The claims and controls that a round looks at or looked at: of rounds to come those that
        are open now."""
        if number > standing.complete:
            return list(standing.waiting)
        looked = dict(zip(standing.rows.claim, standing.rows.looks, strict=True))
        return [row for row in self.rows if looked[row.id] >= number]

    def needed(self, standing: Standing, number: int) -> Cells:
        """The seeds by task and arm that a round takes."""
        takes = self.takes(standing, number)
        return looks.cells(self.ladder, number, takes, self.suite, self.kinds)

    def runs(self, standing: Standing, number: int) -> list[Planned]:
        """The runs of a round, by seed first; those that a csv has and those that diverged are
        done."""
        needed = self.needed(standing, number)
        seeds = range(max(needed.values(), default=0))
        jobs = [self._job(*cell, seed) for seed in seeds for cell in needed if seed < needed[cell]]
        return [_ended(run, self.there) for run in planned(jobs)]

    def tell(self, standing: Standing, first: int) -> None:
        """Print what the complete rounds from `first` on decided, and which arms stopped."""
        for number in range(first, standing.complete + 1):
            for line in self._told(standing, number):
                print(line, flush=True)

    def _told(self, standing: Standing, number: int) -> Iterator[str]:
        label = f"round {number} of {standing.rounds}"
        rows = standing.rows[standing.rows.looks == number]
        for row in rows[(rows["round"] == number) | (rows.verdict == DEGENERATE)].itertuples():
            numbers = formats.effect(row.effect, row.low, row.high)
            yield f"{label}: {row.claim}: {row.verdict}" + f" ({numbers})" * bool(numbers)
        before, after = (
            {arm for _, arm in self.needed(standing, one)} for one in (number, number + 1)
        )
        if number < standing.rounds and (stopped := sorted(before - after)):
            yield f"{label}: no more seeds of {', '.join(stopped)}"

    def _cells(self) -> dict[ladder_data.Cell, Planned]:
        """A run of each task and arm of the ladder, which must be that arm."""
        cells = looks.cells(self.ladder, 1, self.rows, self.suite, self.kinds)
        found = {}
        for cell in cells:
            (run,) = planned([self._job(*cell, 0)])
            if (run.identity.task, run.identity.arm) != cell:
                raise UserError(
                    f"{run.identity.task} {run.identity.arm} is not on the ladder, where it would "
                    f"be {' '.join(cell)}: give no options that make another arm"
                )
            found[cell] = run
        return found

    def _job(self, task: str, arm: str, seed: int) -> list[str]:
        return [*self.overrides, f"task={task}", *parts(arm), f"{SEED}={seed}"]


def of(overrides: Sequence[str], sweeper: DictConfig) -> Rounds:
    """The ladder of a command; UserError for options of the sweeper that have no place in it."""
    if not sweeper.claims:
        raise UserError("hydra.sweeper.ladder=true needs hydra.sweeper.claims, a claims file")
    for name in ("rows", "grid", "params"):
        if sweeper[name]:
            raise UserError(
                f"hydra.sweeper.{name}={sweeper[name]}: a ladder takes all registered claims, "
                "their tasks and their seeds"
            )
    if sweeper.rounds is not None:
        check_number("hydra.sweeper.rounds", sweeper.rounds, 1, whole=True)
    return Rounds(overrides, sweeper.claims, sweeper.results)


def _ended(run: Planned, there: dict[tuple[str, str, int], dict]) -> Planned:
    one = run.identity
    if run.state == Status.DIVERGED:
        return replace(run, state=Status.DONE)
    if run.state != Status.DONE and (fields := there.get((one.task, one.arm, one.seed))):
        return replace(run, state=Status.DONE, error=None, fields=fields)
    return run
