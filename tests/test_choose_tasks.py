"""The rule by which candidates become tasks, on runs and tasks of our choice."""

import choose_tasks
import pandas as pd
import pytest

from analysis import read
from tests.analysis.runs import write_run


@pytest.mark.parametrize(
    ("low", "high", "runs", "later", "passes"),
    [
        (0.2, 0.9, 8, None, {6000}),
        (0.2, 0.9, 7, None, set()),
        (0.0, 0.1, 8, None, set()),
        (0.0, 0.1, 8, 0.9, {12000}),
        (0.2, 0.9, 8, 0.9, {6000}),
        (1.6, 1.9, 8, 0.9, set()),
        (0.5, 0.52, 8, None, set()),
    ],
    ids=["fits", "too_few", "floor", "later", "no_second_chance", "ceiling", "alike"],
)
def test_a_candidate_stays_by_eight_draws_at_one_budget(tmp_path, low, high, runs, later, passes):
    budgets = {6000: high} | ({12000: later} if later else {})
    for steps, top in budgets.items():
        for seed in range(runs):
            finals = low + (top - low) * seed / (runs - 1)
            own = {"planned": steps, "digest": f"{steps:08}"}
            write_run(tmp_path, "baseline", "new", seed, finals, points=8, **own)
    read.export(read.folder(tmp_path), tmp_path / "pilot.csv.gz")
    found = choose_tasks.shown(tmp_path)
    assert {*found.steps[found.passes]} == passes
    assert found["mean"].iloc[0] == pytest.approx((low + high) / 2 * 0.5625), "the area"


def test_lots_respect_families_and_actions_and_set_the_rest_aside():
    actions = ["discrete"] * 5 + ["continuous"]
    kinds = [(f, f"{f}{k}", a, "vector") for f in "abcdefg" for k, a in enumerate(actions)]
    kinds += [("a", f"{f}0_pixels", "discrete", "image") for f in "abcde"]
    about = pd.DataFrame(kinds, columns=["family", "task", "actions", "observation"])
    about["twin"] = about.task.str.removesuffix("_pixels")
    kept = about.task.isin(["a0", "b0", "c0", "d0", "a1"])
    about = about.assign(role=kept.map({True: "kept", False: None})).set_index("task")
    roles = choose_tasks.lots(about, about.index[about.role.isna()])
    chosen = about.loc[[task for task, role in roles.items() if role == "suite"]]
    plain = chosen[chosen.observation == "vector"]
    assert len(plain) + 5 == choose_tasks.TASKS and (plain.actions == "continuous").sum() >= 6
    kept = pd.Series({"a": 2, "b": 1, "c": 1, "d": 1})
    assert plain.family.value_counts().add(kept, fill_value=0).max() == choose_tasks.OF_FAMILY
    assert len(chosen) - len(plain) == choose_tasks.IMAGES
    assert {*roles} == {*about.index[about.role.isna()]} and "held out" in roles.values()
    assert roles == choose_tasks.lots(about, about.index[about.role.isna()][::-1])
