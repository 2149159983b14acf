"""Reads runs, from a folder of run folders, from one exported csv, or from a folder of these, and
writes such a csv."""

import io
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from analysis import InputError, select
from analysis.schema import (
    ENDED,
    KINDS,
    NUMBERS,
    POINT_COLUMNS,
    RUN_COLUMNS,
    SCHEMA,
    SCORE_COLUMNS,
    Actions,
    Name,
    Normalisation,
    Problem,
    RunFile,
    Status,
    Store,
    Suite,
    joined,
    one_line,
    shown,
)

MEASURED = ("step", "env_frames", "return")  # the columns of scores.csv that are numbers
Chunk = tuple[str, bytes]  # the header and the complete lines of a scores.csv
UNREADABLE = (ValueError, OSError, EOFError, zlib.error)  # ValueError: no csv, no UTF-8
# In an exported csv a run's own totals are told apart from those of its points.
OWN = {"env_frames": "run_env_frames", "gradient_steps": "run_gradient_steps"}
# Columns that files of earlier versions lack, with what their runs then take.
LATER = {"digest": "", "baseline": "", "commit": "", "normalisation": "reference", "traits": ""}
TEXTS = {"error": "", "saturated": "", "digest": "", "baseline": "", "commit": "", "traits": ""}
CHECKED = {
    **{"source": Name, "suite": Suite, "task": Name, "arm": Name, "actions": Actions},
    **{"status": Status, "normalisation": Normalisation},
}
SAME = ["suite", "task", "arm", "seed", "digest"]  # runs that agree in these are one run


def load(path: str | os.PathLike, leave_out: Sequence[str] = ()) -> Store:
    """Loads a folder of runs, an exported csv or a folder of these, one run per suite, task, arm
    and seed.

    Runs whose digest, or whose baseline's, is in `leave_out` are left out. Raises `InputError`
    where there is neither folder nor csv, no run in it, or a mixture of configurations.
    """
    path = Path(path)
    if path.is_dir():
        store = folder(path)
        files = sorted(file for file in path.iterdir() if file.name.endswith((".csv", ".csv.gz")))
        if files and store.runs.empty and not store.problems:
            store = exported(files)
        elif not (path / "run.json").exists():  # a run's own folder has a csv of its scores
            beside = "not read: it lies beside run folders; give it, or a folder of such files"
            store = store.of(store.runs, [Problem(file.name, beside) for file in files])
    elif path.is_file():
        store = exported([path])
    else:
        raise InputError(f"{path}: no such folder of runs or csv file")
    if store.runs.empty:
        first = store.problems[:1]
        detail = "".join(f" ({problem.source}: {problem.message})" for problem in first)
        raise InputError(
            f"{path}: no readable run found; expected folders with a run.json and a "
            f"scores.csv{detail}"
        )
    return select.select(store, str(path), leave_out)


def folder(root: Path) -> Store:
    """All runs below `root` that can be read, and what was wrong with the others."""
    problems: list[Problem] = []
    records, chunks = [], []
    for where, names in run_folders(root, problems):
        source = os.path.relpath(where, root)
        try:
            records.append({"source": source, **_run(where, names).row()})
        except ValidationError as error:
            problems.append(Problem(source, f"left out: run.json: {one_line(error)}"))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(Problem(source, f"left out: {shown(error, 200)}"))
        else:
            chunks.append(_score_lines(where, source, problems))
    runs = pd.DataFrame(records, columns=RUN_COLUMNS)
    runs = runs.astype(dict.fromkeys(NUMBERS, float))
    runs.insert(0, "run", np.arange(len(runs)))
    points = _points(_parse(chunks, runs.source, problems))
    return Store(runs, _with_gradient_steps(points, runs), problems)


def run_folders(root: Path, problems: list[Problem]) -> Iterator[tuple[str, list[str]]]:
    """The run folders below `root` with the names of their files, those behind links once; folders
    that cannot be entered are added to `problems`."""

    def closed(error: OSError) -> None:
        folder = os.path.relpath(error.filename, root)
        problems.append(Problem(folder, f"left out: {error.strerror}"))

    seen = set()
    for where, subfolders, names in os.walk(root, onerror=closed, followlinks=True):
        subfolders.sort()
        real = os.path.realpath(where)
        if real in seen or {"run.json", "scores.csv", "metrics.jsonl"} & set(names):
            subfolders.clear()
            if real not in seen:
                yield where, names
        seen.add(real)


def _run(where: str, names: list[str]) -> RunFile:
    if "run.json" not in names:
        raise ValueError("it has no run.json")
    with open(os.path.join(where, "run.json"), "rb") as file:
        raw = json.loads(file.read())
    if isinstance(raw, dict) and raw.get("schema") != SCHEMA:
        raise ValueError(
            f"run.json has schema {shown(raw.get('schema'))}, this analysis reads schema {SCHEMA}"
        )
    return RunFile.model_validate(raw)


def _score_lines(where: str, source: str, problems: list[Problem]) -> Chunk:
    try:
        with open(os.path.join(where, "scores.csv"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        problems.append(Problem(source, "no scores yet: it has no scores.csv"))
        return "", b""
    except OSError as error:
        problems.append(Problem(source, f"scores left out: {shown(error, 200)}"))
        return "", b""
    header, _, body = data.partition(b"\n")
    columns = header.decode(errors="replace").strip()
    if missing := [name for name in SCORE_COLUMNS if name not in columns.split(",")]:
        problems.append(
            Problem(source, f"scores left out: scores.csv lacks the column {', '.join(missing)}")
        )
        return "", b""
    complete = body.rfind(b"\n") + 1
    if complete < len(body):
        problems.append(Problem(source, "the last line of scores.csv is cut off and left out"))
    return columns, body[:complete]


def _parse(chunks: list[Chunk], sources: pd.Series, problems: list[Problem]) -> pd.DataFrame:
    """All score rows with their run's number; files of the same header are parsed as one text,
    which is fast."""
    frames = []
    for header in {header for header, body in chunks if body}:
        runs = [run for run, (own, body) in enumerate(chunks) if own == header and body]
        try:
            frames.append(_parse_text(header, runs, chunks))
        except ValueError:
            for run in runs:
                try:
                    frames.append(_parse_text(header, [run], chunks))
                except ValueError as error:
                    message = f"scores left out: {str(error).splitlines()[0]}"
                    problems.append(Problem(sources[run], message))
    rows = pd.DataFrame(columns=["run", *SCORE_COLUMNS])
    rows = pd.concat(frames, ignore_index=True) if frames else rows
    numbers = rows[[*MEASURED]].apply(pd.to_numeric, errors="coerce").astype(float)
    good = np.isfinite(numbers).all(axis=1) & rows.kind.isin(KINDS)
    for run, count in rows.run[~good].value_counts(sort=False).items():
        message = f"{count} rows of scores.csv left out: no number, or neither train nor eval"
        problems.append(Problem(sources[run], message))
    rows[[*MEASURED]] = numbers
    return rows[good]


def _parse_text(header: str, runs: list[int], chunks: list[Chunk]) -> pd.DataFrame:
    text = b"".join(chunks[run][1] for run in runs)
    lines = [chunks[run][1].count(b"\n") for run in runs]
    frame = pd.read_csv(
        io.BytesIO(text),
        names=header.split(","),
        usecols=list(SCORE_COLUMNS),
        skip_blank_lines=False,
        index_col=False,
    )
    return frame.assign(run=np.repeat(runs, lines))


def _points(rows: pd.DataFrame) -> pd.DataFrame:
    """One point per (run, kind, step): an evaluation's episodes become their mean."""
    groups = rows.groupby(["run", "kind", "step"], sort=True)
    points = groups.agg(
        env_frames=("env_frames", "first"), score=("return", "mean"), episodes=("return", "size")
    )
    return points.reset_index()


def _with_gradient_steps(points: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Adds gradient steps at each point, by the run's constant ratio of updates to agent steps
    after its prefill."""
    own = runs.set_index("run")[["steps", "gradient_steps", "prefill"]]
    own = own.loc[points.run].reset_index(drop=True)
    after = (own.steps - own.prefill).clip(lower=1)
    share = ((points.step - own.prefill) / after).clip(0, 1)
    points = points.assign(gradient_steps=(share * own.gradient_steps).round())
    return points[["run", *POINT_COLUMNS]]


def export(store: Store, path: str | os.PathLike, kinds: Sequence[str] = ("eval",)) -> None:
    """Writes the points of the given kinds and everything known of their runs to one csv (`.gz`
    compresses, the same runs always to the same bytes)."""
    points = store.points[store.points.kind.isin(kinds)]
    frame = store.runs.rename(columns=OWN).merge(points, on="run", how="left").drop(columns="run")
    compression = {"method": "gzip", "mtime": 0} if str(path).endswith(".gz") else None
    frame.to_csv(path, index=False, compression=compression)


def exported(paths: Sequence[Path]) -> Store:
    """Reads exported csvs as one; a run that two of them hold alike is taken once, one that has not
    ended not where another file holds its end.

    Raises `InputError` naming the file and its column that is wrong, or the run and the files where
    they hold different ends of it.
    """
    stores = {path: _exported(path) for path in paths}
    _check_alike(stores)
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


def _exported(path: Path) -> Store:
    texts = dict.fromkeys(TEXTS, str)  # 12345678 and 1e234567 are digests too
    try:
        frame = pd.read_csv(path, dtype=texts, float_precision="round_trip")
    except UNREADABLE as error:
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
    runs = runs.fillna(TEXTS).reset_index(drop=True)
    _check(runs, path)
    numbers = runs[NUMBERS].apply(pd.to_numeric, errors="coerce").astype(float)
    runs = runs.assign(**numbers).astype({"seed": int})
    measured = frame[["step", "env_frames", "score"]].apply(pd.to_numeric, errors="coerce")
    good = np.isfinite(measured).all(axis=1) & frame.kind.isin(KINDS)
    bad = frame.source[~good & frame.kind.notna()].value_counts(sort=False)
    problems = [
        Problem(source, f"{count} rows left out: the score or its step is not a number")
        for source, count in bad.items()
    ]
    points = frame.loc[good, ["run", *POINT_COLUMNS]].assign(**measured[good])
    return Store(runs, points.reset_index(drop=True), problems)


def _check(runs: pd.DataFrame, path: Path) -> None:
    """`InputError` for runs without a proper name, suite, word or seed."""
    for name, kind in CHECKED.items():
        for value in runs[name].unique():
            try:
                TypeAdapter(kind).validate_python(value)
            except ValidationError as error:
                raise InputError(f"{path}: the column {name}: {one_line(error)}") from error
    seeds = pd.to_numeric(runs.seed, errors="coerce")
    if (wrong := ~(np.isfinite(seeds) & (seeds % 1 == 0))).any():
        raise InputError(f"{path}: seed '{shown(runs.seed[wrong].iloc[0])}' is no whole number")


def _check_alike(stores: dict[Path, Store]) -> None:
    """`InputError` naming a run that ended in two of the files, and not alike."""
    seen: dict[tuple, tuple] = {}
    for path, store in stores.items():
        contents = _contents(store.of(_ended(store)))
        for key in [key for key in contents if key in seen]:
            other, known = seen[key]
            if known != contents[key]:
                raise InputError(
                    f"{path}: the run {' '.join(map(str, key[:3]))} seed {key[3]} is another one "
                    f"in {other.name}; keep one of the two files here, and give runs that repeat "
                    "others a folder of their own: run.root=other"
                )
        seen = {key: (path, own) for key, own in contents.items()} | seen


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
