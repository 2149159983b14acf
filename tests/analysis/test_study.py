"""Runs of a suite judged: the frames, the rounds of a trial, warnings, and what is left out."""

from dataclasses import replace
from functools import cache
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from scipy import stats

from analysis import InputError, claims, estimate, read, sentences, study, tasks, verdict
from analysis.claims import Claims, options
from analysis.estimate import Design
from analysis.schema import NUMBERS, POINT_COLUMNS, RUN_COLUMNS, Store, joined
from analysis.sentences import CLAIMS, FRAMES
from analysis.show import pages, tables
from analysis.tasks import Task
from tests.analysis.runs import write_run

TASKS = ("cartpole", "catch", "higher_lower", "minigrid")
KINDS = {"vector": TASKS[:1] + TASKS[2:3], "grid": TASKS[1:2] + TASKS[3:]}
CONTROL, WHERE = "recipe.model_lr=0", "discrete"
REGISTERED = Claims.model_validate(
    {
        "margin": {"default": 0.1},
        "kinds": {"mine": KINDS},
        "interactions": [("latent", "gru"), ("*", "kl")],
        "trial": {
            "seed": 3,
            "rounds": [16, 32],
            "shares": [0.4, 0.6],
            "weights": {
                "latent": {"categorical": 1, "gaussian": 1},
                "gru": {"layer_norm": 1, "plain": 1},
                "kl": {"balanced": 1, "standard": 1},
            },
            "control_runs": 4,
        },
        "controls": [{"id": "untrained", "with": CONTROL, "without": "baseline", "where": WHERE}],
        "claims": [
            {"id": name, "paper": paper, "with": "baseline", "without": arm, "where": WHERE}
            for name, paper, arm in (
                ("latents", "helps", "latent=gaussian"),
                ("norm", "no_help", "gru=plain"),
                ("balancing", "helps", "kl=standard"),
            )
        ],
    }
)


def store(rows):
    """Runs (task, arm, seed, score), each with eight evaluations of that score; every task is from
    0 to 1."""
    runs = pd.DataFrame(rows, columns=["task", "arm", "seed", "score"])
    words = {"suite": "mine", "actions": "discrete", "status": "done"}
    words |= {"normalisation": "reference", "reference": 1.0}
    others = {name: 0.0 if name in NUMBERS else "" for name in RUN_COLUMNS if name not in runs}
    runs = runs.assign(**others | words, run=range(len(runs)))
    points = runs.loc[runs.index.repeat(8), ["run", "score"]].assign(kind="eval", episodes=10)
    points["env_frames"] = np.tile(np.arange(1.0, 9), len(runs))
    points = points.assign(step=points.env_frames, gradient_steps=points.env_frames)
    return Store(runs[["run", *RUN_COLUMNS]], points[["run", *POINT_COLUMNS]])


def with_runs(runs, **columns):
    """The store with other values in these columns of its runs."""
    return replace(runs, runs=runs.runs.assign(**columns))


def scores(task, arm, rng):
    """0.5, less 0.5 with a Gaussian on grids and 0.3 more on vectors, less 0.2 without layer norm,
    and 0.2 more for both; nothing is learned by a model that is not trained."""
    own = options(arm)
    gaussian, plain = "latent=gaussian" in own, "gru=plain" in own
    mean = 0.5 + gaussian * (0.3 if task in KINDS["vector"] else -0.5) - 0.2 * plain
    return 0.0 if CONTROL in own else mean + 0.2 * (gaussian and plain) + rng.normal(0, 0.03)


@cache
def trial(count, control=4):
    """The first drawn runs of each task, and its control's."""
    rng, rows = np.random.default_rng(0), []
    for task in TASKS:
        draws = REGISTERED.trial.draws(task, "discrete")
        arms = [(",".join(draws[number]) or "baseline", number) for number in range(count)]
        arms += [(CONTROL, number) for number in range(control)]
        rows += [(task, arm, number, scores(task, arm, rng)) for arm, number in arms]
    return store(rows)


@pytest.fixture(scope="module")
def judged():
    """Both rounds of the trial."""
    return study.judge(trial(32), REGISTERED)


def claim(judged, name):
    return judged.claims.set_index("claim").loc[name]


def test_a_trial_finds_what_depends_on_the_task(judged):
    assert list(judged.claims) == CLAIMS and list(judged.effects) == FRAMES["effects"]
    assert judged.claims.claim.tolist() == ["latents", "norm", "balancing"]
    assert len(judged.effects) == 3 * len(TASKS)
    row = claim(judged, "latents")
    assert (row.better, row.worse, row.tied) == (2, 2, 0)
    assert row.words.startswith("depends on the task; mean: ")
    assert row.depends == "better on catch, minigrid; worse on cartpole, higher_lower"
    assert row.tau > 0.25 and row.new_low < row.low < row.high < row.new_high
    kinds = judged.kinds[judged.kinds.claim == "latents"].set_index("kind")
    assert kinds.low["grid"] > 0 > kinds.high["vector"]
    assert kinds.effect["grid - others"] == pytest.approx(0.8, abs=0.1)


def test_intervals_are_the_regressions_at_levels_of_their_own(judged):
    """16 runs a side need no guard."""
    alpha = 0.05 * 0.6 / 3  # the round's share of the error, over three claims
    rows, by_task, kinds = (
        frame[frame.claim == "balancing"]
        for frame in (judged.effects, judged.by_task, judged.kinds)
    )
    each = estimate.Estimate(*(rows[name].to_numpy() for name in ("effect", "error", "df")))
    row = claim(judged, "balancing")
    assert row.level == pytest.approx(1 - alpha * verdict.MEAN)
    ends = estimate.mean_over_tasks(each).interval(alpha * verdict.MEAN)
    assert (row.low, row.high) == pytest.approx(ends)
    assert row.words == "no substantial help" and row.agrees == "no"
    task_alpha = alpha * verdict.TASK / len(TASKS)
    assert judged.by_task.level.to_numpy() == pytest.approx(1 - task_alpha)
    half = stats.t.isf(task_alpha / 2, rows.df) * rows.error
    assert ((by_task.high - by_task.low) / 2).to_numpy() == pytest.approx(half.to_numpy())
    grid = rows.task.isin(KINDS["grid"]).to_numpy() / 2
    ends = estimate.mean_over_tasks(each, grid).interval(alpha * verdict.KIND / 4)
    kind = kinds.set_index("kind").loc["grid"]
    assert (kind.low, kind.high) == pytest.approx(ends)


def test_interactions_are_found_between_options_of_two_groups(judged):
    rows = judged.interactions.set_index("pair")
    groups = combinations(("gru=plain", "kl=standard", "latent=gaussian"), 2)
    assert set(rows.index) == {" x ".join(pair) for pair in groups}
    both = rows.loc["gru=plain x latent=gaussian"]
    assert both.effect == pytest.approx(0.2, abs=0.06) and both.low > 0.1
    assert both.q < 1e-6 < 0.05 < rows.q["kl=standard x latent=gaussian"] and both.registered
    found = sentences.pairs(judged.tasks, REGISTERED)
    means = {pair: estimate.mean_over_tasks(one.estimates) for pair, one in found.items()}
    rates = sentences.discovery_rates(means).values()
    assert (rows.tasks == len(TASKS)).all()
    assert rows.q.tolist() == pytest.approx([min(rate / judged.share, 1) for rate in rates])


def test_controls_and_placebo_are_judged_by_themselves_and_effects_over_the_budget(judged):
    rows = judged.controls.set_index("claim")
    assert rows.words["untrained"] == "hurts by at least the margin"
    assert rows.words["placebo"] == "does not differ" and not judged.warnings
    assert rows.level["placebo"] == pytest.approx(1 - 0.05 * 0.6)
    by_kind = judged.kinds[judged.kinds.claim == "untrained"].set_index("kind")
    assert (by_kind.high[["grid", "vector"]] < -0.1).all()
    change, _ = judged.shown(REGISTERED.controls[0], judged.tasks)
    ends = change.interval(0.05 * 0.6 / 4, change.kinds()["grid"])  # over four: kinds, and others
    assert (by_kind.low["grid"], by_kind.high["grid"]) == pytest.approx(ends)
    assert tables.kinds(judged).change.iloc[-1] == "untrained"
    own, row = judged.budget[judged.budget.claim == "norm"], claim(judged, "norm")
    assert own.step.tolist() == pytest.approx(np.arange(1, 9) / 8)
    assert own.low.iloc[-1] == pytest.approx(row.low)
    assert own.effect.to_numpy() == pytest.approx(row.effect)


def test_a_placebo_that_differs_stands_above_the_table_and_nothing_agrees():
    runs = trial(32)
    odd = runs.points.run.map(runs.runs.set_index("run").seed % 2)
    shifted = study.judge(
        replace(runs, points=runs.points.assign(score=runs.points.score + 0.4 * odd)), REGISTERED
    )
    assert shifted.warnings[0].startswith("The placebo differs: odd seeds score +0.4")
    assert set(shifted.claims.agrees) == {""}


def test_without_a_control_that_hurts_nothing_is_called_small():
    for control in (0, 1):
        found = study.judge(trial(32, control), REGISTERED)
        said = "discrete actions: untrained has no runs that show it."
        assert found.warnings == [f"{said} So no effect is called small there."]
        assert claim(found, "balancing").words == "undecided"
    (said,) = study.judge(trial(32), REGISTERED.model_copy(update={"controls": ()})).warnings
    assert said.startswith("discrete actions: no positive control is registered.")


def test_rounds_are_judged_when_they_are_complete(judged):
    begun = study.judge(trial(12), REGISTERED)
    assert begun.claims.effect.isna().all()
    assert begun.open == ("latents", "norm", "balancing") and len(begun.scores) == 64
    assert begun.warnings == [] and len(begun.problems) == 1, "nor are controls judged"
    assert tables.seen(begun).endswith("before a round of the trial is complete (64 runs seen)")
    assert "Nothing is recommended" in pages.text("recommendation.txt", begun)
    half = study.judge(trial(30), REGISTERED)
    assert claim(half, "norm").level == pytest.approx(1 - 0.05 * 0.4 * verdict.MEAN / 3)
    assert half.effects.runs.max() < 30  # of the first round, its controls aside
    lacking = "for 32 runs a task they lack some of every task"
    assert half.problems[0].message == f"56 runs {study.NOT_JUDGED}; {lacking}"
    assert tables.caption(half).endswith("; 56 runs not judged")
    exactly = study.judge(trial(16), REGISTERED)
    assert exactly.effects.runs.equals(half.effects.runs), "a round that is just complete"
    assert half.share == 0.4 and judged.share == 0.6
    other = study.judge(trial(32), REGISTERED, suite_tasks=[*TASKS, "another"])
    assert other.effects.empty and other.problems[0].message.endswith("lack some of another")


def test_a_kind_of_task_may_have_fewer_runs():
    runs = trial(32)
    fewer = REGISTERED.trial.model_copy(update={"at_most": {"grid": 16}})
    registered = REGISTERED.model_copy(update={"trial": fewer})
    of_grids = runs.runs.task.isin(KINDS["grid"])
    own = runs.of(runs.runs[~of_grids | (runs.runs.seed < 16)])
    last = study.judge(own, registered)
    assert last.share == 0.6 and last.open is not None
    assert set(last.effects[last.effects.task.isin(KINDS["grid"])].runs) <= {*range(17)}
    assert study.judge(runs, registered).effects.equals(last.effects), "more are none of the trial"
    assert study.judge(own, REGISTERED).share == 0.4, "where they are missing"
    wrong = {**fewer.model_dump(), "at_most": {"gird": 9}}
    with pytest.raises(ValidationError, match="at_most has gird, which is no kind of any suite"):
        Claims.model_validate(REGISTERED.model_dump(by_alias=True) | {"trial": wrong})


def test_a_trial_of_one_toggle_ends_once_the_claims_on_it_are_answered():
    """Whatever the runs of its control, and though no run can answer the other claims."""
    weights = {"gru": {"layer_norm": 1, "plain": 1}}
    alone = REGISTERED.trial.model_copy(update={"weights": weights, "control_runs": 8})
    rng, rows = np.random.default_rng(0), []
    for task in TASKS:
        arms = [*(drawn[0] if drawn else "baseline" for drawn in alone.draws(task, WHERE)[:16])]
        numbered = [*enumerate(arms), *enumerate([CONTROL] * 8)]
        rows += [(task, arm, number, scores(task, arm, rng)) for number, arm in numbered]
    found = study.judge(store(rows), REGISTERED.model_copy(update={"trial": alone}))
    assert (found.share, found.open) == (0.4, ())


def test_runs_that_the_seed_did_not_draw_are_not_of_the_trial():
    runs = trial(32)
    arms = runs.runs.arm.mask((runs.runs.seed == 3) & (runs.runs.task == "catch"), "gru=other")
    found = study.judge(with_runs(runs, arm=arms), REGISTERED)
    assert found.effects.empty and found.open


def test_runs_outside_of_a_trial_change_nothing_in_it():
    """A pilot's, which are worse than all others, and one of another task."""
    runs = trial(32)
    lost = (runs.runs.seed == 3) & (runs.runs.task == "catch")
    runs = with_runs(runs, status=runs.runs.status.mask(lost, "diverged"))
    pilot = [("catch", "gru=plain,kl=standard", 900 + place, -1.0) for place in range(99)]
    others = store([*pilot, ("acrobot", "gru=plain", 5, 0.1)])
    found = study.judge(joined([runs, others]), REGISTERED)
    pd.testing.assert_frame_equal(found.claims, study.judge(runs, REGISTERED).claims)


def test_of_options_that_exclude_each_other_the_better_is_recommended():
    means = {"baseline": 0.2, "gru=plain": 0.4, "kl=standard": 0.5}
    means |= {"kl=free_nats": 0.4, "a.b=2": 0.9}  # the lesser of its group, and a number
    arms = product(means, range(12))
    runs = store([("catch", arm, seed, means[arm] + 0.01 * (seed % 3)) for arm, seed in arms])
    for needs, expected in (
        ({}, {"gru=plain", "kl=standard"}),
        ({"gru": "layer_norm"}, {"kl=standard"}),
    ):
        own = REGISTERED.trial.model_copy(update={"needs": {"kl": needs}})
        found = study.judge(runs, REGISTERED.model_copy(update={"trial": own})).recommendation
        assert {*found.option[found.recommended]} == expected
        assert (found.low > 0).all() and {*found.group} == {"gru", "kl"}


@pytest.mark.parametrize(
    ("one", "other", "beside"),
    [
        ("kl=free_nats", "kl=standard", "latent=gaussian"),
        ("explore=action_noise", "entropy=long_term", "recipe.learning_rates=2"),  # never together
    ],
)
def test_what_one_pair_does_is_not_said_of_another(one, other, beside):
    trial, pair = claims.load().trial, (one, beside)
    arms = [frozenset(drawn) for drawn in trial.draws("catch", "discrete")]
    scores = np.array([float({*pair} <= arm) for arm in arms])
    task = Task("catch", "discrete", frozenset(), Design.of(arms), scores, scores, pd.DataFrame())
    pairs = (pair, (other, beside))
    found = [tasks.of_pair(own, trial.needs, [task]).estimates.effect for own in pairs]
    assert np.concatenate(found) == pytest.approx([1, 0])


def test_pairs_without_any_spread_are_no_discovery():
    arms = product(
        ("baseline", "gru=plain", "latent=gaussian", "gru=plain,latent=gaussian"), range(4)
    )
    runs = store([("catch", arm, seed, 0.0) for arm, seed in arms])
    assert (study.judge(runs, REGISTERED).interactions.q == 1).all()


@cache
def one_change(seeds=16):
    """Runs of one change at a time: the baseline and each claim's arm."""
    rng = np.random.default_rng(1)
    arms = ["baseline", *(row.without for row in REGISTERED.claims), CONTROL]
    runs = product(TASKS, arms, range(seeds))
    return store([(task, arm, seed, scores(task, arm, rng)) for task, arm, seed in runs])


def test_one_change_at_a_time_is_no_trial_and_gives_differences_of_means():
    runs = one_change()
    found = study.judge(runs, REGISTERED)
    assert found.open is None and not [p for p in found.problems if "not judged" in p.message]
    means = runs.points.groupby("run").score.mean().groupby([runs.runs.task, runs.runs.arm]).mean()
    for row in found.effects[found.effects.claim == "norm"].itertuples():
        expected = means[row.task, "baseline"] - means[row.task, "gru=plain"]
        assert row.effect == pytest.approx(expected, abs=1e-12) and row.runs == 32
    assert claim(found, "norm").words == "helps substantially"
    assert found.interactions.empty and len(found.recommendation)
    both = joined([one_change(4), trial(16)])  # by a file without a trial all runs count
    found = study.judge(both, REGISTERED.model_copy(update={"trial": None}))
    assert found.open is None and found.effects.runs.max() > 16


def test_what_cannot_be_told_apart_is_a_problem():
    rows = [
        ("catch", arm, seed, 0.5 + 0.1 * (seed % 3))
        for arm in ("baseline", "gru=plain,latent=gaussian", "kl=standard")
        for seed in range(6)
    ]
    rows += [("cartpole", arm, 0, 0.5) for arm in ("baseline", "kl=standard")]
    found = study.judge(store(rows), REGISTERED)
    said = {(problem.source, problem.message) for problem in found.problems}
    apart = "the runs do not tell apart gru=plain and latent=gaussian"
    assert {("catch", f"latents: {apart}"), ("catch", f"norm: {apart}")} <= said
    assert ("cartpole", "balancing: a side has one run, which has no spread") in said
    assert found.effects[["claim", "task"]].values.tolist() == [["balancing", "catch"]]


def test_suites_are_chosen_and_need_a_margin_but_for_raw_returns():
    runs = one_change()
    with pytest.raises(InputError, match="no runs of suite 'x'; there are runs of: mine"):
        study.judge(runs, REGISTERED, "x")
    both = ["mine", "other"] * (len(runs.runs) // 2)
    with pytest.raises(InputError, match="runs of several suites, choose one of: mine, other"):
        study.judge(with_runs(runs, suite=both), REGISTERED)
    registered = REGISTERED.model_copy(update={"margin": {"atari": 0.03}})
    with pytest.raises(InputError, match="give no margin for it, they do for: ata"):
        study.judge(runs, registered)
    raw = study.judge(with_runs(runs, random=np.nan, reference=np.nan), registered)
    assert raw.scheme == "raw" and claim(raw, "norm").words == "helps"
    assert claim(raw, "balancing").words == "undecided", "directions, no sizes"


def test_an_option_is_recommended_where_its_advantage_is_sure(judged):
    chosen = judged.recommendation[judged.recommendation.recommended]
    assert chosen[["kind", "option"]].values.tolist() == [["discrete, vector", "latent=gaussian"]]
    assert (chosen.low > 0).all() and len(judged.recommendation) == 9
    said = pages.text("recommendation.txt", judged).splitlines()
    assert "discrete, vector: latent=gaussian" in said
    assert "discrete: the paper's options" in said and "    the paper's: gru, kl" in said


def test_a_diverged_run_counts_as_the_worst_of_its_task(tmp_path):
    for seed in range(4):
        write_run(tmp_path, seed=seed, finals=0.6, points=8)
        write_run(tmp_path, "gru=plain", seed=seed, finals=-0.2 + 0.3 * seed, points=8)
    write_run(tmp_path, "gru=plain", seed=4, finals=0.9, points=3, status="diverged")
    found = study.judge(read.load(tmp_path), claims.DEFAULT)
    (row,) = found.effects[found.effects.claim == "gru_layer_norm"].to_dict("records")
    assert row["effect"] == pytest.approx(0.6 - np.mean([-0.2, 0.1, 0.4, 0.7, -0.2]), abs=1e-6)
    assert found.budget.step.tolist()[-1] == 1


def test_kinds_are_registered_and_the_tasks_traits():
    runs = one_change(4)
    traits = runs.runs.task.map({"catch": "grid sparse", "minigrid": "sparse"}).fillna("")
    found = study.judge(with_runs(runs, traits=traits), REGISTERED)
    assert found.task_kinds == {**KINDS, "sparse": ("catch", "minigrid")}
    assert {"vector", "grid", "sparse", "sparse - others"} <= set(found.kinds.kind)


def test_tasks_and_options_on_which_nothing_can_be_seen_are_problems():
    runs = one_change(4)
    flat = runs.points.score.where(runs.points.run.map(runs.runs.task) != "catch", 0.01)
    stuck = runs.runs.saturation.where(runs.runs.arm != "kl=standard", 0.95)
    runs = replace(
        with_runs(runs, saturation=stuck, saturated="kl_clamped"),
        points=runs.points.assign(score=flat),
    )
    said = dict(study.judge(runs, REGISTERED).problems)
    assert said.pop("catch") == "every arm is at the floor: no effect can be seen there"
    assert said.pop("kl=standard").startswith("kl_clamped in over 90% of updates in most of its ru")
    assert not said
    one = with_runs(runs, arm="baseline")
    assert "floor" not in str(study.judge(one, REGISTERED).problems), "no effect is looked for"
