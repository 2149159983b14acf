"""The commands of `python -m analysis`, each from its options."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis import (
    InputError,
    calibration,
    calibration_page,
    canvas,
    claims,
    formats,
    html_page,
    plots,
    printed,
    published,
    read,
    repeats,
    report,
    score,
    score_files,
    simulate,
    study,
    tables,
    written,
)
from analysis.schema import Problem
from analysis.study import Study


def table(options: argparse.Namespace) -> None:
    """Judges the claims, prints them, and writes the two lists and all other tables."""
    out = printed.console()
    for ours in _studies(options):
        folder = _folder(options.out, ours)
        _write_tables(ours, folder)
        printed.problems(out, ours.problems, folder)
        printed.verdicts(out, ours)
        out.print(f"Tables are in {folder}", highlight=False, markup=False)


def _write_tables(ours: Study, folder: Path) -> None:
    for name, frame in (
        ("claims", ours.verdicts),
        ("controls", ours.controls),
        ("control_tasks", ours.control_tasks),
        ("scores", ours.scores),
        ("problems", _listed(ours.problems)),
    ):
        written.csv(frame, folder / f"{name}.csv")
    for name, frame, caption in (
        ("table_2", tables.table_2(ours), f"{tables.TABLE_2_CAPTION} {_caption(ours)}"),
        ("games", tables.games(ours), _caption(ours)),
    ):
        written.csv(frame, folder / f"{name}.csv")
        (folder / f"{name}.md").write_text(f"{caption}\n\n{formats.markdown(frame)}")
    _write_lists(ours, folder)


def _listed(problems: list[Problem]) -> pd.DataFrame:
    return pd.DataFrame(problems, columns=["source", "problem"])


def _write_lists(ours: Study, folder: Path) -> None:
    parts = tables.lists(ours.verdicts) | tables.controls(ours)
    filled = {title: part for title, part in parts.items() if not part.empty}
    caption = " ".join([f"{_caption(ours)}.", *tables.insensitive(ours), *tables.looking(ours)])
    markdown = [f"## {title}\n\n{formats.markdown(part)}" for title, part in filled.items()]
    (folder / "lists.md").write_text("\n".join([*markdown, caption + "\n"]))
    (folder / "lists.html").write_text(html_page.lists(parts, "The two lists", caption))
    latex = [
        formats.latex(part[tables.NARROW], f"{title} ({_caption(ours)})")
        for title, part in filled.items()
        if "change" in part
    ]
    (folder / "lists.tex").write_text("\n".join(latex))


def _caption(ours: Study) -> str:
    size = study.size(len(ours.scores), ours.scores.task.nunique())
    scheme = ours.scheme.replace("_", " ")
    return (
        f"{size}, suite {ours.suite}; {ours.score}, normalised by {scheme}; "
        f"claims file {ours.registration}{f'; {ours.judged_as}' * bool(ours.judged_as)}"
        f"{ours.omitted}"
    )


def plot(options: argparse.Namespace) -> None:
    """Writes all figures as PNG and PDF."""
    for ours in _studies(options):
        folder = _folder(options.out, ours)
        if ours.scores.empty:
            raise InputError(f"{options.runs}: no finished run of suite {ours.suite} to plot")
        figures = {
            "forest": plots.forest(ours),
            "learning_curves": plots.learning_curves(ours),
            "aggregates": plots.aggregates(ours),
            "profiles": plots.profiles(ours),
        }
        judged = ours.verdicts[ours.verdicts.stated & (ours.verdicts.tasks > 0)]
        for row in judged.to_dict("records"):
            arms = [row["with"], row["without"]]
            figures[f"{row['claim']}_curves"] = plots.learning_curves(ours, arms)
            figures[f"{row['claim']}_tasks"] = plots.games(ours, row["claim"])
        for name, figure in figures.items():
            canvas.save(figure, folder / name)
        printed.problems(printed.console(), ours.problems, folder)
        print(f"{len(figures)} figures are in {folder}")


def page(options: argparse.Namespace) -> None:
    """Executes the notebooks and writes one self-contained HTML page per suite."""
    options.window = None
    for ours in _studies(options):
        path = written.file(_folder(options.out, ours) / "report.html")
        report.build(
            *(options.runs, options.claims, ours.suite, options.published),
            *(path, options.leave_out, options.ladder),
        )
        printed.problems(printed.console(), ours.problems, path.parent)
        print(f"The report is {path}")


def repeat(options: argparse.Namespace) -> None:
    """Compares runs of some rows with the study that they repeat, over the tasks that both have."""
    written.check_folder(options.out)
    ours = study.one(options.of, options.claims, options.suite, ladder=options.ladder)
    again = study.one(options.runs, options.claims, ours.suite, options.leave_out)
    found = repeats.beside(again, ours, claims.load(options.claims))
    folder, out = _folder(options.out, ours), printed.console()
    problems = [*again.problems, *ours.problems]
    for name, frame in (("repeat", found), ("problems", _listed(problems))):
        written.csv(frame, folder / f"{name}.csv")
    printed.problems(out, problems, folder)
    printed.repeated(out, found, f"Run again: {again.size}", ours)


def _studies(options: argparse.Namespace) -> list[Study]:
    written.check_folder(options.out)
    return study.load(
        options.runs,
        options.claims,
        options.suite,
        options.window,
        options.leave_out,
        options.ladder,
    )


def _folder(out: Path, ours: Study) -> Path:
    return written.folder(out / ours.suite)


def paper(options: argparse.Namespace) -> None:
    """Reproduces the paper's tables 1 and K.1 and judges scheduling."""
    written.check_folder(options.out)
    runs = score_files.load(options.source)
    written.folder(options.out)
    complete = published.complete(runs)
    frames = {
        "table_1": published.table_1(runs).rename_axis("agent").reset_index(),
        "table_1_complete_runs": published.table_1(complete).rename_axis("agent").reset_index(),
        "table_k1": published.table_k1(runs).round().astype(int).reset_index(),
        "scheduling": _short(published.scheduling(runs)),
        "scheduling_games": published.scheduling_games(runs),
        "early_ended": published.early_ended(runs),
    }
    for name, frame in frames.items():
        written.csv(frame, options.out / f"{name}.csv")
        (options.out / f"{name}.md").write_text(formats.markdown(frame))
    print(f"Table 1, recomputed\n\n{formats.markdown(frames['table_1'])}")
    print(f"Scheduling, effect on clipped record score\n\n{formats.markdown(frames['scheduling'])}")
    early = f"{len(frames['early_ended'])} runs ended before 195M frames"
    print(f"{early}. All tables are in {options.out}")


def _short(verdicts: pd.DataFrame) -> pd.DataFrame:
    bounds = [formats.interval(row.low, row.high) for row in verdicts.itertuples()]
    moving = [formats.tasks(row.moving, row.tasks) for row in verdicts.itertuples()]
    short = verdicts[["claim", "with", "without", "runs", "verdict", "agrees", "note"]]
    short.insert(4, "tasks", moving)
    short.insert(5, "effect", verdicts.effect.map(formats.number))
    short.insert(6, "interval", bounds)
    return short


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
    scenarios = dict(simulate.SCENARIOS)
    if options.source:
        finals = published.finals(score_files.load(options.source))
        own, _ = score.normalise(finals[finals.arm == score_files.DREAMER], "clipped_record")
        scenarios["published runs (55 games)"] = simulate.drawn_again(own)
    results = calibration.table(options.studies, scenarios)
    command = f"python -m analysis calibrate --studies {options.studies}"
    command += " --from FOLDER" * bool(options.source) + f" --out {options.out}"
    options.out.write_text(calibration_page.page(results, scenarios, options.studies, command))
    print(f"The table is in {options.out}")
