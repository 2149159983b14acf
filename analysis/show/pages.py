"""Pages with parts that are made from the committed results; `python -m analysis.show.pages` fills
them.

A part stands between `<!-- results: NAME -->` and `<!-- end -->`; the rest of the page is written
by hand.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from analysis import InputError, committed, paper, repeats
from analysis.claims import BASELINE
from analysis.schema import Status
from analysis.show import figures, tables
from analysis.show.figures import kinds_of_tasks, png
from analysis.show.tables import caption, code, effect, legible, markdown, prose
from analysis.study import Judged
from analysis.verdict import ANSWERED

ROOT = committed.PACKAGE.parent
MAP = "docs/map.png"
AGAIN = "judged again by a rule that was fixed after these runs"
START = "<!-- results: "
PART = re.compile(rf"(?<={START})([^\n]+?) -->\n(.*?)(?=<!-- end -->)", re.DOTALL)
PLACES = {0.25: "a quarter", 0.5: "half", 1.0: "all of it"}  # of the budget


def pages() -> list[Path]:
    """The README and the pages of docs that have such a part."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in every if START in page.read_text()]


def filled(page: Path, ours: Judged) -> str:
    """The text of a page with its parts made anew from the committed results. A part that cannot be
    made here stays as it is.

    Raises `InputError` naming a part that is not known or not closed.
    """
    text, known = page.read_text(), parts(ours)

    def made(found: re.Match) -> str:
        name, before = found.groups()
        if name not in known:
            raise InputError(f"{page.name}: no part '{name}'; there are: {', '.join(known)}")
        now = known[name]()
        return f"{name} -->\n" + (before if now is None else f"{now}\n")

    result, count = PART.subn(made, text)
    if count < text.count(START):
        raise InputError(f"{page.name}: a part is not closed by <!-- end -->")
    return result


def parts(ours: Judged) -> dict[str, Callable[[], str | None]]:
    """What makes each part of a page, by its name."""
    found = {
        "claims": lambda: claims(ours),
        "kinds": lambda: markdown(tables.kinds(ours), codes=("change",)),
        "baseline": lambda: baseline(ours),
        "time": lambda: time(ours),
        "held-out seeds": lambda: held_out(ours),
        "scheduling": scheduling,
    }
    for name in ours.claims.claim:
        found[f"claim {name}"] = lambda name=name: claim(ours, name)
    return found


def claims(ours: Judged) -> str:
    """All claims beside the paper, how many are answered, and the controls."""
    rows = ours.claims
    table = tables.brief(ours, rows).assign(**{"the paper": rows.paper.map(tables.PAPER)})
    answered = rows["mean"].isin(ANSWERED)
    said = [
        f"Answered: {answered.sum()} of {len(rows)}",
        f"other than in the paper at its scale: {_names(rows[rows.agrees == 'no'])}",
        f"depends on the task: {_names(rows[rows.depends != ''])}",
    ]
    controls = [
        f"{code(row.claim)} {effect(row)}, {row.words}" for row in ours.controls.itertuples()
    ]
    paragraphs = [
        prose(f"What the changes do on these tasks, at this budget, {AGAIN} ({caption(ours)}):"),
        markdown(table, codes=("change",)),
        prose(f"{'; '.join(said)}. Controls: {'; '.join(controls)}."),
        *map(prose, ours.warnings),
    ]
    return "\n\n".join(paragraphs)


def _names(rows: pd.DataFrame) -> str:
    return ", ".join(map(code, rows.claim)) or "none"


def claim(ours: Judged, name: str) -> str:
    """What was found on one claim: the mean, the tasks, their kinds, and over the budget."""
    row = legible(ours, ours.claims[ours.claims.claim == name]).iloc[0]
    if pd.isna(row.effect):
        return "**Here:** no runs of both of its arms."
    counts = f"better on {row.better}, worse on {row.worse}, tied on {row.tied} tasks"
    where = f" ({row.depends})" * bool(row.depends)
    said = [f"**Here:** {effect(row)}, {counts}: {row['words']}{where}."]
    said.append(f"{_by_kind(ours, name)}{_over_the_budget(ours, name)}.")
    return prose(" ".join(said))


def _by_kind(ours: Judged, name: str) -> str:
    own = ours.kinds[(ours.kinds.claim == name) & ours.kinds.kind.isin(kinds_of_tasks(ours))]
    said = [f"{effect(row, '+.2f')} on {row.kind} tasks" for row in own.itertuples()]
    return f"By kind {', '.join(said)}; over" if said else "Over"


def _over_the_budget(ours: Judged, name: str) -> str:
    own = ours.budget[ours.budget.claim == name].set_index("step").effect
    said = [f"{own[step]:+.2f} after {where}" for step, where in PLACES.items() if step in own]
    return f" the budget {', '.join(said)}"


def baseline(ours: Judged) -> str:
    """The returns of the baseline on each task, from random play to the reference."""
    own = ours.scores[ours.scores.arm == BASELINE]
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
    for name in ("random", "lowest", "mean", "highest", "reference"):
        table[name] = table[name].map("{:.4g}".format)
    return markdown(table, codes=("task",))


def time(ours: Judged) -> str:
    """How long the runs took, and how long 60 of them take with two at a time."""
    took = ours.store.runs.wall_seconds[ours.store.runs.status == Status.DONE]
    return prose(
        f"A run took {took.min():.0f} to {took.max():.0f} s, {took.mean():.0f} s on average; two "
        f"at a time, 60 take about {60 * took.mean() / 2 / 60:.0f} minutes."
    )


def held_out(ours: Judged) -> str:
    """The claims that were run again, beside the first time."""
    rows = repeats.beside(committed.judged(committed.HELD_OUT), ours)
    rows = rows[rows.claim.isin(ours.claims.claim)]
    return markdown(repeats.table(rows), codes=("change",))


def scheduling() -> str | None:
    """The verdict on scheduling from the published scores; None where these are not here."""
    if not committed.SCORE_FILES.is_dir():
        return None
    row = next(paper.scheduling(paper.load(committed.score_files())).itertuples())
    size = f"{row.with_} runs with schedules and {row.without} without"
    return prose(
        f"**At full scale:** from the paper's own published scores, {size}, judged by the same "
        f"rule: {effect(row)} of the clipped human record over 55 games: {row.words}."
    )


def description() -> str:
    """The files behind the map and their SHA-256, as they stand in its metadata."""
    return ", ".join(f"{name} {digest}" for name, digest in committed.sources().items())


def main() -> int:
    """Fills all pages and draws the map."""
    try:
        ours = committed.judged()
        for page in pages():
            page.write_text(filled(page, ours))
            print(page)
        picture = png(figures.effect_map(ours), metadata={"Description": description()})
        (ROOT / MAP).write_bytes(picture)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not committed.SCORE_FILES.is_dir():
        left = f"the part 'scheduling' is left as it is: no folder {committed.SCORE_FILES}"
        print(left, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
