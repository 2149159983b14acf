"""The commands of `python -m analysis`, each from its options."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis import (
    InputError,
    claims,
    read,
    recommend,
    repeats,
    score,
    study,
    written,
)
from analysis import (
    calibrate as calibration,
)
from analysis.paper import published, score_files
from analysis.schema import Problem, Store
from analysis.show import figures, printed, report, style, tables
from analysis.show.shown import caption
from analysis.show.text import latex, markdown
from analysis.study import Judged

FRAMES = ("effects", "claims", "by_task", "kinds", "interactions", "budget", "controls", "scores")


def table(options: argparse.Namespace) -> None:
    """Judges the claims, prints them, and writes them as csv, Markdown, LaTeX and HTML."""
    out = printed.console(options.wide)
    for ours in _judged(options):
        folder = _folder(options.out, ours)
        for name in FRAMES:
            written.csv(getattr(ours, name), folder / f"{name}.csv")
        _write_lists(ours, folder)
        _problems(out, ours.problems, folder)
        printed.study(out, ours, options.wide)
        printed.line(out, f"Tables are in {folder}.")
        printed.line(out, f"{printed.seen(ours)}; {printed.which(folder)}.", "bold")


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
            style.save(figure, folder / name)
        _problems(printed.console(), ours.problems, folder)
        print(f"{len(drawn)} figures are in {folder}")


def page(options: argparse.Namespace) -> None:
    """Writes one self-contained HTML page a suite."""
    for ours in _judged(options):
        path = written.file(_folder(options.out, ours) / "report.html")
        path.write_text(report.page(ours))
        _problems(printed.console(), ours.problems, path.parent)
        print(f"The report is {path}")


def recommended(options: argparse.Namespace) -> None:
    """Says which options to take on each kind of tasks, as overrides to paste."""
    for ours in _judged(options):
        written.csv(ours.recommendation, _folder(options.out, ours) / "recommendation.csv")
        for warning in ours.warnings:
            print(warning)
        print(f"{caption(ours)}.\n")
        print("\n".join(recommend.lines(ours.recommendation)))


def repeat(options: argparse.Namespace) -> None:
    """Compares claims that were run again with the study that they repeat."""
    written.check_folder(options.out)
    registered = claims.load(options.claims)
    ours = study.judge(read.load(options.of), registered, options.suite)
    again = study.judge(_runs(options), registered, ours.suite)
    found = repeats.beside(again, ours)
    folder, out = _folder(options.out, ours), printed.console(wide=True)
    written.csv(found, folder / "repeat.csv")
    _problems(out, [*again.problems, *ours.problems], folder)
    printed.table(out, f"Run again: {caption(again)}", repeats.table(found))
    printed.line(out, f"Before: {caption(ours)}.")


def _judged(options: argparse.Namespace) -> list[Judged]:
    """Every suite of the runs, or the one that is asked for; one without margin is left out with a
    word if there are others."""
    written.check_folder(options.out)
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
    return written.folder(out / ours.suite)


def _problems(out, found: list[Problem], folder: Path) -> None:
    """Writes all problems and prints the first."""
    written.csv(pd.DataFrame(found, columns=["source", "problem"]), folder / "problems.csv")
    printed.problems(out, found, folder)


def paper(options: argparse.Namespace) -> None:
    """Reproduces the paper's tables 1 and K.1 and judges scheduling."""
    written.check_folder(options.out)
    runs = score_files.load(options.source)
    written.folder(options.out)
    whole = published.complete(runs)
    frames = {
        "table_1": published.table_1(runs).rename_axis("agent").reset_index(),
        "table_1_complete_runs": published.table_1(whole).rename_axis("agent").reset_index(),
        "table_k1": published.table_k1(runs).round().astype(int).reset_index(),
        "scheduling": published.scheduling(runs),
        "scheduling_games": published.scheduling_games(runs),
        "early_ended": published.early_ended(runs),
    }
    for name, frame in frames.items():
        written.csv(frame, options.out / f"{name}.csv")
        (options.out / f"{name}.md").write_text(f"{markdown(frame)}\n")
    print(f"Table 1, recomputed\n\n{markdown(frames['table_1'])}\n")
    print(f"Scheduling, effect on clipped record score\n\n{markdown(frames['scheduling'])}\n")
    early = f"{len(frames['early_ended'])} runs ended before 195M frames"
    print(f"{early}. All tables are in {options.out}")


def export(options: argparse.Namespace) -> None:
    """Writes runs as one csv that every command takes as --runs."""
    written.file(options.out)
    runs = read.load(options.runs, options.leave_out)
    read.export(runs, options.out, ("eval", "train") if options.train else ("eval",))
    for problem in runs.problems:
        print(f"{problem.source}: {problem.message}", file=sys.stderr)
    print(f"{len(runs.runs)} runs are in {options.out}")


def calibrate(options: argparse.Namespace) -> None:
    """Simulates studies with known effects and writes how often intervals and verdicts hold."""
    if options.studies < 1:
        raise InputError(f"--studies {options.studies}: at least 1 study is needed")
    written.file(options.out)
    options.out.write_text(calibration.page(claims.load(), options.studies))
    print(f"The table is in {options.out}")
