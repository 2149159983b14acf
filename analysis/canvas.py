"""What all figures share: palette, panels, legend, and the line that says how much data it is."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart by colour-blind readers; beyond its length the line style
# changes.
COLOURS = ["#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"]
STYLES = ["-", "--", ":", "-."]
PANEL = (3.0, 2.4)


def save(figure: Figure, path: Path) -> None:
    """Writes the figure as path.png and path.pdf."""
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".pdf"))


def grid(count: int, height: float) -> tuple[Figure, list[Axes]]:
    """A figure at least `height` inches high, and its `count` panels."""
    columns = min(count, 4 if count <= 12 else 8)
    rows = -(-count // columns)
    size = max(PANEL[0] * columns, 4.5), max(PANEL[1] * rows + 0.9, height)
    figure = Figure(figsize=size, layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.remove()
    return figure, panels[:count]


def legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """One legend for all panels."""
    found = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(found.values(), found.keys(), loc="outside right upper", frameon=False)


def counted(figure: Figure, text: str) -> Figure:
    """The figure with a small line below, which says how much data it shows."""
    figure.supxlabel(text, x=0.995, ha="right", fontsize=7, color="#555555")
    return figure


def look(number: int) -> tuple[str, str]:
    """Colour and line style of the arm with this number."""
    return COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)]


def words(name: str) -> str:
    """A name as it stands in a figure."""
    return "IQM" if name == "iqm" else name.replace("_", " ")
