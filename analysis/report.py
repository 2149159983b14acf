"""One self-contained HTML page from the notebooks, executed on a user's runs."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from analysis.executed import NOTEBOOKS, PAPER_NOTEBOOK, execute, tools

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; }
body { max-width: 1500px; margin: 0 auto; padding: 1rem; }
nav { position: sticky; top: 0; background: #fff; border-bottom: 1px solid #ccc; padding: .5rem 0; }
nav a { margin-right: 1.5rem; color: #0072B2; text-decoration: none; }
section { border-bottom: 1px solid #ccc; padding-bottom: 1rem; }
h1 { scroll-margin-top: 3rem; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-size: 13px; border: none; }
th, td { padding: .25rem .5rem; border: none; border-bottom: 1px solid #ddd; }
th, td { text-align: left !important; vertical-align: top !important; }
.jp-RenderedHTMLCommon, .jp-OutputArea-output { overflow-x: auto; }
.anchor-link { display: none; }
pre { white-space: pre-wrap; }
"""


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
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = f"<nav>{''.join(links)}</nav>{''.join(sections)}"
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def build(
    runs: str | Path,
    claims_file: str | Path,
    suite: str,
    published: str | None,
    path: Path,
    leave_out: Sequence[str] = (),
) -> None:
    """Executes the notebooks on one suite's runs and writes the page; the paper's notebook needs
    its score files."""
    values = {
        "runs": str(Path(runs).resolve()),
        "claims_file": str(Path(claims_file).resolve()),
        "suite": suite,
        "leave_out": list(leave_out),
    }
    names = [name for name in NOTEBOOKS if published or name != PAPER_NOTEBOOK]
    executed = {name: execute(name, {**values, "published_scores": published}) for name in names}
    path.write_text(page(executed, f"DreamerV2 ablations: {suite}"))
