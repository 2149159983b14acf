"""The recipe of the small suite is the one that its search found by its rule."""

import pandas as pd
import pytest

from analysis import claims, committed, recipe_search
from analysis.recipe_search import RECIPE
from tests import tiny

TASKS = claims.load().ladder[committed.SUITE].ratios


@pytest.fixture
def chosen():
    return recipe_search._chosen(recipe_search._by_recipe()).set_index("actions")


@pytest.mark.parametrize("task", TASKS)
def test_the_suite_has_the_recipe_that_was_found(chosen, task):
    cfg = tiny.compose(f"suite={committed.SUITE}", f"task={task}")
    found = chosen.loc[cfg.task.actions]
    assert {name: cfg.recipe[name] for name in RECIPE[1:]} == found[RECIPE[1:]].to_dict()
    own = recipe_search._baselines().query("task == @task")
    assert set(own.reward_factor) == {cfg.recipe.reward_factor}


def test_every_task_was_tried(chosen):
    assert chosen.tasks.sum() == len(TASKS)
    assert all(f"| `{task}` | 4 |" in recipe_search.tasks() for task in TASKS)


def test_no_result_uses_a_seed_of_the_search():
    searched = pd.read_csv(recipe_search.RUNS).seed.min()
    assert searched >= 100
    assert committed.judged().store.runs.seed.max() < searched
