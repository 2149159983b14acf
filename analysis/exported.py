"""One csv with everything that is known of a folder's runs: written, and read again, alone or with
others."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import InputError, written
from analysis.fields import ACTIONS, ENDED, KINDS, NORMALISATIONS, Status, is_suite, shown
from analysis.frames import POINT_COLUMNS, RUN_COLUMNS, Problem, Store, joined, typed

# In the exported csv a run's own totals are told apart from those of its points.
OWN = {"env_frames": "run_env_frames", "gradient_steps": "run_gradient_steps"}
# Columns that files of earlier versions lack, with what their runs then take.
LATER = {"digest": "", "baseline": "", "commit": "", "normalisation": "reference"}
SAME = ["suite", "task", "arm", "seed", "digest"]  # runs that agree in these are one run
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


def load_all(paths: Sequence[Path]) -> Store:
    """Reads several exported csvs as one; a run that two of them hold alike is taken once, one that
    has not ended not where another file holds its end.

    Raises `InputError` naming the run and the files where they hold different ends of it.
    """
    stores = {path: load(path) for path in paths}
    check_alike(stores)
    ends = {key for store in stores.values() for key in _keys(_ended(store))}
    seen, parts = set(), []
    for store in stores.values():
        over = store.runs.status.isin(ENDED)
        gone = [key in ends for key in _keys(store.runs)]
        store = store.of(store.runs[over | ~np.array(gone, bool)])
        new = [key not in seen for key in _keys(store.runs)]
        parts.append(store.of(store.runs[new]))
        seen |= {*_keys(store.runs)}
    return joined(parts)


def check_alike(stores: Mapping[str | Path, Store]) -> None:
    """`InputError` naming a run that ended in two of the stores, told by where they are, and not
    alike."""
    seen: dict[tuple, tuple] = {}
    for where, store in stores.items():
        contents = _contents(store.of(_ended(store)))
        for key in [key for key in contents if key in seen]:
            other, known = seen[key]
            if known != contents[key]:
                raise InputError(
                    f"{where}: the run {' '.join(map(str, key[:3]))} seed {key[3]} is another one "
                    f"in {Path(other).name}; keep one of the two"
                )
        seen = {key: (where, own) for key, own in contents.items()} | seen


def _ended(store: Store) -> pd.DataFrame:
    return store.runs[store.runs.status.isin(ENDED)]


def _keys(runs: pd.DataFrame) -> list[tuple]:
    return list(runs[SAME].itertuples(index=False, name=None))


def _contents(store: Store) -> dict[tuple, tuple]:
    """By run a hash of everything but where it was found, and of its evaluations."""
    numbers = dict.fromkeys([name for name in POINT_COLUMNS if name != "kind"], float)
    points = store.points[store.points.kind == "eval"]
    hashed = _hashes(points[POINT_COLUMNS].astype(numbers))
    hashed = hashed.groupby(points.run).agg(tuple).reindex(store.runs.run)
    runs = _hashes(store.runs.drop(columns=["run", "source"]))
    return dict(zip(_keys(store.runs), zip(runs, hashed.fillna(0), strict=True), strict=True))


def _hashes(frame: pd.DataFrame) -> pd.Series:
    return pd.util.hash_pandas_object(frame, index=False)


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
