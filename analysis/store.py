"""Runs, from a folder of run folders, from one exported csv, or from a folder of them."""

import os
from collections.abc import Sequence
from pathlib import Path

from analysis import InputError, exported, folders, selection
from analysis.frames import Problem, Store


def load(path: str | os.PathLike, leave_out: Sequence[str] = ()) -> Store:
    """Loads a folder of runs, an exported csv or a folder of these, one run per suite, task, arm
    and seed.

    Runs whose digest, or whose baseline's, is in `leave_out` are left out. Raises `InputError`
    where there is neither folder nor csv, no run in it, or a mixture of configurations.
    """
    path = Path(path)
    if path.is_dir():
        store = folders.load(path)
        files = sorted(file for file in path.iterdir() if file.name.endswith((".csv", ".csv.gz")))
        if files and store.runs.empty and not store.problems:
            store = exported.load_all(files)
        elif not (path / "run.json").exists():  # a run's own folder has a csv of its scores
            beside = "not read: it lies beside run folders; give it, or a folder of such files"
            store = store.of(store.runs, [Problem(file.name, beside) for file in files])
    elif path.is_file():
        store = exported.load(path)
    else:
        raise InputError(f"{path}: no such folder of runs or csv file")
    if store.runs.empty:
        first = store.problems[:1]
        detail = "".join(f" ({problem.source}: {problem.message})" for problem in first)
        raise InputError(
            f"{path}: no readable run found; expected folders with a run.json and a "
            f"scores.csv{detail}"
        )
    return selection.select(store, str(path), leave_out)
