"""Pages with parts that are made from the committed results; `python -m analysis.pages` fills them.

A part stands between `<!-- results: NAME -->` and `<!-- end -->`; the rest of the page is written
by hand.
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from analysis import InputError, claims, committed, findings, plots, recipe_search
from analysis.study import Study

ROOT = committed.PACKAGE.parent
FOREST = "Effect of every claim with its interval, verdict and margin"
START = "<!-- results: "
PART = re.compile(rf"(?<={START})([^\n]+?) -->\n(.*?)(?=<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """The README and the pages of docs that have such a part."""
    every = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [page for page in every if START in page.read_text()]


def filled(page: Path, ours: Study) -> str:
    """The text of a page with its parts made anew from the study of the committed results. A part
    that cannot be made here stays as it is.

    Raises `InputError` naming a part that is not known or not closed.
    """
    text, known = page.read_text(), _parts(page, ours)

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


def _parts(page: Path, ours: Study) -> dict[str, Callable[[], str | None]]:
    """What makes each part of a page, by its name."""
    picture = os.path.relpath(forest(), page.parent)
    parts = {
        "lists": lambda: findings.lists(ours),
        "forest": lambda: "" if findings.is_waiting(ours) else f"![{FOREST}]({picture})",
        "held-out seeds": lambda: findings.held_out(ours),
        "baseline": findings.baseline,
        "time": findings.time,
        "scheduling": findings.scheduling,
        "recipes tried": recipe_search.recipes,
        "tasks with the recipe": recipe_search.tasks,
    }
    for row in claims.load().claims:
        parts[f"claim {row.id}"] = lambda name=row.id: findings.claim(ours, name)
    return parts


def forest() -> Path:
    """The forest plot of the committed results."""
    return ROOT / "docs" / "forest.png"


def made_from() -> str:
    """The files behind the forest plot and their SHA-256, as they stand in its metadata."""
    files = committed.hashes([claims.DEFAULT, *committed.run_files()])
    return ", ".join(f"{name} {digest}" for name, digest in files.items())


def main() -> int:
    """Fills all pages, and draws the forest plot where a claim is judged."""
    try:
        ours = committed.judged()
        for page in pages():
            page.write_text(filled(page, ours))
            print(page)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not findings.is_waiting(ours):
        plots.forest(ours).savefig(forest(), dpi=100, metadata={"Description": made_from()})
        print(forest())
    if not committed.SCORE_FILES.is_dir():
        left = f"the part 'scheduling' is left as it is: no folder {committed.SCORE_FILES}"
        print(left, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
