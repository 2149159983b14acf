"""One self-contained HTML page from the notebooks, executed on a user's runs."""

import os
from collections.abc import Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis import InputError

FOLDER = Path(__file__).parent / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.py"))
PAPER_NOTEBOOK = "04_the_paper"
TIMEOUT = 600
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


def execute(name: str, parameters: dict[str, Any]):
    """The notebook `name` after running with the given values in place of its cell tagged
    `parameters`."""
    jupytext, nbclient, traitlets = _tools("jupytext", "nbclient", "traitlets.config")
    notebook = jupytext.read(FOLDER / f"{name}.py")
    notebook.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    cell.source = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    # Where there are sockets in the file system, only their owner can read them.
    config = traitlets.Config(KernelManager={"transport": "ipc" if os.name == "posix" else "tcp"})
    client = nbclient.NotebookClient(
        notebook, timeout=TIMEOUT, config=config, resources={"metadata": {"path": os.getcwd()}}
    )
    try:
        return client.execute(env=_environment())
    except nbclient.exceptions.CellExecutionError as error:
        raise InputError(f"notebook {name}: {error.ename}: {error.evalue}") from error


def _environment() -> dict[str, str]:
    """The kernel finds this package also where it is used from a checkout."""
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def page(notebooks: dict[str, Any], title: str) -> str:
    """The HTML page of executed notebooks: prose, tables and pictures, all inside the page."""
    (nbconvert,) = _tools("nbconvert")
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


def _tools(*names: str):
    try:
        return [import_module(name) for name in names]
    except ImportError as error:
        raise InputError(f"the report needs {error.name}: pip install '.[report]'") from error
