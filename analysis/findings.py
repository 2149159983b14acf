"""What README and docs say of the committed results, as Markdown made from them."""

import textwrap

import pandas as pd

from analysis import (
    claims,
    committed,
    formats,
    published,
    read,
    repeats,
    score_files,
    study,
    tables,
)
from analysis.rule import DECIDED, DEGENERATE, HELPS, HURTS, NO_DATA, NO_HELP, UNDECIDED
from analysis.schema import Status
from analysis.study import Study
from analysis.verdicts import WORSE

HERE = "on this suite, at this budget"
ORDER = (HELPS, NO_HELP, HURTS, UNDECIDED, DEGENERATE, NO_DATA)
BESIDE_PAPER = {
    "yes": "as in the paper",
    "no": "other than in the paper at its scale",
    WORSE: "on the paper's list of no help too, though not reported as worse there",
}


def runs(ours: Study) -> str:
    """Which runs a page is about, in a sentence without its end."""
    scored = ours.scores
    if scored.empty:
        return f"no scored run of suite {ours.suite}"
    cells = scored.groupby(["task", "arm"]).size()
    planned = ours.store.runs.planned_steps[ours.store.runs.run.isin(scored.run)].dropna()
    steps = formats.span(*(f"{steps:,.0f}" for steps in (planned.min(), planned.max())))
    arms = f"{len(ours.arms)} arm{'s' * (len(ours.arms) != 1)}"
    seeds = f"{formats.span(cells.min(), cells.max())} seeds of an arm on a task"
    return (
        f"{ours.size}: {arms}, {seeds}, {steps} agent steps a run; {ours.score}, "
        f"normalised by {ours.scheme.replace('_', ' ')}; claims file {ours.registration}"
    )


def lists(ours: Study) -> str:
    """The two lists beside the paper's, the rows that are not decided, and the controls."""
    if is_waiting(ours):
        return _prose(waiting(ours))
    rows = _stated(ours)
    rows = rows.assign(order=rows.verdict.map(ORDER.index)).sort_values("order", kind="stable")
    table = pd.DataFrame(
        {
            "change": [f"`{name}`" for name in rows.claim],
            "effect [interval]": [_effect(row) for row in rows.itertuples()],
            "verdict": [_verdict(row) for row in rows.itertuples()],
            "the paper": rows.paper.map(tables.PAPER),
            "seeds": [formats.span(row.seeds_fewest, row.seeds_most) for row in rows.itertuples()],
        }
    )
    parts = [
        _prose(f"What the changes do {HERE} ({runs(ours)}):"),
        formats.markdown(table).strip(),
        _prose(summary(ours)),
        _prose(controls(ours)),
        *map(_prose, tables.looking(ours)),
    ]
    return "\n\n".join(parts)


def summary(ours: Study) -> str:
    """How many claims are decided, which of them other than in the paper, which surely help by the
    margin or more, and which one task carries."""
    rows = _stated(ours)
    rows = rows[rows.verdict.isin(DECIDED)]
    said = [f"Decided: {len(rows)} of {len(_stated(ours))}"]
    for agrees, words in BESIDE_PAPER.items():
        names = rows.claim[rows.agrees == agrees]
        which = "" if agrees == "yes" else f" ({_listed(names)})"
        if len(names):
            said.append(f"{len(names)} {words}{which}")
    if (rows.verdict == HELPS).any():
        names = _listed(rows.claim[rows.substantial == "yes"]) or "none"
        said.append(f"help by at least {rows.margin.iloc[0]:g}, the margin, is shown of {names}")
    for task, names in rows[rows.carried_by != ""].groupby("carried_by").claim:
        said.append(f"carried by one task, `{task}`: {_listed(names)}")
    return f"{'; '.join(said)}."


def is_waiting(ours: Study) -> bool:
    """Whether nothing can be judged yet: the first round of the ladder is not complete."""
    return ours.standing is not None and not ours.standing.complete


def waiting(ours: Study) -> str:
    """That nothing is judged yet, and which runs the first round lacks."""
    return f"No claim is judged yet. {ours.standing.next()}"


def controls(ours: Study) -> str:
    """The positive controls and A/A in a line, and what a suite whose control does not hurt cannot
    say."""
    said = [
        f"`{row.claim}` ({row.role}, {row.actions}) {_effect(row)}{', ' if _effect(row) else ''}"
        f"{row.verdict}"
        for row in ours.controls.itertuples()
    ]
    lines = [f"Controls: {'; '.join(said)}", *tables.insensitive(ours)]
    return " ".join(f"{line[0].upper()}{line[1:]}." for line in lines)


def claim(ours: Study, name: str) -> str:
    """What was found on one claim, in a sentence."""
    row = next(row for row in _stated(ours).itertuples() if row.claim == name)
    if row.verdict == NO_DATA:
        return f"**Here:** {NO_DATA}: {row.note}."
    seeds = formats.span(row.seeds_fewest, row.seeds_most)
    size = f"{formats.tasks(row.moving, row.tasks)} task{'s' * (row.tasks != 1)}, {seeds} seeds"
    said = [_verdict(row), *filter(None, [BESIDE_PAPER.get(row.agrees), row.note, _lacks(row)])]
    return _prose(f"**Here:** {HERE}, {_effect(row)} over {size}: {'; '.join(said)}.")


def held_out(ours: Study) -> str:
    """The claims that were run again, beside the verdicts that they repeat."""
    if is_waiting(ours):
        return _prose(waiting(ours))
    again = study.one(committed.HELD_OUT, suite=committed.SUITE)
    rows, stated = repeats.beside(again, ours, claims.load()), _stated(ours)
    rows = rows[rows.claim.isin(stated.claim)]
    verdicts = stated.set_index("claim").loc[rows.claim]
    table = pd.DataFrame(
        {
            "change": [f"`{name}`" for name in rows.claim],
            "verdict": verdicts.verdict.to_numpy(),
            "effect [its interval]": [_effect(row) for row in verdicts.itertuples()],
            "again [95%]": [
                formats.effect(row.again_effect, row.again_low, row.again_high)
                for row in rows.itertuples()
            ],
            "runs": rows.again_runs,
            "inside": rows.inside,
            "alike": rows.alike,
        }
    )
    return formats.markdown(table).strip()


def baseline() -> str:
    """The scores of the baseline on each task, from random play to the reference, of all its
    runs."""
    ours = study.one(committed.RUNS, suite=committed.SUITE)
    own = ours.scores[ours.scores.arm == "baseline"]
    by_task = own.groupby("task").agg(
        random=("random", "first"),
        lowest=("score", "min"),
        mean=("score", "mean"),
        highest=("score", "max"),
        reference=("reference", "first"),
        normalised=("normalised", "mean"),
        seeds=("score", "size"),
    )
    table = by_task.sort_values("normalised", ascending=False).reset_index()
    table["task"] = [f"`{task}`" for task in table.task]
    for name in ("random", "lowest", "mean", "highest", "reference"):
        table[name] = table[name].map("{:.4g}".format).astype(object)
    return formats.markdown(table).strip()


def time() -> str:
    """How long the runs took, and how long 60 of them take with two at a time."""
    runs = read.load(committed.RUNS).runs
    took = runs.wall_seconds[runs.status == Status.DONE]
    span = formats.span(*map("{:.0f}".format, (took.min(), took.max())))
    return _prose(
        f"A run took {span} s, {took.mean():.0f} s on average; two at a time, 60 take about "
        f"{60 * took.mean() / 2 / 60:.0f} minutes."
    )


def scheduling() -> str | None:
    """The verdict on scheduling from the published scores; None where these are not here."""
    if not committed.SCORE_FILES.is_dir():
        return None
    row = next(published.scheduling(score_files.load(committed.score_files())).itertuples())
    games = formats.tasks(row.moving, row.tasks)
    return _prose(
        f"**At full scale:** from the paper's own published scores, {row.runs_with} runs with "
        f"schedules and {row.runs_without} without, judged by the same code: {_effect(row)} of the "
        f"clipped human record over {games} games: {row.verdict}, {BESIDE_PAPER[row.agrees]}."
    )


def _stated(ours: Study) -> pd.DataFrame:
    return ours.verdicts[ours.verdicts.stated]


def _effect(row) -> str:
    return formats.effect(row.effect, row.low, row.high)


def _verdict(row) -> str:
    """The verdict, and of an undecided row what would decide it."""
    if row.verdict == UNDECIDED and pd.notna(row.seeds_needed):
        return f"{UNDECIDED}: {row.seeds_needed:.0f} seeds may decide it"
    return row.verdict


def _lacks(row) -> str:
    return f"no comparison with the paper, as {row.lacking}" if row.lacking else ""


def _listed(names: pd.Series) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _prose(text: str) -> str:
    return textwrap.fill(text, 100, break_long_words=False, break_on_hyphens=False)
