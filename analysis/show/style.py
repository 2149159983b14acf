"""What all figures share: sizes, letters, colours of arms, and the note that says what is shown."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

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
