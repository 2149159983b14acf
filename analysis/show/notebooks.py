"""What the notebooks show, and the notebooks executed on the committed results."""

import os
import sys
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from analysis import InputError, committed, paper
from analysis.show.figures import png
from analysis.show.tables import filled, html, plain

FOLDER = committed.PACKAGE / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
PAPER = "04_the_paper"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def table(frame: pd.DataFrame, caption: str, empty: str = "") -> None:
    """Shows the columns of a table in which something stands, below its caption; `empty`, a
    sentence, where there are no rows."""
    from IPython import display

    shown = display.HTML(html(filled(frame))) if len(frame) else display.Markdown(plain(empty))
    display.display(display.Markdown(f"**{plain(caption)}**"), shown)


def figure(drawn: Figure, caption: str) -> None:
    """Shows a figure above its caption, which stands for it where it cannot be seen."""
    from IPython import display

    display.display(display.Image(png(drawn, dpi=110), alt=caption))
    display.display(display.Markdown(f"*{plain(caption)}*"))


def execute(source: Path):
    """The notebook of a Python file in jupytext's form, after running."""
    import jupytext
    import nbclient
    from traitlets.config import Config

    notebook = jupytext.read(source)
    notebook.metadata["kernelspec"] = KERNEL
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{source.stem[:2]}-{number:02}"
    with tempfile.TemporaryDirectory() as folder:
        # Sockets in a folder of this kernel's own: others can neither read nor take them. Without
        # folders of kernels it is this interpreter's, whatever a reader has registered.
        sockets = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
        config = Config(KernelManager=sockets, KernelSpecManager={"kernel_dirs": []})
        client = nbclient.NotebookClient(
            notebook,
            resources={"metadata": {"path": committed.PACKAGE.parent}},  # the kernel's folder
            timeout=600,  # seconds of a cell
            config=config,
            record_timing=False,
            coalesce_streams=True,
        )
        try:
            client.execute()
        except nbclient.exceptions.CellExecutionError as error:
            raise InputError(f"notebook {source}: {error.ename}: {error.evalue}") from error
    notebook.metadata["language_info"] = {"name": "python", "file_extension": ".py"}
    return notebook


def made_from(name: str) -> dict[str, str]:
    """The SHA-256 of each file that the committed copy of a notebook is made from."""
    source = committed.hashes([FOLDER / f"{name}.py"])
    if name != PAPER:
        return source | committed.sources()
    return source | committed.hashes([committed.SCORE_FILES / file for file in paper.ARMS])


def write(_: object = None) -> None:
    """Executes the notebooks on the committed results, outputs inside."""
    import nbformat

    for name in NAMES:
        if name == PAPER and not committed.SCORE_FILES.is_dir():
            left = f"{name} is left as it is: there is no folder {committed.SCORE_FILES}"
            print(f"{left} with {', '.join(paper.ARMS)}", file=sys.stderr)
            continue
        notebook = execute(FOLDER / f"{name}.py")
        notebook.metadata["made_from"] = made_from(name)
        path = FOLDER / f"{name}.ipynb"
        nbformat.write(notebook, path)
        print(path)
