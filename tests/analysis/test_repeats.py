"""Claims run again beside the first time."""

from dataclasses import replace

import pytest

from analysis import InputError, read, repeats, study
from analysis.estimate import Estimate, mean_over_new_tasks
from analysis.show import tables
from tests.analysis.runs import unscaled, write_run


def runs(root, seeds, gain, tasks=("cartpole", "acrobot"), **changes):
    """The baseline at 0.5 and a plain GRU that much lower."""
    for task in tasks:
        for seed in seeds:
            spread = 0.01 * (seed % 3)
            write_run(root, task=task, seed=seed, finals=0.5 + spread, **changes)
            write_run(root, "gru=plain", task, seed, finals=0.5 - gain - spread, **changes)
    return study.judge(read.load(root))


@pytest.fixture
def first(tmp_path):
    return runs(tmp_path / "first", range(6), 0.3)


def row(again, first):
    rows = repeats.beside(again, first)
    return rows[rows.task == ""].set_index("claim").loc["gru_layer_norm"]


def test_new_seeds_are_set_beside_the_first(tmp_path, first):
    again = runs(tmp_path / "again", range(200, 206), 0.25)
    found, round_1 = row(again, first), row(again, replace(first, share=0.25))
    assert round_1.low < found.low < found.high < round_1.high, "the round's share of the error"
    assert (found.effect, found.again_effect) == pytest.approx((0.32, 0.27))
    assert found.difference_effect == pytest.approx(-0.05)
    assert found.difference_low < -0.05 < found.difference_high < 0
    assert (found.tasks, found.again_runs, found.alike) == (2, 24, "no")


def test_each_task_has_a_row_too(tmp_path, first):
    """A change that depends on the task may have no mean effect, and that says nothing of it."""
    runs(tmp_path / "again", range(200, 206), 0.25, ["cartpole"])
    again = runs(tmp_path / "again", range(200, 206), 0.35, ["acrobot"])
    rows = repeats.beside(again, first).set_index("task")
    assert [*rows.index] == ["", "acrobot", "cartpole"] and rows.inside[1:].tolist() == ["", ""]
    assert rows.difference_effect.to_numpy() == pytest.approx([0, 0.05, -0.05])
    assert rows.alike.tolist() == ["yes", "no", "no"]
    lines = tables.markdown(repeats.table(rows.reset_index()), ("task",)).splitlines()
    assert lines[2].startswith("| gru_layer_norm |  |") and "| `cartpole` |" in lines[-1]


def test_both_effects_are_over_the_tasks_of_both_and_inside_the_first_interval_or_not(
    tmp_path, first
):
    new = range(200, 206)
    found = row(runs(tmp_path / "one", new, 0.3, ["acrobot"]), first)
    assert found.tasks == 1 and found.alike == "yes" and found.inside == ""
    assert row(runs(tmp_path / "a", new, 0.3), first).inside == "yes"
    assert row(runs(tmp_path / "b", new, 0.9), first).inside == "no"


def test_a_task_is_set_beside_its_picture(tmp_path, first):
    drawn = runs(tmp_path / "first", range(6), 0.1, ["cartpole_pixels", "catch_pixels"])
    found = repeats.pictures(drawn).iloc[0]
    assert (found.claim, found.tasks, found.alike) == ("gru_layer_norm", 1, "no")
    assert (found.effect, found.again_effect) == pytest.approx((0.32, 0.12))
    row = drawn.claims.set_index("claim").loc["gru_layer_norm"]
    each = Estimate(*(drawn.effects[name].to_numpy() for name in Estimate._fields))
    names = drawn.effects.task.str.removesuffix("_pixels")
    ends = mean_over_new_tasks(each, names).interval(1 - row.level)
    assert (row.new_low, row.new_high) == pytest.approx(ends), "the two are one of the tasks"
    round_1 = repeats.pictures(replace(drawn, share=0.25)).iloc[0]
    assert round_1.low < found.low < found.high < round_1.high
    shown = repeats.table(repeats.pictures(drawn), repeats.PICTURES)
    assert [*shown][2] == "as a picture [interval]"
    assert repeats.table(repeats.pictures(first)).empty


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": range(3, 9)}, "both have acrobot baseline seed 3: run again with new seeds"),
        (unscaled("reference"), "raw scores do not repeat reference scores"),
        ({"tasks": ["pendulum"]}, "no claim is repeated"),
    ],
)
def test_what_repeats_nothing_is_refused(tmp_path, first, changes, message):
    given = {"seeds": range(200, 206), "gain": 0.3} | changes
    with pytest.raises(InputError, match=message):
        repeats.beside(runs(tmp_path / "again", **given), first)
