"""From curves to one number per run: the final score in a named window, and its normalisations."""

from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

from analysis import InputError
from analysis.store import Problem, Store

WINDOWS = ("last", "last_tenth", "area")
SCHEMES = ("gamer", "record", "clipped_record", "reference")
IDENTITY = [
    "run",
    "source",
    "suite",
    "task",
    "arm",
    "seed",
    "actions",
    "random",
    "reference",
    "parameters",
]


@cache
def atari_reference() -> pd.DataFrame:
    """Raw scores of random play, a professional gamer and the human record for the paper's 55
    games, by task."""
    with resources.files("analysis").joinpath("reference.csv").open() as file:
        return pd.read_csv(file, comment="#", index_col="task")


def default_scheme(suite: str) -> str:
    """The normalisation of a suite's claims: clipped record for Atari (section 3.1), else the
    task's own references."""
    return "clipped_record" if suite.startswith("atari") else "reference"


def final_scores(
    store: Store,
    window: str = "last",
    until: float | None = None,
    statuses: tuple[str, ...] = ("done",),
) -> tuple[pd.DataFrame, list[Problem]]:
    """One score per run, and the runs that gave none.

    Windows: `last` is the last evaluation (the paper's "final score"), `last_tenth` the mean over
    the evaluations in the last tenth of the run's frames, `area` the mean height of the whole
    curve. `until` cuts curves at that many environment frames. Runs of other statuses are left out
    and listed.
    """
    if window not in WINDOWS:
        raise InputError(f"window '{window}' is not known; allowed: {', '.join(WINDOWS)}")
    used = store.runs[store.runs.status.isin(statuses)]
    points = store.points[(store.points.kind == "eval") & store.points.run.isin(used.run)]
    if until is not None:
        points = points[points.env_frames <= until]
    score = _windowed(points.sort_values(["run", "env_frames"], kind="stable"), window)
    frame = used[[*IDENTITY, "saturated", "saturation"]].assign(score=used.run.map(score))
    problems = []
    for row in store.runs[~store.runs.status.isin(statuses)].itertuples():
        reason = f", {row.error}" if row.error else ""
        problems.append(Problem(row.source, f"not scored: status {row.status}{reason}"))
    problems += [
        Problem(source, "not scored: no evaluation") for source in frame.source[frame.score.isna()]
    ]
    return frame[frame.score.notna()].reset_index(drop=True), problems


def _windowed(points: pd.DataFrame, window: str) -> pd.Series:
    groups = points.groupby("run")
    if window == "last":
        return groups.score.last()
    if window == "last_tenth":
        late = points.env_frames >= 0.9 * groups.env_frames.transform("max")
        return points[late].groupby("run").score.mean()
    return pd.Series(
        {run: area(curve.env_frames, curve.score) for run, curve in groups}, dtype=float
    )


def area(frames, scores) -> float:
    """Area under a curve divided by its length in frames, by the trapezoid rule: the mean height of
    the curve."""
    frames, scores = np.asarray(frames, float), np.asarray(scores, float)
    if len(frames) == 1:
        return float(scores[0])
    return float(np.trapezoid(scores, frames) / (frames[-1] - frames[0]))


def normalise(frame: pd.DataFrame, scheme: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Adds the column `normalised`, (score - random) / (reference - random), run by run; lists
    tasks without reference.

    Schemes: `gamer` and `record` take the human references of the Atari table, `clipped_record`
    clips the latter at 1 from above (section 3.1), `reference` takes the two fixed scores that each
    run carries from its task.
    """
    if scheme not in SCHEMES:
        raise InputError(f"normalisation '{scheme}' is not known; allowed: {', '.join(SCHEMES)}")
    if scheme == "reference":
        low, high = frame.random.astype(float), frame.reference.astype(float)
    else:
        table = atari_reference()
        low = frame.task.map(table.random)
        high = frame.task.map(table["human_gamer" if scheme == "gamer" else "human_record"])
    value = (frame.score - low) / (high - low)
    if scheme == "clipped_record":
        value = value.clip(upper=1)
    known = np.isfinite(value.astype(float))
    problems = [
        Problem(f"{suite}/{task}", f"not normalised: the task has no random and {scheme} score")
        for suite, task in frame.loc[~known, ["suite", "task"]]
        .drop_duplicates()
        .itertuples(index=False)
    ]
    return frame.assign(normalised=value.astype(float))[known].reset_index(drop=True), problems


def samples(frame: pd.DataFrame, arm: str, column: str = "normalised") -> dict[str, np.ndarray]:
    """The scores of one arm by task, each `(R,)` in the order of seeds."""
    own = frame[frame.arm == arm].sort_values("seed")
    return {task: group[column].to_numpy() for task, group in own.groupby("task")}


def paper_aggregates(frame: pd.DataFrame) -> dict[str, float]:
    """Table 1's four columns of one agent: normalise and clip per run, mean over seeds, median or
    mean over games."""

    def over_games(scheme: str, reduce: str) -> float:
        normalised, _ = normalise(frame, scheme)
        return float(normalised.groupby("task").normalised.mean().agg(reduce))

    return {
        "gamer_median": over_games("gamer", "median"),
        "gamer_mean": over_games("gamer", "mean"),
        "record_mean": over_games("record", "mean"),
        "clipped_record_mean": over_games("clipped_record", "mean"),
    }
