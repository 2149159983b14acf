"""Tables of results, the paper's numbers beside ours, as frames."""

import numpy as np
import pandas as pd

from analysis.formats import interval, levels, number, share, span, tasks
from analysis.rows import common_runs
from analysis.rule import DECIDED, HELPS, HURTS, NO_HELP
from analysis.score import normalise, paper_aggregates, samples
from analysis.study import Study

HELPED, NOT_HELPED = "Changes that helped", "Changes that did not help substantially"
OPEN, BESIDE = "Not decided", "Beside the claims: the other kind of actions"
NARROW = [  # fits a page
    *("change", "effect", "interval", "level", "verdict", "substantial"),
    *("paper", "agrees", "runs", "tasks"),
]
LISTS = {HELPED: {HELPS}, NOT_HELPED: {NO_HELP, HURTS}}
PAPER = {
    "helps": "helps",
    "no_help": "no substantial help",
    "worse": "no substantial help: worse",
    "none": "",
}
CONTROLS, BY_TASK = "Controls, which are no claims", "The positive control task by task"
IF_STAYED = "Seeds to decide: if effect and spread stayed as they are"
DETAILS = "What was compared"
EMPTY = {  # what is said where a list has no rows
    HELPED: "No change is here: that takes an effect surely above 0.",
    NOT_HELPED: "No change is here: that takes an effect surely below the margin, and a positive "
    "control that hurts.",
    OPEN: "No change is here: every claim is decided.",
    BESIDE: "No change is here: no claim has runs on them.",
    CONTROLS: "No control is registered.",
    BY_TASK: "No positive control has runs of both of its arms.",
}
LOOKING = (
    f"{IF_STAYED}. Judging again after each added seed gives a false verdict in about one study of "
    "five: fix their number beforehand."
)

# The paper's table 2: agent, our arm, gamer median, gamer mean, record mean, clipped record mean.
TABLE_2 = [
    ("DreamerV2", "baseline", 1.64, 11.33, 0.36, 0.25),
    ("No Layer Norm", "gru=plain", 1.66, 5.95, 0.38, 0.25),
    ("No Reward Gradients", "gradients=no_reward", 1.68, 6.18, 0.37, 0.24),
    ("No Discrete Latents", "latent=gaussian", 1.08, 3.71, 0.24, 0.19),
    ("No KL Balancing", "kl=standard", 0.84, 3.49, 0.19, 0.16),
    ("No Policy Reinforce", "actor_grad=dynamics", 0.69, 2.74, 0.16, 0.15),
    ("No Image Gradients", "gradients=no_image", 0.04, 0.31, 0.01, 0.01),
]
TABLE_2_CAPTION = (
    "Table 2 of the paper beside our runs. The paper's base agent was a slightly earlier version "
    "with gradient mixing, schedules and layer norm; ours neither mixes nor schedules. Its gamer "
    "mean of 11.33 is table 1's, probably a slip: that version's published scores give about 6."
)

# Section 3.2: games better, worse and tied of 55, of our `with` against `without`.
PAPER_GAMES = {
    "categorical_latents": (42, 8, 5),
    "kl_balancing_vs_standard": (44, 6, 5),
    "image_gradients": (51, 3, 1),
    "reward_gradients": (22, 15, 18),
    "mixed_actor_gradients": (24, 18, 13),
}
TIE = 0.05


def looking(study: Study) -> list[str]:
    """A line on where the ladder stands, if there is one, and on the seeds that would decide."""
    some = bool(study.verdicts.seeds_needed.notna().any())
    if study.standing is None:
        return [LOOKING] * some
    return [study.standing.next() + f" {IF_STAYED}, at the levels of the last look." * some]


def lists(verdicts: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The two lists, the rows that are not decided, and those beside the claims: title to printable
    table."""
    stated = verdicts[verdicts.stated]
    parts = {title: stated[stated.verdict.isin(kinds)] for title, kinds in LISTS.items()}
    parts[OPEN] = stated[~stated.verdict.isin(DECIDED)]
    parts[BESIDE] = verdicts[~verdicts.stated]
    by_rounds = bool(verdicts["round"].any())
    return {title: _printable(part, by_rounds) for title, part in parts.items()}


def decided_in(rows: pd.DataFrame) -> list[str]:
    """The round of the ladder that decided each row, empty for none."""
    return ["" if number == 0 else str(number) for number in rows["round"]]


def _printable(rows: pd.DataFrame, by_rounds: bool) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "change": rows.claim,
            "with": rows["with"].fillna(""),
            "without": rows["without"].fillna(""),
            "actions": rows.actions,
            "effect": rows.effect.map(number),
            "interval": [interval(row.low, row.high) for row in rows.itertuples()],
            "level": [levels(row.level_zero, row.level_margin) for row in rows.itertuples()],
            "probability of improvement": [
                share(value) for value in rows.probability_of_improvement
            ],
            "verdict": rows.verdict,
            "substantial": rows.substantial,
            "paper": rows.paper.map(PAPER),
            "agrees": rows.agrees,
            "runs": [f"{row.runs_with} + {row.runs_without}" for row in rows.itertuples()],
            "seeds": [span(row.seeds_fewest, row.seeds_most) for row in rows.itertuples()],
            "tasks": [tasks(row.moving, row.tasks) for row in rows.itertuples()],
            "parameters": [_parameters(row) for row in rows.itertuples()],
            "seeds to decide": [
                "" if pd.isna(value) else f"{value:.0f}" for value in rows.seeds_needed
            ],
            "round": decided_in(rows),
            "note": rows.note,
        }
    ).reset_index(drop=True)
    return table if by_rounds else table.drop(columns="round")


def insensitive(study: Study) -> list[str]:
    """A line for each kind of actions with claims on which this suite shows no effect."""
    rows = study.verdicts[study.verdicts.stated & (study.verdicts.tasks > 0)]
    rows = rows[rows.lacking != ""].drop_duplicates("actions")
    return [
        f"{row.actions}: {row.lacking}; so nothing is {NO_HELP}, and nothing agrees or disagrees"
        for row in rows.itertuples()
    ]


def controls(study: Study) -> dict[str, pd.DataFrame]:
    """The controls, and the positive ones task by task: title to printable table."""
    rows = study.controls
    summary = pd.DataFrame(
        {
            "control": rows.claim,
            "kind": rows.role,
            "with": rows["with"].fillna(""),
            "without": rows["without"].fillna(""),
            "actions": rows.actions,
            "effect": rows.effect.map(number),
            "interval": [interval(row.low, row.high) for row in rows.itertuples()],
            "verdict": rows.verdict,
            "runs": [f"{row.runs_with} + {row.runs_without}" for row in rows.itertuples()],
            "tasks": [tasks(row.moving, row.tasks) for row in rows.itertuples()],
            "note": rows.note,
        }
    )
    by_task = study.control_tasks
    ends = [interval(row.low, row.high) for row in by_task.itertuples()]
    detailed = by_task.drop(columns=["low", "high"]).assign(effect=by_task.effect.map(number))
    detailed.insert(5, "interval", ends)
    return {CONTROLS: summary, BY_TASK: detailed}


def _parameters(row) -> str:
    if row.parameters_with is None or row.parameters_without is None:
        return ""
    return f"{_grouped(row.parameters_with)} vs {_grouped(row.parameters_without)}"


def _grouped(counts: str) -> str:
    return "-".join(f"{int(count):,}" for count in counts.split("-"))


def table_2(study: Study) -> pd.DataFrame:
    """The paper's table 2 beside the same arms of our runs (captioned by TABLE_2_CAPTION).

    Only tasks with discrete actions that all these arms have count. On Atari the columns are the
    same four; elsewhere median, mean and clipped mean of the scores normalised by the task's fixed
    references.
    """
    names = ["gamer median", "gamer mean", "record mean", "clipped record mean"]
    frame = study.scores[
        (study.scores.actions == "discrete") & study.scores.arm.isin([row[1] for row in TABLE_2])
    ]
    shared = frame.groupby("task").arm.nunique() == frame.arm.nunique()
    frame = frame[frame.task.map(shared).astype(bool)]
    rows = []
    for agent, arm, *printed in TABLE_2:
        own = frame[frame.arm == arm]
        ours = {f"ours: {name}": value for name, value in _aggregates(study, own).items()}
        rows.append(
            {"agent": agent, **dict(zip(names, printed, strict=True)), **ours, "our runs": len(own)}
        )
    return pd.DataFrame(rows)


def _aggregates(study: Study, own: pd.DataFrame) -> dict[str, float]:
    if study.scheme == "clipped_record":
        return {name.replace("_", " "): value for name, value in paper_aggregates(own).items()}
    by_task = own.groupby("task").normalised.mean()
    clipped = own.normalised.clip(upper=1).groupby(own.task).mean()
    return {"median": by_task.median(), "mean": by_task.mean(), "clipped mean": clipped.mean()}


def by_task(study: Study, claim: str) -> pd.DataFrame:
    """`better_worse_tied` of a claim's two arms on the runs of its verdict; Atari scores by the
    unclipped record."""
    scheme = "record" if study.scheme == "clipped_record" else study.scheme
    frame, _ = normalise(study.judged(claim), scheme)
    row = study.verdicts[(study.verdicts.claim == claim) & study.verdicts.stated].iloc[0]
    arms = row["with"], row["without"]
    used, _ = common_runs(frame[frame.actions == row.actions], arms)
    return better_worse_tied(*(samples(used, arm) for arm in arms))


def better_worse_tied(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> pd.DataFrame:
    """By task both arms' mean normalised score, difference and the result (section 3.2), sorted.

    A tie is a difference of at most 5% of the larger of both scores, each measured from random
    play.
    """
    tasks = sorted(first.keys() & second.keys())
    table = pd.DataFrame(
        {
            "task": tasks,
            "with": [first[task].mean() for task in tasks],
            "without": [second[task].mean() for task in tasks],
            "runs": [len(first[task]) + len(second[task]) for task in tasks],
        }
    )
    difference = table["with"] - table["without"]
    tied = difference.abs() <= TIE * table[["with", "without"]].abs().max(axis=1)
    result = np.where(tied, "tied", np.where(difference > 0, "better", "worse"))
    return table.assign(difference=difference, result=result).sort_values(
        "difference", ignore_index=True
    )


def games(study: Study) -> pd.DataFrame:
    """Of each claim with data, on how many tasks `with` is better, worse or tied, beside section
    3.2's of 55 games."""
    rows = []
    for row in study.verdicts[study.verdicts.stated & (study.verdicts.tasks > 0)].itertuples():
        counts = by_task(study, row.claim).result.value_counts()
        paper = PAPER_GAMES.get(row.claim)
        rows.append(
            {
                "change": row.claim,
                **{name: int(counts.get(name, 0)) for name in ("better", "worse", "tied")},
                "paper: better / worse / tied": " / ".join(map(str, paper)) if paper else "",
            }
        )
    return pd.DataFrame(
        rows, columns=["change", "better", "worse", "tied", "paper: better / worse / tied"]
    )
