"""What the notebooks show: runs in a sentence, tables and figures with their captions."""

import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from analysis import findings, formats
from analysis.study import Study


def runs(study: Study) -> Markdown:
    """Which runs everything below is about, or which are awaited."""
    if findings.is_waiting(study):
        return Markdown(f"**{findings.waiting(study)}**")
    return Markdown(f"**On {findings.runs(study)}.**")


def table(frame: pd.DataFrame, caption: str, empty: str = "") -> HTML | Markdown:
    """The columns of a table in which something stands, below its caption; `empty`, a sentence,
    where there are no rows."""
    if frame.empty:
        return Markdown(f"**{empty}**")
    return HTML(formats.html(formats.filled(frame), caption))


def figure(drawn: Figure, caption: str) -> None:
    """The figure above its caption, which is also what stands for it where it cannot be seen."""
    display(drawn, metadata={"image/png": {"alt": caption}})
    display(Markdown(f"*{caption}*"))
