"""Numbers as cells of a table, and frames as Markdown, LaTeX and HTML."""

from html import escape

import numpy as np
import pandas as pd


def number(value: float) -> str:
    """A signed effect in normalised score."""
    return "" if pd.isna(value) else f"{value:+.3f}"


def interval(low: float, high: float) -> str:
    """An interval of an effect, as in `[-0.012, +0.034]`."""
    return "" if pd.isna(low) else f"[{low:+.3f}, {high:+.3f}]"


def effect(value: float, low: float, high: float) -> str:
    """An effect with its interval where it has one."""
    return f"{number(value)} {interval(low, high)}".strip()


def levels(zero: float, margin: float) -> str:
    """The levels of an interval's two ends, or the one of both."""
    if pd.isna(zero):
        return ""
    both = f"{zero:.1%}", f"{margin:.1%}"
    return both[0] if both[0] == both[1] else " / ".join(both)


def tasks(moving: int, compared: int) -> str:
    """Over how many tasks an effect is, and of how many where some cannot move."""
    return str(compared) if moving == compared else f"{moving} of {compared}"


def share(value: float) -> str:
    """A share or probability."""
    return "" if pd.isna(value) else f"{value:.2f}"


def span(low: int, high: int) -> str:
    """A range of counts, or the one of both ends."""
    return str(low) if low == high else f"{low}-{high}"


def markdown(frame: pd.DataFrame) -> str:
    """A Markdown table; numbers as they print, missing ones empty."""
    cells = [
        list(map(str, frame.columns)),
        *([_cell(value) for value in row] for row in frame.to_numpy(object)),
    ]
    numeric = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    rule = ["---:" if right else "---" for right in numeric]
    return "\n".join("| " + " | ".join(row) + " |" for row in [cells[0], rule, *cells[1:]]) + "\n"


def latex(frame: pd.DataFrame, caption: str) -> str:
    """A LaTeX table (packages booktabs); special characters escaped."""
    text = frame.map(_cell).map(_escape)
    columns = [_escape(str(name)) for name in frame.columns]
    return text.set_axis(columns, axis=1).to_latex(
        index=False, caption=_escape(caption), escape=False
    )


def html(frame: pd.DataFrame, caption: str = "") -> str:
    """An HTML table without styling of its own."""
    table = frame.map(_cell).rename_axis(columns=None).to_html(index=False, border=0)
    return table.replace(">", f"><caption>{escape(caption)}</caption>", 1) if caption else table


def filled(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table in which something stands."""
    return frame.loc[:, (frame.notna() & (frame != "")).any()]


def _cell(value) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value).replace("|", "/")


def _escape(text: str) -> str:
    for character in "&%_#$":
        text = text.replace(character, f"\\{character}")
    return text
