"""The notebooks, executed; `python -m analysis.executed` rebuilds the committed copies beside their
sources."""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from analysis import InputError, claims, committed, score_files

FOLDER = committed.PACKAGE / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.py"))
PAPER_NOTEBOOK = "04_the_paper"
TIMEOUT = 600
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def execute(name: str, parameters: dict[str, Any] | None = None):
    """The notebook `name` after running, with the given values in place of its cell tagged
    `parameters`."""
    jupytext, nbclient, traitlets = tools("jupytext", "nbclient", "traitlets.config")
    notebook = jupytext.read(FOLDER / f"{name}.py")
    notebook.metadata["kernelspec"] = KERNEL
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{name[:2]}-{number:02}"
        if parameters is not None and "parameters" in cell.metadata.get("tags", []):
            cell.source = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    with tempfile.TemporaryDirectory() as folder:
        # Sockets in a folder of this kernel's own: others can neither read nor take them.
        sockets = {"transport": "ipc", "ip": f"{folder}/kernel"} if os.name == "posix" else {}
        client = nbclient.NotebookClient(
            notebook,
            timeout=TIMEOUT,
            config=traitlets.Config(KernelManager=sockets),
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": os.getcwd()}},
        )
        try:
            client.execute(env=_environment())
        except nbclient.exceptions.CellExecutionError as error:
            raise InputError(f"notebook {name}: {error.ename}: {error.evalue}") from error
    notebook.metadata["language_info"] = {"name": "python", "file_extension": ".py"}
    return notebook


def _environment() -> dict[str, str]:
    """The kernel finds this package also where it is used from a checkout."""
    paths = [str(committed.PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def made_from(name: str) -> dict[str, str]:
    """The SHA-256 of each file that the committed copy of a notebook is made from, of those that
    are here."""
    files = [FOLDER / f"{name}.py"]
    if name == PAPER_NOTEBOOK:
        files += [committed.SCORE_FILES / file for file in score_files.FILES]
    else:
        files += [claims.DEFAULT, *committed.run_files()]
    return committed.hashes(files)


def rebuild(name: str) -> Path:
    """Executes a notebook on the committed results and writes it beside its source."""
    (nbformat,) = tools("nbformat")
    notebook = execute(name)
    notebook.metadata["made_from"] = made_from(name)
    path = FOLDER / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def tools(*names: str):
    """The modules of the extra `report`; `InputError` where one is not installed."""
    try:
        return [import_module(name) for name in names]
    except ImportError as error:
        raise InputError(f"the report needs {error.name}: pip install '.[report]'") from error


def main() -> int:
    """Rebuilds all notebooks; that of the paper stays as it is where its score files are not."""
    for name in NOTEBOOKS:
        if name == PAPER_NOTEBOOK and not committed.SCORE_FILES.is_dir():
            print(
                f"{name} is left as it is: it needs the folder {committed.SCORE_FILES} with "
                f"the official {', '.join(score_files.FILES)}",
                file=sys.stderr,
            )
            continue
        try:
            print(rebuild(name))
        except InputError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
