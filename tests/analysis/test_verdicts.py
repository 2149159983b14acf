"""From scores to verdicts: the rule, the family of claims, and what is said of incomplete data."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis import InputError, claims, scores, store, verdicts
from analysis.claims import Claim, Claims
from tests.analysis.runs import STUDY, write_run

MARGIN = {"mini": 0.1}


def frame_of(folder):
    frame, _ = scores.final_scores(store.load(folder))
    return scores.normalise(frame, "reference")[0]


def judge(folder, *rows, **options):
    return verdicts.evaluate(frame_of(folder), Claims(MARGIN, rows), "mini", **options).set_index(
        "claim"
    )


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


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.3, -0.01, "hurts"),
        (-0.3, 0.09, "no substantial help"),
        (0.01, 0.09, "no substantial help"),
        (0.01, 0.2, "helps"),
        (-0.01, 0.2, "undecided"),
        (0.0, 0.1, "undecided"),
    ],
)
def test_the_rule(low, high, expected):
    assert verdicts.verdict(low, high, 0.1) == expected


def test_a_study_with_known_effects(study):
    rows = judge(
        study,
        claim("categorical"),
        claim("standard", without="kl=standard"),
        claim("binary", with_="latent=binary", without="baseline", paper="no_help"),
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
    assert (categorical.tasks, categorical.runs_with, categorical.runs_without) == (3, 12, 12)
    assert (categorical.seeds_fewest, categorical.seeds_most) == (4, 4)
    assert (categorical.parameters_with, categorical.parameters_without) == ("100000", "90000")
    assert categorical.note == "" and stated.seeds_needed.notna().to_dict() == {
        name: name == "layer_norm" for name in stated.index
    }
    assert stated.seeds_needed["layer_norm"] > 4
    assert stated.note["absent"] == "no runs of entropy=long_term"


def test_the_other_kind_of_actions_is_printed_beside(study):
    rows = judge(study, claim())
    assert rows.actions.tolist() == ["discrete", "continuous"] and rows.stated.tolist() == [
        True,
        False,
    ]
    assert rows.tasks.tolist() == [3, 1]
    assert rows.verdict.tolist() == ["helps", "undecided"] and rows.agrees.tolist() == ["yes", ""]
    assert (
        rows.note.tolist() == ["", "carried by one task, pendulum"]
        and rows.seeds_needed.iloc[1] == 5
    )


def test_levels_are_adjusted_for_the_claims_that_have_data(study):
    one = judge(study, claim()).iloc[0]
    rows = judge(study, *[claim(f"c{i}") for i in range(4)], claim("none", without="x=y"))
    assert one.level == pytest.approx(0.95)
    assert rows[rows.stated].level[:4].tolist() == pytest.approx([1 - 0.05 / 4] * 4)
    assert rows.low["c0"].iloc[0] < one.low


def test_arms_may_differ_by_suite(study):
    rows = judge(
        study,
        claim(without={"mini": "latent=gaussian", "atari": "x"}),
        claim("y", without={"atari": "x"}),
    )
    assert rows[rows.stated].verdict.tolist() == ["helps", "no data"]
    assert rows.loc["y", "note"] == "the claim names no arm for suite mini"


def test_one_seed_has_no_interval_and_says_so(two_arms):
    row = two_arms({"cartpole": [0.9]}, {"cartpole": [0.2]})
    assert row.verdict == "undecided" and np.isnan(row.low)
    assert row.effect == pytest.approx(0.7) and row.note == "one seed only: no interval"


def test_equal_scores_have_no_interval_and_say_so(two_arms):
    row = two_arms({"cartpole": [0.9, 0.9]}, {"cartpole": [0.2, 0.2]})
    assert row.verdict == "undecided" and row.note == "no spread between seeds: no interval"


def test_the_common_part_is_used_and_the_rest_listed(two_arms):
    row = two_arms(
        {"cartpole": [0.9, 0.8, 0.85, 0.1], "acrobot": [0.5, 0.6], "space_invaders": [0.7]},
        {"cartpole": [0.2, 0.3, 0.25], "space_invaders": [0.2, 0.3]},
    )
    assert (row.tasks, row.runs_with, row.runs_without) == (1, 3, 3)
    assert row.effect == pytest.approx(0.6)
    assert "only baseline has acrobot" in row.note
    assert "cartpole: 1 runs of seeds that one arm lacks are left out" in row.note
    assert "left out for having one seed: space_invaders" in row.note


def test_all_seeds_count_where_their_numbers_mean_nothing(two_arms):
    row = two_arms({"cartpole": [0.9, 0.8, 0.85]}, {"cartpole": [0.2, 0.3]}, match_seeds=False)
    assert (row.runs_with, row.runs_without) == (3, 2)


def test_collapsed_seeds_stay_in(two_arms):
    row = two_arms({"cartpole": [0.9, 0.9, 0.0]}, {"cartpole": [0.2, 0.2, 0.2]})
    assert row.effect == pytest.approx(0.4) and row.verdict == "undecided"
    assert row.probability_of_improvement == pytest.approx(2 / 3)


def test_a_saturated_toggle_is_no_verdict(two_arms):
    clamped = {"latent=gaussian": {"saturation": {"kl_clamped": 0.97}}}
    row = two_arms({"cartpole": [0.9, 0.8, 0.85]}, {"cartpole": [0.2, 0.3, 0.25]}, clamped)
    assert row.verdict == "degenerate arm" and row.agrees == "" and np.isnan(row.low)
    assert row.note == "kl_clamped in over 90% of updates in 3 of 3 runs of latent=gaussian"


def test_runs_that_learn_nothing_are_marked(two_arms):
    row = two_arms({"cartpole": [0.01, 0.02]}, {"cartpole": [0.0, 0.01]})
    assert "no run of either arm learned" in row.note


@pytest.mark.parametrize(("seeds", "verdict"), [(3, "undecided"), (5, "helps")])
def test_an_effect_of_one_task_takes_five_seeds(two_arms, seeds, verdict):
    steady = {
        "acrobot": [0.5, 0.51, 0.5, 0.51, 0.5][:seeds],
        "space_invaders": [0.7, 0.71, 0.7, 0.71, 0.7][:seeds],
    }
    high, low = [0.9, 0.91, 0.92, 0.9, 0.91][:seeds], [0.1, 0.12, 0.11, 0.1, 0.11][:seeds]
    row = two_arms({"cartpole": high, **steady}, {"cartpole": low, **steady})
    assert row.low > 0.1 and row.verdict == verdict
    assert row.note == "carried by one task, cartpole"
    assert row.seeds_needed == (5 if seeds == 3 else None)


@pytest.mark.parametrize(("others", "verdict"), [(-0.05, "undecided"), (0.05, "helps")])
def test_an_effect_that_the_other_tasks_do_not_share_is_carried(two_arms, others, verdict):
    tasks = ("acrobot", "space_invaders", "asterix", "breakout")
    steady = {task: [0.5, 0.51, 0.505] for task in tasks}
    moved = {task: [value + others for value in values] for task, values in steady.items()}
    row = two_arms(
        {"cartpole": [0.9, 0.91, 0.92], **moved}, {"cartpole": [0.1, 0.12, 0.11], **steady}
    )
    assert row.low > 0.1 and row.verdict == verdict
    assert row.note == ("" if verdict == "helps" else "carried by one task, cartpole")


def test_two_tasks_cannot_vouch_for_each_other(two_arms):
    high, low = [0.9, 0.91, 0.92], [0.1, 0.12, 0.11]
    row = two_arms({"cartpole": high, "acrobot": high}, {"cartpole": low, "acrobot": low})
    assert row.low > 0.1 and row.verdict == "undecided" and row.seeds_needed == 5


def test_no_common_seed_is_no_data(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "baseline", seed=seed)
        write_run(tmp_path, "latent=gaussian", seed=seed + 5)
    row = judge(tmp_path, claim()).iloc[0]
    assert row.verdict == "no data" and row.note.startswith("the arms share no task and seed")


def test_a_suite_without_margin_is_refused(study):
    with pytest.raises(InputError, match="no margin for suite 'atari'; they do for: mini"):
        verdicts.evaluate(frame_of(study), Claims(MARGIN, (claim(),)), "atari")


def test_the_projects_claims_are_the_fourteen_rows():
    loaded = claims.load()
    assert len(loaded.rows) == 14
    assert sum(row.paper == "helps" for row in loaded.rows) == 8
    assert [row.id for row in loaded.rows if row.where == "continuous"] == ["dynamics_backprop"]
    size = next(row for row in loaded.rows if row.id == "model_size")
    assert size.arms("atari") == ("baseline", "size=13m") and size.arms("mini") == (
        "baseline",
        "size=tiny",
    )
    assert all(row.arms(suite) for row in loaded.rows for suite in loaded.margin)


ROW = "{id: a, paper: helps, with: baseline, without: x=y, where: discrete}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: []", "exactly two keys, margin and claims"),
        ("margin: {mini: 0}\nclaims: []", "margin gives a positive number for each suite"),
        ("margin: {mini: 0.1}\nclaims: []", "claims is a list of rows"),
        (f"margin: {{mini: 0.1}}\nclaims: [{ROW}, {ROW}]", "two claims have the id a"),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW[:-1]}, extra: 1}}]",
            "claim 1: needs exactly the keys",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('helps', 'maybe')}]",
            "paper is 'maybe'; allowed: helps, no_help, none",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('discrete', 'all')}]",
            "where is 'all'; allowed: discrete",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('x=y', '3')}]",
            "without is an arm name, or one by suite; got 3",
        ),
        (
            f"margin: {{mini: 0.1}}\nclaims: [{ROW.replace('x=y', 'baseline')}]",
            "with and without are both baseline",
        ),
        ("margin: [", "not valid YAML"),
    ],
)
def test_a_bad_claims_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "claims.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(message)) as error:
        claims.load(path)
    assert "\n" not in str(error.value)


def test_an_absent_claims_file_is_named(tmp_path):
    with pytest.raises(InputError, match="none.yaml: cannot read the claims"):
        claims.load(tmp_path / "none.yaml")


def test_rows_are_a_frame_that_can_be_saved(study, tmp_path):
    rows = judge(study, claim())
    rows.to_csv(tmp_path / "claims.csv")
    assert pd.read_csv(tmp_path / "claims.csv").verdict.tolist() == ["helps", "undecided"]
