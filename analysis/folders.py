"""Reads what runs leave: run.json and scores.csv of every run folder below a root."""

import io
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.fields import (
    ACTIONS,
    KINDS,
    NORMALISATIONS,
    SCHEMA,
    SCORE_COLUMNS,
    Status,
    is_identifier,
    is_suite,
    shown,
)
from analysis.frames import POINT_COLUMNS, RUN_COLUMNS, Problem, Store, typed

NAMES = ("suite", "task", "arm", "status")
WORDS = {"actions": ACTIONS, "status": tuple(Status)}
MEASURES = ("steps", "env_frames", "gradient_steps", "wall_seconds")
MEASURED = ("step", "env_frames", "return")  # the columns of scores.csv that are numbers
Chunk = tuple[str, bytes]  # the header and the complete lines of a scores.csv
UNPARSED = (pd.errors.ParserError, UnicodeDecodeError, ValueError)


def load(root: Path) -> Store:
    """All runs below `root` that can be read, and what was wrong with the others."""
    problems: list[Problem] = []
    records, chunks = [], []
    for folder, names in _run_folders(root):
        source = os.path.relpath(folder, root)
        try:
            record = _read_run(folder, source, names)
        except (
            OSError,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,
            OverflowError,
        ) as error:
            problems.append(Problem(source, f"left out: {shown(error, 200)}"))
            continue
        records.append(record)
        chunks.append(_read_scores(folder, source, problems))
    runs = typed(pd.DataFrame(records, columns=RUN_COLUMNS))
    runs.insert(0, "run", np.arange(len(runs)))
    points = _points(_parse(chunks, runs.source, problems))
    return Store(runs, _with_gradient_steps(points, runs), problems)


def _run_folders(root: Path) -> Iterator[tuple[str, list[str]]]:
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
    _check_identity(raw)
    config = raw.get("config") or {}
    suite, task, run, recipe = (config.get(key) or {} for key in ("suite", "task", "run", "recipe"))
    saturated, saturation = _saturation(raw.get("saturation") or {})
    return {
        "source": source,
        **{key: raw[key] for key in ("suite", "task", "arm", "seed", "actions", "status")},
        "digest": _digest(raw, "digest"),
        "baseline": _digest(raw, "baseline"),
        "commit": _commit(raw.get("git")),
        "normalisation": _normalisation(suite.get("normalisation")),
        "planned_steps": _number(run.get("steps")),
        "prefill": _number(recipe.get("prefill") or 0),
        **{key: _number(raw.get(key)) for key in MEASURES},
        "error": str(raw.get("error") or ""),
        "random": _number(task.get("random")),
        "reference": _number(task.get("reference")),
        "parameters": _number((raw.get("parameters") or {}).get("total")),
        "saturated": saturated,
        "saturation": saturation,
    }


def _commit(git) -> str:
    """The commit of the code that made a run, `+` where it was changed since; empty if unknown."""
    git = git if isinstance(git, dict) else {}
    return f"{git.get('commit') or ''}{'+' * bool(git.get('dirty'))}"


def _check_identity(raw) -> None:
    """ValueError for a run.json that does not say which run it is."""
    if not isinstance(raw, dict):
        raise ValueError("run.json is not an object")
    if (schema := raw.get("schema")) != SCHEMA:
        raise ValueError(f"run.json has schema {schema}, this analysis reads schema {SCHEMA}")
    if missing := [key for key in (*NAMES, "seed") if key not in raw]:
        raise ValueError(f"run.json lacks {', '.join(missing)}")
    for key in NAMES:
        if not isinstance(raw[key], str) or not raw[key].isprintable() or not raw[key]:
            raise ValueError(f"{key} in run.json is a name; got {shown(json.dumps(raw[key]))}")
    if not is_suite(raw["suite"]):
        raise ValueError(
            f"suite in run.json is {json.dumps(raw['suite'])}; "
            "a suite's name has letters, digits, spaces, and _ . + -"
        )
    seed = raw["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or abs(seed) >= 2**63:
        raise ValueError(f"seed in run.json is a whole number; got {shown(raw['seed'])}")
    for key, allowed in WORDS.items():
        if raw.get(key) not in allowed:
            given = shown(json.dumps(raw.get(key)))
            raise ValueError(f"{key} in run.json is {given}; allowed: {', '.join(allowed)}")


def _digest(raw: dict, key: str) -> str:
    digest = raw.get(key) or ""
    if digest and not is_identifier(digest):
        raise ValueError(f"{key} in run.json is {shown(digest)}; it has letters and digits")
    return digest


def _number(value: object) -> float:
    """The number, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def _normalisation(value: object) -> str:
    """The suite's normalisation; runs from before suites named one take their own references."""
    if value is None:
        return "reference"
    if value not in NORMALISATIONS:
        raise ValueError(
            f"suite.normalisation in run.json is {shown(value)}; "
            f"allowed: {', '.join(NORMALISATIONS)}"
        )
    return value


def _saturation(shares: dict) -> tuple[str, float]:
    """The part of the agent that was saturated in most updates, and the share of them."""
    known = {key: value for key, value in shares.items() if value is not None}
    known = {key: _number(value) for key, value in known.items()}
    if wrong := [key for key, value in known.items() if math.isnan(value)]:
        raise ValueError(f"saturation in run.json gives no number for {shown(wrong[0])}")
    saturated = max(known, key=known.get, default="")
    return saturated, known.get(saturated, 0.0)


def _read_scores(folder: str, source: str, problems: list[Problem]) -> Chunk:
    try:
        with open(os.path.join(folder, "scores.csv"), "rb") as file:
            data = file.read()
    except FileNotFoundError:
        problems.append(Problem(source, "no scores yet: it has no scores.csv"))
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
        except UNPARSED:
            for run in runs:
                try:
                    frames.append(_parse_text(header, [run], chunks))
                except UNPARSED as error:
                    message = f"scores left out: {str(error).splitlines()[0]}"
                    problems.append(Problem(sources[run], message))
    rows = pd.DataFrame(columns=["run", *SCORE_COLUMNS])
    rows = pd.concat(frames, ignore_index=True) if frames else rows
    numbers = rows[[*MEASURED]].apply(pd.to_numeric, errors="coerce").astype(float)
    good = np.isfinite(numbers).all(axis=1) & rows.kind.isin(KINDS)
    for run, count in rows.run[~good].value_counts(sort=False).items():
        message = f"{count} rows of scores.csv left out: no number, or neither train nor eval"
        problems.append(Problem(sources[run], message))
    return rows.assign(**numbers)[good]


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
    return points.assign(gradient_steps=(share * own.gradient_steps).round())[
        ["run", *POINT_COLUMNS]
    ]
