"""What the notebooks show: runs in a sentence, tables and figures with their captions."""

import pandas as pd
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from analysis import formats
from analysis.study import Study


def runs(study: Study) -> Markdown:
    """Which runs everything below is about."""
    scored = study.scores
    if scored.empty:
        return Markdown(f"**No run of suite `{study.suite}` is finished.**")
    cells = scored.groupby(["task", "arm"]).size()
    planned = study.store.runs.planned_steps[study.store.runs.run.isin(scored.run)].dropna()
    steps = formats.span(*(f"{steps:,.0f}" for steps in (planned.min(), planned.max())))
    arms = f"{len(study.arms)} arm{'s' * (len(study.arms) != 1)}"
    seeds = f"{formats.span(cells.min(), cells.max())} seeds of an arm on a task"
    return Markdown(
        f"**On {study.size}:** {arms}, {seeds}, {steps} agent steps a run; {study.score}, "
        f"normalised by {study.scheme.replace('_', ' ')}; claims file {study.registration}."
    )


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
