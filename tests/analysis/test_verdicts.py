"""From scores to verdicts: the controls, the family of claims, and what is said of incomplete
data."""

import numpy as np
import pandas as pd
import pytest

from analysis import InputError, scores, store, verdicts
from analysis.claims import Claim, Claims
from analysis.controls import by_task
from tests.analysis.runs import SEEDS, STUDY, write_run

MARGIN = {"gym": 0.1}


CONTROLS = tuple(
    Claim(f"control_{where}", "none", "recipe.model_lr=0", "baseline", where)
    for where in ("discrete", "continuous")
)


def frame_of(folder):
    frame, _ = scores.final_scores(store.load(folder))
    return scores.normalise(frame, "reference")[0]


def judge(folder, *rows, controls=None):
    controls = CONTROLS if controls is None else controls
    judged = verdicts.evaluate(frame_of(folder), Claims(MARGIN, rows, controls), "gym")
    return judged[judged.role == verdicts.CLAIM].set_index("claim")


def claim(id="x", with_="baseline", without="latent=gaussian", paper="helps", where="discrete"):
    return Claim(id, paper, with_, without, where)


@pytest.fixture
def two_arms(tmp_path):
    """Function of the arms' normalised scores by task and seed, and changes to run.json: the
    verdict's row."""

    def build(first, second, changes=None, **options):
        for arm, cells in (("baseline", first), ("latent=gaussian", second)):
            for task, values in cells.items():
                for seed, value in enumerate(values):
                    write_run(
                        tmp_path, arm, task, seed, finals=value, **(changes or {}).get(arm, {})
                    )
        return judge(tmp_path, claim(), **options).iloc[0]

    return build


def test_a_study_with_known_effects(study):
    rows = judge(
        study,
        claim("categorical"),
        claim("standard", without="kl=standard"),
        claim("binary", with_="latent=binary", without="baseline", paper="worse"),
        claim("layer_norm", without="gru=plain", paper="no_help"),
        claim("absent", without="entropy=long_term"),
    )
    stated = rows[rows.stated]
    assert stated.verdict.to_dict() == {
        "categorical": "helps",
        "standard": "no substantial help",
        "binary": "hurts",
        "layer_norm": "undecided",
        "absent": "no data",
    }
    assert stated.agrees.to_dict() == {
        "categorical": "yes",
        "standard": "no",
        "binary": "yes",
        "layer_norm": "",
        "absent": "",
    }
    categorical = stated.loc["categorical"]
    assert categorical.effect == pytest.approx(
        STUDY["baseline"] - STUDY["latent=gaussian"], abs=0.02
    )
    assert categorical.low < 0.5 < categorical.high
    assert (categorical.tasks, categorical.runs_with, categorical.runs_without) == (
        3,
        3 * SEEDS,
        3 * SEEDS,
    )
    assert (categorical.seeds_fewest, categorical.seeds_most) == (SEEDS, SEEDS)
    assert (categorical.parameters_with, categorical.parameters_without) == ("100000", "90000")
    assert categorical.note == "" and stated.seeds_needed.notna().to_dict() == {
        name: name == "layer_norm" for name in stated.index
    }
    assert stated.seeds_needed["layer_norm"] > SEEDS
    assert stated.note["absent"] == "no runs of entropy=long_term"


def test_the_other_kind_of_actions_is_printed_beside(study):
    rows = judge(study, claim())
    assert rows.actions.tolist() == ["discrete", "continuous"] and rows.stated.tolist() == [
        True,
        False,
    ]
    assert rows.tasks.tolist() == [3, 1]
    assert rows.verdict.tolist() == ["helps", "helps"] and rows.agrees.tolist() == ["yes", ""]
    assert rows.note.tolist() == ["", "carried by one task, pendulum"]
    assert rows.carried_by.tolist() == ["", "pendulum"]


def test_the_family_is_what_is_registered_with_or_without_data(study):
    one = judge(study, claim()).iloc[0]
    absent = [claim(f"none{i}", without="x=y") for i in range(13)]
    rows = judge(study, claim(), *absent)
    stated = rows[rows.stated]
    assert one.level_zero == pytest.approx(0.95)
    assert stated.level_zero["x"] == pytest.approx(1 - 0.05 / 14)
    assert stated.low["x"] < one.low and set(rows.family) == {14}
    assert rows[~rows.stated].level_zero["x"] == pytest.approx(1 - 0.05 / 14)


def test_arms_may_differ_by_suite(study):
    rows = judge(
        study,
        claim(without={"gym": "latent=gaussian", "atari": "x"}),
        claim("y", without={"atari": "x"}),
    )
    assert rows[rows.stated].verdict.tolist() == ["helps", "no data"]
    assert rows.loc["y", "note"] == "no arm is named for suite gym"


def test_one_seed_has_no_interval_and_says_so(two_arms):
    row = two_arms({"cartpole": [0.9]}, {"cartpole": [0.2]})
    assert row.verdict == "undecided" and np.isnan(row.low)
    assert row.effect == pytest.approx(0.7) and row.note == "one seed only: no interval"


def test_equal_scores_have_no_interval_and_say_so(two_arms):
    row = two_arms({"cartpole": [0.9, 0.9]}, {"cartpole": [0.2, 0.2]})
    assert row.verdict == "undecided" and row.note == "no spread between seeds: no interval"


def test_common_tasks_are_used_with_all_their_seeds_and_the_rest_listed(two_arms):
    row = two_arms(
        {"cartpole": [0.9, 0.8, 0.85, 0.1], "acrobot": [0.5, 0.6], "space_invaders": [0.7]},
        {"cartpole": [0.2, 0.3, 0.25], "space_invaders": [0.2, 0.3]},
    )
    assert (row.tasks, row.runs_with, row.runs_without) == (1, 4, 3)
    assert row.effect == pytest.approx(np.mean([0.9, 0.8, 0.85, 0.1]) - 0.25)
    assert "only baseline has acrobot" in row.note
    assert "left out for having one seed: space_invaders" in row.note


def test_collapsed_seeds_stay_in(two_arms):
    row = two_arms({"cartpole": [0.9, 0.9, 0.0]}, {"cartpole": [0.2, 0.2, 0.2]})
    assert row.effect == pytest.approx(0.4) and row.verdict == "undecided"
    assert row.probability_of_improvement == pytest.approx(2 / 3)


def test_a_saturated_toggle_is_no_verdict(two_arms):
    clamped = {"latent=gaussian": {"saturation": {"kl_clamped": 0.97}}}
    row = two_arms({"cartpole": [0.9, 0.8, 0.85]}, {"cartpole": [0.2, 0.3, 0.25]}, clamped)
    assert row.verdict == "degenerate arm" and row.agrees == "" and np.isnan(row.low)
    assert row.note == "kl_clamped in over 90% of updates in 3 of 3 runs of latent=gaussian"


def test_equal_failure_is_no_verdict(two_arms):
    failed = {task: [0.02, 0.05, -0.01, 0.03] for task in ("cartpole", "acrobot", "space_invaders")}
    row = two_arms(failed, failed)
    assert row.verdict == "undecided" and row.agrees == "" and np.isnan(row.effect)
    assert (row.tasks, row.moving) == (3, 0)
    assert row.note == (
        "no task can move; at the floor for both arms: acrobot, cartpole, space_invaders"
    )


def test_tasks_at_the_ends_do_not_dilute_the_effect(two_arms):
    row = two_arms(
        {"cartpole": [0.7, 0.72], "acrobot": [0.01, 0.02], "space_invaders": [0.98, 0.99]},
        {"cartpole": [0.5, 0.52], "acrobot": [0.00, 0.01], "space_invaders": [0.99, 0.98]},
    )
    assert row.effect == pytest.approx(0.2) and (row.tasks, row.moving) == (3, 1)
    assert row.note.startswith(
        "over 1 of 3 tasks; at the floor for both arms: acrobot; "
        "at the ceiling for both arms: space_invaders"
    )


def test_a_run_that_diverged_scores_0_and_is_counted(tmp_path):
    for seed, score in enumerate([0.9, 0.8, 0.85]):
        write_run(tmp_path, "baseline", seed=seed, finals=score)
    for seed, score in enumerate([0.7, 0.6]):
        write_run(tmp_path, "latent=gaussian", seed=seed, finals=score)
    write_run(tmp_path, "latent=gaussian", seed=2, finals=0.9, status="diverged", points=2)
    row = judge(tmp_path, claim()).iloc[0]
    assert row.runs_without == 3
    assert row.effect == pytest.approx(0.85 - (0.7 + 0.6 + 0) / 3)
    assert row.note == "1 of 3 runs of latent=gaussian diverged and scores 0"


QUIET = {
    "cartpole": [0.61, 0.60, 0.62, 0.60, 0.61, 0.62, 0.60, 0.61],
    "acrobot": [0.50, 0.51, 0.52, 0.51, 0.50, 0.52, 0.51, 0.50],
    "space_invaders": [0.71, 0.70, 0.72, 0.71, 0.70, 0.71, 0.72, 0.70],
}


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "undecided"), (8, "no substantial help")])
def test_quiet_arms_may_only_not_have_failed_yet(two_arms, tmp_path, seeds, verdict):
    quiet = {task: values[:seeds] for task, values in QUIET.items()}
    for task in quiet:
        for seed in range(seeds):
            write_run(tmp_path, "recipe.model_lr=0", task, seed, finals=0.1 + seed / 100)
    row = two_arms(quiet, quiet)
    assert row.verdict == verdict and row.effect == 0
    assert (row.high < 0.1) == (verdict == "no substantial help")  # never against the verdict
    noted = "one more run of latent=gaussian that fails on space_invaders reaches the margin"
    assert (noted in row.note) == (verdict == "undecided")


def helpless(study, *controls):
    standard = claim("standard", without="kl=standard", paper="no_help")
    rows = judge(study, standard, claim("categorical"), controls=controls)
    return rows[rows.stated]


def test_without_a_control_that_hurts_nothing_is_no_help_and_nothing_agrees(study):
    assert helpless(study, *CONTROLS).verdict.tolist() == ["no substantial help", "helps"]
    assert helpless(study, *CONTROLS).agrees.tolist() == ["yes", "yes"]
    quiet = Claim("quiet", "none", "kl=standard", "baseline", "discrete")
    for controls, reason in (
        ((), "no positive control is registered"),
        ((quiet,), "the positive control does not hurt by the margin: quiet"),
        ((*CONTROLS, quiet), "the positive control does not hurt by the margin: quiet"),
        (CONTROLS[1:], "no positive control is registered"),
    ):
        rows = helpless(study, *controls)
        assert rows.verdict.tolist() == ["undecided", "helps"]
        assert rows.agrees.tolist() == ["", ""] and set(rows.lacking) == {reason}
        assert rows.note["standard"] == f"no verdict, as {reason}"


def test_a_control_that_hurts_by_less_than_the_margin_shows_nothing(two_arms, tmp_path):
    for task, values in QUIET.items():
        for seed, value in enumerate(values):
            write_run(tmp_path, "recipe.model_lr=0", task, seed, finals=value - 0.08)
    row = two_arms(QUIET, QUIET)
    assert row.verdict == "undecided" and "does not hurt by the margin" in row.lacking


def test_controls_have_rows_of_their_own(study):
    same = Claim("same", "none", "baseline", "baseline", "discrete")
    registered = Claims(MARGIN, (claim(),), (*CONTROLS, same))
    rows = verdicts.evaluate(frame_of(study), registered, "gym").set_index("claim")
    controls = rows[rows.role != verdicts.CLAIM]
    assert controls.role.to_dict() == {
        "control_discrete": "positive control",
        "control_continuous": "positive control",
        "same": "A/A",
    }
    assert controls.verdict["control_discrete"] == "hurts" and controls.agrees.eq("").all()
    assert controls.verdict["same"] == "does not differ"
    assert controls["with"]["same"] == "baseline (odd seeds)"
    assert (controls.runs_with["same"], controls.runs_without["same"]) == (3 * SEEDS // 2,) * 2
    assert controls.level_zero["control_discrete"] == pytest.approx(0.95)  # no part of the family
    assert set(rows.family) == {1}


def test_an_arm_that_differs_from_itself_says_so(tmp_path):
    for task in ("cartpole", "acrobot", "space_invaders"):
        for seed in range(6):
            write_run(tmp_path, task=task, seed=seed, finals=0.3 + 0.4 * (seed % 2) + seed / 100)
    same = Claim("same", "none", "baseline", "baseline", "discrete")
    rows = verdicts.evaluate(frame_of(tmp_path), Claims(MARGIN, (claim(),), (same,)), "gym")
    assert rows.set_index("claim").verdict["same"] == "differs"


def test_the_control_is_shown_task_by_task(study):
    table = by_task(frame_of(study), Claims(MARGIN, (), CONTROLS), "gym")
    assert table.task.tolist() == ["acrobot", "cartpole", "space_invaders", "pendulum"]
    assert table.effect.tolist() == pytest.approx([-0.7] * 4, abs=0.06)
    assert (table.high < 0).all() and set(table.moves) == {"yes"}
    assert set(table.runs) == {f"{SEEDS} + {SEEDS}"}


def test_a_broken_control_arm_is_not_degenerate(tmp_path):
    for seed in range(3):
        write_run(tmp_path, seed=seed, finals=0.8 + seed / 100)
        write_run(
            tmp_path,
            "recipe.model_lr=0",
            seed=seed,
            finals=0.1 + seed / 100,
            saturation={"kl_clamped": 1.0},
        )
    rows = verdicts.evaluate(frame_of(tmp_path), Claims(MARGIN, (claim(),), CONTROLS), "gym")
    assert rows.set_index("claim").verdict["control_discrete"] == "undecided"  # one task carries it


@pytest.mark.parametrize(
    ("paper", "arm", "agrees"),
    [
        ("helps", "latent=gaussian", "yes"),
        ("helps", "kl=standard", "no"),
        ("no_help", "kl=standard", "yes"),
        ("worse", "kl=standard", "yes"),
        ("no_help", "latent=gaussian", "no"),
        ("worse", "latent=gaussian", "no"),
        ("none", "latent=gaussian", ""),
    ],
)
def test_what_agrees_with_the_paper(study, paper, arm, agrees):
    assert judge(study, claim(without=arm, paper=paper)).agrees.iloc[0] == agrees


@pytest.mark.parametrize(
    ("paper", "agrees"), [("helps", "no"), ("no_help", "worse than the paper"), ("worse", "yes")]
)
def test_hurting_agrees_only_where_the_paper_reports_worse(study, paper, agrees):
    row = judge(study, claim(with_="latent=binary", without="baseline", paper=paper)).iloc[0]
    assert row.verdict == "hurts" and row.agrees == agrees


def test_helping_says_whether_by_at_least_the_margin(two_arms):
    low = {task: [value - 0.3 for value in values] for task, values in QUIET.items()}
    row = two_arms(QUIET, low)
    assert row.verdict == "helps" and row.substantial == "yes"


def test_an_effect_near_the_margin_is_not_shown_to_be_substantial(two_arms):
    high = {task: [v + 0.1 * (i % 2) for i, v in enumerate(own)] for task, own in QUIET.items()}
    low = {task: [v - 0.12 for v in values] for task, values in high.items()}
    row = two_arms(high, low)
    assert row.verdict == "helps" and row.substantial == "not shown"


def test_an_arm_that_looks_misspelled_is_named(study):
    rows = judge(study, claim(without="latent=gausian"), claim("y", without="entropy=long_term"))
    assert rows.note["x"] == (
        "no runs of latent=gausian; did you mean latent=gaussian instead of latent=gausian?"
    )
    assert rows.note["y"] == "no runs of entropy=long_term"


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "undecided"), (5, "helps")])
def test_an_effect_of_one_task_takes_five_seeds(two_arms, seeds, verdict):
    steady = {
        "acrobot": [0.5, 0.51, 0.5, 0.51, 0.5][:seeds],
        "space_invaders": [0.7, 0.71, 0.7, 0.71, 0.7][:seeds],
    }
    high, low = [0.9, 0.91, 0.92, 0.9, 0.91][:seeds], [0.1, 0.12, 0.11, 0.1, 0.11][:seeds]
    row = two_arms({"cartpole": high, **steady}, {"cartpole": low, **steady})
    assert (row.low > 0) == (verdict == "helps") and row.verdict == verdict
    assert row.note.startswith("carried by one task, cartpole")
    assert ("one more failed run of baseline may hide" in row.note) == (verdict != "helps")
    assert row.seeds_needed == (5 if seeds == 3 else None)


@pytest.mark.parametrize(("others", "verdict"), [(-0.05, "undecided"), (0.05, "helps")])
def test_an_effect_that_the_other_tasks_do_not_share_is_carried(two_arms, others, verdict):
    tasks = ("acrobot", "space_invaders", "asterix", "breakout")
    steady = {task: [0.5, 0.51, 0.505] for task in tasks}
    moved = {task: [value + others for value in values] for task, values in steady.items()}
    row = two_arms(
        {"cartpole": [0.9, 0.91, 0.92], **moved}, {"cartpole": [0.1, 0.12, 0.11], **steady}
    )
    assert (row.low > 0) == (verdict == "helps") and row.verdict == verdict
    assert ("carried by one task, cartpole" in row.note) == (verdict != "helps")


def test_two_tasks_cannot_vouch_for_each_other(two_arms):
    high, low = [0.9, 0.91, 0.92], [0.1, 0.12, 0.11]
    row = two_arms({"cartpole": high, "acrobot": high}, {"cartpole": low, "acrobot": low})
    assert row.low > 0.1 and row.verdict == "undecided" and row.seeds_needed == 5


def test_seeds_need_not_be_the_same(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "baseline", seed=seed, finals=0.8 + seed / 10)
        write_run(tmp_path, "latent=gaussian", seed=seed + 5, finals=0.3)
    row = judge(tmp_path, claim()).iloc[0]
    assert (row.runs_with, row.runs_without) == (2, 2) and row.effect == pytest.approx(0.55)


def test_no_common_task_is_no_data(tmp_path):
    write_run(tmp_path, "baseline", "acrobot")
    write_run(tmp_path, "latent=gaussian", "cartpole")
    row = judge(tmp_path, claim()).iloc[0]
    assert row.verdict == "no data" and row.note.startswith("the arms share no task; only")


def test_a_suite_without_margin_is_refused(study):
    with pytest.raises(InputError, match="no margin for suite 'atari'; they do for: gym"):
        verdicts.evaluate(frame_of(study), Claims(MARGIN, (claim(),)), "atari")


def test_rows_are_a_frame_that_can_be_saved(study, tmp_path):
    rows = judge(study, claim())
    rows.to_csv(tmp_path / "claims.csv")
    assert pd.read_csv(tmp_path / "claims.csv").verdict.tolist() == ["helps", "helps"]
