"""Figures of a study: the map, the forest, learning curves, effects by task and over the budget."""

import io
import textwrap
from collections.abc import Sequence
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import special

from analysis.schema import BASELINE, group, options
from analysis.sentences import BETTER, TIED, WORSE
from analysis.show.tables import caption, effect, legible, mean_score, with_runs
from analysis.study import Judged
from analysis.tasks import AGAINST

PAGE, COLUMN = 6.9, 3.3  # inches: the text of a page, and one column of a paper
POINTS, SMALL = 8, 7  # sizes of letters
# The palette of Okabe and Ito, which colour-blind readers can tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
POSITIVE, NEGATIVE, NEITHER = "#5E3C99", "#E66101", "#888888"
EFFECTS = LinearSegmentedColormap.from_list(
    "effects", ["#7F3B08", "#E08214", "#FFFFFF", "#8073AC", "#2D004B"]
)
# A reader's own matplotlibrc, with usetex for one, must neither break nor change a figure.
styled = style.context(["default", Path(__file__).parent / "templates" / "figures.mplstyle"])
ROW = 0.25  # inches of a claim
NARROWEST = 0.085  # inches of a column of the map: a line of small letters
WIDE = 5  # inches from which words have room beside the numbers
INTERVALS = "Thick: interval on these tasks. Thin: on tasks like these; it may leave the panel."
BAND = "mean of runs with its 95% band"
NAMES = ("map", "forest", "learning_curves", "over_the_budget", "task_effects")
CURVES = "_curves"  # ends the name of a claim's own learning curves
RESULTS = {BETTER: POSITIVE, WORSE: NEGATIVE, TIED: NEITHER}
BLACK = "#000000"
TRIAL = "baseline's option"  # of runs whose other options were drawn too
EVERY = "every arm"


def of(ours: Judged, width: float = PAGE) -> dict[str, Figure]:
    """Every figure that the runs allow, by the name of its file."""
    claims = with_runs(ours).claim
    if claims.empty:
        return {"learning_curves": learning_curves(ours, width=width)}
    drawn = (effect_map, forest, all_curves, over_the_budget, task_effects)
    found = dict(zip(NAMES, (draw(ours, width) for draw in drawn), strict=True))
    return found | {f"{claim}{CURVES}": learning_curves(ours, claim, width) for claim in claims}


@styled
def effect_map(ours: Judged, width: float = PAGE) -> Figure:
    """A row a claim, a column a task: colours, dots where a sign is sure, the mean, the words."""
    claims = with_runs(ours)
    figure = Figure(figsize=(width, 1.9 + ROW * len(claims)), layout="constrained")
    own = max(0.27 * width, 0.95)  # inches of the means
    ratios = [width - own - 1.4 - 1.2 * (width > WIDE), own]
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=ratios)
    effects, sure, columns = _matrix(ours, claims, ratios[0])
    inches = ratios[0] / len(columns)
    limit = _cells(left, effects, sure, numbers=inches > 0.29)
    _columns(left, columns, inches)
    _rows(left, claims.claim)
    _means(right, claims, ours.margin)
    if width > WIDE:
        _words(right, claims.said)
    span = f"from -{limit:g} (orange) to +{limit:g} (purple)"
    note = f"Colour: effect, {span}. Dot: its sign is sure. {INTERVALS}"
    return noted(figure, f"{caption(ours)}. {note}")


def _matrix(
    ours: Judged, claims: pd.DataFrame, inches: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """The map's effects, which signs are sure, and each column's kind; no room: a kind a column."""
    columns, cells = kinds_of_tasks(ours), ours.by_task.rename(columns={"task": "column"})
    if inches / len(columns) < NARROWEST and not ours.kinds.empty:
        cells = ours.kinds[~ours.kinds.kind.str.endswith(AGAINST)]
        cells = cells.rename(columns={"kind": "column"})
        columns = pd.Series("", index=pd.unique(cells.column))
    cells = cells.assign(sure=(cells.low > 0) | (cells.high < 0)).set_index(["claim", "column"])
    place = {"index": claims.claim, "columns": columns.index}
    effects, sure = (cells[name].unstack().reindex(**place) for name in ("effect", "sure"))
    return effects, sure.eq(True), columns


def _cells(axes: Axes, effects: pd.DataFrame, sure: pd.DataFrame, numbers: bool) -> float:
    """The effects as colours; the effect of the darkest, larger ones are as dark."""
    limit = max(np.ceil(np.nanquantile(np.abs(effects), 0.95) * 10) / 10, 0.1)
    axes.set_facecolor("#DDDDDD")  # of cells without runs
    axes.imshow(effects, cmap=EFFECTS, vmin=-limit, vmax=limit, aspect="auto")
    for (y, x), value in np.ndenumerate(effects):
        if np.isnan(value):
            continue
        ink = "white" if abs(value) > 0.55 * limit else "black"
        if numbers:
            text = f"{value:+.2f}".replace("+0", "+").replace("-0", "-") + "•" * int(sure.iat[y, x])
            axes.text(x, y, text, color=ink, fontsize=SMALL, ha="center", va="center")
        elif sure.iat[y, x]:
            axes.plot(x, y, "o", color=ink, markersize=2.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    return limit


def _columns(axes: Axes, tasks: pd.Series, inches: float) -> None:
    axes.xaxis.tick_top()
    longest = 1.1 if inches > 0.25 else 9  # where there is room for a second line
    names = ["\n".join(wrapped(_plain(task), longest, SMALL)) for task in tasks.index]
    axes.set_xticks(range(len(tasks)), names, rotation=90)
    axes.tick_params(axis="x", pad=POINTS + 4)
    above = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "bottom"}
    starts = np.flatnonzero(tasks != tasks.shift())
    for first, end in pairwise([*starts, len(tasks)]):
        axes.text((first + end - 1) / 2, 1, tasks.iloc[first], **above)
        if first:
            axes.axvline(first - 0.5, color="black", linewidth=1.2)


def _rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_plain(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def _means(axes: Axes, claims: pd.DataFrame, small: float) -> None:
    _nothing(axes, "x", small)
    for y, row in enumerate(claims.itertuples()):
        colour = POSITIVE if row.low > 0 else NEGATIVE if row.high < 0 else NEITHER
        axes.plot([row.new_low, row.new_high], [y, y], color=colour, linewidth=0.8)
        axes.plot([row.low, row.high], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
        axes.plot(row.effect, y, "o", color=colour, markersize=4, markeredgecolor="white")
    ends = np.fmax(claims[["low", "high", "effect"]].abs().max(axis=None), small)
    axes.set_xlim(-1.3 * ends, 1.3 * ends)  # the thin lines may leave the panel
    axes.set_xlabel("mean effect")
    axes.tick_params(axis="y", length=0)


def _nothing(axes: Axes, axis: str, small: float = np.nan) -> None:
    """Where there is no effect: a line at 0, and a band of those below a margin."""
    band, line = (axes.axvspan, axes.axvline) if axis == "x" else (axes.axhspan, axes.axhline)
    if not np.isnan(small):
        band(-small, small, color="#EEEEEE", zorder=0)
    line(0, color="black", linewidth=0.6)


def _grey(small: float) -> str:
    return f" Grey: below the margin of {small:g}." * (not np.isnan(small))


def _words(axes: Axes, said: Sequence[str]) -> None:
    right = axes.secondary_yaxis("right")
    right.set_yticks(range(len(said)), said)
    right.tick_params(length=0)
    right.spines[:].set_visible(False)


@styled
def forest(ours: Judged, width: float = PAGE) -> Figure:
    """A row a claim: the mean effect with its two intervals, in numbers too, and the words."""
    claims, small = with_runs(ours), ours.margin
    lines, between = (1, ", ") if width > WIDE else (1.4, "\n")
    figure = Figure(figsize=(width, 1.1 + lines * ROW * len(claims)), layout="constrained")
    axes = figure.add_subplot()
    _means(axes, claims, small)
    axes.set_xlabel("mean effect, in normalised score")
    _rows(axes, claims.claim)
    _words(axes, [f"{effect(row, '+.2f')}{between}{row.said}" for row in claims.itertuples()])
    return noted(figure, f"{caption(ours)}. {INTERVALS}{_grey(small)}")


@styled
def task_effects(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: its effect on each task with the 95% interval, coloured where it is sure."""
    tasks = list(kinds_of_tasks(ours).index)
    rows = ours.effects.merge(ours.by_task[["claim", "task", "result"]])
    height = 0.45 + 0.12 * len(tasks)
    figure, grid = panels(with_runs(ours).claim, width, height, 1.3, "x", beside=2.1)
    for claim, axes in grid.items():
        _nothing(axes, "x")
        for row in rows[rows.claim == claim].itertuples():
            half, colour = row.error * special.stdtrit(row.df, 0.975), RESULTS[row.result]
            where = row.effect, tasks.index(row.task)
            axes.errorbar(*where, xerr=half, fmt="o", color=colour, markersize=3)
        _rows(axes, tasks)
    note = "Effect by task and its 95% interval. Purple: surely better. Orange: surely worse"
    return noted(figure, f"{caption(ours)}. {note}.")


@styled
def over_the_budget(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: its mean effect, with its interval, at each evaluation of the runs."""
    rows, small = legible(ours, ours.budget.sort_values("step")), ours.margin
    figure, grid = panels(ours.budget.claim.unique(), width, 1.15, 1.3, "y")
    for claim, axes in grid.items():
        _nothing(axes, "y", small)
        own = rows[rows.claim == claim].set_index("step")
        _band(axes, own.effect, own, POSITIVE)
    note = "Up: mean effect on an evaluation, with its interval. Across: share of the budget"
    return noted(figure, f"{caption(ours)}. {note}.{_grey(small)}")


@styled
def learning_curves(ours: Judged, claim: str | None = None, width: float = PAGE) -> Figure:
    """A panel a task: the return of the runs with and without a change while they learn, or of
    every arm; of more arms than each colour twice, as of a begun trial, of all runs as one."""
    arm = ours.curves.arm
    arms = arm if arm.nunique() <= 2 * len(PALETTE) else EVERY
    points = curves(ours, claim) if claim else ours.curves.assign(side=arms)
    colour = colours(ours)
    figure, grid = panels(sorted(points.task.unique()), width, 1.3, 1.5, beside=1.8)
    for task, axes in grid.items():
        for arm, own in points[points.task == task].groupby("side", sort=False):
            _curve(axes, own, "env_frames", "score", label=arm, color=colour[arm])
    key(figure)
    return noted(figure, f"{caption(ours)}. Across: environment frames; up: return, {BAND}.")


@styled
def all_curves(ours: Judged, width: float = PAGE) -> Figure:
    """A panel a claim: the mean score of the runs with and without the change as they learn."""
    colour = colours(ours)
    figure, grid = panels(with_runs(ours).claim, width, 1.25, 1.3, "y")
    for claim, axes in grid.items():
        sides = curves(ours, claim).groupby("side", sort=False)
        changed = [arm for arm, _ in sides if colour[arm] != BLACK]
        for arm, own in sides:
            dashed = "--" if arm in changed[1:] else "-"
            _curve(axes, own, "step", "normalised", color=colour[arm], linestyle=dashed)
        named(axes, "; dashed: ".join(changed), color=colour[changed[0]])
    across = "Across: share of the budget; up: normalised score, mean over tasks"
    return noted(figure, f"{caption(ours)}. {across}, {BAND}. Black: {TRIAL}.")


def _curve(axes: Axes, points: pd.DataFrame, x: str, y: str, color: str, **look) -> None:
    """The mean over tasks of the mean over runs at each `x`, with its 95% band."""
    mean = mean_score(points, y, x)
    _band(axes, mean["mean"], mean, color, linewidth=1.2, **look)


def _band(axes: Axes, middle: pd.Series, ends: pd.DataFrame, color: str, **look) -> None:
    axes.plot(middle.index, middle, color=color, **look)
    axes.fill_between(ends.index, ends.low, ends.high, color=color, alpha=0.2, linewidth=0)


def colours(ours: Judged) -> dict[str, str]:
    """A colour for each arm that a claim names, the same in all figures; the baseline is black."""
    named = [*ours.claims[["with", "without"]].to_numpy().flat, *ours.scores.arm.unique()]
    others = [arm for arm in dict.fromkeys(named) if arm != BASELINE]
    black = dict.fromkeys((BASELINE, TRIAL, EVERY), BLACK)
    return black | dict(zip(others, cycle(PALETTE), strict=False))


def kinds_of_tasks(ours: Judged) -> pd.Series:
    """The kind of each task that has effects, tasks of a kind side by side: the first that the
    claims file registers for it, else its kind of actions."""
    registered = {task: kind for kind, own in [*ours.task_kinds.items()][::-1] for task in own}
    tasks = ours.scores[ours.scores.task.isin(ours.effects.task)].drop_duplicates("task")
    tasks = tasks.assign(kind=tasks.task.map(registered).fillna(tasks.actions))
    order = [*ours.task_kinds, "discrete", "continuous"]
    tasks["place"] = tasks.kind.map(order.index)
    tasks = tasks.sort_values(["place", "actions", "task"], ascending=[True, False, True])
    return tasks.set_index("task").kind


def curves(ours: Judged, claim: str) -> pd.DataFrame:
    """The evaluations of the runs that an effect weighs, with the names of its two arms as `side`.
    Where other options vary too, as in a trial, a side is its options, whatever else was drawn."""
    row = next(one for one in ours.family if one.id == claim)
    arms, sides = row.arms(ours.suite), row.sides(ours.suite)
    groups = set(map(group, sides[0] ^ sides[1]))

    def part(some: frozenset[str]) -> frozenset[str]:
        return frozenset(option for option in some if group(option) in groups)

    names = dict(zip(map(part, sides), arms, strict=True))
    change, _ = ours.shown(row, ours.tasks)
    runs = ours.scores[ours.scores.run.isin(np.concatenate(change.runs))]
    side = runs.arm.map(options).map(part).map(names)
    if not (runs.arm[side == BASELINE] == BASELINE).all():
        side = side.replace(BASELINE, TRIAL)
    points = ours.curves.merge(runs[["run"]].assign(side=side).dropna(), on="run")
    return points.sort_values("side", key=lambda side: ~side.isin([BASELINE, TRIAL]), kind="stable")


@styled
def save(figure: Figure, path: Path) -> None:
    """Writes the figure as path.png and path.pdf."""
    for ending in ("png", "pdf"):
        figure.savefig(f"{path}.{ending}")


@styled
def png(figure: Figure, **options) -> bytes:
    """The figure as a PNG file; `options` are those of `savefig`."""
    file = io.BytesIO()
    figure.savefig(file, format="png", **options)
    return file.getvalue()


def panels(
    names: Sequence[str],
    width: float,
    height: float,
    smallest: float,
    same: str = "",
    beside: float = 0.3,
) -> tuple[Figure, dict[str, Axes]]:
    """A figure of a panel for each name, at least `smallest` inches wide, and the panels by name.
    One axis, "x" or "y", may have the `same` range in all. Labels take the inches `beside` them."""
    columns = max(1, min(len(names), int(width / smallest)))
    rows = -(-len(names) // columns)
    height = max(height, min(0.45 * width / columns, 2.5))
    figure = Figure(figsize=(width, height * rows + 0.7), layout="constrained")
    for place, name in enumerate(names):
        shared = {f"share{same}": figure.axes[0]} if same and place else {}
        axes = figure.add_subplot(rows, columns, place + 1, **shared)
        axes.tick_params(labelleft=not same or place % columns == 0)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        named(axes, _plain(name), beside)
    return figure, dict(zip(names, figure.axes, strict=True))


def named(axes: Axes, text: str, beside: float = 0.3, **look) -> None:
    """Gives a panel a title no wider than it, where labels take the inches `beside` the panels."""
    inches = (axes.get_figure().get_figwidth() - beside) / axes.get_gridspec().ncols
    axes.set_title("\n".join(wrapped(text, inches, POINTS)), **look)


def noted(figure: Figure, text: str) -> Figure:
    """The figure with small lines below that say which data it shows and what is left out."""
    lines = wrapped(text, figure.get_figwidth(), SMALL)
    figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=SMALL, color="#555555")
    return figure


def _plain(name: str) -> str:
    return name.replace("_", " ")


def wrapped(text: str, inches: float, points: float) -> list[str]:
    """The lines of a text that is so wide; a letter is about 0.56 of its size."""
    return textwrap.wrap(text, max(int(inches * 72 / (0.56 * points)), 11)) or [""]


def key(figure: Figure, inches: float = 1.6) -> None:
    """One legend above all panels, where it covers nothing; an entry is `inches` wide."""
    found = {}
    for axes in figure.axes:
        found |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    columns = max(1, int(figure.get_figwidth() / inches))
    figure.legend(found.values(), found, loc="outside upper left", ncols=columns)
