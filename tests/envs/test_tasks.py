"""Every file of `conf/task` and `conf/suite` composes and builds what it promises; a new file is
tested by existing."""

import re
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from agent.build import environment, numbers
from agent.errors import UserError
from agent.spaces import action_kind, observation_kind

ROOT = Path(__file__).parents[2]
TASKS = sorted(path.stem for path in (ROOT / "conf" / "task").glob("*.yaml"))
SUITES = sorted(path.stem for path in (ROOT / "conf" / "suite").glob("*.yaml"))
LISTED = {
    suite: list(OmegaConf.load(ROOT / "conf" / "suite" / f"{suite}.yaml").suite.tasks)
    for suite in SUITES
}
NORMALISED = [
    task for suite in ("mini", "minatar", "minigrid", "control") for task in LISTED[suite]
]


def build(cfg):
    """The task's environment; skips where an optional package is not installed."""
    try:
        return environment(cfg)
    except UserError as error:
        if "pip install" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.parametrize("task", TASKS)
def test_task_has_the_promised_spaces(composed, task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log where it runs
    suite = next(suite for suite in SUITES if task in LISTED[suite])
    cfg = composed(f"suite={suite}", f"task={task}")
    assert cfg.task.get("option", cfg.task.name) == task
    env = build(cfg)
    kind = observation_kind(env.observation_space)
    assert action_kind(env.action_space) == cfg.task.actions
    env.action_space.seed(0)
    first, _ = env.reset(seed=11)
    for _ in range(2):
        obs, reward, *_ = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs)
        assert isinstance(float(reward), float)
    again, _ = env.reset(seed=11)
    np.testing.assert_array_equal(first, again)
    assert first.dtype == (np.float32 if kind == "vector" else np.uint8)
    env.close()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suites_first_task_is_its_default(composed, suite):
    cfg = composed(f"suite={suite}")
    assert cfg.suite.name == suite
    assert cfg.task.get("option", cfg.task.name) == cfg.suite.tasks[0]
    assert len(set(cfg.suite.tasks)) == len(cfg.suite.tasks)
    assert set(cfg.suite.tasks) <= set(TASKS)
    assert cfg.size.name == ("22m" if suite.startswith("atari") else "small")
    numbers(cfg, "suite").check_task(numbers(cfg, "task"))


@pytest.mark.parametrize("task", sorted(set(NORMALISED)))
def test_normalisation_spans_from_random_to_reference(composed, task):
    suite = next(suite for suite in SUITES if task in LISTED[suite])
    cfg = composed(f"suite={suite}", f"task={task}")
    assert cfg.task.random < cfg.task.reference


def test_choices_compose_to_what_their_names_say(composed):
    pong = composed("suite=atari", "task=pong")
    assert (pong.suite.name, pong.task.name, pong.size.name, pong.recipe.name) == (
        "atari",
        "pong",
        "22m",
        "atari",
    )
    catch = composed("task=catch")
    assert (catch.suite.name, catch.task.id, catch.recipe.name) == (
        "mini",
        "bsuite/catch-v0",
        "mini",
    )
    pendulum = composed("suite=control")
    assert (pendulum.task.actions, pendulum.recipe.name) == ("continuous", "mini_continuous")
    override = composed("suite=atari", "task=pong", "recipe=mini", "size=small", "run.steps=7")
    assert (override.recipe.name, override.size.name, override.run.steps) == ("mini", "small", 7)
    assert composed("suite=atari100k").recipe.prefill < composed("suite=atari100k").run.steps / 10


@pytest.mark.parametrize("task", LISTED["control"] + ["gym_continuous"])
def test_continuous_tasks_select_dynamics(composed, task):
    suite = next(suite for suite in SUITES if task in LISTED[suite])
    cfg = composed(f"suite={suite}", f"task={task}")
    assert cfg.actor_grad == composed("actor_grad=dynamics").actor_grad
    assert cfg.actor_grad != composed("actor_grad=reinforce").actor_grad


def test_a_task_of_another_suite_is_refused(composed):
    with pytest.raises(
        UserError, match="task=pong is not in suite=mini, whose tasks are cartpole, "
    ):
        environment(composed("task=pong"))


def test_published_subsets_of_atari():
    assert len(LISTED["atari"]) == 55
    assert LISTED["atari5"] == ["battle_zone", "double_dunk", "name_this_game", "phoenix", "qbert"]
    assert len(LISTED["atari100k"]) == 26
    assert set(LISTED["atari5"]) | set(LISTED["atari100k"]) <= set(LISTED["atari"])


def test_any_id_of_gymnasium(composed):
    env = environment(composed("suite=gym", "task.id=MountainCar-v0"))
    assert env.spec.id == "MountainCar-v0"
    assert composed("suite=gym", "task.id=MountainCar-v0").task.name == "MountainCar-v0"
    env = environment(
        composed("suite=gym", "task=gym_continuous", "task.id=MountainCarContinuous-v0")
    )
    assert action_kind(env.action_space) == "continuous"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["suite=gym", "task.id=Pendulum-v1"],
            "actions are continuous, the task's are discrete: use task=gym_continuous",
        ),
        (
            ["suite=gym", "task=gym_continuous", "task.id=CartPole-v1"],
            "actions are discrete, the task's are continuous: use task=gym",
        ),
        (
            ["suite=gym", "task.id=CartPol-v1"],
            "cannot make environment CartPol-v1: .*Did you mean: `CartPole`",
        ),
        (
            ["suite=gym", "task.id=Blackjack-v1"],
            "Tuple.* is not supported; allowed: .*task.env.flatten=true",
        ),
        (["suite=gym", "task.id=nowhere:Foo-v1"], "nowhere:Foo-v1 misses a module"),
        (
            ["suite=gym", "+task.env.kwargs.no_such_argument=1"],
            "cannot make environment CartPole-v1: .*no_such_argument",
        ),
        (
            ["suite=gym", "task.action_repeat=0"],
            "task.action_repeat=0 must be a whole number of at least 1",
        ),
        (
            ["suite=atari", "task.action_repeat=0"],
            "task.action_repeat=0 must be a whole number of at least 1",
        ),
        (
            ["suite=atari", "task.env.noop_max=-1"],
            "task=alien cannot be built: .*noop_max.* non-negative",
        ),
        (
            ["suite=atari", "task.env.repeat_action_probability=1.5"],
            r"repeat_action_probability=1.5 must be in \[0, 1\]",
        ),
        (["suite=atari", "task.env.max_frames=0"], "max_frames=0 must be at least 1"),
        (
            ["suite=minatar", "task.env.sticky_action_prob=-1"],
            r"sticky_action_prob=-1 must be in \[0, 1\]",
        ),
        (["suite=minatar", "task.env.max_steps=0"], "max_steps=0 must be at least 1"),
        (
            ["suite=atari", "+task.env.no_such_argument=1"],
            "task=alien cannot be built: .*no_such_argument",
        ),
    ],
)
def test_bad_choices_are_refused_in_one_line(composed, overrides, message):
    with pytest.raises(UserError, match=message) as caught:
        environment(composed(*overrides))
    assert "\n" not in str(caught.value)


def test_documented_scores_are_those_of_the_tasks(composed):
    text = (ROOT / "docs" / "tasks.md").read_text()
    tables = re.findall(r"random \| reference \|\n((?:\|.*\n)+)", text)
    rows = {
        cells[0].strip(" `"): cells
        for line in "".join(tables).splitlines()
        for cells in [line.strip("|").split("|")]
    }
    for suite in ("mini", "minatar", "minigrid", "control"):
        for task in LISTED[suite]:
            config = composed(f"suite={suite}", f"task={task}").task
            documented = [float(cell.replace(",", "")) for cell in rows[task][-2:]]
            assert documented == [config.random, config.reference], task
