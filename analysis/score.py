"""From curves to one number per run: the final score in a named window, and its normalisations."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import BaseModel, FiniteFloat

from analysis import InputError
from analysis.schema import DIVERGED, ENDED, Problem, Store, from_yaml

LAST, LAST_BIN, AREA = "last", "last_bin", "area"
BIN = 1e6  # environment frames of a point of the official curves
BIN_EPISODES = 10  # of a point of the official curves
FEWEST = {AREA: 8}  # evaluations that a run must have for a window
RAW = "raw"


@cache
def atari_reference() -> pd.DataFrame:
    """Raw scores of random play, a gamer and the human record for the 55 games, by task."""
    return pd.read_csv(Path(__file__).parent / "reference.csv", comment="#", index_col="task")


def final_scores(
    store: Store, window: str = LAST, until: float = np.inf
) -> tuple[pd.DataFrame, list[Problem]]:
    """One score per run by a window of `WINDOWS`, and the runs that gave none. `until` cuts curves
    at that many environment frames. A run that diverged has no score (NaN) and stays in. Runs that
    have not ended are left out and listed."""
    used = store.runs[store.runs.status.isin(ENDED)]
    diverged = used.status == DIVERGED
    points = store.points[store.points.run.isin(used.run) & (store.points.env_frames <= until)]
    points = points.sort_values(["run", "env_frames"], kind="stable")
    fewest, count = FEWEST.get(window, 1), used.run.map(points.groupby("run").size()).fillna(0)
    score = used.run.map(WINDOWS[window](points)).where(count >= fewest).mask(diverged)
    frame = used.assign(score=score)
    problems = [
        Problem(row.source, f"not scored: status {row.status}{', ' * bool(row.error)}{row.error}")
        for row in store.runs.drop(used.index).itertuples()
    ]
    for row in frame[score.isna() & ~diverged].itertuples():
        few = f"{window} takes {fewest} evaluations, it has {count[row.Index]:.0f}"
        said = few if count[row.Index] else "no evaluation"
        problems.append(Problem(row.source, f"not scored: {said}"))
    if window == LAST_BIN:
        episodes = used[~diverged].set_index("source").run.map(_last_bin(points).episodes)
        for source, few in episodes[episodes < BIN_EPISODES].items():
            said = f"its last bin of 1M frames has {few:.0f} episodes, fewer than ten"
            problems.append(Problem(source, said))
    return frame[score.notna() | diverged].reset_index(drop=True), problems


def area(points: pd.DataFrame) -> pd.Series:
    """By run the mean height of its curve, by the trapezoid rule; the score of a single evaluation.
    Points are in the order of frames."""
    runs = points.groupby("run")
    steps = runs.env_frames.diff()
    parts = (steps * (points.score + runs.score.shift()) / 2).groupby(points.run).sum()
    return (parts / steps.groupby(points.run).sum()).fillna(runs.score.last())


def _last_bin(points: pd.DataFrame) -> pd.DataFrame:
    """By run the mean return, `score`, and number of `episodes` in the last bin of 1M environment
    frames that its evaluations reach, a point of the official curves."""
    end = points.groupby("run").env_frames.transform("max")
    own = points[np.ceil(points.env_frames / BIN) == np.ceil(end / BIN)]
    sums = own.assign(score=own.score * own.episodes).groupby("run")[["score", "episodes"]].sum()
    return sums.assign(score=sums.score / sums.episodes)


WINDOWS = {
    LAST: lambda points: points.groupby("run").score.last(),
    LAST_BIN: lambda points: _last_bin(points).score,
    AREA: area,
}


def normalise(frame: pd.DataFrame, scheme: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Adds the column `normalised`, (score - random) / (reference - random); lists tasks without.
    `gamer` and `record` take the human references of the Atari table, `clipped_record` clips the
    latter at 1 (section 3.1), `reference` takes each run's own. What has no score stays NaN."""
    if scheme == "reference":
        low, high = frame.random.astype(float), frame.reference.astype(float)
    else:
        table = atari_reference()
        low = frame.task.map(table.random)
        high = frame.task.map(table["human_gamer" if scheme == "gamer" else "human_record"])
    value = (frame.score.astype(float) - low) / (high - low)
    if scheme == "clipped_record":
        value = value.clip(upper=1)
    known = np.isfinite((high - low).astype(float)) & (high != low)
    unknown = frame.loc[~known, ["suite", "task"]].drop_duplicates()
    problems = [
        Problem(f"{suite}/{task}", f"not normalised: no different random and {scheme} score")
        for suite, task in unknown.itertuples(index=False)
    ]
    return frame.assign(normalised=value.astype(float))[known].reset_index(drop=True), problems


def paper_aggregates(frame: pd.DataFrame) -> dict[str, float]:
    """Table 1's four columns of one agent: clipped per run, mean over seeds, then over games."""
    games = {
        scheme: normalise(frame, scheme)[0].groupby("task").normalised.mean()
        for scheme in ("gamer", "record", "clipped_record")
    }
    means = {f"{scheme}_mean": float(own.mean()) for scheme, own in games.items()}
    return {"gamer_median": float(games["gamer"].median()), **means}


def scored(
    store: Store, window: str, judged: pd.Series | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, str, list[Problem]]:
    """A suite's scored runs, normalised evaluations, the normalisation, and what has no score. One
    that diverged scores the worst of its task's runs, or of those `judged`. Where no task has
    random and reference scores, raw returns take the place of normalised scores."""
    named = sorted(store.runs.normalisation.unique())
    if len(named) > 1:
        raise InputError(f"its runs name different normalisations: {' and '.join(named)}")
    final, problems = final_scores(store, window)
    if final.empty:
        why = ": ".join(problems[0])
        raise InputError(f"no run of suite {store.runs.suite.iloc[0]} has a score ({why})")
    (scheme,) = named
    frame, unnormalised = normalise(final, scheme)
    points = store.of(final).tidy()
    if frame.empty:
        scheme, unnormalised = RAW, []
        frame, curves = (part.assign(normalised=part.score) for part in (final, points))
    else:
        curves, _ = normalise(points, scheme)
    known = frame.normalised.where(frame.run.isin(frame.run if judged is None else judged))
    worst = known.groupby(frame.task).transform("min").fillna(0)  # 0: all runs diverged
    frame = frame.assign(normalised=frame.normalised.fillna(worst))
    end = curves.groupby("task").env_frames.transform("max")
    curves = curves.assign(step=(curves.env_frames / end).round(3))
    return frame, curves, scheme, [*problems, *unnormalised]


def with_references(store: Store, path: str | Path) -> Store:
    """The store with scores of a YAML file, `{my_task: {random: 0, reference: 100}}`; `InputError`
    for another file, or for a task without runs."""
    given = from_yaml(path, dict[str, _Reference], "references")
    if unknown := sorted(set(given) - set(store.runs.task)):
        raise InputError(f"{path}: no run is of task {unknown[0]}")
    runs = store.runs.copy()
    for task, own in given.items():
        runs.loc[runs.task == task, ["random", "reference"]] = own.random, own.reference
    return store.of(runs)


class _Reference(BaseModel, extra="forbid"):
    random: FiniteFloat
    reference: FiniteFloat
