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


def again(root, *, base=STUDY["baseline"], without=STUDY[ARM], task="cartpole", **changes):
    rng = np.random.default_rng(0)
    for arm, score in (("baseline", base), (ARM, without)):
        for seed in range(FIRST, FIRST + 6):
            write_run(root, arm, task, seed, finals=score + 0.05 * rng.normal(), **changes)
    return one(root)


def beside(root, ours):
    (row,) = repeats.beside(root, ours, claims.load()).itertuples()
    return row


def test_new_seeds_of_one_task_repeat_a_row(study, tmp_path):
    row = beside(again(tmp_path), one(study))
    assert row.claim == "categorical_latents" and row.tasks == "1" and row.inside == "yes"
    assert row.again_seeds == "100-105" and row.seeds == "0-13"
    assert row.difference_low < 0 < row.difference_high
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
    assert row.inside == "no" and row.difference_low > 0


def test_a_repeat_that_learned_nothing_counts(study, tmp_path):
    """The tasks that can move are those of the study: a repeat at the floor is no gap in it."""
    row = beside(again(tmp_path, base=0.0, without=0.0), one(study))
    assert row.again_effect == pytest.approx(0, abs=0.1) and row.inside == "no"
    floored = one(tmp_path)
    with pytest.raises(InputError, match="no row is repeated"):
        beside(one(study), floored)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"digest": "ffff"}, "cartpole baseline with the digest ffff does not repeat abcd"),
        ({"suite": "minigrid"}, "the suite minigrid does not repeat the suite gym"),
        ({"task": "a_new_task"}, "no row is repeated"),
    ],
)
def test_what_repeats_nothing_is_refused(study, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        beside(again(tmp_path, **changes), one(study))


def test_the_command_prints_and_writes_the_rows(study, tmp_path, capsys):
    again(tmp_path / "runs")
    options = ["--runs", str(tmp_path / "runs"), "--of", str(study), "--out", str(tmp_path)]
    assert main(["repeat", *options]) == 0
    said = capsys.readouterr().out
    assert "categorical_latents" in said and "100-105" in said and "yes" in said
    (row,) = pd.read_csv(tmp_path / "gym" / "repeat.csv").itertuples()
    assert row.inside == "yes" and row.effect == pytest.approx(0.5, abs=0.1)
    assert main(["repeat", *options, "--ladder"]) == 2
    assert "no ladder is registered for suite 'gym'" in capsys.readouterr().err
