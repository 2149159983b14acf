"""Rows run again beside the study that they repeat."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis import InputError, claims, repeats
from analysis.__main__ import main
from analysis.study import one
from tests.analysis.runs import STUDY, write_run

FIRST = 100  # seed of what is run again
ARM = "latent=gaussian"
TASKS = ("cartpole", "acrobot", "space_invaders")


def again(
    root, *, base=STUDY["baseline"], without=STUDY[ARM], task="cartpole", first=FIRST, **changes
):
    rng = np.random.default_rng(0)
    for arm, score in (("baseline", base), (ARM, without)):
        for seed in range(first, first + 6):
            write_run(root, arm, task, seed, finals=score + 0.05 * rng.normal(), **changes)
    return one(root)


def beside(root, ours):
    (row,) = repeats.beside(root, ours, claims.load()).itertuples()
    return row


def test_new_seeds_of_one_task_repeat_a_row(study, tmp_path):
    row = beside(again(tmp_path), one(study))
    assert row.claim == "categorical_latents" and row.tasks == "1"
    assert row.again_runs == "6 + 6" and row.runs == "14 + 14"
    assert row.note == "not again: acrobot, space_invaders" and row.inside == ""
    assert row.alike == "yes" and row.difference_low < 0 < row.difference_high
    assert row.again_effect - row.effect == pytest.approx(row.difference_effect)


def test_both_effects_are_over_the_tasks_of_both(study, tmp_path):
    """By hand: four means with variances of their own."""
    theirs, ours = again(tmp_path, without=0.1), one(study)
    row = beside(theirs, ours)
    cells = [
        frame[(frame.task == "cartpole") & (frame.arm == arm)].normalised
        for frame in (theirs.scores, ours.scores)
        for arm in ("baseline", ARM)
    ]
    new, old, (first, second) = cells[:2], cells[2:], (cells[0].mean(), cells[1].mean())
    assert row.again_effect == pytest.approx(first - second)
    assert row.effect == pytest.approx(old[0].mean() - old[1].mean())
    parts = np.array([cell.var(ddof=1) / len(cell) for cell in (*new, *old)])
    freedom = parts.sum() ** 2 / sum(
        part**2 / (len(cell) - 1) for part, cell in zip(parts, cells, strict=True)
    )
    half = stats.t.isf(0.025, freedom) * np.sqrt(parts.sum())
    assert row.difference_high == pytest.approx(row.again_effect - row.effect + half)
    assert row.alike == "no" and row.difference_low > 0


def test_a_whole_row_lies_in_its_interval_or_not(study, tmp_path):
    ours = one(study)
    for number, without in enumerate((STUDY[ARM], 0.1)):
        for task in TASKS:
            again(tmp_path / str(number), without=without, task=task)
    inside, outside = (beside(one(tmp_path / str(number)), ours) for number in (0, 1))
    assert inside.tasks == "3" and inside.note == ""
    assert (inside.alike, inside.inside) == ("yes", "yes")
    assert (outside.alike, outside.inside) == ("no", "no")
    rows = ours.verdicts[ours.verdicts.stated]
    (judged,) = rows[rows.claim == inside.claim].itertuples()
    assert inside.effect == pytest.approx(judged.effect) and judged.low < inside.low


def test_a_repeat_that_learned_nothing_counts(study, tmp_path):
    """The tasks that can move are those of the study: a repeat at the floor is no gap in it."""
    row = beside(again(tmp_path, base=0.0, without=0.0), one(study))
    assert row.again_effect == pytest.approx(0, abs=0.1) and row.alike == "no"
    floored = one(tmp_path)
    with pytest.raises(InputError, match="no row is repeated: .* on a task that can move"):
        beside(one(study), floored)


def test_what_of_a_repeat_was_not_used_is_told(study, tmp_path, capsys):
    again(tmp_path / "runs")
    write_run(tmp_path / "runs", ARM, seed=FIRST + 6, status="diverged")
    write_run(tmp_path / "runs", ARM, seed=FIRST + 7, status="under way")
    for arm in ("baseline", ARM):
        write_run(tmp_path / "runs", arm, "acrobot", seed=FIRST)
    options = ["--runs", str(tmp_path / "runs"), "--of", str(study), "--out", str(tmp_path)]
    assert main(["repeat", *options]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 7 runs of latent=gaussian diverged" in said and "under way" in said
    assert "left out for having one seed: acrobot" in said
    listed = pd.read_csv(tmp_path / "gym" / "problems.csv").source
    assert any(source.endswith("107-abcd") for source in listed)


def test_before_the_first_round_there_is_nothing_to_repeat(tmp_path):
    for root, first in ((tmp_path / "again", FIRST), (tmp_path / "ours", 0)):
        for seed in (first, first + 1):
            write_run(root, seed=seed, suite="mini", points=8)
    ours = one(tmp_path / "ours", ladder=True)
    with pytest.raises(InputError, match="nothing to repeat: Round 1 lacks"):
        beside(one(tmp_path / "again"), ours)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "ffff"}, "cartpole baseline of different configurations: 14 runs with abcd"),
        ({"baseline": "ffff"}, "cartpole of different baselines: 84 runs with base and 12 runs"),
        ({"first": 10}, "both have cartpole baseline seed 10: run again with new seeds"),
        ({"suite": "minigrid"}, "the suite minigrid does not repeat the suite gym"),
        ({"task": "a_new_task"}, "no row is repeated"),
        ({"status": "failed"}, "no run has ended that could repeat a row"),
    ],
)
def test_what_repeats_nothing_is_refused(study, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        beside(again(tmp_path, **changes), one(study))


def test_another_normalisation_is_refused(study, tmp_path):
    suite = {"name": "gym", "normalisation": "clipped_record"}
    config = {"task": {"random": 3, "reference": 53}, "suite": suite, "run": {"steps": 8000}}
    theirs = again(tmp_path, task="space_invaders", config=config | {"recipe": {"prefill": 500}})
    with pytest.raises(
        InputError, match="the scheme clipped_record does not repeat the scheme ref"
    ):
        beside(theirs, one(study))


def test_the_command_prints_and_writes_the_rows(study, tmp_path, capsys):
    again(tmp_path / "runs")
    options = ["--runs", str(tmp_path / "runs"), "--of", str(study), "--out", str(tmp_path)]
    assert main(["repeat", *options]) == 0
    said = capsys.readouterr().out
    assert "categorical_latents" in said and "6 + 6" in said and "yes" in said
    (row,) = pd.read_csv(tmp_path / "gym" / "repeat.csv").itertuples()
    assert row.alike == "yes" and row.effect == pytest.approx(0.5, abs=0.1)
    assert main(["repeat", *options, "--ladder"]) == 2
    assert "no ladder is registered for suite 'gym'" in capsys.readouterr().err
