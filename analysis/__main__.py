"""Command line: `python -m analysis COMMAND --help`."""

import argparse
import os
import sys
from argparse import Namespace
from pathlib import Path

from analysis import InputError, calibrate, claims, paper, read, recommend, repeats, score, study
from analysis.schema import Problem, Store
from analysis.show import figures, notebooks, pages, printed, tables
from analysis.show.tables import caption, markdown
from analysis.study import Judged

FRAMES = ("effects", "claims", "by_task", "kinds", "interactions", "budget", "controls", "scores")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; a user's mistake is one line on stderr and exit status 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
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
    out = printed.console(options.wide)
    for ours in _judged(options):
        folder = _made(options.out / ours.suite)
        for name in FRAMES:
            getattr(ours, name).to_csv(folder / f"{name}.csv", index=False)
        for ending, text in pages.lists(ours).items():
            (folder / f"lists.{ending}").write_text(text)
        _problems(out, ours.problems, folder)
        printed.study(out, ours, options.wide)
        print(f"Tables are in {folder}")
        print(f"{tables.seen(ours)}; {printed.which(ours, folder)}")


def plot(options: Namespace) -> None:
    """Writes the map and all other figures as PNG and PDF."""
    for ours in _judged(options):
        folder = _made(options.out / ours.suite)
        drawn = figures.of(ours, options.width)
        for name, figure in drawn.items():
            figures.save(figure, folder / name)
        _problems(printed.console(), ours.problems, folder)
        print(f"{len(drawn)} figures are in {folder}")


def report(options: Namespace) -> None:
    """Writes one self-contained HTML page a suite."""
    for ours in _judged(options):
        path = _file(_made(options.out / ours.suite) / "report.html")
        path.write_text(pages.report(ours))
        _problems(printed.console(), ours.problems, path.parent)
        print(f"The report is {path}")


def recommended(options: Namespace) -> None:
    """Says which options to take on each kind of tasks, as overrides to paste."""
    for ours in _judged(options):
        path = _made(options.out / ours.suite) / "recommendation.csv"
        ours.recommendation.to_csv(path, index=False)
        said = [*ours.warnings, f"{caption(ours)}.\n", *recommend.lines(ours.recommendation)]
        print("\n".join(said))


def repeat(options: Namespace) -> None:
    """Compares claims that were run again with the study that they repeat."""
    _check_folder(options.out)
    registered = claims.load(options.claims)
    ours = study.judge(read.load(options.of), registered, options.suite)
    again = study.judge(_runs(options), registered, ours.suite)
    found = repeats.beside(again, ours)
    folder, out = _made(options.out / ours.suite), printed.console(wide=True)
    found.to_csv(folder / "repeat.csv", index=False)
    _problems(out, [*again.problems, *ours.problems], folder)
    printed.table(out, f"Run again: {caption(again)}", repeats.table(found))
    printed.line(out, f"Before: {caption(ours)}.")


def _judged(options: Namespace) -> list[Judged]:
    """Every suite of the runs, or the one that is asked for; one without margin or score is left
    out with a word if there are others."""
    _check_folder(options.out)
    runs, registered = _runs(options), claims.load(options.claims)
    suites = [options.suite] if options.suite else sorted(runs.runs.suite.unique())
    found, problems = [], []
    for suite in suites:
        try:
            ours = study.judge(runs, registered, suite, options.window)
            if ours.scores.empty:
                why = ": ".join(ours.problems[0])
                raise InputError(f"no run of suite {suite} has a score ({why})")
            found.append(ours)
        except InputError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return found


def _runs(options: Namespace) -> Store:
    runs = read.load(options.runs, options.leave_out)
    return score.with_references(runs, options.references) if options.references else runs


def _problems(out, found: list[Problem], folder: Path) -> None:
    """Writes all problems and prints the first."""
    tables.problems(found).to_csv(folder / "problems.csv", index=False)
    printed.problems(out, found, folder)


def published(options: Namespace) -> None:
    """Reproduces the paper's tables 1 and K.1 and judges scheduling."""
    _check_folder(options.out)
    found = paper.tables(paper.load(options.source))
    _made(options.out)
    for name, frame in found.items():
        frame.to_csv(options.out / f"{name}.csv", index=False)
        (options.out / f"{name}.md").write_text(f"{markdown(frame)}\n")
    print(f"Table 1, recomputed\n\n{markdown(found['table_1'])}\n")
    print(f"Scheduling, effect on clipped record score\n\n{markdown(found['scheduling'])}\n")
    early = f"{len(found['early_ended'])} runs ended before 195M frames"
    print(f"{early}. All tables are in {options.out}")


def export(options: Namespace) -> None:
    """Writes runs as one csv that every command takes as --runs."""
    _file(options.out)
    runs = read.load(options.runs, options.leave_out)
    read.export(runs, options.out, ("eval", "train") if options.train else ("eval",))
    for problem in runs.problems:
        print(": ".join(problem), file=sys.stderr)
    print(f"{len(runs.runs)} runs are in {options.out}")


def calibration(options: Namespace) -> None:
    """Simulates studies with known effects and writes how often intervals and verdicts hold."""
    if options.studies < 1:
        raise InputError(f"--studies {options.studies}: at least 1 study is needed")
    _file(options.out)
    options.out.write_text(calibrate.page(calibrate.Simulation(claims.load(), options.studies)))
    print(f"The table is in {options.out}")


def parts(_: Namespace) -> None:
    """Fills the parts of README and docs that are made from the committed results."""
    pages.write()


def executed(_: Namespace) -> None:
    """Executes the notebooks on the committed results, outputs inside."""
    notebooks.write()


def _made(path: Path) -> Path:
    """The folder, which is made; `InputError` where it cannot be."""
    _check_folder(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _check_folder(path: Path) -> None:
    """`InputError` for a folder that can neither be written nor made; nothing is made yet."""
    nearest = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: cannot make this folder ({nearest} is a file)")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: no permission to write into {nearest}")


def _file(path: Path) -> Path:
    """The path of a file that can be written; `InputError` where it is a folder or its folder is
    absent or cannot be written."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is wanted")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: no permission to write this file")
    return path


def _inches(text: str) -> float:
    if not 3 <= (width := float(text)) <= 30:
        raise argparse.ArgumentTypeError(f"{text}: a width is from 3 to 30 inches")
    return width


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
    "--window": dict(
        choices=score.WINDOWS,
        help="another score than the one that the claims file registers, marked as such",
    ),
    "--references": dict(
        type=Path,
        metavar="FILE",
        help="YAML with random and reference scores by task, in place of those that the runs carry",
    ),
}
WIDE = {"--wide": dict(action="store_true", help="print everything, in 200 columns")}
INCHES = f"inches ({figures.PAGE}: a page; {figures.COLUMN}: a paper's column)"
WIDTH = {"--width": dict(type=_inches, default=figures.PAGE, help=INCHES)}
OF = {"--of": dict(required=True, help="what they repeat, as --runs takes it")}
SOURCE = {
    "--from": dict(dest="source", required=True, help="folder or URL of the official score files")
}
EXPORTED = {
    "--out": dict(type=Path, required=True, help="file to write, as in runs.csv.gz"),
    "--train": dict(action="store_true", help="training episodes too, not only evaluations"),
}
SIMULATED = {
    "--studies": dict(type=int, default=2000, help="simulated studies per row (2000)"),
    "--out": dict(type=Path, required=True, help="Markdown file to write"),
}
COMMANDS = {
    "table": (table, JUDGED | WIDE),
    "plot": (plot, JUDGED | WIDTH),
    "report": (report, JUDGED),
    "recommend": (recommended, JUDGED),
    "repeat": (repeat, JUDGED | OF),
    "published": (published, SOURCE | OUT),
    "export": (export, RUNS | EXPORTED),
    "calibrate": (calibration, SIMULATED),
    "pages": (parts, {}),
    "notebooks": (executed, {}),
}


if __name__ == "__main__":
    sys.exit(main())
