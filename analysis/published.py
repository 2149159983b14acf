"""The paper's tables 1 and K.1 and the scheduling claim, from the official score files."""

import pandas as pd

from analysis.claims import Claim, Claims
from analysis.schema import Store
from analysis.score import (
    LAST,
    atari_reference,
    final_scores,
    normalise,
    paper_aggregates,
    samples,
)
from analysis.score_files import (
    ARMS,
    DREAMER,
    FINAL_FRAMES,
    NO_SCHEDULES,
    PUBLISHED_BASELINES,
    SCHEDULED,
)
from analysis.tables import better_worse_tied
from analysis.verdicts import evaluate

COMPLETE_FRAMES = 195e6
EARLY_FRAMES = 20e6
WITHOUT, EARLY = "no schedules", "no schedules, first 20M frames"


def early_ended(store: Store) -> pd.DataFrame:
    """The runs that stopped before 195M frames; the paper's numbers take their last value as if it
    were final."""
    early = store.runs[
        store.runs.arm.isin(ARMS.values()) & (store.runs.env_frames < COMPLETE_FRAMES)
    ]
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
    for arm in (DREAMER, SCHEDULED, *PUBLISHED_BASELINES):
        own = frame[frame.arm == arm]
        seeds = own.groupby("task").seed.nunique()
        rows[arm] = {**paper_aggregates(own), "seeds": int(seeds.max()), "games": len(seeds)}
    return pd.DataFrame(rows).T.astype({"seeds": int, "games": int})


def table_k1(store: Store) -> pd.DataFrame:
    """The paper's table K.1: raw final scores of all agents on the 55 games, means over seeds."""
    means = finals(store).pivot_table(index="task", columns="arm", values="score", aggfunc="mean")
    return atari_reference().join(means[[*PUBLISHED_BASELINES, DREAMER, SCHEDULED]])


def scheduling(store: Store, margin: float = 0.03) -> pd.DataFrame:
    """The verdict on scheduling from the real 55-game curves, against either and both sets of runs
    without schedules.

    The first row is the claim; the others are its checks, so no adjustment for several claims is
    made. The positive control, which must hurt, are the same runs without schedules after 20M
    frames; its row follows the claim's.
    """
    comparisons = {
        "8 seeds of the paper": [DREAMER],
        "3 more seeds": [NO_SCHEDULES],
        "all 11 seeds": [DREAMER, NO_SCHEDULES],
    }
    claim = Claim("scheduling", "no_help", SCHEDULED, WITHOUT, "discrete")
    control = Claim("first_20m_frames", "none", EARLY, WITHOUT, "discrete")
    rows = []
    for runs, part in (("all", store), ("complete only", complete(store))):
        final, early = (
            normalise(finals(part, until), "clipped_record")[0]
            for until in (FINAL_FRAMES, EARLY_FRAMES)
        )
        for name, arms in comparisons.items():
            own = final[final.arm.isin(arms)].assign(arm=WITHOUT)
            # Other numbers than those of the same runs' final scores.
            first = early[early.arm.isin(arms)].assign(arm=EARLY, run=-1 - early.run)
            frame = pd.concat([final[final.arm == SCHEDULED], own, first], ignore_index=True)
            judged = evaluate(frame, Claims({"atari": margin}, (claim,), (control,)), "atari")
            judged = judged.dropna(axis=1, how="all")
            rows.append(judged.assign(without=name, runs=runs))
    return pd.concat(rows, ignore_index=True)


def scheduling_games(store: Store) -> pd.DataFrame:
    """The games on which schedules are better, worse or tied within 5%, as section 3.2 counts
    them."""
    frame, _ = normalise(finals(store), "record")
    return better_worse_tied(samples(frame, SCHEDULED), samples(frame, DREAMER))


def curves(store: Store) -> pd.DataFrame:
    """Clipped record mean over 55 games by environment frames, one column per arm; ended runs keep
    their last value."""
    frame, _ = normalise(store.tidy(), "clipped_record")
    frame = frame[frame.arm.isin(ARMS.values()) & (frame.env_frames <= FINAL_FRAMES)]
    by_run = frame.pivot(index="env_frames", columns="run", values="normalised").ffill()
    arm_and_task = store.runs.set_index("run").loc[by_run.columns]
    by_game = by_run.T.groupby([arm_and_task.arm, arm_and_task.task]).mean()
    return by_game.groupby("arm").mean().T
