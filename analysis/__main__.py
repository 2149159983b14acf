"""Command line: `python -m analysis table|plot|report|published|export|calibrate --help`."""

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis import (
    InputError,
    calibration,
    claims,
    plots,
    published,
    report,
    scores,
    store,
    study,
    tables,
    verdicts,
)
from analysis.store import Problem
from analysis.study import Study

SHOWN = 10  # problems printed; all are in problems.csv
PIPED = 110  # columns of a table that no terminal limits


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a user's mistake is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run, help: str) -> argparse.ArgumentParser:
        own = commands.add_parser(name, help=help, description=help)
        own.set_defaults(run=run)
        return own

    for name, run, text in (
        (
            "table",
            _table,
            "judge the claims, print a table, and write the two lists and all other tables",
        ),
        ("plot", _plot, "write all figures as PNG and PDF"),
        (
            "report",
            _report,
            "execute the notebooks and write one self-contained HTML page per suite",
        ),
    ):
        own = command(name, run, text)
        _runs(own)
        own.add_argument(
            "--out", type=Path, default=Path("results"), help="folder for what is written (results)"
        )
        own.add_argument(
            "--claims", type=Path, default=claims.DEFAULT, help="claims file (sweeps/claims.yaml)"
        )
        own.add_argument("--suite", help="only this suite (default: every suite that has runs)")
        if name != "report":
            own.add_argument(
                "--window",
                default="last",
                choices=scores.WINDOWS,
                help="what a final score is (last)",
            )
        else:
            own.add_argument(
                "--published",
                help="folder or URL of the official score files, for the paper's notebook",
            )

    own = command(
        "published", _published, "reproduce the paper's tables 1 and K.1 and judge scheduling"
    )
    own.add_argument(
        "--from", dest="source", required=True, help="folder or URL of the official score files"
    )
    own.add_argument(
        "--out", type=Path, default=Path("results"), help="folder for what is written (results)"
    )

    own = command("export", _export, "write runs as one csv that every command takes as --runs")
    _runs(own)
    own.add_argument("--out", type=Path, required=True, help="file to write, as in runs.csv.gz")
    own.add_argument(
        "--train", action="store_true", help="training episodes too, not only evaluations"
    )

    own = command(
        "calibrate",
        _calibrate,
        "simulate studies with known effects and write how often intervals hold",
    )
    own.add_argument("--studies", type=int, default=2000, help="simulated studies per row (2000)")
    own.add_argument(
        "--from", dest="source", help="official score files, for a scenario of real runs"
    )
    own.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    return parser


def _runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", default="runs", help="folder of runs, or an exported csv (runs)")


def _console() -> Console:
    return Console() if sys.stdout.isatty() else Console(width=PIPED)


def _table(options: argparse.Namespace) -> None:
    console = _console()
    for ours in study.load(options.runs, options.claims, options.suite, options.window):
        folder = _folder(options.out, ours)
        _write_tables(ours, folder)
        _print_problems(console, ours.problems, folder)
        _print_verdicts(console, ours)
        console.print(f"Tables are in {folder}", highlight=False)


def _write_tables(ours: Study, folder: Path) -> None:
    ours.verdicts.to_csv(folder / "claims.csv", index=False)
    ours.scores.to_csv(folder / "scores.csv", index=False)
    pd.DataFrame(ours.problems, columns=["source", "problem"]).to_csv(
        folder / "problems.csv", index=False
    )
    for name, table, caption in (
        ("table_2", tables.table_2(ours), tables.TABLE_2_CAPTION + "\n\n"),
        ("games", tables.games(ours), ""),
    ):
        table.to_csv(folder / f"{name}.csv", index=False)
        (folder / f"{name}.md").write_text(caption + tables.markdown(table))
    _write_lists(ours, folder)


def _write_lists(ours: Study, folder: Path) -> None:
    filled = {
        title: table for title, table in tables.lists(ours.verdicts).items() if not table.empty
    }
    caption = f"{ours.size}; score: {ours.window}, normalised by {ours.scheme.replace('_', ' ')}"
    markdown = [f"## {title}\n\n{tables.markdown(table)}" for title, table in filled.items()]
    html = [f"<h2>{title}</h2>\n{tables.html(table)}" for title, table in filled.items()]
    (folder / "lists.md").write_text("\n".join([*markdown, caption + "\n"]))
    (folder / "lists.html").write_text(
        "\n".join(['<meta charset="utf-8">', *html, f"<p>{caption}</p>\n"])
    )
    latex = [
        tables.latex(table[tables.NARROW], f"{title} ({caption})")
        for title, table in filled.items()
    ]
    (folder / "lists.tex").write_text("\n".join(latex))


def _print_verdicts(console: Console, ours: Study) -> None:
    rows = ours.verdicts[ours.verdicts.tasks > 0]
    for part, title in (
        (rows[rows.stated], f"Effect on normalised score: {ours.size}"),
        (rows[~rows.stated], tables.BESIDE),
    ):
        if not part.empty:
            console.print(_verdicts(part, title))
    for row in rows[rows.note != ""].itertuples():
        console.print(
            f"{row.claim} ({row.actions}): {row.note}", style="dim", highlight=False, markup=False
        )
    absent = ours.verdicts.claim[ours.verdicts.stated & (ours.verdicts.verdict == verdicts.NO_DATA)]
    if not absent.empty:
        console.print(f"no data: {', '.join(absent)}", highlight=False)


def _verdicts(rows: pd.DataFrame, title: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in ("change", "effect", "interval", "verdict", "paper", "agrees", "to decide"):
        table.add_column(name, no_wrap=name == "change")
    for row in rows.itertuples():
        needed = "" if pd.isna(row.seeds_needed) else f"{row.seeds_needed:.0f} seeds"
        cells = (
            tables.number(row.effect),
            tables.interval(row.low, row.high),
            row.verdict,
            plots.PAPER[row.paper],
            row.agrees,
            needed,
        )
        table.add_row(row.claim, *map(escape, cells))
    return table


def _plot(options: argparse.Namespace) -> None:
    for ours in study.load(options.runs, options.claims, options.suite, options.window):
        folder = _folder(options.out, ours)
        if ours.scores.empty:
            raise InputError(f"{options.runs}: no finished run of suite {ours.suite} to plot")
        figures = {
            "forest": plots.forest(ours),
            "learning_curves": plots.learning_curves(ours),
            "aggregates": plots.aggregates(ours),
            "profiles": plots.profiles(ours),
        }
        for row in ours.verdicts[ours.verdicts.stated & (ours.verdicts.tasks > 0)].to_dict(
            "records"
        ):
            figures[f"{row['claim']}_curves"] = plots.learning_curves(
                ours, [row["with"], row["without"]]
            )
            figures[f"{row['claim']}_tasks"] = plots.games(ours, row["claim"])
        for name, figure in figures.items():
            plots.save(figure, folder / name)
        _print_problems(_console(), ours.problems, folder)
        print(f"{len(figures)} figures are in {folder}")


def _report(options: argparse.Namespace) -> None:
    for ours in study.load(options.runs, options.claims, options.suite):
        path = _folder(options.out, ours) / "report.html"
        report.build(options.runs, options.claims, ours.suite, options.published, path)
        _print_problems(_console(), ours.problems, path.parent)
        print(f"The report is {path}")


def _published(options: argparse.Namespace) -> None:
    paper = published.load(options.source)
    options.out.mkdir(parents=True, exist_ok=True)
    written = {
        "table_1": published.table_1(paper).rename_axis("agent").reset_index(),
        "table_1_complete_runs": published.table_1(published.complete(paper))
        .rename_axis("agent")
        .reset_index(),
        "table_k1": published.table_k1(paper).round().astype(int).reset_index(),
        "scheduling": _short(published.scheduling(paper)),
        "scheduling_games": published.scheduling_games(paper),
        "early_ended": published.early_ended(paper),
    }
    for name, table in written.items():
        table.to_csv(options.out / f"{name}.csv", index=False)
        (options.out / f"{name}.md").write_text(tables.markdown(table))
    print(f"Table 1, recomputed\n\n{tables.markdown(written['table_1'])}")
    print(f"Scheduling, effect on clipped record score\n\n{tables.markdown(written['scheduling'])}")
    print(
        f"{len(written['early_ended'])} runs ended before 195M frames. All tables are in {options.out}"
    )


def _short(verdicts: pd.DataFrame) -> pd.DataFrame:
    bounds = [tables.interval(row.low, row.high) for row in verdicts.itertuples()]
    short = verdicts[["with", "without", "runs", "tasks", "verdict", "agrees", "note"]]
    short.insert(4, "effect", verdicts.effect.map(tables.number))
    short.insert(5, "interval", bounds)
    return short


def _export(options: argparse.Namespace) -> None:
    runs = store.load(options.runs)
    store.export(runs, options.out, ("eval", "train") if options.train else ("eval",))
    for problem in runs.problems:
        print(f"{problem.source}: {problem.message}", file=sys.stderr)
    print(f"{len(runs.runs)} runs are in {options.out}")


def _calibrate(options: argparse.Namespace) -> None:
    if options.studies < 1:
        raise InputError(f"--studies {options.studies}: at least 1 study is needed")
    scenarios = dict(calibration.SCENARIOS)
    if options.source:
        finals = published.finals(published.load(options.source))
        own, _ = scores.normalise(finals[finals.arm == published.DREAMER], "clipped_record")
        scenarios["published runs (55 games)"] = calibration.residuals(own)
    results = calibration.table(options.studies, scenarios)
    command = f"python -m analysis calibrate --studies {options.studies}"
    command += " --from FOLDER" * bool(options.source) + f" --out {options.out}"
    options.out.write_text(calibration.page(results, scenarios, options.studies, command))
    print(f"The table is in {options.out}")


def _folder(out: Path, ours: Study) -> Path:
    folder = out / ours.suite
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _print_problems(console: Console, problems: list[Problem], folder: Path) -> None:
    for problem in problems[:SHOWN]:
        console.print(
            f"{problem.source}: {problem.message}", style="yellow", highlight=False, markup=False
        )
    if len(problems) > SHOWN:
        more = (
            f"and {len(problems) - SHOWN} more, which `table` writes to {folder / 'problems.csv'}"
        )
        console.print(more, highlight=False, markup=False)


if __name__ == "__main__":
    sys.exit(main())
