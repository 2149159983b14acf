"""One suite's runs, scored and judged: the frames that tables, figures and pages start from.

`Judged.scores` has one row a run (as `Store.runs`, `score` in raw returns, `normalised`), and
`Judged.curves` one row a run and evaluation, `step` as a share of the budget. The columns of the
other frames are those of `sentences`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis import InputError, claims, score, sentences, tasks, verdict
from analysis.claims import ELSEWHERE, NOT, Claims
from analysis.design import PILOT, Trial, matches
from analysis.schema import BASELINE, ENDED, Kinds, Problem, Store, options
from analysis.sentences import Rule
from analysis.tasks import Task

FLOOR, CEILING = 0.05, 0.95  # normalised scores
KNOWN = "known"  # the kind of tasks that a recommendation rests on
SATURATED = 0.9  # share of a run's updates
NOT_JUDGED = "are not judged: they are of no complete round of the registered trial"


@dataclass(frozen=True)
class Judged(Rule):
    """The runs of one suite, judged by a rule; `controls` has the columns of `claims`.

    `task_kinds` are by kind its tasks, `warnings` lines to print above every table, `open` the
    claims on which the registered trial draws that have no answer; None for runs that are not of
    it, which are judged all at once.
    """

    scheme: str
    task_kinds: dict[str, tuple[str, ...]]
    store: Store
    tasks: list[Task]
    scores: pd.DataFrame
    curves: pd.DataFrame
    effects: pd.DataFrame
    claims: pd.DataFrame
    by_task: pd.DataFrame
    kinds: pd.DataFrame
    interactions: pd.DataFrame
    budget: pd.DataFrame
    recommendation: pd.DataFrame
    controls: pd.DataFrame
    warnings: list[str]
    problems: list[Problem]
    open: tuple[str, ...] | None


def judge(
    store: Store,
    claims_file: str | Path | Claims = claims.DEFAULT,
    suite: str | None = None,
    suite_tasks: Sequence[str] = (),
) -> Judged:
    """The runs of a suite (the only one, where none is named) judged by a claims file.

    If the suite's registered trial has runs, only its complete rounds are judged, each with its
    share of the error; otherwise all runs are. `suite_tasks` are tasks that belong to the rounds
    though they have no runs yet. Raises `InputError` for a suite without runs or margin.
    """
    registered = claims_file if isinstance(claims_file, Claims) else claims.load(claims_file)
    store = store.where(suite=(suite := _suite(store, suite)))
    share, judged, lacking = _rounds(store, registered, suite, suite_tasks)
    frame, curves, scheme, problems = score.scored(store, registered.window(suite), judged)
    margin = np.nan if scheme == score.RAW else registered.margin_of(suite)
    rule = Rule(registered, suite, margin, share or 1.0)
    left = len(frame) - len(known := frame[frame.run.isin(judged)])
    kinds = _kinds(store.runs, registered.kinds_of(suite))
    own = tasks.of_runs(known, curves, kinds)
    rows = [*rule.family, *registered.controls_of(suite)]
    found = {row.id: rule.shown(row, own) for row in rows}
    changes = {id: change for id, (change, _) in found.items()}
    controls = sentences.controls(rule, changes, own)
    said = sentences.claims(rule, changes, controls)
    return Judged(
        **vars(rule),
        scheme=scheme,
        task_kinds=kinds,
        store=store,
        tasks=own,
        scores=frame,
        curves=curves,
        **said,
        interactions=sentences.interactions(rule, own),
        recommendation=sentences.recommendation(rule, own),
        controls=controls,
        warnings=sentences.warnings(controls, own),
        problems=[
            *store.problems,
            *problems,
            *([Problem(f"suite {suite}", f"{left} runs {NOT_JUDGED}{lacking}")] if left else []),
            *_remarks(known, scheme),
            *(problem for _, problems in found.values() for problem in problems),
        ],
        open=None if share is None else _open(rule, said["claims"], store.runs),
    )


def to_test(ours: Judged) -> Claims | None:
    """The claims that test a recommendation: by kind its options together against the baseline, on
    the tasks of these runs again and on new ones; None where nothing is recommended."""
    chosen = ours.recommendation[ours.recommendation.recommended]
    rows = [
        {
            "id": f"{kind.replace(', ', '_')}_{place}",
            "with": ",".join(sorted(own.option)),
            "without": BASELINE,
            "where": kind.partition(",")[0],
            "kinds": [*kind.split(", ")[1:], tested],
            "paper": "none",
        }
        for kind, own in chosen.groupby("kind", sort=False)
        for place, tested in (("again", KNOWN), ("new", f"{NOT}{KNOWN}"))
    ]
    told = {
        "margin": {ELSEWHERE: ours.registered.margin_of(ours.suite)},
        "score": {ELSEWHERE: ours.registered.window(ours.suite)},
        "kinds": {ELSEWHERE: ours.task_kinds | {KNOWN: tuple(task.name for task in ours.tasks)}},
        "controls": ours.registered.controls,
        "claims": rows,
    }
    return Claims.model_validate(told) if rows else None


def _suite(store: Store, suite: str | None) -> str:
    present = sorted(store.runs.suite.unique())
    if suite is None and len(present) > 1:
        raise InputError(f"runs of several suites, choose one of: {', '.join(present)}")
    if (suite := suite or present[0]) not in present:
        raise InputError(f"no runs of suite '{suite}'; there are runs of: {', '.join(present)}")
    return suite


def _rounds(
    store: Store, registered: Claims, suite: str, suite_tasks: Sequence[str]
) -> tuple[float | None, pd.Series, str]:
    """The complete rounds' share of the error, None without a trial, the runs that are judged, and
    which tasks lack runs of the next round.

    A run is of the trial if its options are those that its seed draws. The runs are of a trial if
    most of those with several options are (or with one, where the trial has a single factor): one
    change at a time leaves none of these. A pilot's runs are none of either.
    """
    runs, trial = store.runs[store.runs.status.isin(ENDED)], registered.trial
    if trial is None:
        return None, runs.run, ""
    runs = runs[~runs.seed.isin(PILOT)]
    most = {task: registered.most_runs(suite, task) for task in {*runs.task, *suite_tasks}}
    drawn = _drawn(runs, trial, most)
    its_tasks = {*runs.task[runs.run.isin(drawn.index)], *suite_tasks}
    control = runs.arm.isin([row.arms(suite)[0] for row in registered.controls_of(suite)])
    count = runs.arm.map(options).map(len).mask(control, 0)
    several = runs.run[count >= min(2, len(trial.weights))]
    if not several.isin(drawn.index).mean() > 0.5:
        return None, runs.run, ""
    sizes = [sum(min(size, most[task]) for task in its_tasks) for size in trial.rounds]
    complete = sum((drawn < trial.rounds[k]).sum() == size for k, size in enumerate(sizes))
    of_rounds = runs.run.isin(drawn.index[drawn < [0, *trial.rounds][complete]])
    share = trial.shares[max(complete, 1) - 1]
    end = trial.rounds[min(complete, len(trial.rounds) - 1)]
    there = runs.task[runs.run.isin(drawn.index[drawn < end])].value_counts()
    lack = sorted(task for task in its_tasks if there.get(task, 0) < min(end, most[task]))
    which = "every task" if len(lack) == len(its_tasks) > 1 else ", ".join(lack)
    lacking = f"; for {end} runs a task they lack some of {which}" if lack else ""
    control &= (runs.seed < trial.control_runs) & (complete > 0)
    return share, runs.run[of_rounds | control], lacking


def _drawn(runs: pd.DataFrame, trial: Trial, most: Mapping[str, int]) -> pd.Series:
    """The numbers of the draws of the trial's runs, by run; `most` are by task how many it has."""
    own = runs[runs.seed.between(0, runs.task.map(most) - 1)]
    pairs = set(zip(own.task, own.actions, strict=True))
    draws = {(task, actions): trial.draws(task, actions, most[task]) for task, actions in pairs}
    found = [
        matches(options(run.arm), draws[run.task, run.actions][run.seed])
        for run in own.itertuples()
    ]
    return own[np.array(found, bool)].set_index("run").seed


def _open(rule: Rule, said: pd.DataFrame, runs: pd.DataFrame) -> tuple[str, ...]:
    """The claims that are not answered of those on which the trial draws, on its tasks."""
    answered = set(said.claim[said["mean"].isin(verdict.ANSWERED)])
    actions, drawn = set(runs.actions), rule.registered.trial.drawn
    return tuple(
        row.id
        for row in rule.family
        if row.id not in answered
        and row.where in actions
        and frozenset().union(*row.sides(rule.suite)) <= drawn
    )


def _kinds(runs: pd.DataFrame, registered: Kinds) -> dict[str, tuple[str, ...]]:
    """By kind its tasks: those that the claims register, and by the traits that tasks carry."""
    found = {kind: [*own] for kind, own in registered.items()}
    for task, traits in runs[["task", "traits"]].drop_duplicates().itertuples(index=False):
        for kind in traits.split():
            found.setdefault(kind, []).append(task)
    return {kind: tuple(dict.fromkeys(own)) for kind, own in found.items()}


def _remarks(frame: pd.DataFrame, scheme: str) -> list[Problem]:
    """Tasks on which nothing can be seen, and options that are not what their names say."""
    means = frame.groupby(["task", "arm"]).normalised.mean().groupby("task")
    means = means.agg(["min", "max", "size"]).query("size > 1")
    said = []
    if scheme != score.RAW:
        edges = {"floor": means["max"] < FLOOR, "ceiling": means["min"] > CEILING}
        said = [
            Problem(task, f"every arm is at the {edge}: no effect can be seen there")
            for edge, is_there in edges.items()
            for task in means.index[is_there]
        ]
    own = frame.assign(option=frame.arm.map(lambda arm: sorted(options(arm) or {arm})))
    own = own.explode("option")
    stuck = (own.saturation > SATURATED).groupby(own.option).transform("mean") > 0.5
    for option, rows in own[stuck].groupby("option"):
        message = f"{rows.saturated.iloc[0]} in over 90% of updates in most of its runs"
        said.append(Problem(option, f"{message}: it is not what its name says"))
    return said
