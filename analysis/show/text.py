"""Numbers and names as cells of a table, and frames as Markdown, LaTeX and HTML."""

import re
import textwrap

import pandas as pd

TOO_FEW = "too few runs for an interval"
MARKDOWN = re.compile(r"([\\`*<|]|(?<=\])\()")  # what makes links, tags, code and cells
LATEX = re.compile(r"([&%_#$])")


def number(value: float, digits: str = "+.3f") -> str:
    """A signed effect in normalised score."""
    return "" if pd.isna(value) else format(value, digits)


def interval(low: float, high: float, digits: str = "+.3f", few: str = TOO_FEW) -> str:
    """An interval of an effect, or that there is too little for one."""
    if pd.isna(low) or pd.isna(high):
        return few
    return f"[{low:{digits}}, {high:{digits}}]"


def effect(row, digits: str = "+.3f") -> str:
    """The effect of a row with its interval; nothing where it has no runs."""
    if pd.isna(row.effect):
        return ""
    return f"{number(row.effect, digits)} {interval(row.low, row.high, digits)}"


def counted(count: int, what: str) -> str:
    """A number of things, in words: `1 run`, `1,720 runs`."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def code(name: str) -> str:
    """A name as Markdown's code, in which nothing is a link, a picture or a tag."""
    return f"`{name.replace('`', chr(39)).replace('|', '/')}`"


def plain(text: str) -> str:
    """A text of a user's as Markdown that shows it as it is."""
    return MARKDOWN.sub(r"\\\1", text)


def prose(text: str, width: int = 100) -> str:
    """A paragraph of lines that are so wide."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def markdown(frame: pd.DataFrame, codes: tuple[str, ...] = ()) -> str:
    """A Markdown table; the columns in `codes` hold names."""
    cells = [
        [code(str(value)) if name in codes else plain(_cell(value)) for name, value in row.items()]
        for row in frame.to_dict("records")
    ]
    right = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    rule = ["---:" if one else "---" for one in right]
    rows = [list(map(plain, frame.columns)), rule, *cells]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(frame: pd.DataFrame, caption: str) -> str:
    """A LaTeX table (package booktabs), with its special characters escaped."""
    caption = LATEX.sub(r"\\\1", caption)
    return frame.map(_cell).to_latex(index=False, escape=True, caption=caption)


def html(frame: pd.DataFrame) -> str:
    """An HTML table of text, without styling of its own."""
    return frame.map(_cell).to_html(index=False, border=0)


def filled(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table in which something stands."""
    return frame.loc[:, (frame.notna() & (frame != "")).any()]


def _cell(value) -> str:
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
