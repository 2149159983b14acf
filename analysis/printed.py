"""What the commands print: tables on the terminal, notes, problems."""

import sys
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis import formats, plots, tables
from analysis.rule import NO_DATA
from analysis.schema import Problem
from analysis.study import Study

SHOWN = 10  # problems printed; all are in problems.csv
PIPED, PROSE = 150, 95  # columns of tables and of lines that no terminal limits
WHOLE = ("change", "control", "effect", "interval", "verdict")  # cells of one line


def console() -> Console:
    """A console as wide as the terminal, or as a page where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=PIPED)


def verdicts(out: Console, study: Study) -> None:
    """The controls, the claims with data, what is said of them, and the claims without."""
    _controls(out, study)
    rows = study.verdicts[study.verdicts.tasks > 0]
    for part, title in (
        (rows[rows.stated], f"Effect on normalised score: {study.size}"),
        (rows[~rows.stated], tables.BESIDE),
    ):
        if not part.empty:
            out.print(_claims(part, title))
    for row in rows[rows.note != ""].itertuples():
        _line(out, f"{row.claim} ({row.actions}): {row.note}", "dim")
    if study.judged_as:
        _line(out, f"{study.judged_as[0].upper()}{study.judged_as[1:]}.")
    for line in tables.looking(study):
        _line(out, line, "dim")
    _absent(out, study)


def _claims(rows: pd.DataFrame, title: str) -> Table:
    cells = pd.DataFrame(
        {
            "change": rows.claim,
            "effect": rows.effect.map(formats.number),
            "interval": [formats.interval(row.low, row.high) for row in rows.itertuples()],
            "verdict": rows.verdict,
            "round": tables.decided_in(rows),
            "substantial": rows.substantial,
            "paper": rows.paper.map(plots.PAPER),
            "agrees": rows.agrees,
            "tasks": [formats.tasks(row.moving, row.tasks) for row in rows.itertuples()],
            "to decide": [
                "" if pd.isna(seeds) else f"{seeds:.0f} seeds" for seeds in rows.seeds_needed
            ],
        }
    )
    return _table(title, cells)


def _controls(out: Console, study: Study) -> None:
    for title, rows in tables.controls(study).items():
        rows = rows.drop(columns="note", errors="ignore")
        if title == tables.CONTROLS:
            rows = rows[study.controls.tasks > 0].drop(columns=["with", "without"])
        if rows.empty:
            continue
        out.print(_table(title, rows))
    for row in study.controls[study.controls.note != ""].itertuples():
        _line(out, f"{row.claim} ({row.actions}): {row.note}", "dim")
    for line in tables.insensitive(study):
        _line(out, line, "yellow")


def repeated(out: Console, rows: pd.DataFrame, title: str, before: Study) -> None:
    """Rows run again beside what they repeat, each effect with its 95% interval."""
    cells = {"change": rows.claim, "tasks": rows.tasks}
    for prefix, name in (("", "before"), ("again_", "again"), ("difference_", "difference")):
        ends = rows[[f"{prefix}{end}" for end in ("effect", "low", "high")]]
        cells[name] = [formats.effect(*row) for row in ends.itertuples(index=False)]
        if f"{prefix}runs" in rows:
            cells[f"runs {name}"] = rows[f"{prefix}runs"]
    out.print(_table(title, pd.DataFrame(cells | {"alike": rows.alike, "inside": rows.inside})))
    for row in rows[rows.note != ""].itertuples():
        _line(out, f"{row.claim}: {row.note}", "dim")
    judged = f"; {before.judged_as}" * bool(before.judged_as)
    _line(out, f"Before: {before.size}; claims file {before.registration}{judged}.")


def _absent(out: Console, study: Study) -> None:
    """The claims without data, and the arms that there are."""
    absent = study.verdicts[study.verdicts.stated & (study.verdicts.verdict == NO_DATA)]
    if absent.empty:
        return
    _line(out, f"no data: {', '.join(absent.claim)}")
    _line(out, f"arms with runs: {', '.join(study.arms) or 'none'}")
    for row in absent[absent.note.str.contains("did you mean")].itertuples():
        _line(out, f"{row.claim}: {row.note}", "yellow")


def problems(out: Console, found: list[Problem], folder: Path) -> None:
    """The first problems, and where the others are."""
    for problem in found[:SHOWN]:
        _line(out, f"{problem.source}: {problem.message}", "yellow")
    if len(found) > SHOWN:
        more = f"and {len(found) - SHOWN} more, which `table` writes to "
        _line(out, f"{more}{folder / 'problems.csv'}")


def _table(title: str, rows: pd.DataFrame) -> Table:
    """A table of the columns that are not empty."""
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    cells = rows.map(lambda cell: f"{cell:.2f}" if isinstance(cell, float) else str(cell))
    cells = cells.loc[:, (cells != "").any()]
    for name in cells:
        table.add_column(name, no_wrap=name in WHOLE)
    for row in cells.itertuples(index=False):
        table.add_row(*map(escape, row))
    return table


def _line(out: Console, text: str, style: str = "") -> None:
    width = None if out.is_terminal else PROSE
    out.print(text, style=style, highlight=False, markup=False, width=width)
