"""Command line: `python -m analysis COMMAND --help`."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis import InputError, calibrate, claims, paper, read, recommend, repeats, score, study
from analysis.schema import Problem, Store
from analysis.show import figures, printed, report, tables
from analysis.show.tables import caption, latex, markdown
from analysis.study import Judged

OUT = "folder for what is written (results)"
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
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable) -> argparse.ArgumentParser:
        text = run.__doc__.rstrip(".")
        own = subparsers.add_parser(name, help=text, description=text)
        own.set_defaults(run=run)
        return own

    for name, run in (
        ("table", table),
        ("plot", plot),
        ("report", page),
        ("recommend", recommended),
        ("repeat", repeat),
    ):
        own = command(name, run)
        _ask_runs(own)
        _ask_judging(own)
        _ask_more(name, own)
    _ask_published(command("published", published))
    _ask_exported(command("export", export))
    _ask_simulated(command("calibrate", calibration))
    return parser


def _ask_more(name: str, own: argparse.ArgumentParser) -> None:
    """What one of the commands on judged runs takes, and no other."""
    if name == "table":
        own.add_argument("--wide", action="store_true", help="print everything, in 200 columns")
    if name == "plot":
        own.add_argument(
            "--width",
            type=_inches,
            default=figures.PAGE,
            help=f"inches ({figures.PAGE}: a page; {figures.COLUMN}: a paper's column)",
        )
    if name == "repeat":
        own.add_argument("--of", required=True, help="what they repeat, as --runs takes it")


def _ask_published(own: argparse.ArgumentParser) -> None:
    source = "folder or URL of the official score files"
    own.add_argument("--from", dest="source", required=True, help=source)
    own.add_argument("--out", type=Path, default=Path("results"), help=OUT)


def _ask_exported(own: argparse.ArgumentParser) -> None:
    _ask_runs(own)
    own.add_argument("--out", type=Path, required=True, help="file to write, as in runs.csv.gz")
    own.add_argument(
        "--train", action="store_true", help="training episodes too, not only evaluations"
    )


def _ask_simulated(own: argparse.ArgumentParser) -> None:
    own.add_argument("--studies", type=int, default=2000, help="simulated studies per row (2000)")
    own.add_argument("--out", type=Path, required=True, help="Markdown file to write")


def _ask_runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", default="runs", help="folder of runs, or of exported csv files, or such a file"
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="DIGEST",
        help="not the runs with this digest, their own or their baseline's; may be repeated",
    )


def _ask_judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("results"), help=OUT)
    parser.add_argument(
        "--claims", type=Path, default=claims.DEFAULT, help="claims file (sweeps/claims.yaml)"
    )
    parser.add_argument("--suite", help="only this suite (default: every suite that has runs)")
    parser.add_argument(
        "--window",
        choices=score.WINDOWS,
        help="another score than the one that the claims file registers, marked as such",
    )
    parser.add_argument(
        "--references",
        type=Path,
        metavar="FILE",
        help="YAML with random and reference scores by task, in place of those that the runs carry",
    )


def _inches(text: str) -> float:
    if not 3 <= (width := float(text)) <= 30:
        raise argparse.ArgumentTypeError(f"{text}: a width is from 3 to 30 inches")
    return width


def table(options: argparse.Namespace) -> None:
    """Judges the claims, prints them, and writes them as csv, Markdown, LaTeX and HTML."""
    out = printed.console(options.wide)
    for ours in _judged(options):
        folder = _folder(options.out, ours)
        for name in FRAMES:
            getattr(ours, name).to_csv(folder / f"{name}.csv", index=False)
        _write_lists(ours, folder)
        _problems(out, ours.problems, folder)
        printed.study(out, ours, options.wide)
        print(f"Tables are in {folder}")
        print(f"{printed.seen(ours)}; {printed.which(ours, folder)}")


def _write_lists(ours: Judged, folder: Path) -> None:
    said, parts = f"{caption(ours)}.", tables.lists(ours)
    filled = {title: part for title, part in parts.items() if len(part)}
    text = [f"## {title}\n\n{markdown(part, ('change',))}\n" for title, part in filled.items()]
    (folder / "lists.md").write_text("\n".join([*text, *ours.warnings, said, ""]))
    (folder / "lists.html").write_text(report.lists(ours))
    text = [latex(part, f"{title} ({said})") for title, part in filled.items()]
    (folder / "lists.tex").write_text("\n".join(text))


def plot(options: argparse.Namespace) -> None:
    """Writes the map and all other figures as PNG and PDF."""
    for ours in _judged(options):
        folder = _folder(options.out, ours)
        drawn = figures.of(ours, options.width)
        for name, figure in drawn.items():
            figures.save(figure, folder / name)
        _problems(printed.console(), ours.problems, folder)
        print(f"{len(drawn)} figures are in {folder}")


def page(options: argparse.Namespace) -> None:
    """Writes one self-contained HTML page a suite."""
    for ours in _judged(options):
        path = _file(_folder(options.out, ours) / "report.html")
        path.write_text(report.page(ours))
        _problems(printed.console(), ours.problems, path.parent)
        print(f"The report is {path}")


def recommended(options: argparse.Namespace) -> None:
    """Says which options to take on each kind of tasks, as overrides to paste."""
    for ours in _judged(options):
        path = _folder(options.out, ours) / "recommendation.csv"
        ours.recommendation.to_csv(path, index=False)
        for warning in ours.warnings:
            print(warning)
        print(f"{caption(ours)}.\n")
        print("\n".join(recommend.lines(ours.recommendation)))


def repeat(options: argparse.Namespace) -> None:
    """Compares claims that were run again with the study that they repeat."""
    _check_folder(options.out)
    registered = claims.load(options.claims)
    ours = study.judge(read.load(options.of), registered, options.suite)
    again = study.judge(_runs(options), registered, ours.suite)
    found = repeats.beside(again, ours)
    folder, out = _folder(options.out, ours), printed.console(wide=True)
    found.to_csv(folder / "repeat.csv", index=False)
    _problems(out, [*again.problems, *ours.problems], folder)
    printed.table(out, f"Run again: {caption(again)}", repeats.table(found))
    printed.line(out, f"Before: {caption(ours)}.")


def _judged(options: argparse.Namespace) -> list[Judged]:
    """Every suite of the runs, or the one that is asked for; one without margin is left out with a
    word if there are others."""
    _check_folder(options.out)
    runs, registered = _runs(options), claims.load(options.claims)
    suites = [options.suite] if options.suite else sorted(runs.runs.suite.unique())
    found, problems = [], []
    for suite in suites:
        try:
            found.append(_scored(study.judge(runs, registered, suite, options.window)))
        except InputError as error:
            problems.append(error)
    if not found:
        raise problems[0]
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return found


def _runs(options: argparse.Namespace) -> Store:
    runs = read.load(options.runs, options.leave_out)
    return score.with_references(runs, options.references) if options.references else runs


def _scored(ours: Judged) -> Judged:
    """The study; `InputError` where no run of it has a score."""
    if ours.scores.empty:
        problem = ours.problems[0]
        why = f"{problem.source}: {problem.message}"
        raise InputError(f"no run of suite {ours.suite} has a score ({why})")
    return ours


def _folder(out: Path, ours: Judged) -> Path:
    return _made(out / ours.suite)


def _problems(out, found: list[Problem], folder: Path) -> None:
    """Writes all problems and prints the first."""
    listed = pd.DataFrame(found, columns=["source", "problem"])
    listed.to_csv(folder / "problems.csv", index=False)
    printed.problems(out, found, folder)


def published(options: argparse.Namespace) -> None:
    """Reproduces the paper's tables 1 and K.1 and judges scheduling."""
    _check_folder(options.out)
    runs = paper.load(options.source)
    _made(options.out)
    whole = paper.complete(runs)
    frames = {
        "table_1": paper.table_1(runs).rename_axis("agent").reset_index(),
        "table_1_complete_runs": paper.table_1(whole).rename_axis("agent").reset_index(),
        "table_k1": paper.table_k1(runs).round().astype(int).reset_index(),
        "scheduling": paper.scheduling(runs),
        "scheduling_games": paper.scheduling_games(runs),
        "early_ended": paper.early_ended(runs),
    }
    for name, frame in frames.items():
        frame.to_csv(options.out / f"{name}.csv", index=False)
        (options.out / f"{name}.md").write_text(f"{markdown(frame)}\n")
    print(f"Table 1, recomputed\n\n{markdown(frames['table_1'])}\n")
    print(f"Scheduling, effect on clipped record score\n\n{markdown(frames['scheduling'])}\n")
    early = f"{len(frames['early_ended'])} runs ended before 195M frames"
    print(f"{early}. All tables are in {options.out}")


def export(options: argparse.Namespace) -> None:
    """Writes runs as one csv that every command takes as --runs."""
    _file(options.out)
    runs = read.load(options.runs, options.leave_out)
    read.export(runs, options.out, ("eval", "train") if options.train else ("eval",))
    for problem in runs.problems:
        print(f"{problem.source}: {problem.message}", file=sys.stderr)
    print(f"{len(runs.runs)} runs are in {options.out}")


def calibration(options: argparse.Namespace) -> None:
    """Simulates studies with known effects and writes how often intervals and verdicts hold."""
    if options.studies < 1:
        raise InputError(f"--studies {options.studies}: at least 1 study is needed")
    _file(options.out)
    options.out.write_text(calibrate.page(claims.load(), options.studies))
    print(f"The table is in {options.out}")


def _made(path: Path) -> Path:
    """The folder, which is created; `InputError` where it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror})") from error
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


if __name__ == "__main__":
    sys.exit(main())
