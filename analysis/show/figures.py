"""Figures of a study: the map, the forest, learning curves, effects by task and over the budget."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from analysis.claims import BASELINE
from analysis.sentences import BETTER, TIED, WORSE
from analysis.show.shown import SIDE, caption, colours, curves, kinds, legible, margin
from analysis.show.style import (
    EFFECTS,
    NEGATIVE,
    NEITHER,
    PAGE,
    PALETTE,
    POINTS,
    POSITIVE,
    SMALL,
    key,
    named,
    noted,
    panels,
    styled,
    wrapped,
)
from analysis.show.text import effect
from analysis.study import Judged
from analysis.verdict import DEPENDS

ROW = 0.25  # inches of a claim
WIDE = 5  # inches from which words have room beside the numbers
INTERVALS = "Thick: interval on these tasks. Thin: on tasks like these; it may leave the panel."
BAND = "mean of runs with its 95% band"
NAMES = ("map", "forest", "learning_curves", "over_the_budget", "task_effects")
CURVES = "_curves"  # ends the name of a claim's own learning curves
RESULTS = {BETTER: POSITIVE, WORSE: NEGATIVE, TIED: NEITHER}


def of(ours: Judged, width: float = PAGE) -> dict[str, Figure]:
    """Every figure that the runs allow, by the name of its file."""
    claims = _with_runs(ours).claim
    if claims.empty:
        return {"learning_curves": arm_curves(ours, width)}
    drawn = (effect_map, forest, all_curves, over_the_budget, task_effects)
    found = dict(zip(NAMES, (draw(ours, width) for draw in drawn), strict=True))
    return found | {f"{claim}{CURVES}": learning_curves(ours, claim, width) for claim in claims}


@styled
def effect_map(ours: Judged, width: float = PAGE) -> Figure:
    """A row a claim, a column a task: the effect as colour, a dot where its sign is sure; at the
    right the mean with its two intervals, and the words."""
    claims, tasks = _with_runs(ours), kinds(ours)
    effects, results = (
        ours.by_task.pivot(index="claim", columns="task", values=name).reindex(
            index=claims.claim, columns=tasks.index
        )
        for name in ("effect", "result")
    )
    figure = Figure(figsize=(width, 1.9 + ROW * len(claims)), layout="constrained")
    own = max(0.27 * width, 0.95)  # inches of the means
    ratios = [width - own - 1.4 - 1.2 * (width > WIDE), own]
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=ratios)
    inches = ratios[0] / len(tasks)  # of a column
    _cells(left, effects, results.isin([BETTER, WORSE]), numbers=inches > 0.29)
    _columns(left, tasks, inches)
    left.set_yticks(range(len(claims)), _names(claims))
    left.set_ylim(len(claims) - 0.5, -0.5)
    _means(right, claims, margin(ours))
    if width > WIDE:
        _words(right, _said(claims))
    limit = _limit(effects)
    note = (
        f"Colour: effect, from -{limit:g} (orange) to +{limit:g} (purple). Dot: its sign is sure."
    )
    return noted(figure, f"{caption(ours)}. {note} {INTERVALS}")


def _said(claims: pd.DataFrame) -> list[str]:
    return [DEPENDS if row["depends"] else row["mean"] for row in claims.to_dict("records")]


def _names(claims: pd.DataFrame) -> list[str]:
    return [name.replace("_", " ") for name in claims.claim]


def _with_runs(ours: Judged) -> pd.DataFrame:
    """The claims that have runs."""
    return ours.claims[ours.claims.effect.notna()]


def _limit(effects: pd.DataFrame) -> float:
    """The effect of the darkest colour: larger ones are as dark."""
    sizes = np.abs(effects.to_numpy(float))
    return max(np.ceil(np.nanquantile(sizes, 0.95) * 10) / 10, 0.1)


def _cells(axes: Axes, effects: pd.DataFrame, sure: pd.DataFrame, numbers: bool) -> None:
    limit = _limit(effects)
    axes.set_facecolor("#DDDDDD")  # of cells without runs
    axes.imshow(effects, cmap=EFFECTS, vmin=-limit, vmax=limit, aspect="auto")
    for (y, x), value in np.ndenumerate(effects.to_numpy(float)):
        if np.isnan(value):
            continue
        ink = "white" if abs(value) > 0.55 * limit else "black"
        if numbers:
            text = f"{value:+.2f}".replace("0.", ".") + "•" * int(sure.iat[y, x])
            axes.text(x, y, text, color=ink, fontsize=SMALL, ha="center", va="center")
        elif sure.iat[y, x]:
            axes.plot(x, y, "o", color=ink, markersize=2.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)


def _columns(axes: Axes, tasks: pd.Series, inches: float) -> None:
    """Names of tasks and of their kinds above the cells, a line between kinds."""
    axes.xaxis.tick_top()
    longest = 1.1 if inches > 0.25 else 9  # where there is room for a second line
    names = ["\n".join(wrapped(task.replace("_", " "), longest, SMALL)) for task in tasks.index]
    axes.set_xticks(range(len(tasks)), names, rotation=90)
    ends = np.flatnonzero(tasks.to_numpy()[1:] != tasks.to_numpy()[:-1]) + 0.5
    for x in ends:
        axes.axvline(x, color="black", linewidth=1.2)
    starts = [-0.5, *ends, len(tasks) - 0.5]
    for low, high in zip(starts, starts[1:], strict=False):
        kind = tasks.iloc[int(low + 0.5)]
        axes.text(
            (low + high) / 2,
            1,
            kind,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
        )
    axes.tick_params(axis="x", pad=POINTS + 4)


def _means(axes: Axes, claims: pd.DataFrame, small: float) -> None:
    """The mean of each claim with both intervals, above the band of effects below the margin."""
    axes.axvspan(-small, small, color="#EEEEEE", zorder=0)
    axes.axvline(0, color="black", linewidth=0.6)
    for y, row in enumerate(claims.itertuples()):
        colour = POSITIVE if row.low > 0 else NEGATIVE if row.high < 0 else NEITHER
        axes.plot([row.new_low, row.new_high], [y, y], color=colour, linewidth=0.8)
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(row.effect, y, "o", color=colour, markersize=4, markeredgecolor="white")
    ends = claims[["low", "high", "effect"]].abs().max(axis=None)
    axes.set_xlim(-1.3 * ends, 1.3 * ends)  # the thin lines may leave the panel
    axes.set_xlabel("mean effect")
    axes.tick_params(axis="y", length=0)


def _words(axes: Axes, said: list[str]) -> None:
    """The verdicts at the right of the means."""
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(said)), said)
    right.tick_params(length=0)
    right.spines[:].set_visible(False)


@styled
def forest(ours: Judged, width: float = PAGE) -> Figure:
    """A row a claim: the mean effect with its two intervals, in numbers too, and the words."""
    claims = _with_runs(ours)
    lines = 1 if width > WIDE else 1.4
    figure = Figure(figsize=(width, 1.1 + lines * ROW * len(claims)), layout="constrained")
    axes = figure.add_subplot()
    _means(axes, claims, margin(ours))
    axes.set_xlabel("mean effect, in normalised score")
    axes.set_yticks(range(len(claims)), _names(claims))
    axes.set_ylim(len(claims) - 0.5, -0.5)
    between = ", " if width > WIDE else "\n"
    numbers = [effect(row, "+.2f") for row in legible(ours, claims).itertuples()]
    _words(axes, [between.join(both) for both in zip(numbers, _said(claims), strict=True)])
    below = f"Grey: below the margin of {margin(ours):g}."
    return noted(figure, f"{caption(ours)}. {INTERVALS} {below}")


@styled
def task_effects(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: its effect on each task with the 95% interval, coloured where it is sure."""
    claims, tasks = _with_runs(ours).claim, list(kinds(ours).index)
    figure, grid = panels(len(claims), width, 0.45 + 0.15 * len(tasks), smallest=1.3)
    results = ours.by_task.set_index(["claim", "task"]).result
    for axes, claim in zip(grid, claims, strict=True):
        axes.axvline(0, color="black", linewidth=0.6)
        for row in ours.effects[ours.effects.claim == claim].itertuples():
            colour = RESULTS[results[claim, row.task]]
            half = row.error * stats.t.ppf(0.975, row.df)
            y = tasks.index(row.task)
            axes.errorbar(row.effect, y, xerr=half, fmt="o", color=colour, markersize=3)
        named(axes, claim.replace("_", " "), beside=1.6)
        axes.set_yticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
        axes.set_ylim(len(tasks) - 0.5, -0.5)
    _same_range(grid, "x")
    note = "Effect by task and its 95% interval. Purple: surely better. Orange: surely worse"
    return noted(figure, f"{caption(ours)}. {note}.")


@styled
def over_the_budget(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: its mean effect, with its interval, at each evaluation of the runs."""
    claims = list(ours.budget.claim.unique())
    figure, grid = panels(len(claims), width, 1.15, smallest=1.3)
    for axes, claim in zip(grid, claims, strict=True):
        own = ours.budget[ours.budget.claim == claim].sort_values("step")
        axes.axhspan(-margin(ours), margin(ours), color="#EEEEEE", zorder=0)
        axes.axhline(0, color="black", linewidth=0.6)
        axes.plot(own.step, own.effect, color=POSITIVE)
        axes.fill_between(own.step, own.low, own.high, color=POSITIVE, alpha=0.2, linewidth=0)
        named(axes, claim.replace("_", " "))
    _same_range(grid, "y")
    note = "Up: mean effect on an evaluation, with its interval. Across: share of the budget"
    return noted(figure, f"{caption(ours)}. {note}. Grey: below the margin of {margin(ours):g}.")


def _same_range(grid: list[Axes], axis: str) -> None:
    """The same range of an axis in all panels, so that they can be compared; labels at the left
    alone."""
    low, high = zip(*(getattr(axes, f"get_{axis}lim")() for axes in grid), strict=True)
    for axes in grid:
        axes.set(**{f"{axis}lim": (min(low), max(high))})
        axes.tick_params(labelleft=axes.get_subplotspec().is_first_col())
        axes.xaxis.set_major_locator(MaxNLocator(3))


@styled
def learning_curves(ours: Judged, claim: str, width: float = PAGE) -> Figure:
    """A panel a task: the return of the runs with and without a change while they learn."""
    points, colour = curves(ours, claim), colours(ours)
    tasks = sorted(points.task.unique())
    figure, grid = panels(len(tasks), width, 1.3, smallest=1.5)
    for axes, task in zip(grid, tasks, strict=True):
        for arm, own in points[points.task == task].groupby(SIDE, sort=False):
            _curve(axes, own, "env_frames", "score", label=arm, color=colour[arm])
        named(axes, task.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(3))
    key(figure, *grid[0].get_legend_handles_labels())
    return noted(figure, f"{caption(ours)}. Across: environment frames; up: return, {BAND}.")


@styled
def all_curves(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: the normalised score, averaged over its tasks, of the runs with and without
    the change while they learn."""
    claims, colour = _with_runs(ours).claim, colours(ours)
    figure, grid = panels(len(claims), width, 1.25, smallest=1.3)
    for axes, claim in zip(grid, claims, strict=True):
        sides = curves(ours, claim).groupby(SIDE, sort=False)
        changed = [arm for arm, _ in sides if arm != BASELINE]
        for arm, own in sides:
            dashed = "--" if arm in changed[1:] else "-"
            _curve(axes, own, "step", "normalised", color=colour[arm], linestyle=dashed)
        named(axes, "; dashed: ".join(changed), color=colour[changed[0]])
    _same_range(grid, "y")
    across = "Across: share of the budget; up: normalised score, mean over tasks"
    return noted(figure, f"{caption(ours)}. {across}, {BAND}. Black: baseline.")


@styled
def arm_curves(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a task: the return of every arm while it learns, for runs that no claim names."""
    points, colour = ours.curves, colours(ours)
    tasks = sorted(points.task.unique())
    figure, grid = panels(len(tasks), width, 1.8, smallest=1.5)
    for axes, task in zip(grid, tasks, strict=True):
        for arm, own in points[points.task == task].groupby("arm"):
            _curve(axes, own, "env_frames", "score", label=arm, color=colour[arm])
        named(axes, task.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(3))
    found = {}
    for axes in grid:
        found |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    key(figure, list(found.values()), list(found))
    return noted(figure, f"{caption(ours)}. Across: environment frames; up: return, {BAND}.")


def _curve(axes: Axes, points: pd.DataFrame, x: str, y: str, color: str, **look) -> None:
    """The mean over tasks of the mean over runs at each `x`, with its 95% band."""
    cells = points.groupby(["task", x])[y].agg(["mean", "var", "size"]).reset_index()
    cells["square"] = cells["var"].fillna(0) / cells["size"]
    cells["spread"] = cells.square**2 / (cells["size"] - 1).clip(lower=1)
    by_step = cells.groupby(x)
    tasks, square = by_step.size(), by_step.square.sum()
    mean = by_step["mean"].mean()
    degrees = (square**2 / by_step.spread.sum()).fillna(1)
    half = stats.t.ppf(0.975, degrees) * np.sqrt(square) / tasks
    axes.plot(mean.index, mean, color=color, linewidth=1.2, **look)
    axes.fill_between(mean.index, mean - half, mean + half, color=color, alpha=0.2, linewidth=0)


@styled
def lines(frame: pd.DataFrame, label: str, source: str, width: float = PAGE) -> Figure:
    """A line a column, over the frame's index of environment frames."""
    figure = Figure(figsize=(width, 0.45 * width), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in zip(frame, PALETTE, strict=False):
        axes.plot(frame.index, frame[name], color=colour, label=name)
    axes.set(xlabel="environment frames", ylabel=label)
    key(figure, *axes.get_legend_handles_labels(), inches=2.6)
    return noted(figure, source)


@styled
def bars(table: pd.DataFrame, source: str, width: float = PAGE) -> Figure:
    """A bar a task, coloured by the columns `difference` and `result`."""
    figure = Figure(figsize=(width, 1.2 + 0.14 * len(table)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(table.task.str.replace("_", " "), table.difference, color=table.result.map(RESULTS))
    axes.axvline(0, color="black", linewidth=0.6)
    middle = table.difference.abs().median()
    if table.difference.abs().max() > 20 * middle > 0:
        axes.set_xscale("symlog", linthresh=10 ** np.ceil(np.log10(middle)))
    axes.margins(y=0.01)
    axes.set_xlabel("difference")
    counts = ", ".join(f"{(table.result == name).sum()} {name}" for name in RESULTS)
    return noted(figure, f"{source}. Purple: better. Orange: worse. Grey: tied. {counts}.")
