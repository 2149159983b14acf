"""One self-contained HTML page of a study, and the page of its lists."""

from base64 import b64encode
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from analysis.score import RAW
from analysis.show import figures, printed, tables
from analysis.show.figures import png
from analysis.show.tables import caption, filled, html
from analysis.study import Judged

HTML = Environment(loader=PackageLoader("analysis.show"), autoescape=True, trim_blocks=True)


class Section(NamedTuple):
    """A part of a page; `empty` stands for a table without rows."""

    title: str
    text: str = ""
    figures: tuple[Figure, ...] = ()
    table: pd.DataFrame | None = None
    empty: str = ""


def page(ours: Judged) -> str:
    """The report: everything that was found, pictures inside, that opens without a server."""
    return _html(f"DreamerV2 ablations: {ours.suite}", ours, _sections(ours))


def lists(ours: Judged) -> str:
    """The page of the claims by what was found."""
    return _html(f"What the changes do: {ours.suite}", ours, _lists(ours))


def _html(title: str, ours: Judged, sections: list[Section]) -> str:
    shown = [
        section._replace(
            table=_table(section.table),
            figures=[b64encode(png(figure, dpi=150)).decode() for figure in section.figures],
        )
        for section in sections
    ]
    return HTML.get_template("report.html").render(
        title=title,
        summary=printed.seen(ours),
        caption=caption(ours),
        warnings=ours.warnings,
        sections=shown,
    )


def _table(frame: pd.DataFrame | None) -> str | None:
    return html(filled(frame)) if frame is not None and len(frame) else None


def _lists(ours: Judged) -> list[Section]:
    return [
        Section(title, table=table, empty=tables.EMPTY[title])
        for title, table in tables.lists(ours).items()
    ]


def _sections(ours: Judged) -> list[Section]:
    drawn = figures.of(ours)
    claims = [name for name in drawn if name.endswith(figures.CURVES)]

    def pictures(*names: str) -> tuple[Figure, ...]:
        return tuple(drawn[name] for name in names if name in drawn)

    problems = pd.DataFrame(ours.problems, columns=["run", "problem"])
    found = [
        Section("The map", figures=pictures("map")),
        *_lists(ours),
        Section("Controls", table=tables.brief(ours, ours.controls)),
        Section("By kind of task", table=tables.kinds(ours), empty="No kind is registered."),
        Section("Learning curves", figures=pictures("learning_curves", "over_the_budget")),
        Section("Task by task", figures=pictures("forest", "task_effects")),
        Section(
            "Interactions",
            "Pairs of options of which one changes the effect of the other.",
            table=tables.interactions(ours),
            empty="None is registered or found.",
        ),
        Section("Mean scores", table=tables.means(ours)),
        Section("Returns by task", table=tables.by_task(ours, "score")),
        Section("Each change on each task", figures=pictures(*claims)),
        Section("Problems", table=problems, empty="Every run is complete."),
    ]
    if ours.scheme not in (RAW, "reference"):
        found.append(Section("Table 2", tables.TABLE_2_CAPTION, table=tables.table_2(ours)))
    return found
