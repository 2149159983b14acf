"""What a terminal shows of a study: warnings, the claims in 80 columns, and one sentence on what
was seen."""

import sys
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.schema import Problem
from analysis.score import RAW
from analysis.show import tables
from analysis.show.tables import caption, with_runs
from analysis.study import Judged
from analysis.verdict import NO_RUNS

NARROW, WIDE = 80, 200  # columns of a page and of everything
SHOWN = 10  # problems printed; all are in problems.csv
# Columns whose cells are one line.
WHOLE = ("change", "control", "effect [interval]", "interval", "mean score [95%]")


def console(wide: bool = False) -> Console:
    """A console of the terminal's width, or of a page's where there is none."""
    if sys.stdout.isatty() and not wide:
        return Console()
    return Console(width=WIDE if wide else NARROW)


def study(out: Console, ours: Judged, wide: bool = False) -> None:
    """Warnings, claims, controls, and the arms' mean scores; last what has no runs."""
    absent = [warning for warning in ours.warnings if NO_RUNS in warning]
    for warning in ours.warnings:
        if warning not in absent:
            line(out, warning, "yellow")
    if len(rows := with_runs(ours)):
        shown = tables.claims(ours, rows) if wide else tables.brief(ours, rows)
        table(out, f"Effect on the score: {caption(ours)}", shown)
    if len(controls := ours.controls[ours.controls.words != NO_RUNS]):
        table(out, "Controls", tables.brief(ours, controls).rename(columns={"change": "control"}))
    raw = "Mean return: the tasks have no random and reference"
    table(out, raw if ours.scheme == RAW else "Mean score", tables.means(ours))
    unseen = ", ".join(ours.claims.claim[ours.claims.effect.isna()])
    for said in (*absent, *[f"No runs for: {unseen}"] * bool(unseen)):
        line(out, said, "dim")


def which(ours: Judged, folder: Path) -> str:
    """Which file to open: of a single claim its curves, else the map."""
    claims = with_runs(ours).claim
    own = [f"{claim}_curves.png" for claim in claims] if len(claims) == 1 else ["map.png"]
    paths = [folder / name for name in (*own, "learning_curves.png")]
    return next((f"open {path}" for path in paths if path.exists()), "`analysis plot` draws it")


def problems(out: Console, found: list[Problem], folder: Path) -> None:
    """The first problems, and where the others are."""
    for problem in found[:SHOWN]:
        line(out, f"{problem.source}: {problem.message}", "yellow")
    if len(found) > SHOWN:
        line(out, f"and {len(found) - SHOWN} more, in {folder / 'problems.csv'}")


def table(out: Console, title: str, rows: pd.DataFrame) -> None:
    """A table of the columns that are not empty, below its title."""
    line(out, f"\n{title}")
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    cells = tables.filled(tables.text(rows))
    for name in cells:
        shown.add_column(escape(name), no_wrap=name in WHOLE)
    for row in cells.itertuples(index=False):
        shown.add_row(*map(escape, row))
    out.print(shown)


def line(out: Console, text: str, style: str = "") -> None:
    """A line of text, in which nothing is markup."""
    out.print(text, style=style, highlight=False, markup=False)
