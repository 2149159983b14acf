"""One self-contained HTML page from the notebooks, executed on a user's runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis import html_page
from analysis.executed import NOTEBOOKS, PAPER_NOTEBOOK, execute, tools


def page(notebooks: dict[str, Any], title: str) -> str:
    """The HTML page of executed notebooks: prose, tables and pictures, all inside the page."""
    (nbconvert,) = tools("nbconvert")
    exporter = nbconvert.HTMLExporter(
        template_name="basic", exclude_input=True, exclude_output_prompt=True
    )
    links, sections = [], []
    for name, notebook in notebooks.items():
        body, _ = exporter.from_notebook_node(notebook)
        label = name.split("_", 1)[1].replace("_", " ").capitalize()
        links.append(f'<a href="#{name}">{label}</a>')
        sections.append(f'<section id="{name}">{body}</section>')
    return html_page.document(title, f"<nav>{''.join(links)}</nav>{''.join(sections)}")


def build(
    runs: str | Path,
    claims_file: str | Path,
    suite: str,
    published: str | None,
    path: Path,
    leave_out: Sequence[str] = (),
    ladder: bool = False,
) -> None:
    """Executes the notebooks on one suite's runs and writes the page; the paper's notebook needs
    its score files."""
    values = {
        "runs": str(Path(runs).resolve()),
        "claims_file": str(Path(claims_file).resolve()),
        "suite": suite,
        "leave_out": list(leave_out),
        "ladder": ladder,
    }
    names = [name for name in NOTEBOOKS if published or name != PAPER_NOTEBOOK]
    executed = {name: execute(name, {**values, "published_scores": published}) for name in names}
    path.write_text(page(executed, f"DreamerV2 ablations: {suite}"))
