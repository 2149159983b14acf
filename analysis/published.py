"""The official score files in the same frames as our own runs: table 1, table K.1, the scheduling
claim."""

import json
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pandas as pd

from analysis import InputError
from analysis.claims import Claim, Claims
from analysis.scores import atari_reference, final_scores, normalise, paper_aggregates, samples
from analysis.store import POINT_COLUMNS, RUN_COLUMNS, Store
from analysis.tables import better_worse_tied
from analysis.verdicts import evaluate

MAIN, SCHEDULES, BASELINES = (
    "atari-dreamerv2.json",
    "atari-dreamerv2-schedules.json",
    "baselines.json",
)
# Agent names of table 1 and the columns of the official baselines file (Dopamine, sticky actions,
# 200M frames).
PUBLISHED_BASELINES = {
    "IQN": "iqn_sticky_2e8",
    "Rainbow": "rainbow_sticky_2e8",
    "C51": "c51_sticky_2e8",
    "DQN": "dqn_sticky_2e8",
}
DREAMER, SCHEDULED, NO_SCHEDULES = (
    "DreamerV2",
    "DreamerV2 (schedules)",
    "DreamerV2 (no schedules, 3 more seeds)",
)
ARMS = {
    (MAIN, "dreamerv2"): DREAMER,
    (MAIN, "nosched"): NO_SCHEDULES,
    (SCHEDULES, "dreamerv2"): SCHEDULED,
}
FINAL_FRAMES = 199e6  # the last bin that all complete runs have
COMPLETE_FRAMES = 195e6
GAMES = 55
CURVE = ("task", "method", "seed", "xs", "ys")


def load(source: str) -> Store:
    """Reads the three score files from a folder, or below a URL; raises `InputError` if it
    cannot."""
    runs, points = [], []
    for name in (MAIN, SCHEDULES):
        for raw in _read_curves(source, name):
            arm = ARMS.get((name, raw["method"]))
            if arm is None:
                raise InputError(
                    f"{name}: method '{raw['method']}' is not known; allowed: dreamerv2, nosched"
                )
            runs.append(_run(name, raw, arm, number=len(runs)))
            points.append(
                pd.DataFrame(
                    {"run": len(points), "env_frames": raw["xs"], "score": raw["ys"]}
                ).assign(episodes=10)
            )
    known = atari_reference()
    baselines = _read_baselines(source, [f"atari_{task}" for task in known.index])
    for arm, column in PUBLISHED_BASELINES.items():
        for task in known.index:
            score = baselines[f"atari_{task}"][column]
            raw = {
                "task": f"atari_{task}",
                "method": column,
                "seed": "0",
                "xs": [FINAL_FRAMES],
                "ys": [score],
            }
            runs.append(_run(BASELINES, raw, arm, number=len(runs)))
            points.append(
                pd.DataFrame({"run": len(points), "env_frames": [FINAL_FRAMES], "score": [score]})
            )
    points = pd.concat(points, ignore_index=True)
    points = points.assign(kind="eval", step=points.env_frames / 4, gradient_steps=float("nan"))
    return Store(pd.DataFrame(runs, columns=["run", *RUN_COLUMNS]), points[["run", *POINT_COLUMNS]])


def _read(source: str, name: str):
    try:
        if "://" in source:
            with urlopen(f"{source.rstrip('/')}/{name}", timeout=60) as answer:
                return json.load(answer)
        return json.loads((Path(source) / name).read_text())
    except (OSError, URLError, json.JSONDecodeError) as error:
        raise InputError(
            f"{source}: cannot read the official score file {name} ({error})"
        ) from error


def _read_curves(source: str, name: str) -> list[dict]:
    """The runs of a score file, each with its curve as equally many numbers `xs` (frames) and `ys`
    (scores)."""
    runs = _read(source, name)
    if not isinstance(runs, list) or not runs:
        raise InputError(f"{source}: {name} is not a list of runs")
    for number, run in enumerate(runs, start=1):
        where = f"{source}: {name}: run {number}"
        if missing := [key for key in CURVE if not isinstance(run, dict) or key not in run]:
            raise InputError(f"{where} lacks the key {', '.join(missing)}")
        for key in ("xs", "ys"):
            if not isinstance(run[key], list) or not all(
                isinstance(value, int | float) for value in run[key]
            ):
                raise InputError(f"{where}: {key} is not a list of numbers")
        if not 0 < len(run["xs"]) == len(run["ys"]):
            raise InputError(f"{where}: xs has {len(run['xs'])} numbers and ys {len(run['ys'])}")
        if not isinstance(run["task"], str) or not str(run["seed"]).isdigit():
            raise InputError(
                f"{where}: task is '{run['task']}' and seed '{run['seed']}'; they are a name and a number"
            )
    return runs


def _read_baselines(source: str, games: list[str]) -> dict[str, dict[str, float]]:
    """The scores of the published baselines by game and column."""
    scores = _read(source, BASELINES)
    for game in games:
        own = scores.get(game) if isinstance(scores, dict) else None
        if not isinstance(own, dict):
            raise InputError(f"{source}: {BASELINES} lacks the key {game}")
        for column in PUBLISHED_BASELINES.values():
            if not isinstance(own.get(column), int | float):
                raise InputError(f"{source}: {BASELINES}: {game} has no number {column}")
    return scores


def _run(file: str, raw: dict, arm: str, number: int) -> dict:
    return {
        "run": number,
        "source": f"{file}: {raw['task']} {raw['method']} seed {raw['seed']}",
        "suite": "atari",
        "task": raw["task"].removeprefix("atari_"),
        "arm": arm,
        "seed": int(raw["seed"]),
        "actions": "discrete",
        "status": "done",
        "env_frames": raw["xs"][-1],
        "error": "",
        "saturated": "",
        "saturation": 0.0,
    }


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


def finals(store: Store) -> pd.DataFrame:
    """Final scores as in the paper: of each run the last bin of 1M frames (10 episodes), at most
    199M."""
    return final_scores(store, "last", until=FINAL_FRAMES)[0]


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
    made.
    """
    comparisons = {
        "8 seeds of the paper": [DREAMER],
        "3 more seeds": [NO_SCHEDULES],
        "all 11 seeds": [DREAMER, NO_SCHEDULES],
    }
    rows = []
    for runs, part in (("all", store), ("complete only", complete(store))):
        frame, _ = normalise(finals(part), "clipped_record")
        for name, arms in comparisons.items():
            own = frame[frame.arm.isin([SCHEDULED, *arms])]
            own = own.assign(arm=own.arm.where(own.arm == SCHEDULED, "no schedules"))
            claim = Claim("scheduling", "no_help", SCHEDULED, "no schedules", "discrete")
            row = evaluate(own, Claims({"atari": margin}, (claim,)), "atari", match_seeds=False)
            rows.append(row.assign(without=name, runs=runs))
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
