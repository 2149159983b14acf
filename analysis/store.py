"""Reads runs, from a folder of run folders or from one exported csv, into two frames and a list of
what was wrong."""

import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis import InputError

SCHEMA = 1
SCORES = ["step", "env_frames", "kind", "episode", "return", "length"]
KINDS = ["train", "eval"]
ACTIONS = ("discrete", "continuous")
NUMBERS = [
    *("planned_steps", "prefill", "steps", "env_frames", "gradient_steps", "wall_seconds"),
    *("random", "reference", "parameters", "saturation"),
]
RUN_COLUMNS = [
    "source",
    "suite",
    "task",
    "arm",
    "seed",
    "actions",
    "status",
    "error",
    "saturated",
    *NUMBERS,
]
POINT_COLUMNS = ["kind", "step", "env_frames", "gradient_steps", "score", "episodes"]
# In the exported csv a run's own totals are told apart from those of its points.
EXPORTED = {"env_frames": "run_env_frames", "gradient_steps": "run_gradient_steps"}


class Problem(NamedTuple):
    """One thing that was wrong with one run (or `source` of runs), in one line."""

    source: str
    message: str


@dataclass(frozen=True)
class Store:
    """Runs as frames: `runs` (R rows, columns `run` and RUN_COLUMNS), `points` (columns `run` and
    POINT_COLUMNS), and `problems`."""

    runs: pd.DataFrame
    points: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    def tidy(self) -> pd.DataFrame:
        """Every point beside its run's identity: one row per (run, kind, step)."""
        identity = self.runs[
            ["run", "suite", "task", "arm", "seed", "actions", "status", "random", "reference"]
        ]
        return identity.merge(self.points, on="run")

    def where(self, **columns) -> "Store":
        """The part of the store whose runs have the given values, as in `where(suite="mini",
        task="cartpole")`."""
        keep = np.logical_and.reduce([self.runs[name] == value for name, value in columns.items()])
        runs = self.runs[keep]
        return Store(runs, self.points[self.points.run.isin(runs.run)], self.problems)


def load(path: str | os.PathLike) -> Store:
    """Loads a folder of runs or an exported csv; raises `InputError` where there is neither or no
    run in it."""
    path = Path(path)
    if path.is_dir():
        store = _load_folder(path)
    elif path.is_file():
        store = _load_csv(path)
    else:
        raise InputError(f"{path}: no such folder of runs or csv file")
    if store.runs.empty:
        detail = (
            f" ({store.problems[0].source}: {store.problems[0].message})" if store.problems else ""
        )
        raise InputError(
            f"{path}: no readable run found; expected folders with a run.json and a scores.csv{detail}"
        )
    return _one_run_per_cell(store)


def export(store: Store, path: str | os.PathLike, kinds: tuple[str, ...] = ("eval",)) -> None:
    """Writes the points of the given kinds and everything known of their runs to one csv (`.gz`
    compresses)."""
    points = store.points[store.points.kind.isin(kinds)]
    frame = (
        store.runs.rename(columns=EXPORTED).merge(points, on="run", how="left").drop(columns="run")
    )
    compression = {"method": "gzip", "mtime": 0} if str(path).endswith(".gz") else None
    frame.to_csv(path, index=False, compression=compression)


def _load_folder(root: Path) -> Store:
    problems: list[Problem] = []
    records, chunks = [], []
    for folder, names in _run_folders(root):
        source = os.path.relpath(folder, root)
        try:
            record = _read_run(folder, source, names)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            problems.append(Problem(source, f"left out: {error}"))
            continue
        records.append(record)
        chunks.append(_read_scores(folder, source, problems))
    runs = pd.DataFrame(records, columns=RUN_COLUMNS)
    runs = _typed(runs)
    runs.insert(0, "run", np.arange(len(runs)))
    points = _points(_parse(chunks, runs.source, problems))
    return Store(runs, _with_gradient_steps(points, runs), problems)


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    return runs.assign(**runs[NUMBERS].apply(pd.to_numeric, errors="coerce").astype(float))


def _run_folders(root: Path):
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        if {"run.json", "scores.csv", "metrics.jsonl"} & set(names):
            subfolders.clear()
            yield folder, names


def _read_run(folder: str, source: str, names: list[str]) -> dict:
    if "run.json" not in names:
        raise ValueError("it has no run.json")
    with open(os.path.join(folder, "run.json"), "rb") as file:
        raw = json.loads(file.read())
    schema = raw.get("schema")
    if schema != SCHEMA:
        raise ValueError(f"run.json has schema {schema}, this analysis reads schema {SCHEMA}")
    missing = [key for key in ("suite", "task", "arm", "seed", "status") if key not in raw]
    if missing:
        raise ValueError(f"run.json lacks {', '.join(missing)}")
    for key in ("suite", "task", "arm", "status"):
        if not isinstance(raw[key], str):
            raise ValueError(f"{key} in run.json is a name; got {json.dumps(raw[key])}")
    if raw.get("actions") not in ACTIONS:
        raise ValueError(
            f"actions in run.json is {json.dumps(raw.get('actions'))}; allowed: {', '.join(ACTIONS)}"
        )
    config = raw.get("config") or {}
    task, run, recipe = (config.get(key) or {} for key in ("task", "run", "recipe"))
    saturation = {
        key: value for key, value in (raw.get("saturation") or {}).items() if value is not None
    }
    saturated = max(saturation, key=saturation.get, default="")
    return {
        "source": source,
        **{key: raw[key] for key in ("suite", "task", "arm", "status")},
        "seed": int(raw["seed"]),
        "actions": raw["actions"],
        "planned_steps": run.get("steps"),
        "prefill": recipe.get("prefill") or 0,
        **{key: raw.get(key) for key in ("steps", "env_frames", "gradient_steps", "wall_seconds")},
        "error": raw.get("error") or "",
        "random": task.get("random"),
        "reference": task.get("reference"),
        "parameters": (raw.get("parameters") or {}).get("total"),
        "saturated": saturated,
        "saturation": saturation.get(saturated, 0.0),
    }


def _read_scores(folder: str, source: str, problems: list[Problem]) -> tuple[str, bytes]:
    """The header and the complete lines of a run's scores.csv."""
    try:
        with open(os.path.join(folder, "scores.csv"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        problems.append(Problem(source, "no scores yet: it has no scores.csv"))
        return "", b""
    header, _, body = data.partition(b"\n")
    columns = header.decode(errors="replace").strip()
    missing = [
        name for name in ("step", "env_frames", "kind", "return") if name not in columns.split(",")
    ]
    if missing:
        problems.append(
            Problem(source, f"scores left out: scores.csv lacks the column {', '.join(missing)}")
        )
        return "", b""
    complete = body.rfind(b"\n") + 1
    if complete < len(body):
        problems.append(Problem(source, "the last line of scores.csv is cut off and left out"))
    return columns, body[:complete]


def _parse(
    chunks: list[tuple[str, bytes]], sources: pd.Series, problems: list[Problem]
) -> pd.DataFrame:
    """All score rows with their run's number; files of the same header are parsed as one text,
    which is fast."""
    frames = []
    for header in {header for header, body in chunks if body}:
        runs = [run for run, (own, body) in enumerate(chunks) if own == header and body]
        try:
            frames.append(_parse_text(header, runs, chunks))
        except (pd.errors.ParserError, UnicodeDecodeError, ValueError):
            for run in runs:
                try:
                    frames.append(_parse_text(header, [run], chunks))
                except (pd.errors.ParserError, UnicodeDecodeError, ValueError) as error:
                    problems.append(
                        Problem(sources[run], f"scores left out: {str(error).splitlines()[0]}")
                    )
    rows = (
        pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["run", *SCORES])
    )
    numbers = (
        rows[["step", "env_frames", "return"]].apply(pd.to_numeric, errors="coerce").astype(float)
    )
    good = np.isfinite(numbers).all(axis=1) & rows.kind.isin(KINDS)
    for run, count in rows.run[~good].value_counts(sort=False).items():
        problems.append(
            Problem(
                sources[run],
                f"{count} rows of scores.csv left out: no number, or neither train nor eval",
            )
        )
    return rows.assign(**numbers)[good]


def _parse_text(header: str, runs: list[int], chunks: list[tuple[str, bytes]]) -> pd.DataFrame:
    text = b"".join(chunks[run][1] for run in runs)
    lines = [chunks[run][1].count(b"\n") for run in runs]
    names = header.split(",")
    wanted = ["step", "env_frames", "kind", "return"]
    frame = pd.read_csv(
        io.BytesIO(text), names=names, usecols=wanted, skip_blank_lines=False, index_col=False
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
    own = (
        runs.set_index("run")[["steps", "gradient_steps", "prefill"]]
        .loc[points.run]
        .reset_index(drop=True)
    )
    after = (own.steps - own.prefill).clip(lower=1)
    share = ((points.step - own.prefill) / after).clip(0, 1)
    return points.assign(gradient_steps=(share * own.gradient_steps).round())[
        ["run", *POINT_COLUMNS]
    ]


def _load_csv(path: Path) -> Store:
    try:
        frame = pd.read_csv(path)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not a csv of runs ({str(error).splitlines()[0]})") from error
    own = [EXPORTED.get(name, name) for name in RUN_COLUMNS]
    missing = [name for name in [*own, *POINT_COLUMNS] if name not in frame]
    if missing:
        raise InputError(
            f"{path}: lacks the column {', '.join(missing)}; write such a file with `analysis export`"
        )
    frame.insert(0, "run", frame.groupby("source", sort=False).ngroup())
    runs = (
        frame.drop_duplicates("run")[["run", *own]]
        .set_axis(["run", *RUN_COLUMNS], axis=1)
        .reset_index(drop=True)
    )
    runs = _typed(runs.assign(saturated=runs.saturated.fillna(""), error=runs.error.fillna("")))
    problems = []
    good = np.isfinite(pd.to_numeric(frame.score, errors="coerce")) & frame.kind.isin(KINDS)
    for source, count in frame.source[~good & frame.kind.notna()].value_counts(sort=False).items():
        problems.append(Problem(source, f"{count} rows left out: the score is not a number"))
    points = frame.loc[good, ["run", *POINT_COLUMNS]].reset_index(drop=True)
    return Store(runs, points.astype({"score": float}), problems)


def _one_run_per_cell(store: Store) -> Store:
    """Keeps one run per (suite, task, arm, seed), all runs of a task with the same budget, and
    lists the others.

    The budget is that of most finished runs of the task, or of most runs where none is finished.
    """
    runs, problems = store.runs, list(store.problems)
    budgets = runs.planned_steps.fillna(-1)
    task, done = [runs.suite, runs.task], runs.status == "done"
    counted = budgets.where(done | ~done.groupby(task).transform("any"))
    common = counted.groupby(task).transform(lambda values: values.mode().max())
    for _, row in runs[budgets != common].iterrows():
        lengths = f"{row.planned_steps:g} steps, the runs of {row.task} that are used have {common[row.name]:g}"
        problems.append(Problem(row.source, f"left out: {lengths}"))
    runs = runs[budgets == common]
    best = runs.assign(done=runs.status == "done").sort_values(
        ["done", "env_frames"], ascending=False, kind="stable"
    )
    cell = ["suite", "task", "arm", "seed"]
    first = best.drop_duplicates(cell)
    for _, row in best.drop(first.index).iterrows():
        name = f"{row.suite} {row.task} {row.arm} seed {row.seed}"
        problems.append(
            Problem(row.source, f"left out: a second run of {name}; the one further along is used")
        )
    runs = first[["run", *RUN_COLUMNS]].sort_values(cell).reset_index(drop=True)
    return Store(
        runs, store.points[store.points.run.isin(runs.run)].reset_index(drop=True), problems
    )
