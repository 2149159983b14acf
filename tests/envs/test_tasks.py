"""Every file of `conf/task` and `conf/suite` composes and builds what it promises; a new file is
tested by existing."""

import re
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from agent.build import environment
from agent.envs.wrappers import random_play, spread
from agent.errors import UserError
from agent.spaces import action_kind, observation_kind
from analysis import claims, paper
from tests import tiny

ROOT = Path(__file__).parents[2]
FILES = {file.stem: OmegaConf.load(file) for file in (ROOT / "conf" / "task").glob("*.yaml")}
LISTED = {
    file.stem: list(OmegaConf.load(file).suite.tasks)
    for file in sorted((ROOT / "conf" / "suite").glob("*.yaml"))
}
NORMALISED = ("mini", "minatar", "minigrid", "control")


def made(make):
    """The environment; skips where its package is not installed."""
    try:
        return make()
    except UserError as error:
        if "pip install" in str(error):
            pytest.skip(str(error))
        raise


def task_of(task, *overrides):
    """The configuration of a task in a suite that lists it."""
    suite = next(suite for suite in reversed(LISTED) if task in LISTED[suite])
    return tiny.compose(f"suite={suite}", f"task={task}", *overrides)


@pytest.mark.parametrize("task", sorted({*FILES} - {*LISTED["atari"]} | {"pong"}))
def test_a_task_is_what_it_promises(task, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log where it runs
    cfg = task_of(task)
    assert cfg.task.get("option", cfg.task.name) == task
    continuous = cfg.actor_grad == tiny.compose("actor_grad=dynamics").actor_grad
    assert continuous == (cfg.task.actions == "continuous")
    if any(task in LISTED[suite] for suite in NORMALISED):
        assert cfg.task.random < cfg.task.reference
    env = made(lambda: environment(cfg))
    kind = observation_kind(env.observation_space)
    assert action_kind(env.action_space) == cfg.task.actions
    first, _ = env.reset(seed=11)
    assert first.dtype == (np.float32 if kind == "vector" else np.uint8)
    env.action_space.seed(0)
    over = False
    for step in range(3 if cfg.task.terminates else 1100):
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        assert env.observation_space.contains(obs) or step > 3
        assert cfg.task.terminates or not terminated
        if over := truncated:
            break
    assert over or cfg.task.terminates
    np.testing.assert_array_equal(first, env.reset(seed=11)[0])
    if kind == "vector" and cfg.task.env.scale:  # of 10,000 observations, here of fewer
        ratio = np.array(spread(random_play(env, 800)))
        assert np.mean((ratio > 1 / 3) & (ratio < 3)) > 0.8 and abs(np.median(ratio) - 1) < 0.5


def test_every_game_of_atari_has_a_file_and_a_rom():
    roms = set(pytest.importorskip("ale_py").roms.get_all_rom_ids())
    for game in LISTED["atari"]:
        rom = FILES[game].task.env.game
        task = {"name": game, "env": {"game": rom}}
        if "traits" in FILES[game].task:
            task["traits"] = ["sparse", "stochastic"]
        assert FILES[game] == {"defaults": ["base/atari"], "task": task}
        assert rom in roms and rom.replace("_", "") == game.replace("_", "")
    assert [paper.PREFIX + game for game in LISTED["atari"]] == paper.GAMES
    assert len(LISTED["atari"]) == 55 and len(LISTED["atari100k"]) == 26
    assert LISTED["atari5"] == ["battle_zone", "double_dunk", "name_this_game", "phoenix", "qbert"]
    assert set(LISTED["atari5"]) | set(LISTED["atari100k"]) <= set(LISTED["atari"])


@pytest.mark.parametrize("suite", claims.load().kinds)
def test_traits_are_the_kinds_that_are_registered(suite):
    registered = {kind: {*tasks} for kind, tasks in claims.load().kinds[suite].items()}
    kinds = {kind: set() for kind in registered}
    for task in LISTED[suite]:
        cfg = task_of(task)
        kind = observation_kind(environment(cfg).observation_space)
        for trait in {kind, *cfg.task.traits} & {*kinds}:
            kinds[trait].add(task)
    assert kinds == registered


@pytest.mark.parametrize("suite", LISTED)
def test_a_suites_first_task_is_its_default(suite):
    cfg = tiny.compose(f"suite={suite}")
    assert cfg.suite.name == suite
    assert cfg.task.get("option", cfg.task.name) == cfg.suite.tasks[0]
    assert len(set(cfg.suite.tasks)) == len(cfg.suite.tasks)
    assert set(cfg.suite.tasks) <= set(FILES)
    assert cfg.size.name == ("22m" if suite.startswith("atari") else "small")
    assert suite != "atari100k" or cfg.recipe.prefill < cfg.run.steps / 10


def test_documented_scores_are_those_of_the_tasks():
    text = (ROOT / "docs" / "tasks.md").read_text()
    tables = re.findall(r"random \| reference \|\n((?:\|.*\n)+)", text)
    cells = [line.strip("|").split("|") for line in "".join(tables).splitlines()]
    rows = {row[0].strip(" `"): [cell.replace(",", "") for cell in row[-2:]] for row in cells}
    for task in LISTED["mini"]:
        config = task_of(task).task
        assert list(map(float, rows[task])) == [config.random, config.reference], task
