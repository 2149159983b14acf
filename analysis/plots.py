"""Figures of a study. Every one names the number of its runs; colours are told apart by
colour-blind readers."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from analysis import stats, tables
from analysis.canvas import counted, grid, legend, look, words
from analysis.rule import HELPS, HURTS, NO_HELP
from analysis.schema import Status
from analysis.score import samples
from analysis.study import Study

VERDICTS = {HELPS: ("#0072B2", "o"), NO_HELP: ("#E69F00", "s"), HURTS: ("#D55E00", "v")}
UNDECIDED, OPEN = ("#888888", "D"), "undecided or degenerate"
PAPER = {"helps": "helps", "no_help": "no help", "worse": "no help, worse", "none": "not in it"}
CAPTION = 130  # characters of a line below the forest plot
RESULTS = {"better": "#0072B2", "tied": "#BBBBBB", "worse": "#D55E00"}


def forest(study: Study) -> Figure:
    """All claims with data: effect, interval, verdict and margin; below a line those of the other
    kind of actions."""
    rows = study.verdicts[study.verdicts.tasks > 0].sort_values(
        "stated", ascending=False, kind="stable"
    )
    rows = rows.iloc[::-1].reset_index(drop=True)
    figure = Figure(figsize=(11, 1.8 + 0.32 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    margin = study.verdicts.margin.iloc[0]
    axes.axvspan(0, margin, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="black", linewidth=0.8)
    beside = int((~rows.stated).sum())
    if beside:
        axes.axhline(beside - 0.5, color="#888888", linewidth=0.8, linestyle=":")
    drawn = {}
    for y, row in rows.iterrows():
        colour, marker = VERDICTS.get(row.verdict, UNDECIDED)
        axes.plot(
            [row.low, row.high], [y, y], color=colour, linewidth=2, alpha=1 if row.stated else 0.5
        )
        filled = colour if row.stated else "white"
        point = axes.plot(
            row.effect, y, marker, color=colour, markerfacecolor=filled, markersize=7
        )[0]
        drawn[row.verdict if row.verdict in VERDICTS else OPEN] = point
    axes.set_yticks(range(len(rows)), [_claim_label(row) for row in rows.itertuples()])
    axes.set_ylim(-0.7, len(rows) - 0.3)
    right = axes.secondary_yaxis("right")
    right.set_yticks(
        range(len(rows)),
        [f"{row.verdict} (paper: {PAPER[row.paper]})" for row in rows.itertuples()],
    )
    right.tick_params(length=0)
    axes.set_xlabel(
        f"effect on normalised score ({words(study.scheme)}); "
        f"grey: less than the margin of {margin:g}"
    )
    axes.set_title("Score with the change minus score without")
    order = [label for label in (*VERDICTS, OPEN) if label in drawn]
    figure.legend(
        [drawn[label] for label in order], order, loc="outside upper left", ncols=4, frameon=False
    )
    hollow = "; hollow: the other kind of actions" if beside else ""
    caption = f"{study.size}; intervals adjusted for the number of claims{hollow}"
    judged_as = textwrap.wrap(study.judged_as, CAPTION)
    return counted(figure, "\n".join([caption, *judged_as, *tables.insensitive(study)]))


def _claim_label(row) -> str:
    other = "" if row.stated else f", {row.actions}"
    return f"{row.claim}{other}  ({row.runs_with}+{row.runs_without} runs)"


def learning_curves(study: Study, arms: Sequence[str] | None = None, kind: str = "eval") -> Figure:
    """A panel per task: mean raw score of each arm over its seeds, the band from the lowest to the
    highest seed."""
    arms = list(arms or study.arms)
    tidy = study.store.tidy()
    tidy = tidy[(tidy.kind == kind) & tidy.arm.isin(arms) & tidy.run.isin(study.scores.run)]
    tasks = sorted(tidy.task.unique())
    figure, panels = grid(len(tasks), height=0.8 + 0.22 * len(arms))
    for axes, task in zip(panels, tasks, strict=True):
        for number, arm in enumerate(arms):
            own = tidy[(tidy.task == task) & (tidy.arm == arm)].pivot_table(
                index="env_frames", columns="run", values="score"
            )
            if own.empty:
                continue
            colour, style = look(number)
            axes.plot(own.index, own.mean(axis=1), style, color=colour, label=arm)
            if own.shape[1] > 1:
                axes.fill_between(
                    own.index,
                    own.min(axis=1),
                    own.max(axis=1),
                    color=colour,
                    alpha=0.15,
                    linewidth=0,
                )
        axes.set_title(task)
        axes.set_xlabel("environment frames")
    panels[0].set_ylabel("evaluation return" if kind == "eval" else "training return")
    legend(figure, panels)
    return counted(
        figure,
        f"{tidy.run.nunique()} runs, suite {study.suite}; "
        f"line: mean of seeds, band: lowest to highest{_diverged(study, tidy)}",
    )


def _diverged(study: Study, tidy: pd.DataFrame) -> str:
    """A line that says where curves end early."""
    count = tidy.run[tidy.status == Status.DIVERGED].nunique()
    return f"; {count} diverged, drawn until then" if count else ""


def curves(frame: pd.DataFrame, label: str, source: str) -> Figure:
    """One line per column over environment frames."""
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for number, name in enumerate(frame):
        colour, style = look(number)
        axes.plot(frame.index, frame[name], style, color=colour, label=name)
    axes.set_xlabel("environment frames")
    axes.set_ylabel(label)
    axes.legend(frameon=False)
    return counted(figure, source)


def aggregates(study: Study, seed: int = 0) -> Figure:
    """Mean, median, IQM and optimality gap of the arms that have all of the baseline's tasks, with
    intervals."""
    arms, shared, lacking = _shared(study)
    table = stats.aggregates(arms, seed)
    figure = Figure(figsize=(10, 1.4 + 0.35 * len(arms)), layout="constrained")
    panels = figure.subplots(1, len(stats.AGGREGATES), sharey=True)
    names = list(arms)[::-1]
    for axes, name in zip(panels, stats.AGGREGATES, strict=True):
        for row in table[table.statistic == name].itertuples():
            y = names.index(row.arm)
            colour, _ = look(len(names) - 1 - y)
            axes.plot([row.low, row.high], [y, y], color=colour, linewidth=5, alpha=0.4)
            axes.plot(row.value, y, "|", color=colour, markersize=12, markeredgewidth=2)
        axes.set_title(words(name) + (" ↓" if name == "optimality_gap" else ""))
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].set_ylim(-0.6, len(names) - 0.4)
    panels[0].set_xlabel(f"normalised score ({words(study.scheme)})")
    runs = sum(len(cell) for cells in arms.values() for cell in cells)
    return counted(
        figure,
        f"{study.caption(runs, len(shared))}; 95% stratified bootstrap intervals{lacking}",
    )


def profiles(study: Study, seed: int = 0) -> Figure:
    """Performance profiles: of each arm with all of the baseline's tasks the share of runs above a
    score, with pointwise 95% bands."""
    arms, shared, lacking = _shared(study)
    everything = np.concatenate([np.concatenate(arm) for arm in arms.values()])
    thresholds = np.linspace(min(0, everything.min()), everything.max(), 101)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for number, (arm, cells) in enumerate(arms.items()):
        colour, style = look(number)
        low, high = stats.profile_band(cells, thresholds, seed)
        axes.plot(
            thresholds, stats.performance_profile(cells, thresholds), style, color=colour, label=arm
        )
        axes.fill_between(thresholds, low, high, color=colour, alpha=0.12, linewidth=0)
    axes.set_xlabel(f"normalised score τ ({words(study.scheme)})")
    axes.set_ylabel("share of runs with score > τ")
    axes.set_ylim(0, 1.02)
    legend(figure, [axes])
    runs = sum(len(cell) for cells in arms.values() for cell in cells)
    return counted(figure, f"{study.caption(runs, len(shared))}{lacking}")


def games(study: Study, claim: str) -> Figure:
    """A claim's tasks as bars sorted by effect, coloured better, worse or tied (within 5%)."""
    table = tables.by_task(study, claim)
    row = study.verdicts[(study.verdicts.claim == claim) & study.verdicts.stated].iloc[0]
    title = f"{claim}: {row['with']} minus {row['without']}"
    unit = "human record" if study.scheme == "clipped_record" else words(study.scheme)
    caption = study.caption(int(table.runs.sum()), len(table))
    return bars(table, title, f"difference of normalised score ({unit})", caption)


def bars(table: pd.DataFrame, title: str, label: str, source: str) -> Figure:
    """Horizontal bars of a table with the columns task, difference, result and runs."""
    figure = Figure(figsize=(8, 1.6 + 0.2 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(table.task, table.difference, color=table.result.map(RESULTS))
    axes.axvline(0, color="black", linewidth=0.8)
    middle = table.difference.abs().median()
    if table.difference.abs().max() > 20 * middle > 0:
        axes.set_xscale("symlog", linthresh=10 ** np.ceil(np.log10(middle)))
    axes.margins(y=0.01)
    axes.set_xlabel(label)
    counts = table.result.value_counts()
    named = {f"{name} ({counts.get(name, 0)})": colour for name, colour in RESULTS.items()}
    handles = [Patch(color=colour) for colour in named.values()]
    figure.legend(handles, named, loc="outside right upper", frameon=False)
    axes.set_title(title, loc="left")
    return counted(figure, source)


def _shared(study: Study) -> tuple[dict[str, list[np.ndarray]], list[str], str]:
    """Samples of the arms on the baseline's tasks, these tasks, and a line that names the arms
    lacking some of them.

    Only tasks of the suite's more frequent kind of actions count. Without a baseline its part is
    played by the arm with most tasks.
    """
    frame = study.scores
    frame = frame[frame.actions == frame.drop_duplicates("task").actions.mode()[0]]
    by_arm = {arm: set(frame.task[frame.arm == arm]) for arm in study.arms}
    by_arm = {arm: tasks for arm, tasks in by_arm.items() if tasks}
    shared = by_arm.get("baseline") or max(by_arm.values(), key=len)
    frame = frame[frame.task.isin(shared)]
    lacking = [arm for arm, tasks in by_arm.items() if not tasks >= shared]
    arms = {arm: list(samples(frame, arm).values()) for arm in by_arm if arm not in lacking}
    note = f"\nleft out, as tasks are missing: {', '.join(lacking)}" if lacking else ""
    return arms, sorted(shared), note
