"""Pages of a study: the report, its lists, and what README and docs say of the committed results.

What is made stands there between `<!-- results: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd

from analysis import InputError, committed, paper, repeats, verdict
from analysis.show import figures, tables
from analysis.study import Judged

ROOT = committed.PACKAGE.parent
MAP = "docs/map.png"
NAMES = ("change", "task", "options")  # the columns of tables that hold names
START = "<!-- results: "
PART = re.compile(rf"(?<={START})([^\n]+?) -->\n(.*?)(?=<!-- end -->)", re.DOTALL)
tables.TEMPLATES.globals |= dict(tables=tables, figures=figures, repeats=repeats, verdict=verdict)


def report(ours: Judged) -> str:
    """Everything that was found, pictures inside: an HTML page that opens without a server."""
    drawn = figures.of(ours).items()
    pictures = {name: b64encode(figures.png(one, dpi=150)).decode() for name, one in drawn}
    return text("report.html", ours, drawn=pictures)


def text(name: str, ours: Judged, **more) -> str:
    """What the template of that name says of a study: lists of claims, or the recommendation."""
    return tables.TEMPLATES.get_template(name).render(ours=ours, **{"drawn": {}} | more)


def pages() -> list[Path]:
    """The README and the pages of docs that have a part that is made."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in every if START in page.read_text()]


def filled(page: Path, ours: Judged) -> str:
    """The text of a page with its parts made anew from the committed results. A part that cannot be
    made here stays as it is. `InputError` names a part that is not known or not closed."""
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
    made = tables.TEMPLATES.get_template("parts.md").module
    mini, again = committed.judged(committed.MINI), committed.judged(committed.HELD_OUT)
    shown = {
        "kinds": lambda: tables.contrasts(ours),
        "interactions": lambda: tables.interactions(ours),
        "pictures": lambda: repeats.table(repeats.pictures(ours), repeats.PICTURES),
        "baseline": lambda: tables.baseline(mini),
        "held-out seeds": lambda: repeats.table(repeats.beside(again, mini)),
    }
    return {
        "claims": partial(made.claims, ours, mini),
        "recommendation": partial(made.recommendation, ours),
        "time": partial(made.time, mini),
        "scheduling": lambda: _scheduling(made),
        **{name: lambda own=own: _table(own()) for name, own in shown.items()},
        **{f"claim {name}": partial(made.claim, ours, mini, name) for name in ours.claims.claim},
    }


def _table(rows: pd.DataFrame) -> str:
    return "None." if rows.empty else tables.markdown(rows, NAMES)


def _scheduling(made) -> str | None:
    """The verdict on scheduling from the published scores; None where these are not here."""
    if not committed.SCORE_FILES.is_dir():
        return None
    return made.scheduling(paper.scheduling(paper.load(committed.score_files())).iloc[0])


def description() -> str:
    """The files behind the map and their SHA-256, as they stand in its metadata."""
    return ", ".join(f"{name} {digest}" for name, digest in committed.sources().items())


def write(_: object = None) -> None:
    """Fills the parts of README and docs that are made from the committed results."""
    ours = committed.judged()
    for page in pages():
        page.write_text(filled(page, ours))
        print(page)
    picture = figures.png(figures.effect_map(ours), metadata={"Description": description()})
    (ROOT / MAP).write_bytes(picture)
    if not committed.SCORE_FILES.is_dir():
        left = f"the part 'scheduling' is left as it is: no folder {committed.SCORE_FILES}"
        print(left, file=sys.stderr)
