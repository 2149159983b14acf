"""The end of a sweep: what became of each run."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Column, Table

from agent.run.status import Status
from sweeps import screen
from sweeps.job import Outcome


def report(outcomes: Sequence[Outcome], already: int, seconds: float) -> bool:
    """Print a table of the runs that are not done and a line of counts; returns whether all are
    done."""
    console = screen.console()
    bad = [outcome for outcome in outcomes if outcome.status != Status.DONE]
    if bad:
        columns = [Column(name, overflow="fold") for name in ("run", "status", "error", "folder")]
        table = Table(*columns, title="not done", title_justify="left", box=None)
        for outcome in bad:
            table.add_row(outcome.name, outcome.status, outcome.error or "", str(outcome.folder))
        console.print(table)
    counts = Counter(outcome.status for outcome in outcomes)
    parts = [f"{number} {status}" for status, number in sorted(counts.items())]
    console.print(f"sweep: {', '.join([*parts, f'{already} done before'])} in {seconds:.0f} s")
    return not bad
