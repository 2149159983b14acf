"""One csv with everything that is known of a folder's runs: written, and read again."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import InputError, written
from analysis.fields import ACTIONS, KINDS, NORMALISATIONS, Status, is_suite, shown
from analysis.frames import POINT_COLUMNS, RUN_COLUMNS, Problem, Store, typed

# In the exported csv a run's own totals are told apart from those of its points.
OWN = {"env_frames": "run_env_frames", "gradient_steps": "run_gradient_steps"}
# Columns that files of earlier versions lack, with what their runs then take.
LATER = {"digest": "", "baseline": "", "commit": "", "normalisation": "reference"}
WORDS = {"actions": ACTIONS, "status": tuple(Status), "normalisation": NORMALISATIONS}
MAY_BE_EMPTY = {"error": "", "saturated": "", "digest": "", "baseline": "", "commit": ""}


def export(store: Store, path: str | os.PathLike, kinds: tuple[str, ...] = ("eval",)) -> None:
    """Writes the points of the given kinds and everything known of their runs to one csv (`.gz`
    compresses)."""
    points = store.points[store.points.kind.isin(kinds)]
    frame = store.runs.rename(columns=OWN).merge(points, on="run", how="left").drop(columns="run")
    written.csv(frame, path)


def load(path: Path) -> Store:
    """Reads an exported csv; raises `InputError` naming the column that it lacks or that holds
    something else."""
    try:
        frame = written.read_csv(path)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not a csv of runs ({shown(error, 200)})") from error
    frame = frame.assign(**{name: value for name, value in LATER.items() if name not in frame})
    own = [OWN.get(name, name) for name in RUN_COLUMNS]
    if missing := [name for name in [*own, *POINT_COLUMNS] if name not in frame]:
        raise InputError(
            f"{path}: lacks the column {', '.join(missing)}; "
            "write such a file with `analysis export`"
        )
    frame.insert(0, "run", frame.groupby("source", sort=False, dropna=False).ngroup())
    runs = frame.drop_duplicates("run")[["run", *own]].set_axis(["run", *RUN_COLUMNS], axis=1)
    runs = runs.fillna(MAY_BE_EMPTY).reset_index(drop=True)
    _check(runs, path)
    runs = typed(runs.astype({"seed": int} | dict.fromkeys(["digest", "baseline", "commit"], str)))
    good = np.isfinite(pd.to_numeric(frame.score, errors="coerce")) & frame.kind.isin(KINDS)
    bad = frame.source[~good & frame.kind.notna()].value_counts(sort=False)
    problems = [
        Problem(source, f"{count} rows left out: the score is not a number")
        for source, count in bad.items()
    ]
    points = frame.loc[good, ["run", *POINT_COLUMNS]].reset_index(drop=True)
    return Store(runs, points.astype({"score": float}), problems)


def _check(runs: pd.DataFrame, path: Path) -> None:
    """`InputError` for runs without a proper name, suite or word."""
    for name in ("source", "suite", "task", "arm"):
        empty = ~runs[name].map(lambda value: isinstance(value, str) and value.isprintable())
        if empty.any():
            raise InputError(f"{path}: the column {name} has a run without a name")
    if wrong := [name for name in runs.suite if not is_suite(name)]:
        raise InputError(
            f"{path}: suite '{shown(wrong[0])}'; "
            "a suite's name has letters, digits, spaces, and _ . + -"
        )
    for name, allowed in WORDS.items():
        if wrong := [value for value in runs[name] if value not in allowed]:
            raise InputError(
                f"{path}: {name} is '{shown(wrong[0])}'; allowed: {', '.join(allowed)}"
            )
    seeds = pd.to_numeric(runs.seed, errors="coerce")
    if (wrong := ~(np.isfinite(seeds) & (seeds % 1 == 0))).any():
        raise InputError(f"{path}: seed '{shown(runs.seed[wrong].iloc[0])}' is no whole number")
