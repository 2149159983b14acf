"""Figures of a study: the map, the forest, learning curves, effects by task and over the budget."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from analysis.claims import BASELINE, options
from analysis.score import RAW
from analysis.sentences import BETTER, TIED, WORSE
from analysis.show.tables import caption, effect, legible
from analysis.study import Judged
from analysis.tasks import AGAINST
from analysis.verdict import DEPENDS

PAGE, COLUMN = 6.9, 3.3  # inches: the text of a page, and one column of a paper
POINTS, SMALL = 8, 7  # sizes of letters
# The palette of Okabe and Ito, which colour-blind readers can tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
POSITIVE, NEGATIVE, NEITHER = "#5E3C99", "#E66101", "#888888"
EFFECTS = LinearSegmentedColormap.from_list(
    "effects", ["#7F3B08", "#E08214", "#FFFFFF", "#8073AC", "#2D004B"]
)
# A reader's own matplotlibrc, with usetex for one, must neither break nor change a figure.
OURS = {
    "font.size": POINTS,
    "axes.titlesize": POINTS,
    "legend.fontsize": POINTS,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # letters stay letters: journals ask for TrueType
    "ps.fonttype": 42,
    "savefig.dpi": 200,
}
styled = style.context(["default", OURS])
ROW = 0.25  # inches of a claim
NARROWEST = 0.1  # inches of a column of the map: a line of small letters
WIDE = 5  # inches from which words have room beside the numbers
INTERVALS = "Thick: interval on these tasks. Thin: on tasks like these; it may leave the panel."
BAND = "mean of runs with its 95% band"
NAMES = ("map", "forest", "learning_curves", "over_the_budget", "task_effects")
CURVES = "_curves"  # ends the name of a claim's own learning curves
RESULTS = {BETTER: POSITIVE, WORSE: NEGATIVE, TIED: NEITHER}
BLACK = "#000000"
SIDE = "side"
TRIAL = "baseline's option"  # of runs whose other options were drawn too


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
    claims = _with_runs(ours)
    figure = Figure(figsize=(width, 1.9 + ROW * len(claims)), layout="constrained")
    own = max(0.27 * width, 0.95)  # inches of the means
    ratios = [width - own - 1.4 - 1.2 * (width > WIDE), own]
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=ratios)
    effects, sure, columns = _matrix(ours, claims, ratios[0])
    inches = ratios[0] / len(columns)
    _cells(left, effects, sure, numbers=inches > 0.29)
    _columns(left, columns, inches)
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


def _matrix(
    ours: Judged, claims: pd.DataFrame, inches: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The effects of the map, a row a claim, where their sign is sure, and the kind of each column:
    of tasks, or of kinds of tasks where there is no room for tasks."""
    columns, cells = kinds_of_tasks(ours), ours.by_task.rename(columns={"task": "column"})
    if inches / len(columns) < NARROWEST and not ours.kinds.empty:
        cells = ours.kinds[~ours.kinds.kind.str.endswith(AGAINST)]
        cells = cells.rename(columns={"kind": "column"})
        columns = pd.Series("", index=pd.unique(cells.column))
    cells = cells.assign(sure=(cells.low > 0) | (cells.high < 0))
    effects, sure = (
        cells.pivot(index="claim", columns="column", values=name).reindex(
            index=claims.claim, columns=columns.index
        )
        for name in ("effect", "sure")
    )
    return effects, sure.eq(True), columns


def _said(claims: pd.DataFrame) -> list[str]:
    return [DEPENDS if row["depends"] else row["mean"] for row in claims.to_dict("records")]


def _names(claims: pd.DataFrame) -> list[str]:
    return [name.replace("_", " ") for name in claims.claim]


def _with_runs(ours: Judged) -> pd.DataFrame:
    """The claims that have runs, without the intervals that say nothing."""
    return legible(ours, ours.claims[ours.claims.effect.notna()])


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
    ends = max(claims[["low", "high", "effect"]].abs().max(axis=None), small)
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
    numbers = [effect(row, "+.2f") for row in claims.itertuples()]
    _words(axes, [between.join(both) for both in zip(numbers, _said(claims), strict=True)])
    below = f"Grey: below the margin of {margin(ours):g}."
    return noted(figure, f"{caption(ours)}. {INTERVALS} {below}")


@styled
def task_effects(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: its effect on each task with the 95% interval, coloured where it is sure."""
    claims, tasks = _with_runs(ours).claim, list(kinds_of_tasks(ours).index)
    figure, grid = panels(len(claims), width, 0.45 + 0.12 * len(tasks), smallest=1.3)
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
        own = legible(ours, ours.budget[ours.budget.claim == claim].sort_values("step"))
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
        changed = [arm for arm, _ in sides if colour[arm] != BLACK]
        for arm, own in sides:
            dashed = "--" if arm in changed[1:] else "-"
            _curve(axes, own, "step", "normalised", color=colour[arm], linestyle=dashed)
        named(axes, "; dashed: ".join(changed), color=colour[changed[0]])
    _same_range(grid, "y")
    across = "Across: share of the budget; up: normalised score, mean over tasks"
    return noted(figure, f"{caption(ours)}. {across}, {BAND}. Black: {BASELINE}.")


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


def margin(ours: Judged) -> float:
    """The registered margin of the suite; 0 for raw returns, which have none."""
    return 0.0 if ours.scheme == RAW else ours.registered.margin_of(ours.suite)


def colours(ours: Judged) -> dict[str, str]:
    """A colour for each arm that a claim names, the same in all figures; the baseline is black."""
    named = [*ours.claims[["with", "without"]].to_numpy().flat, *ours.scores.arm.unique()]
    others = [arm for arm in dict.fromkeys(named) if arm != BASELINE]
    own = {arm: PALETTE[number % len(PALETTE)] for number, arm in enumerate(others)}
    return {BASELINE: BLACK, TRIAL: BLACK} | own


def kinds_of_tasks(ours: Judged) -> pd.Series:
    """The kind of each task that has effects, tasks of a kind side by side: the first that the
    claims file registers for it, else its kind of actions."""
    registered = ours.task_kinds
    actions = ours.scores.drop_duplicates("task").set_index("task").actions
    rows = [
        (next((kind for kind, own in registered.items() if task in own), actions[task]), task)
        for task in ours.effects.task.unique()
    ]
    order = [*registered, *sorted(set(actions))]
    rows.sort(key=lambda row: (order.index(row[0]), actions[row[1]] == "continuous", row[1]))
    return pd.Series({task: kind for kind, task in rows}, dtype=object)


def curves(ours: Judged, claim: str) -> pd.DataFrame:
    """The evaluations of the runs with and without a change, marked in the column `side` by the
    names of the two arms, on the tasks that have both.

    Where other options vary too, as in a trial, the runs of a side are those with its options,
    whatever else they drew. Where every other option has runs of both sides those alone are taken:
    with one change at a time these are the two arms.
    """
    row = ours.claims[ours.claims.claim == claim].iloc[0]
    arms = row["with"], row["without"]
    sides = [options(arm) for arm in arms]
    groups = {_group(option) for option in sides[0] ^ sides[1]}
    runs = ours.scores[ours.scores.actions == row["where"]][["run", "task", "arm"]]
    runs = runs[~runs.arm.isin({*ours.controls["with"]} - {*arms})]
    drawn = runs.arm.map(options)
    own = drawn.map(lambda some: frozenset(o for o in some if _group(o) in groups))
    runs = runs.assign(rest=drawn - own, **{SIDE: None})
    for arm, side in zip(arms, sides, strict=True):
        wanted = frozenset(option for option in side if _group(option) in groups)
        runs.loc[own == wanted, SIDE] = arm
    runs = runs[runs[SIDE].notna()]
    cells = runs.groupby(["task", "rest"])[SIDE].transform("nunique")
    if len(matched := runs[cells == 2]) and _smaller(matched) >= _smaller(runs) / 2:
        runs = matched
    else:
        runs[SIDE] = runs[SIDE].replace(BASELINE, TRIAL)
    both = runs.groupby("task")[SIDE].transform("nunique") == 2
    points = ours.curves.merge(runs.loc[both, ["run", SIDE]], on="run")
    return points.sort_values(SIDE, key=lambda side: ~side.isin([BASELINE, TRIAL]), kind="stable")


def _group(option: str) -> str:
    return option.partition("=")[0]


def _smaller(runs: pd.DataFrame) -> int:
    return runs[SIDE].value_counts().min()


@styled
def save(figure: Figure, path: Path) -> None:
    """Writes the figure as path.png and path.pdf."""
    figure.savefig(path.with_name(f"{path.name}.png"))
    figure.savefig(path.with_name(f"{path.name}.pdf"))


@styled
def png(figure: Figure, **options) -> bytes:
    """The figure as a PNG file; `options` are those of `savefig`."""
    file = io.BytesIO()
    figure.savefig(file, format="png", **options)
    return file.getvalue()


def panels(count: int, width: float, height: float, smallest: float) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels with common axes, each at least `smallest` inches wide."""
    columns = max(1, min(count, int(width / smallest)))
    rows = -(-count // columns)
    height = max(height, min(0.45 * width / columns, 2.5))
    figure = Figure(figsize=(width, height * rows + 0.7), layout="constrained")
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[count:]:
        axes.remove()
    return figure, grid[:count]


def named(axes: Axes, text: str, beside: float = 0.3, **look) -> None:
    """Gives a panel a title no wider than it, where labels take the inches `beside` the panels."""
    inches = (axes.get_figure().get_figwidth() - beside) / axes.get_gridspec().ncols
    axes.set_title("\n".join(wrapped(text, inches, POINTS)), **look)


def noted(figure: Figure, text: str) -> Figure:
    """The figure with small lines below that say which data it shows and what is left out."""
    lines = wrapped(text, figure.get_figwidth(), SMALL)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=SMALL, color="#555555")
    return figure


def wrapped(text: str, inches: float, points: float) -> list[str]:
    """The lines of a text that is so wide; a letter is about 0.56 of its size."""
    return textwrap.wrap(text, max(int(inches * 72 / (0.56 * points)), 8)) or [""]


def key(figure: Figure, handles: Sequence, labels: Sequence[str], inches: float = 1.6) -> None:
    """One legend above all panels, where it covers nothing; an entry is `inches` wide."""
    columns = max(1, int(figure.get_figwidth() / inches))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns)
