"""What a ladder will take: its rounds, the runs of the next one, and those of all at most."""

from collections.abc import Sequence

from omegaconf import DictConfig
from rich.table import Table

from agent.run.status import Status
from analysis.fields import BASELINE
from analysis.formats import span
from analysis.standing import Cells, Standing
from sweeps import ladder
from sweeps.state import Planned


class LadderPlan:
    """The plan of a ladder from the runs that there are: `next` are the runs of the next round,
    `most` those of all rounds if nothing more gets decided; none once it has ended."""

    def __init__(self, overrides: Sequence[str], sweeper: DictConfig):
        self.rounds = ladder.of(overrides, sweeper)
        self.standing: Standing = self.rounds.judge()
        self.number = self.standing.complete + 1
        self.next: list[Planned] = []
        self.most: list[Planned] = []
        if not self.standing.ended:
            self.next = self.rounds.runs(self.standing, self.number)
            self.most = self.rounds.runs(self.standing, self.standing.rounds)

    def table(self) -> Table:
        """Each round: seeds of an arm on a task, runs (those to come: at most), how many of them
        are done, and what it decided."""
        table = Table("round", "seeds", "runs", "done", "claims open", box=None)
        for number in range(1, self.standing.rounds + 1):
            needed = self.rounds.needed(self.standing, number)
            runs = sum(needed.values())
            done = runs if number < self.number else self._done(needed)
            seeds = [seeds for (_, arm), seeds in needed.items() if arm != BASELINE]
            table.add_row(
                str(number),
                span(min(seeds), max(seeds)) if seeds else "",
                f"{'at most ' * (number > self.number)}{runs}",
                str(done),
                str(self._open(number)),
            )
        return table

    def _done(self, needed: Cells) -> int:
        return sum(
            run.state == Status.DONE
            and run.identity.seed < needed.get((run.identity.task, run.identity.arm), 0)
            for run in self.most
        )

    def _open(self, number: int) -> int:
        """Claims that a round has to decide."""
        claims = self.rounds.claims.claims
        return sum(row in claims for row in self.rounds.takes(self.standing, number))
