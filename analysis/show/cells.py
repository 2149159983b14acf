"""What the notebooks show: tables and figures with their captions."""

import pandas as pd
from IPython.display import HTML, Image, Markdown, display
from matplotlib.figure import Figure

from analysis.show.style import png
from analysis.show.text import filled, html, plain


def table(frame: pd.DataFrame, caption: str, empty: str = "") -> None:
    """The columns of a table in which something stands, below its caption; `empty`, a sentence,
    where there are no rows."""
    display(Markdown(f"**{plain(caption)}**"))
    display(HTML(html(filled(frame))) if len(frame) else Markdown(plain(empty)))


def figure(drawn: Figure, caption: str) -> None:
    """The figure above its caption, which is also what stands for it where it cannot be seen."""
    display(Image(png(drawn, dpi=110), alt=caption))
    display(Markdown(f"*{plain(caption)}*"))
