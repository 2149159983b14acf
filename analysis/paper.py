"""The paper's tables 1 and K.1 and the scheduling claim, from the official score files, which are
read into the same frames as our own runs."""

import json
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Self
from urllib.request import urlopen

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from analysis import InputError, tasks, verdict
from analysis.schema import POINT_COLUMNS, RUN_COLUMNS, TEXTS, Store, one_line, shown
from analysis.score import LAST, atari_reference, final_scores, normalise, paper_aggregates

MAIN, SCHEDULES = "atari-dreamerv2.json", "atari-dreamerv2-schedules.json"
BASELINES = "baselines.json"  # Dopamine, sticky actions, 200M frames
DREAMER, SCHEDULED = "DreamerV2", "DreamerV2 (schedules)"
NO_SCHEDULES = "DreamerV2 (no schedules, 3 more seeds)"
AGENTS = (DREAMER, SCHEDULED, NO_SCHEDULES)  # with curves of their own
PUBLISHED_BASELINES = {
    "iqn_sticky_2e8": "IQN",
    "rainbow_sticky_2e8": "Rainbow",
    "c51_sticky_2e8": "C51",
    "dqn_sticky_2e8": "DQN",
}
ARMS = {
    MAIN: {"dreamerv2": DREAMER, "nosched": NO_SCHEDULES},
    SCHEDULES: {"dreamerv2": SCHEDULED},
    BASELINES: PUBLISHED_BASELINES,
}
FINAL_FRAMES = 199e6  # the last bin that all complete runs have
PREFIX = "atari_"
GAMES = [PREFIX + task for task in atari_reference().index]
Number = Annotated[FiniteFloat, Field(strict=True)]
Numbers = Annotated[list[Number], Field(min_length=1)]
COMPLETE_FRAMES = 195e6
EARLY_FRAMES = 20e6
MARGIN = 0.03  # of the clipped human record, as registered for Atari
TIE = 0.05  # section 3.2: a difference of at most 5% of the larger score is a tie
WITHOUT = {  # runs without schedules
    "8 seeds of the paper": [DREAMER],
    "3 more seeds": [NO_SCHEDULES],
    "all 11 seeds": [DREAMER, NO_SCHEDULES],
}


class Curve(BaseModel):
    """A run of a score file: scores `ys` at frames `xs`."""

    task: str
    method: str
    seed: Annotated[str, Field(pattern=r"^\d+$")] = "0"
    xs: Numbers
    ys: Numbers

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.xs) != len(self.ys):
            raise ValueError(f"xs has {len(self.xs)} numbers and ys {len(self.ys)}")
        return self


CURVES = TypeAdapter(Annotated[list[Curve], Field(min_length=1)])


def load(source: str) -> Store:
    """Reads the three score files from a folder, or below a URL; raises `InputError` naming the
    file, the run and what is wrong."""
    curves = [{"file": name, **own} for name in ARMS for own in _read_curves(source, name)]
    table = pd.DataFrame(curves).rename_axis("run").reset_index()
    points = table[["run", "xs", "ys"]].explode(["xs", "ys"], ignore_index=True)
    points = points.infer_objects().set_axis(["run", "env_frames", "score"], axis=1)
    points = points.assign(kind="eval", episodes=10, step=points.env_frames / 4)
    identity = {"suite": "atari", "actions": "discrete", "normalisation": "clipped_record"}
    runs = table.assign(
        **identity,
        **dict.fromkeys(TEXTS, ""),
        source=table.file + ": " + table.task + " " + table.method + " seed " + table.seed,
        task=table.task.str.removeprefix(PREFIX),
        arm=[ARMS[file][method] for file, method in zip(table.file, table.method, strict=True)],
        seed=table.seed.astype(int),
        status="done",
        env_frames=table["xs"].str[-1],
        saturation=0.0,
    )
    return Store(
        runs.reindex(columns=["run", *RUN_COLUMNS]), points.reindex(columns=["run", *POINT_COLUMNS])
    )


def _read(source: str, name: str):
    folder = source if "://" in source else Path(source).absolute().as_uri()
    try:
        with urlopen(f"{folder.rstrip('/')}/{name}", timeout=60) as answer:
            return json.load(answer)
    except (OSError, HTTPException, ValueError, RecursionError) as error:
        why = f"cannot read the official score file {name} ({shown(error, 200)})"
        raise InputError(f"{source}: {why}") from error


def _read_curves(source: str, name: str) -> list[dict]:
    """The runs of a score file, each once, every agent with all 55 games."""
    where, raw = f"{source}: {name}", _read(source, name)
    if name == BASELINES and isinstance(raw, dict):
        raw = [
            {"task": game, "method": column, "xs": [FINAL_FRAMES], "ys": [raw[game].get(column)]}
            for game in GAMES  # the file has others too
            for column in PUBLISHED_BASELINES
            if isinstance(raw.get(game), dict)
        ]
    try:
        runs = [run.model_dump() for run in CURVES.validate_python(raw)]
    except ValidationError as error:
        raise InputError(f"{where}: {one_line(error)}") from error
    _check(pd.DataFrame(runs)[["method", "task", "seed"]], name, where)
    return runs


def _check(runs: pd.DataFrame, name: str, where: str) -> None:
    """`InputError` for an agent that is not known or lacks a game, or a run that is there twice."""
    if runs.duplicated().any():
        raise InputError(f"{where} has the run {' '.join(runs[runs.duplicated()].iloc[0])} twice")
    if unknown := sorted(set(runs.method) - set(ARMS[name])):
        known = ", ".join(ARMS[name])
        raise InputError(f"{where}: unknown method '{shown(unknown[0])}'; allowed: {known}")
    for method, own in runs.groupby("method").task:
        if wrong := sorted(set(GAMES) ^ set(own)):
            raise InputError(f"{where}: {method}: missing or unknown game {', '.join(wrong)}")


def early_ended(store: Store) -> pd.DataFrame:
    """The runs that stopped before 195M frames; the paper's numbers take their last value as if it
    were final."""
    early = store.runs[store.runs.arm.isin(AGENTS) & (store.runs.env_frames < COMPLETE_FRAMES)]
    early = early.assign(million_frames=(early.env_frames / 1e6).astype(int))
    names = ["arm", "task", "seed"]
    return early[[*names, "million_frames"]].sort_values(names, ignore_index=True)


def complete(store: Store) -> Store:
    """The store without the runs that ended early."""
    return store.of(store.runs[store.runs.env_frames >= COMPLETE_FRAMES])


def finals(store: Store, until: float = FINAL_FRAMES) -> pd.DataFrame:
    """Final scores as in the paper: of each run the last bin of 1M frames (10 episodes), which is a
    point of its curve, at most 199M."""
    return final_scores(store, LAST, until=until)[0]


def tables(store: Store) -> dict[str, pd.DataFrame]:
    """Every table, by the name of its file."""
    return {
        "table_1": table_1(store).reset_index(),
        "table_1_complete_runs": table_1(complete(store)).reset_index(),
        "table_k1": table_k1(store).round().astype(int).reset_index(),
        "scheduling": scheduling(store),
        "scheduling_games": scheduling_games(store),
        "early_ended": early_ended(store),
    }


def table_1(store: Store) -> pd.DataFrame:
    """The paper's table 1: the four aggregates over 55 games of every agent, and its number of
    seeds and games."""
    rows = {
        arm: {**paper_aggregates(own), "seeds": own.seed.nunique(), "games": own.task.nunique()}
        for arm, own in finals(store).groupby("arm")
    }
    order = [DREAMER, SCHEDULED, *PUBLISHED_BASELINES.values()]
    return pd.DataFrame.from_dict(rows, orient="index").loc[order].rename_axis("agent")


def table_k1(store: Store) -> pd.DataFrame:
    """The paper's table K.1: raw final scores of all agents on the 55 games, means over seeds."""
    means = finals(store).pivot_table(index="task", columns="arm", values="score", aggfunc="mean")
    return atari_reference().join(means[[*PUBLISHED_BASELINES.values(), DREAMER, SCHEDULED]])


def scheduling(store: Store) -> pd.DataFrame:
    """The verdict on scheduling from the real 55-game curves, against either and both sets of runs
    without schedules, each with its positive control: the same runs after 20M frames. The first row
    is the claim, the others check it, so nothing is adjusted."""
    rows = []
    for name, part in (("all", store), ("complete only", complete(store))):
        final = normalise(finals(part), "clipped_record")[0]
        early = normalise(finals(part, EARLY_FRAMES), "clipped_record")[0]
        scheduled = final[final.arm == SCHEDULED]
        for seeds, arms in WITHOUT.items():
            own, first = (frame[frame.arm.isin(arms)] for frame in (final, early))
            size = {"seeds": seeds, "runs": name, "with_": len(scheduled), "without": len(own)}
            control = {f"early_{key}": value for key, value in _compared(first, own).items()}
            rows.append(size | _compared(scheduled, own) | control)
    return pd.DataFrame(rows)


def _compared(first: pd.DataFrame, second: pd.DataFrame) -> dict:
    frame = pd.concat([first.assign(arm="with"), second.assign(arm="without")], ignore_index=True)
    frame["run"] = range(len(frame))
    own = tasks.of_runs(frame, pd.DataFrame(columns=["run", "step", "normalised"]), {})
    seen, _ = tasks.shown("scheduling", frozenset({"with"}), frozenset({"without"}), own)
    effect, low, high = map(float, seen.mean(verdict.ERROR))
    words = str(verdict.words(low, high, MARGIN))
    return {"effect": effect, "low": low, "high": high, "words": words}


def scheduling_games(store: Store) -> pd.DataFrame:
    """By game the difference that schedules make and whether they are better, worse or tied within
    5%, as section 3.2 counts."""
    frame, _ = normalise(finals(store), "record")
    means = frame.pivot_table(index="task", columns="arm", values="normalised", aggfunc="mean")
    table = means[[SCHEDULED, DREAMER]].set_axis(["with", "without"], axis=1).reset_index()
    difference = table["with"] - table["without"]
    tied = difference.abs() <= TIE * table[["with", "without"]].abs().max(axis=1)
    result = np.select([tied, difference > 0], ["tied", "better"], "worse")
    table = table.assign(difference=difference, result=result)
    return table.sort_values("difference", ignore_index=True)
