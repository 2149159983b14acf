"""The rule by which candidates become tasks, on runs and tasks of our choice."""

import choose_tasks
import pandas as pd
import pytest

from agent.run.compose import project_config
from analysis import read
from tests.analysis.runs import write_run


@pytest.mark.parametrize(
    ("low", "high", "runs", "later", "passes"),
    [
        (0.2, 0.9, 7, None, set()),
        (0.0, 0.1, 8, 0.9, set()),
        (0.2, 0.9, 8, 0.9, {6000}),
        (1.6, 1.9, 8, 0.9, set()),
        (0.5, 0.52, 8, None, set()),
    ],
)
def test_a_candidate_stays_by_its_first_eight_draws(tmp_path, low, high, runs, later, passes):
    budgets = {6000: high} | ({12000: later} if later else {})
    for steps, top in budgets.items():
        for seed in range(runs):
            finals = low + (top - low) * seed / (runs - 1)
            own = {"planned": steps, "digest": f"{steps:08}"}
            write_run(tmp_path, "baseline", "new", seed, finals, points=8, **own)
    read.export(read.folder(tmp_path), tmp_path / "pilot.csv.gz")
    found = choose_tasks.shown(tmp_path, lambda task: 0.0)
    assert {*found.steps[found.passes]} == passes
    assert found["mean"].iloc[0] == pytest.approx((low + high) / 2 * 0.5625), "the area"
    assert not choose_tasks.shown(tmp_path, lambda task: 0.9).passes.any()


def test_the_best_of_the_actions_that_never_change(monkeypatch):
    monkeypatch.setattr(choose_tasks, "STEPS", 200)
    with project_config():
        for task, value in (("bandit", 1), ("minigrid_dynamic_obstacles_5x5", 0.504)):
            assert choose_tasks.fixed(task) == pytest.approx(value, abs=1e-3)
        assert 0.3 < choose_tasks.fixed("pendulum") < 0.5


ACTIONS = ["discrete"] * 5 + ["continuous"]
KINDS = [(f, f"{f}{k}", a, "vector") for f in "abcdefg" for k, a in enumerate(ACTIONS)]
KINDS += [("a", f"{f}0_pixels", "discrete", "image") for f in "abcde"]
ABOUT = pd.DataFrame(KINDS, columns=["family", "task", "actions", "observation"])
ABOUT = ABOUT.assign(twin=ABOUT.task.str.removesuffix("_pixels")).set_index("task")
KEPT = ["a0", "b0", "c0", "d0", "a1"]
ORDER = [task for task in ABOUT.index if task not in KEPT]


def test_lots_respect_families_and_actions_and_set_the_rest_aside():
    roles = choose_tasks.lots(ABOUT, KEPT, ORDER[::-1])
    chosen = ABOUT.loc[[task for task, role in roles.items() if role in ("kept", "suite")]]
    plain = chosen[chosen.observation == "vector"]
    assert len(plain) == choose_tasks.TASKS and (plain.actions == "continuous").sum() >= 6
    assert plain.family.value_counts().max() == choose_tasks.OF_FAMILY
    assert len(chosen) - len(plain) == choose_tasks.IMAGES
    assert {*roles} == {*ABOUT.index} and "held out" in roles.values()


def test_what_is_tried_next():
    plain = [task for task in ORDER if ABOUT.observation[task] == "vector"]
    pictures = [f"{family}0_pixels" for family in "abcde"]

    def tried(passed, *others):
        rows = [(task, 0.5, choose_tasks.DRAWS) for task in passed] + [*others]
        found = pd.DataFrame(rows, columns=["task", "mean", "runs"])
        return [*choose_tasks.to_try(ABOUT, ORDER, choose_tasks.lots(ABOUT, KEPT, passed), found)]

    *most, last = plain
    for mean, runs, following in ((0.1, 7, [last]), (0.0, 2, [last]), (0.0, 3, pictures[:4])):
        assert tried(most, (last, mean, runs)) == following
    assert tried([*plain, *pictures[:1]]) == pictures[1:4]
    assert tried(plain[:1], *((task, 0.0, 8) for task in plain[1:])) == pictures[:4]
    assert tried([*plain, *pictures[:4]]) == []
