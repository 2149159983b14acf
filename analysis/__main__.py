"""Command line: `python -m analysis COMMAND --help`."""

import argparse
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from analysis import InputError, calibrate, claims, paper, read, repeats, score, study, verdict
from analysis.schema import Problem, Store
from analysis.show import figures, notebooks, pages, tables
from analysis.study import Judged

FRAMES = ("effects", "claims", "by_task", "kinds", "interactions", "budget", "controls", "scores")
NARROW, WIDE = 80, 200  # columns of a page and of everything
SHOWN = 10  # problems printed; all are in problems.csv
# Columns whose cells are one line.
WHOLE = ("change", "control", "effect [interval]", "interval", "mean score [95%]")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a user's mistake is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        return 0
    except InputError as error:
        said = str(error)
    except ModuleNotFoundError as error:
        said = f"{error.name} is not installed: pip install '.[report]'"
    except OSError as error:
        said = f"{error.filename}: " * bool(error.filename) + (error.strerror or str(error))
    print(f"error: {said}", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.set_defaults(wide=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, asked) in COMMANDS.items():
        text = run.__doc__.rstrip(".")
        own = commands.add_parser(name, help=text, description=text)
        own.set_defaults(run=run)
        for flag, meaning in asked.items():
            own.add_argument(flag, **meaning)
    return parser


def table(options: Namespace) -> None:
    """Judges the claims, prints them, and writes them as csv, Markdown, LaTeX and HTML."""
    for ours, folder in _judged(options):
        for name in FRAMES:
            getattr(ours, name).to_csv(folder / f"{name}.csv", index=False)
        for name in ("lists.md", "lists.tex", "lists.html"):
            (folder / name).write_text(pages.text(name, ours))
        show(_console(options.wide), ours, options.wide)
        print(f"Tables are in {folder}")
        print(f"{tables.seen(ours)}; {which(ours, folder)}")


def show(out: Console, ours: Judged, wide: bool) -> None:
    """Prints warnings, claims, controls, and the arms' mean scores; last what has no runs."""
    for warning in ours.warnings:
        if verdict.NO_RUNS not in warning:
            out.print(warning, style="yellow")
    if len(rows := tables.with_runs(ours)):
        shown = tables.claims(ours, rows) if wide else tables.brief(ours, rows)
        _table(out, f"Effect on the score: {tables.caption(ours)}", shown)
    if len(controls := ours.controls[ours.controls.words != verdict.NO_RUNS]):
        _table(out, "Controls", tables.brief(ours, controls).rename(columns={"change": "control"}))
    raw = "Mean return: the tasks have no random and reference"
    _table(out, raw if ours.scheme == score.RAW else "Mean score", tables.means(ours))
    unseen = ", ".join(ours.claims.claim[ours.claims.effect.isna()])
    absent = [warning for warning in ours.warnings if verdict.NO_RUNS in warning]
    for said in absent + [f"No runs for: {unseen}"] * bool(unseen):
        out.print(said, style="dim")


def which(ours: Judged, folder: Path) -> str:
    """Which file to open: of a single claim its curves, else the map."""
    claims = tables.with_runs(ours).claim
    own = [f"{claim}_curves.png" for claim in claims] if len(claims) == 1 else ["map.png"]
    paths = [folder / name for name in (*own, "learning_curves.png")]
    return next((f"open {path}" for path in paths if path.exists()), "`analysis plot` draws it")


def plot(options: Namespace) -> None:
    """Writes the map and all other figures as PNG and PDF."""
    for ours, folder in _judged(options):
        drawn = figures.of(ours, options.width)
        for name, figure in drawn.items():
            figures.save(figure, folder / name)
        print(f"{len(drawn)} figures are in {folder}")


def report(options: Namespace) -> None:
    """Writes one self-contained HTML page a suite."""
    for ours, folder in _judged(options):
        path = folder / "report.html"
        path.write_text(pages.report(ours))
        print(f"The report is {path}")


def recommended(options: Namespace) -> None:
    """Says which options to take on each kind of tasks, and how to test that on new runs."""
    for ours, folder in _judged(options):
        ours.recommendation.to_csv(folder / "recommendation.csv", index=False)
        tested, file = study.to_test(ours), folder / "recommendation.yaml"
        file.unlink(missing_ok=True)
        if tested:
            claims.save(tested, file)
        print(pages.text("recommendation.txt", ours, tested=tested, file=file), end="")


def repeat(options: Namespace) -> None:
    """Compares claims that were run again with the study that they repeat."""
    _check_folder(options.out)
    registered = claims.load(options.claims)
    ours = study.judge(read.load(options.of), registered, options.suite)
    again = study.judge(_runs(options), registered, ours.suite)
    found = repeats.beside(again, ours)
    out = _console(wide=True)
    folder = _folder(out, options, ours.suite, [*again.problems, *ours.problems])
    found.to_csv(folder / "repeat.csv", index=False)
    arms = again.store.runs.merge(ours.store.runs, on=["task", "arm"])
    if arms.digest_x.ne(arms.digest_y).any():
        said = "The digests differ: other settings, or other names in the code"
        out.print(said, style="yellow")
    _table(out, f"Run again: {tables.caption(again)}", repeats.table(found))
    out.print(f"Before: {tables.caption(ours)}.")


def _judged(options: Namespace) -> Iterator[tuple[Judged, Path]]:
    """Every suite of the runs, or the one that is asked for, and its folder; one without margin or
    score is left out with a word if there are others."""
    _check_folder(options.out)
    runs, registered = _runs(options), claims.load(options.claims)
    suites = [options.suite] if options.suite else sorted(runs.runs.suite.unique())
    found, problems = [], []
    for suite in suites:
        try:
            found.append(study.judge(runs, registered, suite))
        except InputError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    for ours in found:
        yield ours, _folder(_console(options.wide), options, ours.suite, ours.problems)


def _runs(options: Namespace) -> Store:
    runs = read.load(options.runs, options.leave_out)
    return score.with_references(runs, options.references) if options.references else runs


def _folder(out: Console, options: Namespace, suite: str, problems: list[Problem]) -> Path:
    """The folder of a suite's results, with its problems in a file, of which some are printed."""
    folder = options.out / suite
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "problems.csv"
    tables.problems(problems).to_csv(path, index=False)
    for problem in problems[:SHOWN]:
        out.print(": ".join(problem), style="yellow")
    if len(problems) > SHOWN:
        out.print(f"and {len(problems) - SHOWN} more, in {path}")
    return folder


def _console(wide: bool) -> Console:
    return Console(width=WIDE if wide else NARROW, markup=False, highlight=False)


def _table(out: Console, title: str, rows: pd.DataFrame) -> None:
    """A table of the columns that are not empty, below its title."""
    out.print(f"\n{title}")
    shown = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, collapse_padding=True)
    cells = tables.filled(tables.text(rows))
    for name in cells:
        shown.add_column(name, no_wrap=name in WHOLE)
    for row in cells.itertuples(index=False):
        shown.add_row(*row)
    out.print(shown)


def published(options: Namespace) -> None:
    """Reproduces the paper's tables 1 and K.1 and judges scheduling."""
    _check_folder(options.out)
    found = paper.tables(paper.load(options.source))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, frame in found.items():
        frame.to_csv(options.out / f"{name}.csv", index=False)
        (options.out / f"{name}.md").write_text(f"{tables.markdown(frame)}\n")
    print(f"Table 1, recomputed\n\n{tables.markdown(found['table_1'])}\n")
    print(f"Scheduling, effect on clipped record score\n\n{tables.markdown(found['scheduling'])}\n")
    early = len(found["early_ended"])
    print(f"{early} runs ended before 195M frames. All tables are in {options.out}")


def export(options: Namespace) -> None:
    """Writes runs as one csv that every command takes as --runs."""
    _check_file(options.out)
    runs = read.load(options.runs, options.leave_out)
    read.export(runs, options.out)
    for problem in runs.problems:
        print(": ".join(problem), file=sys.stderr)
    print(f"{len(runs.runs)} runs are in {options.out}")


def calibration(options: Namespace) -> None:
    """Simulates studies with known effects and writes how often intervals and verdicts hold."""
    if options.studies < 1:
        raise InputError(f"--studies {options.studies}: at least 1 study is needed")
    _check_file(options.out)
    found = calibrate.calibrated(calibrate.Simulation(claims.load(), options.studies))
    options.out.write_text(tables.TEMPLATES.get_template("calibration.md").render(found))
    print(f"The table is in {options.out}")


def _check_folder(path: Path) -> None:
    """`InputError` for a folder that cannot be made; nothing is made yet."""
    nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: cannot make this folder ({nearest} is a file)")


def _check_file(path: Path) -> None:
    """`InputError` for a file that cannot be written, before any work."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is wanted")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")


RUNS = {
    "--runs": dict(default="runs", help="folder of runs, or of exported csv files, or such a file"),
    "--leave-out": dict(
        action="append",
        default=[],
        metavar="DIGEST",
        help="not the runs with this digest, their own or their baseline's; may be repeated",
    ),
}
OUT = {"--out": dict(type=Path, default="results", help="folder for what is written (results)")}
JUDGED = {
    **RUNS,
    **OUT,
    "--claims": dict(type=Path, default=claims.DEFAULT, help="claims file (sweeps/claims.yaml)"),
    "--suite": dict(help="only this suite (default: every suite that has runs)"),
    "--references": dict(type=Path, metavar="FILE", help="YAML: tasks' random, reference scores"),
}
IN_FULL = {"--wide": dict(action="store_true", help="print everything, in 200 columns")}
INCHES = dict(choices=(figures.PAGE, figures.COLUMN), default=figures.PAGE)
WIDTH = {"--width": dict(type=float, help="inches of a page, or of a paper's column", **INCHES)}
OF = {"--of": dict(required=True, help="what they repeat, as --runs takes it")}
SOURCE = {"--from": dict(dest="source", required=True, help="folder or URL of the score files")}
EXPORTED = {"--out": dict(type=Path, required=True, help="file to write, as in runs.csv.gz")}
SIMULATED = {
    "--studies": dict(type=int, default=2000, help="simulated studies per row (2000)"),
    "--out": dict(type=Path, required=True, help="Markdown file to write"),
}
COMMANDS = {
    "table": (table, JUDGED | IN_FULL),
    "plot": (plot, JUDGED | WIDTH),
    "report": (report, JUDGED),
    "recommend": (recommended, JUDGED),
    "repeat": (repeat, JUDGED | OF),
    "published": (published, SOURCE | OUT),
    "export": (export, RUNS | EXPORTED),
    "calibrate": (calibration, SIMULATED),
    "pages": (pages.write, {}),
    "notebooks": (notebooks.write, {}),
}


if __name__ == "__main__":
    sys.exit(main())
