"""The paper's tables 1 and K.1 and the scheduling claim, from the official score files."""

import numpy as np
import pandas as pd

from analysis import tasks, verdict
from analysis.paper.score_files import (
    DREAMER,
    FINAL_FRAMES,
    NO_SCHEDULES,
    PUBLISHED_BASELINES,
    SCHEDULED,
)
from analysis.schema import Store
from analysis.score import LAST, atari_reference, final_scores, normalise, paper_aggregates

AGENTS = (DREAMER, SCHEDULED, NO_SCHEDULES)  # with curves of their own
COMPLETE_FRAMES = 195e6
EARLY_FRAMES = 20e6
WITHOUT, EARLY = "no schedules", "no schedules, first 20M frames"
MARGIN = 0.03  # of the clipped human record, as registered for Atari
TIE = 0.05  # section 3.2: a difference of at most 5% of the larger score is a tie


def early_ended(store: Store) -> pd.DataFrame:
    """The runs that stopped before 195M frames; the paper's numbers take their last value as if it
    were final."""
    early = store.runs[store.runs.arm.isin(AGENTS) & (store.runs.env_frames < COMPLETE_FRAMES)]
    early = early.assign(million_frames=(early.env_frames / 1e6).astype(int))
    return early[["arm", "task", "seed", "million_frames"]].sort_values(
        ["arm", "task", "seed"], ignore_index=True
    )


def complete(store: Store) -> Store:
    """The store without the runs that ended early."""
    runs = store.runs[store.runs.env_frames >= COMPLETE_FRAMES]
    return Store(runs, store.points[store.points.run.isin(runs.run)], store.problems)


def finals(store: Store, until: float = FINAL_FRAMES) -> pd.DataFrame:
    """Final scores as in the paper: of each run the last bin of 1M frames (10 episodes), which is a
    point of its curve, at most 199M."""
    return final_scores(store, LAST, until=until)[0]


def table_1(store: Store) -> pd.DataFrame:
    """The paper's table 1: the four aggregates over 55 games of every agent, and its number of
    seeds and games."""
    frame = finals(store)
    rows = {}
    for arm in (DREAMER, SCHEDULED, *PUBLISHED_BASELINES.values()):
        own = frame[frame.arm == arm]
        seeds = own.groupby("task").seed.nunique()
        rows[arm] = {**paper_aggregates(own), "seeds": int(seeds.max()), "games": len(seeds)}
    return pd.DataFrame(rows).T.astype({"seeds": int, "games": int})


def table_k1(store: Store) -> pd.DataFrame:
    """The paper's table K.1: raw final scores of all agents on the 55 games, means over seeds."""
    means = finals(store).pivot_table(index="task", columns="arm", values="score", aggfunc="mean")
    return atari_reference().join(means[[*PUBLISHED_BASELINES.values(), DREAMER, SCHEDULED]])


def scheduling(store: Store, margin: float = MARGIN) -> pd.DataFrame:
    """The verdict on scheduling from the real 55-game curves, against either and both sets of runs
    without schedules, each with its positive control: the same runs after 20M frames.

    The first row is the claim; the others are its checks, so no adjustment for several claims is
    made.
    """
    comparisons = {
        "8 seeds of the paper": [DREAMER],
        "3 more seeds": [NO_SCHEDULES],
        "all 11 seeds": [DREAMER, NO_SCHEDULES],
    }
    rows = []
    for name, part in (("all", store), ("complete only", complete(store))):
        final, early = (
            normalise(finals(part, until), "clipped_record")[0]
            for until in (FINAL_FRAMES, EARLY_FRAMES)
        )
        scheduled = final[final.arm == SCHEDULED]
        for seeds, arms in comparisons.items():
            own = final[final.arm.isin(arms)].assign(arm=WITHOUT)
            first = early[early.arm.isin(arms)].assign(arm=EARLY)
            row = _compared(scheduled, own, margin)
            control = _compared(first, own, margin)
            size = {"seeds": seeds, "runs": name, "with_": len(scheduled), "without": len(own)}
            early_ = {f"early_{key}": value for key, value in control.items()}
            rows.append(size | row | early_)
    return pd.DataFrame(rows)


def _compared(first: pd.DataFrame, second: pd.DataFrame, margin: float) -> dict:
    """The effect of one arm against another over the games, with its interval and its words."""
    frame = pd.concat([first, second], ignore_index=True)
    frame["run"] = range(len(frame))
    nothing = pd.DataFrame(columns=["run", "step", "normalised"])
    arms = (frozenset({part.arm.iloc[0]}) for part in (first, second))
    seen, _ = tasks.shown("scheduling", *arms, tasks.of_runs(frame, nothing, {}))
    low, high = map(float, seen.change.interval(verdict.ERROR))
    words = str(verdict.words(low, high, margin))
    effect = float(seen.change.tasks.effect.mean())
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


def curves(store: Store) -> pd.DataFrame:
    """Clipped record mean over 55 games by environment frames, one column per arm; ended runs keep
    their last value."""
    frame, _ = normalise(store.tidy(), "clipped_record")
    frame = frame[frame.arm.isin(AGENTS) & (frame.env_frames <= FINAL_FRAMES)]
    by_run = frame.pivot(index="env_frames", columns="run", values="normalised").ffill()
    arm_and_task = store.runs.set_index("run").loc[by_run.columns]
    by_game = by_run.T.groupby([arm_and_task.arm, arm_and_task.task]).mean()
    return by_game.groupby("arm").mean().T
