"""The ladder: the rule over rounds, and judging runs by it."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from analysis import InputError, looks, plots, study, tables
from analysis.__main__ import main
from analysis.claims import Claim, Claims
from analysis.ladder import Ladder, climb
from analysis.rule import ALPHA, Evidence
from tests.analysis.runs import write_run

TASKS = ("cartpole", "acrobot", "space_invaders")
KINDS = dict.fromkeys(TASKS, "discrete")
LADDER = Ladder((6, 12), (0.4, 0.6), 2, dict.fromkeys(TASKS, 1.0))
CONTROLS = (
    Claim("control", "none", "recipe.model_lr=0", "baseline", "discrete"),
    Claim("same", "none", "baseline", "baseline", "discrete"),
)
MEANS = {
    "baseline": 0.8,
    "latent=gaussian": 0.3,  # decided in round 1
    "gru=plain": 0.72,  # open: its spread is 0.3
    "recipe.model_lr=0": 0.1,
}


def evidence(value=0.2, zero=1.0, below=1.0, above=1.0):
    shape = np.broadcast_shapes(*map(np.shape, (value, zero, below, above)))
    return Evidence(
        *(np.broadcast_to(part, shape).astype(float) for part in (value, zero, below, above)),
        np.ones(shape, bool),
    )


def test_a_round_spends_its_share_of_the_error():
    looked = [evidence(zero=np.array([0.03])), evidence(zero=np.array([0.03]))]
    assert climb(looked[:1], [0.5], 1).verdict[0] == "undecided"
    late = climb(looked, [0.2, 0.8], 1)
    assert late.verdict[0] == "helps" and late.round[0] == 2
    assert late.level_zero[0] == pytest.approx(0.8 * ALPHA)


def test_the_first_decision_is_final_and_costs_nothing_later():
    first = evidence(np.array([0.3, 0.3]), np.array([1e-6, 0.5]))
    second = evidence(np.array([-0.3, 0.3]), np.array([1e-6, 0.02]))
    climbed = climb([first, second], [0.5, 0.5], 2)
    assert climbed.verdict.tolist() == ["helps", "helps"] and climbed.round.tolist() == [1, 2]
    # the second claim has all of its round's error: its family of 2 has lost the decided one
    assert climbed.level_zero.tolist() == pytest.approx([0.5 * ALPHA / 2, 0.5 * ALPHA])


def test_each_side_has_a_family_of_its_own():
    first = evidence(np.array([0.0, 0.2, 0.2]), 1.0, np.array([1e-6, 1.0, 1.0]))
    second = evidence(np.array([0.0, 0.2, 0.0]))
    climbed = climb([first, second], [0.5, 0.5], 3)
    assert climbed.verdict[0] == "no substantial help"
    # what does not help leaves the margin's family, not that of 0
    assert climbed.level_margin[1:].tolist() == pytest.approx([0.5 * ALPHA / 2] * 2)
    assert climbed.level_zero[1:].tolist() == pytest.approx([0.5 * ALPHA / 3] * 2)


def test_nothing_is_no_help_in_a_round_whose_control_does_not_hurt():
    none = evidence(np.array([0.0]), 1.0, np.array([1e-6]))
    able = [np.array([False]), np.array([True])]
    climbed = climb([none, none], [0.5, 0.5], 1, able)
    assert climbed.verdict[0] == "no substantial help" and climbed.round[0] == 2


def scored(seeds, means=MEANS, spread=0.05, seed=0):
    """Scored runs as a frame: `seeds` by arm, the same on every task."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "suite": "mini",
            "task": task,
            "arm": arm,
            "seed": number,
            "actions": "discrete",
            "status": "done",
            "parameters": 1000.0,
            "saturated": "",
            "saturation": 0.0,
            "normalised": means[arm] + (0.3 if arm == "gru=plain" else spread) * rng.normal(),
        }
        for arm, count in seeds.items()
        for task in TASKS
        for number in range(count)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(run=np.arange(len(frame)), progress=frame.normalised)


def registered(ladder=LADDER, controls=CONTROLS, arms=("latent=gaussian", "gru=plain")):
    rows = tuple(Claim(arm.partition("=")[0], "helps", "baseline", arm, "discrete") for arm in arms)
    return Claims({"mini": 0.1}, rows, controls, ladder={"mini": ladder})


def judged(frame, claims=None, kinds=KINDS):
    standing = looks.judge(frame, claims or registered(), "mini", kinds)
    return standing, standing.rows.set_index("claim")


ROUND_1 = {"baseline": 12, "latent=gaussian": 6, "gru=plain": 6, "recipe.model_lr=0": 6}
ROUND_2 = {"baseline": 24, "latent=gaussian": 6, "gru=plain": 12, "recipe.model_lr=0": 6}


def test_an_incomplete_round_is_not_looked_at():
    frame = scored(ROUND_1)
    one = frame[(frame.arm == "gru=plain") & (frame.task == "acrobot") & (frame.seed == 5)]
    standing, rows = judged(frame.drop(one.index))
    assert standing.complete == 0 and not standing.ended
    assert standing.lacking == {"gru=plain": 1} and standing.runs.empty
    assert set(rows.verdict) == {"no data"} and rows.note["gru"] == "round 1 is not complete"
    assert standing.next() == "Round 1 lacks 1 run: gru=plain 1."
    assert judged(frame)[0].complete == 1


def test_a_task_without_any_run_keeps_a_round_open():
    frame = scored(ROUND_1)
    standing, _ = judged(frame[frame.task != "acrobot"], kinds={"cartpole": "discrete"})
    assert standing.complete == 0 and standing.lacking["baseline"] == 12


def test_a_claim_of_a_kind_that_no_task_has_keeps_no_round_open():
    claims = registered()
    other = Claim("dynamics", "helps", "baseline", "actor_grad=reinforce", "continuous")
    claims = dataclasses.replace(claims, claims=(*claims.claims, other))
    means = MEANS | {"gru=plain": 0.1}
    standing, rows = judged(scored(dict.fromkeys(ROUND_1, 12), means, 0.01), claims)
    assert standing.ended and standing.complete == 1
    assert rows.verdict["dynamics"] == "no data" and "continuous actions" in rows.note["dynamics"]


def test_a_decision_of_round_1_stops_an_arm_and_its_control():
    standing, rows = judged(scored(ROUND_1))
    assert rows.verdict.to_dict() == {
        **{"latent": "helps", "gru": "undecided"},
        **{"control": "hurts", "same": "does not differ"},
    }
    assert rows["round"].to_dict() == {"latent": 1, "gru": 0, "control": 1, "same": 0}
    assert [row.id for row in standing.waiting] == ["gru", "same"]
    assert standing.needed == {
        (task, arm): seeds for task in TASKS for arm, seeds in (("baseline", 24), ("gru=plain", 12))
    }
    assert rows.level_zero["latent"] == pytest.approx(1 - 0.4 * ALPHA / 2)


def test_the_positive_control_is_judged_at_the_rounds_share():
    _, rows = judged(scored(ROUND_1))
    control = rows[rows.role == "positive control"].iloc[0]
    assert control.level_zero == pytest.approx(1 - 0.05 * LADDER.shares[0])


def test_a_decided_row_is_frozen_and_seeds_beyond_a_round_are_ignored():
    more = {**ROUND_2, "latent=gaussian": 9}
    frame = scored(more)
    first, second = judged(frame[frame.seed < 12])[1].loc["latent"], judged(frame)[1].loc["latent"]
    early = frame[frame.seed < frame.arm.map(ROUND_1)]
    pd.testing.assert_series_equal(judged(early)[1].loc["latent"], second)
    assert (second.runs_without, second.runs_with, second.looks) == (18, 36, 1)
    assert first.effect == second.effect
    standing, rows = judged(frame)
    assert standing.complete == 2 and standing.ended
    assert standing.unused == {"latent=gaussian": 9}
    assert (rows.looks["gru"], rows.runs_with["gru"], rows.runs_without["gru"]) == (2, 72, 36)
    assert len(standing.seen["latent"]) == 54 and len(standing.seen["gru"]) == 108


def test_the_last_rounds_levels_are_those_of_what_stays_open():
    standing, rows = judged(scored(ROUND_2))
    assert standing.complete == 2 and standing.spent == pytest.approx(1)
    # the family of 2 has lost the claim that helps; the margin's has not
    assert rows.level_zero["gru"] == pytest.approx(1 - 0.6 * ALPHA)
    assert rows.level_margin["gru"] == pytest.approx(1 - 0.6 * ALPHA / 2)
    assert rows.seeds_needed["gru"] > 12


def test_runs_that_diverged_count_as_ended_and_are_told():
    frame = scored(ROUND_1)
    failed = (frame.arm == "gru=plain") & (frame.seed == 0) & (frame.task == "acrobot")
    frame = frame.assign(
        status=np.where(failed, "diverged", "done"), normalised=frame.normalised.mask(failed, 0)
    )
    standing, rows = judged(frame)
    assert standing.complete == 1
    assert "1 of 18 runs of gru=plain diverged and scores 0" in rows.note["gru"]
    assert "1 diverged: gru=plain 1" in standing.caption()


def test_without_a_control_that_hurts_nothing_is_no_substantial_help():
    claims = registered(Ladder((20, 30), (0.4, 0.6), 2, dict.fromkeys(TASKS, 1.0)))
    seeds, means = {arm: 40 if arm == "baseline" else 20 for arm in MEANS}, dict(MEANS)
    means["latent=gaussian"] = 0.8
    able = judged(scored(seeds, means, 0.02), claims)[1].loc["latent"]
    assert able.verdict == "no substantial help" and able.agrees == "no"
    standing, rows = judged(scored(seeds, means | {"recipe.model_lr=0": 0.79}, 0.02), claims)
    assert rows.verdict["latent"] == "undecided"
    assert "control" in [row.id for row in standing.waiting]
    assert "does not hurt by the margin" in rows.lacking["latent"]


def test_a_degenerate_arm_takes_no_more_seeds():
    frame = scored(ROUND_1)
    frame["saturation"] = np.where(frame.arm == "gru=plain", 0.95, 0.0)
    standing, rows = judged(frame)
    assert standing.ended and standing.complete == 1
    assert rows.verdict["gru"] == "degenerate arm" and rows["round"]["gru"] == 0
    assert standing.next() == "The ladder has ended: nothing is open."


def test_the_effect_without_one_task_has_a_range():
    _, rows = judged(scored(ROUND_1))
    row = rows.loc["latent"]
    assert row.loo_low < row.effect < row.loo_high
    assert row.loo_high - row.loo_low < 0.1


def test_the_caption_counts_everything():
    standing, _ = judged(scored(ROUND_2))
    assert standing.caption() == (
        "judged by the registered ladder: 2 claims, 2 of 2 rounds complete, 100% of the 5% error "
        "spent; seeds per task: 24 of baseline, 12 of gru=plain, 6 of latent=gaussian, "
        "recipe.model_lr=0; none diverged"
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("ladder")
    for row in scored(ROUND_1).itertuples():
        write_run(root, row.arm, row.task, row.seed, finals=row.normalised, suite="mini")
    return root


FILE = """margin: {mini: 0.1}
date: 2026-11-30
ladder:
  mini: {rounds: [6, 12], shares: [0.4, 0.6], baseline: 2,
         ratios: {cartpole: 1.0, acrobot: 1.0, space_invaders: 1.0}}
controls:
  - {id: control, with: recipe.model_lr=0, without: baseline, where: discrete}
claims:
  - {id: latent, paper: helps, with: baseline, without: latent=gaussian, where: discrete}
  - {id: gru, paper: no_help, with: baseline, without: gru=plain, where: discrete}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(FILE)
    return path


def test_tables_by_the_ladder_say_so(runs, file, tmp_path, capsys):
    options = ["--runs", str(runs), "--claims", str(file), "--out", str(tmp_path)]
    assert main(["table", *options, "--ladder"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Judged by the registered ladder: 2 claims, 1 of 2 rounds complete, 40% of" in said
    assert "Round 2 lacks 54 runs: baseline 36, gru=plain 18." in said
    rows = pd.read_csv(tmp_path / "mini" / "claims.csv").set_index("claim")
    assert rows["round"].to_dict() == {"latent": 1, "gru": 0}
    assert rows.looks.tolist() == [1, 1] and rows.loo_low["latent"] < rows.effect["latent"]
    for name in ("lists.md", "lists.html", "lists.tex", "games.md"):
        text = (tmp_path / "mini" / name).read_text().replace("\\", "")
        assert "1 of 2 rounds complete" in text and " of 2026-11-30" in text, name
    assert main(["table", *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    fixed = "udged as a fixed number of seeds, not by the registered ladder"
    assert fixed in said and fixed in (tmp_path / "mini" / "lists.md").read_text()


def test_a_suite_without_a_ladder_does_not_stop_the_others(runs, file, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    for seed in (0, 1):
        write_run(tmp_path / "runs", seed=seed, digest="other")
    claims = file.read_text().replace("margin: {mini: 0.1}", "margin: {mini: 0.1, gym: 0.1}")
    file.write_text(claims)
    (ours,) = study.load(tmp_path / "runs", file, ladder=True)
    (problem,) = ours.problems
    assert ours.suite == "mini" and problem.source == "suite gym"
    assert "no ladder for it, they do for: mini" in problem.message


def test_the_forest_plot_says_how_it_was_judged(runs, file):
    figure = plots.forest(study.one(runs, file, ladder=True))
    assert "1 of 2 rounds complete" in figure._supxlabel.get_text()
    assert (
        "not by the registered ladder" in plots.forest(study.one(runs, file))._supxlabel.get_text()
    )


def test_games_are_those_of_the_round_that_decided(runs, file, tmp_path):
    ours = study.one(runs, file, ladder=True)
    assert tables.by_task(ours, "latent").runs.tolist() == [18] * 3
    assert set(ours.control_tasks.runs) == {"6 + 12"}


def test_a_suite_without_a_ladder_is_refused(runs, tmp_path):
    (tmp_path / "claims.yaml").write_text(
        FILE.replace("\n  mini: {rounds", "\n  gym: {rounds").replace(
            "margin: {mini: 0.1}", "margin: {mini: 0.1, gym: 0.1}"
        )
    )
    with pytest.raises(InputError, match="no ladder is registered for suite 'mini'; .*: gym"):
        study.one(runs, tmp_path / "claims.yaml", ladder=True)
