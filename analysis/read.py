"""Reads runs, from a folder of run folders, from one exported csv, or from a folder of these, and
writes such a csv."""

import os
import zlib
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from analysis import InputError, schema, select
from analysis.schema import POINT_COLUMNS, RUN_COLUMNS, TEXTS, Problem, Store, one_line, shown

# In an exported csv a run's own totals are told apart from those of its points.
OWN = {"env_frames": "run_env_frames", "gradient_steps": "run_gradient_steps"}
SAME = ["suite", "task", "arm", "seed", "digest"]  # runs that agree in these are one run


def load(path: str | os.PathLike, leave_out: Sequence[str] = ()) -> Store:
    """Loads a folder of runs, an exported csv or a folder of these; one run per task, arm and seed.
    Runs whose digest, or whose baseline's, is in `leave_out` are left out. Raises `InputError`
    where there is neither folder nor csv, no run in it, or a mixture of configurations."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such folder of runs or csv file")
    store = _in_folder(path) if path.is_dir() else exported([path])
    if store.runs.empty:
        first = "".join(f" ({source}: {said})" for source, said in store.problems[:1])
        expected = "expected folders with a run.json and a scores.csv"
        raise InputError(f"{path}: no readable run found; {expected}{first}")
    return select.select(store, str(path), leave_out)


def _in_folder(path: Path) -> Store:
    store = folder(path)
    if (path / "run.json").exists():  # a run's own folder has a csv of its scores
        return store
    files = sorted(file for file in path.iterdir() if file.name.endswith((".csv", ".csv.gz")))
    if files and store.runs.empty and not store.problems:
        return exported(files)
    beside = "not read: it lies beside run folders; give it, or a folder of such files"
    return store.of(store.runs, [Problem(file.name, beside) for file in files])


def folder(root: Path) -> Store:
    """All runs below `root` that can be read, and what was wrong with the others."""
    problems: list[Problem] = []
    records, scores = [], []
    for where, names in run_folders(root, problems):
        source = os.path.relpath(where, root)
        try:
            run = schema.RunFile.model_validate_json(Path(where, "run.json").read_bytes())
        except ValidationError as error:
            problems.append(Problem(source, f"left out: run.json: {one_line(error)}"))
        except OSError as error:
            why = shown(error, 200) if "run.json" in names else "it has no run.json"
            problems.append(Problem(source, f"left out: {why}"))
        else:
            records.append({"source": source, **run.row()})
            scores += _score_rows(Path(where, "scores.csv"), source, problems)
    runs = _typed(pd.DataFrame(records, columns=RUN_COLUMNS)).rename_axis("run").reset_index()
    rows = pd.DataFrame(scores, columns=["source", *schema.SCORE_COLUMNS])
    rows = _known(rows.merge(runs[["run", "source"]]), "scores.csv", problems)
    return Store(runs, _points(rows, runs), problems)


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    numbers = runs[schema.NUMBERS].apply(pd.to_numeric, errors="coerce").astype(float)
    return runs.assign(**dict(runs[TEXTS].fillna("")), **dict(numbers))


def run_folders(root: Path, problems: list[Problem]) -> Iterator[tuple[str, list[str]]]:
    """The run folders below `root` and the names of their files, those behind links once; adds
    folders that cannot be entered to `problems`."""

    def closed(error: OSError) -> None:
        folder = os.path.relpath(error.filename, root)
        problems.append(Problem(folder, f"left out: {error.strerror}"))

    seen = set()
    for where, subfolders, names in os.walk(root, onerror=closed, followlinks=True):
        subfolders.sort()
        is_run = bool({"run.json", "scores.csv", "metrics.jsonl"} & set(names))
        known = (real := os.path.realpath(where)) in seen
        seen.add(real)
        if is_run or known:
            subfolders.clear()
        if is_run and not known:
            yield where, names


def _score_rows(path: Path, source: str, problems: list[Problem]) -> list[tuple[str, ...]]:
    """The source and SCORE_COLUMNS of a run's scores.csv, a row a line whatever it holds; pandas
    would take a millisecond to begin."""
    try:
        complete, _, rest = path.read_text("utf-8", "replace").rpartition("\n")
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        left_out = f"scores left out: {shown(error, 200)}"
        problems.append(Problem(source, "it has no scores.csv yet" if absent else left_out))
        return []
    header, *lines = (line.split(",") for line in complete.split("\n"))
    if missing := ", ".join(name for name in schema.SCORE_COLUMNS if name not in header):
        problems.append(Problem(source, f"scores left out: scores.csv lacks the column {missing}"))
        return []
    if rest:
        problems.append(Problem(source, "the last line of scores.csv is cut off and left out"))
    own = itemgetter(*map(header.index, schema.SCORE_COLUMNS))
    return [(source, *own(line + [""] * len(header))) for line in lines]


def _known(rows: pd.DataFrame, file: str, problems: list[Problem]) -> pd.DataFrame:
    """The evaluations; rows without numbers or of an unknown kind are listed by `source`."""
    measured = [name for name in ("step", "env_frames", "return", "score") if name in rows]
    numbers = rows[measured].apply(pd.to_numeric, errors="coerce").astype(float)
    rows = rows.assign(**dict(numbers))
    good = np.isfinite(numbers).all(axis=1) & rows.kind.isin(schema.KINDS)
    for source, count in rows.source[~good].value_counts(sort=False).items():
        said = f"{count} rows of {file} left out: no number, or neither train nor eval"
        problems.append(Problem(source, said))
    return rows[good & (rows.kind == "eval")]


def _points(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """One point per (run, step): an evaluation's episodes become their mean. Gradient steps are by
    the run's constant ratio of updates to agent steps after its prefill."""
    points = rows.groupby(["run", "kind", "step"], as_index=False).agg(
        env_frames=("env_frames", "first"), score=("return", "mean"), episodes=("return", "size")
    )
    own = runs.set_index("run").loc[points.run].reset_index(drop=True)
    share = (points.step - own.prefill) / (own.steps - own.prefill).clip(lower=1)
    points = points.assign(gradient_steps=(share.clip(0, 1) * own.gradient_steps).round())
    return points[["run", *POINT_COLUMNS]]


def export(store: Store, path: str | os.PathLike) -> None:
    """Writes everything known of the runs and their evaluations to one csv (`.gz` compresses, the
    same runs always to the same bytes)."""
    runs = store.runs.rename(columns=OWN)
    frame = runs.merge(store.points, on="run", how="left").drop(columns="run")
    compression = {"method": "gzip", "mtime": 0} if str(path).endswith(".gz") else None
    frame.to_csv(path, index=False, compression=compression)


def exported(paths: Sequence[Path]) -> Store:
    """Reads exported csvs as one; a run that several hold is taken once, as it ended first, and
    listed where they differ. `InputError` names a wrong file and column."""
    stores = [_exported(path) for path in paths]
    store = schema.joined(stores)
    runs = store.runs.assign(ended=store.runs.status.isin(schema.ENDED), content=_contents(store))
    runs["file"] = np.repeat([path.name for path in paths], [len(one.runs) for one in stores])
    first = runs.sort_values("ended", ascending=False, kind="stable").drop_duplicates(SAME)
    both = runs[runs.ended].merge(first, on=SAME, suffixes=("", "_first"))
    said = "left out: {row.file} has it too and differs; that of {row.file_first} is used"
    others = both[both.content != both.content_first].itertuples()
    problems = [Problem(row.source, said.format(row=row)) for row in others]
    return store.of(store.runs.loc[first.index.sort_values()], problems)


def _exported(path: Path) -> Store:
    try:  # 12345678 and 1e234567 are digests too
        frame = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), float_precision="round_trip")
    except (ValueError, OSError, EOFError, zlib.error) as error:  # ValueError: no csv, no UTF-8
        raise InputError(f"{path}: not a csv of runs ({shown(error, 200)})") from error
    frame = frame if "traits" in frame else frame.assign(traits="")  # as an earlier version wrote
    own = [OWN.get(name, name) for name in RUN_COLUMNS]
    if missing := [name for name in [*own, *POINT_COLUMNS] if name not in frame]:
        lacks = f"lacks the column {', '.join(missing)}"
        raise InputError(f"{path}: {lacks}; write such a file with `analysis export`")
    frame.insert(0, "run", frame.groupby("source", sort=False, dropna=False).ngroup())
    runs = frame.drop_duplicates("run")[["run", *own]].set_axis(["run", *RUN_COLUMNS], axis=1)
    try:
        for run in runs[[*schema.Identity.model_fields]].to_dict("records"):
            schema.Identity.model_validate(run)
    except ValidationError as error:
        raise InputError(f"{path}: the column {one_line(error)}") from error
    problems: list[Problem] = []
    points = _known(frame[frame.kind.notna()], path.name, problems)[["run", *POINT_COLUMNS]]
    return Store(_typed(runs).astype({"seed": int}), points, problems)


def _contents(store: Store) -> pd.Series:
    """By run a hash of everything but where it was found, and of its evaluations."""
    hashed = pd.util.hash_pandas_object(store.points[POINT_COLUMNS], index=False)
    runs = pd.util.hash_pandas_object(store.runs.drop(columns=["run", "source"]), index=False)
    return runs + store.runs.run.map(hashed.groupby(store.points.run).sum()).fillna(0)
