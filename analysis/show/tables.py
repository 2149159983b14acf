"""Tables of a study, as frames of text and as Markdown, LaTeX and HTML: claims, lists, controls,
kinds, arms, and the paper's numbers beside ours."""

import re
import textwrap

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims import BASELINE, options
from analysis.schema import Status
from analysis.score import RAW, paper_aggregates
from analysis.study import Judged
from analysis.tasks import AGAINST
from analysis.verdict import A_LITTLE, HELPS, HURTS, NO_HELP, SUBSTANTIALLY, UNDECIDED

DEPENDS = "Depends on the task"
LISTS = {
    "Changes that helped": (SUBSTANTIALLY, HELPS, A_LITTLE),
    "Changes that did not help substantially": (NO_HELP, HURTS),
    "Undecided": (UNDECIDED,),
}
EMPTY = {
    DEPENDS: "No change is here: that takes a sure effect on one task, or kind of tasks, and a "
    "sure one of the other sign on another.",
    "Changes that helped": "No change is here: that takes an interval above 0.",
    "Changes that did not help substantially": "No change is here: that takes an interval below "
    "0, or below the margin in a suite whose positive control hurts.",
    "Undecided": "No change is here: every claim with runs is answered.",
}
PAPER = {"helps": "helps", "no_help": "no substantial help", "worse": "no help, worse", "none": ""}
# Section 3.2: of 55 games those on which the change, as we name it, is better, worse, tied.
PAPER_GAMES = {
    "categorical_latents": (42, 8, 5),
    "kl_balancing_vs_standard": (44, 6, 5),
    "image_gradients": (51, 3, 1),
    "reward_gradients": (22, 15, 18),
    "mixed_actor_gradients": (24, 18, 13),
}
# The paper's table 2: agent, our arm, gamer median, gamer mean, record mean, clipped record mean.
TABLE_2 = [
    ("DreamerV2", "baseline", 1.64, 11.33, 0.36, 0.25),
    ("No Layer Norm", "gru=plain", 1.66, 5.95, 0.38, 0.25),
    ("No Reward Gradients", "gradients=no_reward", 1.68, 6.18, 0.37, 0.24),
    ("No Discrete Latents", "latent=gaussian", 1.08, 3.71, 0.24, 0.19),
    ("No KL Balancing", "kl=standard", 0.84, 3.49, 0.19, 0.16),
    ("No Policy Reinforce", "actor_grad=dynamics", 0.69, 2.74, 0.16, 0.15),
    ("No Image Gradients", "gradients=no_image", 0.04, 0.31, 0.01, 0.01),
]
TABLE_2_CAPTION = (
    "Table 2 of the paper beside our runs. The paper's base agent was a slightly earlier version "
    "with gradient mixing, schedules and layer norm; ours neither mixes nor schedules. Its gamer "
    "mean of 11.33 is table 1's, probably a slip: that version's published scores give about 6."
)
MANY = 40  # arms: with more, as in a trial, their means are by option
TOO_FEW = "too few runs for an interval"
MARKDOWN = re.compile(r"([\\`*<|]|(?<=\])\()")  # what makes links, tags, code and cells
LATEX = re.compile(r"([&%_#$])")


def caption(ours: Judged) -> str:
    """Which runs a table or figure is of, by which score and registration, and what is left out."""
    scores = ours.scores
    size = f"{counted(len(scores), 'run')}, {counted(scores.task.nunique(), 'task')}"
    mark = "" if ours.window == ours.registered.window(ours.suite) else " (not the registered one)"
    unit = "raw returns" if ours.scheme == RAW else f"normalised by {ours.scheme.replace('_', ' ')}"
    date = f" of {ours.registered.date}" if ours.registered.date else ""
    said = [
        f"{size}, suite {ours.suite}",
        f"score: {ours.window}{mark}, {unit}",
        f"claims file {ours.registered.digest}{date}",
        *_left_out(ours),
    ]
    return "; ".join(said)


def _left_out(ours: Judged) -> list[str]:
    """How many runs are not judged, and how many of those that are diverged."""
    missing = len(ours.store.runs) - len(ours.scores)
    diverged = int((ours.scores.status == Status.DIVERGED).sum())
    said = [f"{counted(missing, 'run')} without a score, see problems.csv"] * bool(missing)
    return said + [f"{counted(diverged, 'run')} diverged"] * bool(diverged)


def legible(ours: Judged, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows without the intervals that say nothing: those wider than twice what scores span."""
    span = np.ptp(ours.scores.normalised)
    widest = 2 * (span if ours.scheme == RAW else max(span, 1))
    rows = rows.copy()
    for low, high in (("low", "high"), ("new_low", "new_high")):
        if low in rows:
            rows.loc[rows[high] - rows[low] > widest, [low, high]] = np.nan
    return rows


def claims(ours: Judged, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Each claim, or some of them, in full: both intervals, the tasks, the paper."""
    rows = legible(ours, ours.claims if rows is None else rows)
    new = [
        interval(*ends, few="too few tasks") for ends in rows[["new_low", "new_high"]].to_numpy()
    ]
    return pd.DataFrame(
        {
            "change": rows.claim,
            "effect": rows.effect.map(number),
            "interval": [interval(*ends) for ends in rows[["low", "high"]].to_numpy()],
            "verdict": rows["words"],
            "where": rows.depends,
            "tasks like these": new,
            "better / worse / tied": _counts(rows[["better", "worse", "tied"]].to_numpy()),
            "the paper": rows.paper.map(PAPER),
            "its games": _counts([PAPER_GAMES.get(name) for name in rows.claim]),
            "agrees": rows.agrees,
        }
    ).reset_index(drop=True)


def _counts(triples) -> list[str]:
    return [" / ".join(map(str, one)) if one is not None else "" for one in triples]


def lists(ours: Judged) -> dict[str, pd.DataFrame]:
    """The claims with runs by what was found, as the paper lists them: title to table."""
    rows = ours.claims[ours.claims.effect.notna()]
    depends = rows.depends != ""
    parts = {DEPENDS: depends}
    parts |= {title: ~depends & rows["mean"].isin(words) for title, words in LISTS.items()}
    return {title: claims(ours, rows[chosen]) for title, chosen in parts.items()}


def brief(ours: Judged, rows: pd.DataFrame) -> pd.DataFrame:
    """Claims or controls in three columns; numbers of tasks stand for their names."""
    rows = legible(ours, rows)
    return pd.DataFrame(
        {
            "change": rows.claim,
            "effect [interval]": [effect(row) for row in rows.itertuples()],
            "verdict": [_words(row) for row in rows.itertuples()],
        }
    ).reset_index(drop=True)


def _words(row) -> str:
    both = row.better > 0 and row.worse > 0
    return row.words + f"; better on {row.better}, worse on {row.worse}" * both


def kinds(ours: Judged) -> pd.DataFrame:
    """The effect of each change on each kind of tasks; a column a kind."""
    rows = ours.kinds[~ours.kinds.kind.str.endswith(AGAINST)]
    rows = legible(ours, rows)
    rows = rows.assign(cell=[effect(row, "+.2f") for row in rows.itertuples()])
    order = [name for name in ours.claims.claim if name in set(rows.claim)]
    table = rows.pivot(index="claim", columns="kind", values="cell").reindex(order)
    return table.rename_axis(index="change", columns=None).reset_index().fillna("")


def interactions(ours: Judged, rate: float = 0.05) -> pd.DataFrame:
    """The pairs of options of which one changes the effect of the other: those that are registered,
    and others at a rate of false discoveries."""
    rows = ours.interactions[ours.interactions.registered | (ours.interactions.q <= rate)]
    rows = legible(ours, rows.sort_values("q"))
    return pd.DataFrame(
        {
            "options": rows.pair,
            "together more than one by one": [effect(row) for row in rows.itertuples()],
            "q": rows.q,
            "registered": np.where(rows.registered, "yes", ""),
        }
    ).reset_index(drop=True)


def means(ours: Judged) -> pd.DataFrame:
    """The mean score of each arm over its tasks with its 95% interval, the baseline first; where
    there are many arms, as in a trial, of each option."""
    arms, what = ours.scores.arm, "arm"
    rows = ours.scores.assign(name=arms)
    if arms.nunique() > MANY:
        rows["name"] = arms.map(lambda arm: sorted(options(arm)) or [BASELINE])
        rows, what = rows.explode("name"), "option"
    lines = [
        {
            what: name,
            "actions": actions,
            "runs": len(own),
            "tasks": own.task.nunique(),
            "mean score [95%]": _mean(own),
        }
        for (name, actions), own in rows.groupby(["name", "actions"])
    ]
    lines.sort(key=lambda line: (line["actions"] != "discrete", line[what] != BASELINE))
    return pd.DataFrame(lines)


def _mean(runs: pd.DataFrame) -> str:
    by_task = runs.groupby("task").normalised.agg(["mean", "var", "size"])
    squares = by_task["var"] / by_task["size"]
    mean = by_task["mean"].mean()
    if squares.isna().any():
        return f"{mean:.3f}"
    total = squares.sum()
    df = total**2 / (squares**2 / (by_task["size"] - 1)).sum() if total else 1
    half = stats.t.ppf(0.975, df) * np.sqrt(total) / len(by_task)
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def by_task(ours: Judged, column: str = "normalised") -> pd.DataFrame:
    """The mean score, or raw return, of each arm on each task; a column a task."""
    table = ours.scores.pivot_table(index="arm", columns="task", values=column)
    order = sorted(table.index, key=lambda arm: (arm != BASELINE, arm))
    return table.loc[order].rename_axis(columns=None).reset_index()


def table_2(ours: Judged) -> pd.DataFrame:
    """The paper's table 2 beside the same arms of our runs on Atari, on games that all of them
    have."""
    names = ["gamer median", "gamer mean", "record mean", "clipped record mean"]
    frame = ours.scores[ours.scores.arm.isin([row[1] for row in TABLE_2])]
    shared = frame.groupby("task").arm.nunique() == frame.arm.nunique()
    frame = frame[frame.task.map(shared).astype(bool)]
    rows = []
    for agent, arm, *printed in TABLE_2:
        own = frame[frame.arm == arm]
        found = paper_aggregates(own).values() if len(own) else [np.nan] * 4
        theirs = dict(zip(names, printed, strict=True))
        mine = dict(zip((f"ours: {name}" for name in names), found, strict=True))
        rows.append({"agent": agent, **theirs, **mine, "our runs": len(own)})
    return pd.DataFrame(rows)


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
