"""Tables of a study, as frames of text and as Markdown, LaTeX and HTML: claims, lists, controls,
kinds, arms, and the paper's numbers beside ours."""

import re
import textwrap
from collections.abc import Sequence
from importlib import resources

import numpy as np
import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, select_autoescape

from analysis import verdict
from analysis.estimate import Estimate, mean_over_tasks
from analysis.schema import BASELINE, Problem, options
from analysis.score import RAW, paper_aggregates
from analysis.study import Judged
from analysis.tasks import AGAINST

DEPENDS = "Depends on the task"
SAYS = {"helps": "helps", "no_help": "no substantial help", "worse": "no help, worse", "none": ""}
FILES = resources.files("analysis")
PAPER = yaml.safe_load(FILES.joinpath("paper.yaml").read_text())
LISTS = yaml.safe_load(FILES.joinpath("show/templates/lists.yaml").read_text())
EMPTY = {title: own["empty"] for title, own in LISTS.items()}
TEMPLATES = Environment(
    loader=PackageLoader("analysis.show"),
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    keep_trailing_newline=True,
)
MANY = 40  # arms: with more, as in a trial, their means are by option
TOO_FEW = "too few runs for an interval"
MARKDOWN = re.compile(r"([\\`*<|]|(?<=\])\()")  # what makes links, tags, code and cells
LATEX = re.compile(r"([&%_#$])")


def caption(ours: Judged) -> str:
    """Which runs a table or figure is of, by which score and registration, and what is left out."""
    return _sentence("caption", ours)


def seen(ours: Judged) -> str:
    """What was seen and how sure it is, in one sentence without its end."""
    return _sentence("seen", ours, with_runs(ours), verdict.ANSWERED)


def _sentence(name: str, *given) -> str:
    made = getattr(TEMPLATES.get_template("sentences.txt").module, name)
    return " ".join(made(*given).split())


def legible(ours: Judged, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the intervals that say nothing: those wider than twice what scores span."""
    span = np.ptp(ours.scores.normalised)
    widest = 2 * (span if ours.scheme == RAW else max(span, 1))
    rows = rows.copy()
    for low, high in (("low", "high"), ("new_low", "new_high")):
        if low in rows:
            rows.loc[rows[high] - rows[low] > widest, [low, high]] = np.nan
    return rows


def with_runs(ours: Judged) -> pd.DataFrame:
    """The claims that have runs, and what is `said` of each, as short as it can be."""
    rows = legible(ours, ours.claims[ours.claims.effect.notna()])
    return rows.assign(said=rows["mean"].where(rows.depends == "", verdict.DEPENDS))


def claims(ours: Judged, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each claim, or some of them, in full: both intervals, the tasks, the paper."""
    rows = legible(ours, ours.claims if rows is None else rows)
    few = ["too few tasks"] * len(rows)
    return pd.DataFrame(
        {
            "change": rows.claim,
            "effect": rows.effect.map("{:+.3f}".format, na_action="ignore").fillna(""),
            "interval": list(map(interval, rows.low, rows.high)),
            "verdict": rows["words"],
            "where": rows.depends,
            "tasks like these": list(map(interval, rows.new_low, rows.new_high, few)),
            "better / worse / tied": [
                f"{row.better} / {row.worse} / {row.tied}" for row in rows.itertuples()
            ],
            "the paper": rows.paper.map(SAYS),
            "its games": rows.claim.map(PAPER["games"]).fillna(""),
            "agrees": rows.agrees,
        }
    ).reset_index(drop=True)


def lists(ours: Judged) -> dict[str, pd.DataFrame]:
    """The claims with runs by what was found, as the paper lists them: title to table."""
    rows = with_runs(ours)
    depends = rows.depends != ""
    parts = {title: ~depends & rows["mean"].isin(own["words"]) for title, own in LISTS.items()}
    parts[DEPENDS] = depends
    return {title: claims(ours, rows[chosen]) for title, chosen in parts.items()}


def brief(ours: Judged, rows: pd.DataFrame) -> pd.DataFrame:
    """Claims or controls in three columns; numbers of tasks stand for their names, not of kinds."""
    rows = legible(ours, rows)
    counts = "; better on " + rows.better.astype(str) + ", worse on " + rows.worse.astype(str)
    depends = rows.depends.fillna("")
    kinds = ("; " + depends).where(depends != "", "")
    return pd.DataFrame(
        {
            "change": rows.claim,
            "effect [interval]": [effect(row) for row in rows.itertuples()],
            "verdict": rows["words"] + counts.where((rows.better > 0) & (rows.worse > 0), kinds),
        }
    ).reset_index(drop=True)


def kinds(ours: Judged) -> pd.DataFrame:
    """The effect of each change and control on each kind of tasks; a column a kind."""
    rows = legible(ours, ours.kinds[~ours.kinds.kind.str.endswith(AGAINST)])
    rows = rows.assign(cell=[effect(row, "+.2f") for row in rows.itertuples()])
    table = rows.pivot(index="claim", columns="kind", values="cell").reindex(rows.claim.unique())
    return table.rename_axis(index="change", columns=None).reset_index().fillna("")


def contrasts(ours: Judged) -> pd.DataFrame:
    """The kinds of tasks on which the effect of a change or control surely differs from its effect
    on the other tasks, and by how much."""
    rows = ours.kinds[ours.kinds.kind.str.endswith(AGAINST)]
    rows = legible(ours, rows[_sure(rows)])
    return pd.DataFrame(
        {
            "change": rows.claim,
            "kind": rows.kind.str.removesuffix(AGAINST),
            "more than on other tasks": [effect(row, "+.2f") for row in rows.itertuples()],
        }
    ).reset_index(drop=True)


def interactions(ours: Judged) -> pd.DataFrame:
    """The pairs of options of which one surely changes the effect of the other: of those that are
    registered, and of others at a rate of false discoveries."""
    rows = ours.interactions.sort_values("q")
    rows = legible(ours, rows[_sure(rows).where(rows.registered, rows.q <= verdict.ERROR)])
    return pd.DataFrame(
        {
            "options": rows.pair,
            "together more than one by one": [effect(row) for row in rows.itertuples()],
            "tasks": rows.tasks,
            "q": rows.q,
            "registered": np.where(rows.registered, "yes", ""),
        }
    ).reset_index(drop=True)


def _sure(rows: pd.DataFrame) -> pd.Series:
    return (rows.low > 0) | (rows.high < 0)


def means(ours: Judged) -> pd.DataFrame:
    """The mean score of each arm over its tasks with its 95% interval, the baseline first; where
    there are many arms, as in a trial, of each option."""
    rows, what = _by_arm(ours)
    lines = []
    for (name, actions), own in rows.groupby([what, "actions"]):
        (mean,) = mean_score(own, "normalised", "actions").itertuples()
        ends = "" if pd.isna(mean.low) else f" [{mean.low:.3f}, {mean.high:.3f}]"
        size = {"runs": len(own), "tasks": own.task.nunique()}
        score = {"mean score [95%]": f"{mean.mean:.3f}{ends}"}
        lines.append({what: name, "actions": actions, **size, **score})
    lines.sort(key=lambda line: (line["actions"] != "discrete", line[what] != BASELINE))
    return pd.DataFrame(lines)


def _by_arm(ours: Judged) -> tuple[pd.DataFrame, str]:
    """The scores, and their column by which they are grouped: `arm`, or `option` in which a run has
    a row for each of its options."""
    rows = ours.scores
    if rows.arm.nunique() <= MANY:
        return rows, "arm"
    several = rows.arm.map(lambda arm: sorted(options(arm)) or [BASELINE])
    return rows.assign(option=several).explode("option"), "option"


def mean_score(runs: pd.DataFrame, score: str, over: str) -> pd.DataFrame:
    """By each value of the column `over` that all tasks have the mean over tasks of the mean over
    runs, with the ends of its 95% interval: columns `mean`, `low`, `high`."""
    cells = runs.groupby([over, "task"])[score].agg(["mean", "sem", "size"]).unstack()
    cells = cells[cells["mean"].notna().all(axis=1)]
    effect, error, size = (cells[name].to_numpy(float) for name in ("mean", "sem", "size"))
    mean = mean_over_tasks(Estimate(effect, error, size - 1))
    low, high = mean.interval(verdict.ERROR)
    return pd.DataFrame({"mean": mean.effect, "low": low, "high": high}, index=cells.index)


def by_task(ours: Judged) -> pd.DataFrame:
    """The mean score of each arm, or option, on each task, in raw returns; a column a task."""
    rows, what = _by_arm(ours)
    table = rows.pivot_table(index=what, columns="task", values="score")
    order = sorted(table.index, key=lambda name: (name != BASELINE, name))
    return table.loc[order].rename_axis(columns=None).reset_index()


def baseline(ours: Judged) -> pd.DataFrame:
    """The returns of the baseline on each task, from random play to the reference."""
    own = ours.scores[ours.scores.arm == BASELINE]
    table = own.groupby("task").agg(
        random=("random", "first"),
        lowest=("score", "min"),
        mean=("score", "mean"),
        highest=("score", "max"),
        reference=("reference", "first"),
        normalised=("normalised", "mean"),
        seeds=("score", "size"),
    )
    returns = ["random", "lowest", "mean", "highest", "reference"]
    table = table.sort_values("normalised", ascending=False).reset_index()
    return table.assign(**{name: table[name].map("{:.4g}".format) for name in returns})


def table_2(ours: Judged) -> pd.DataFrame:
    """The paper's table 2 beside the same arms of our runs on Atari, on games that all of them
    have."""
    names, *lines = PAPER["table_2"]
    paper = pd.DataFrame(lines, columns=names).set_index("arm")
    runs = ours.scores[ours.scores.arm.isin(paper.index)]
    runs = runs[runs.groupby("task").arm.transform("nunique") == runs.arm.nunique()]
    rows = {arm: [*paper_aggregates(own).values(), len(own)] for arm, own in runs.groupby("arm")}
    names = [*(f"ours: {name}" for name in names[2:]), "our runs"]
    table = paper.join(pd.DataFrame.from_dict(rows, orient="index", columns=names))
    return table.fillna({"our runs": 0}).astype({"our runs": int}).reset_index(drop=True)


def problems(found: Sequence[Problem]) -> pd.DataFrame:
    """What was wrong with which run."""
    return pd.DataFrame(found, columns=["source", "problem"])


def interval(low: float, high: float, few: str = TOO_FEW, digits: str = "+.3f") -> str:
    """An interval of an effect, or that there is too little for one."""
    return few if pd.isna(low) or pd.isna(high) else f"[{low:{digits}}, {high:{digits}}]"


def effect(row, digits: str = "+.3f") -> str:
    """The effect of a row with its interval; nothing where it has no runs."""
    ends = interval(row.low, row.high, digits=digits)
    return "" if pd.isna(row.effect) else f"{row.effect:{digits}} {ends}"


def counted(count: int, what: str) -> str:
    """A number of things, in words: `1 run`, `1,720 runs`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def code(name: str) -> str:
    """A name, if there is one, as Markdown's code, in which nothing is a link, picture or tag."""
    return name and f"`{name.replace('`', chr(39)).replace('|', '/')}`"


def plain(text: str) -> str:
    """A text of a user's as Markdown that shows it as it is."""
    return MARKDOWN.sub(r"\\\1", text)


def prose(text: str, width: int = 100) -> str:
    """A paragraph of lines that are so wide."""
    words = " ".join(text.split())
    return textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False)


def markdown(frame: pd.DataFrame, codes: Sequence[str] = ()) -> str:
    """A Markdown table; the columns in `codes` hold names."""
    cells = text(frame).apply(lambda own: own.map(code if own.name in codes else plain))
    right = [pd.api.types.is_numeric_dtype(frame[name]) for name in frame]
    rule = ["---:" if one else "---" for one in right]
    rows = [map(plain, frame.columns), rule, *cells.itertuples(index=False)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(frame: pd.DataFrame, caption: str) -> str:
    """A LaTeX table (package booktabs), with its special characters escaped."""
    return text(frame).to_latex(index=False, escape=True, caption=LATEX.sub(r"\\\1", caption))


def html(frame: pd.DataFrame) -> str:
    """An HTML table of text, without styling of its own."""
    return text(frame).to_html(index=False, border=0)


def filled(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table in which something stands."""
    return frame.loc[:, (frame.notna() & (frame != "")).any()]


def text(frame: pd.DataFrame) -> pd.DataFrame:
    """The cells of a table as text: numbers with two digits, nothing for what is not there."""
    cells = frame.map(lambda value: f"{value:.2f}" if isinstance(value, float) else str(value))
    return cells.where(frame.notna(), "")


TEMPLATES.filters |= {"code": code, "counted": counted, "effect": effect, "filled": filled}
TEMPLATES.filters |= {"html": html, "latex": latex, "markdown": markdown, "prose": prose}
TEMPLATES.filters["interval"] = lambda row: interval(row.low, row.high)
