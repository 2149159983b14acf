"""MinAtar, MiniGrid, the Behaviour Suite and the DeepMind Control Suite as grids and vectors that
depend on the seed alone; drawing; random play."""

import ctypes.util
import os
import subprocess
import sys
from functools import partial
from unittest.mock import Mock

import gymnasium
import numpy as np
import pytest

from agent.build import environment
from agent.envs import control, gym, minatar
from agent.errors import UserError
from measure import random_returns
from tests import tiny
from tests.envs.test_tasks import ROOT, made, task_of

MINATAR = dict(
    sticky_action_prob=0.1, full_action_space=True, max_steps=2_500, difficulty_ramping=True
)
MAKERS = {
    **{game: lambda game=game: minatar.make(game, 64, **MINATAR) for game in minatar.GAMES},
    "layouts": lambda: gym.make("MiniGrid-SimpleCrossingS9N1-v0", 64),
    "obstacles": lambda: gym.make("MiniGrid-Dynamic-Obstacles-5x5-v0", 64),
    "catch": lambda: gym.make("bsuite/catch-v0", 64),
    "cards": lambda: gym.make("popgym-HigherLowerEasy-v0", 64, scale=[1] * 13),
    "atari": lambda: environment(task_of("seaquest")),
    "walker": lambda: control.make("walker", "walk", 64, action_repeat=2),
}


def rollout(env, seed, steps=30):
    """Rows of an observation and the reward after it, from a reset on, under fixed actions."""
    env.action_space.seed(0)
    rows = [np.append(env.reset(seed=seed)[0], 0.0)]
    for _ in range(steps):
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        rows.append(np.append(obs, reward))
        if terminated or truncated:
            break
    return np.stack(rows)


@pytest.mark.parametrize("name", MAKERS)
def test_an_episode_depends_on_its_seed_alone(name):
    env = made(MAKERS[name])
    first = rollout(env, seed=3)
    others = [rollout(env, seed=seed) for seed in range(5, 10)]
    np.testing.assert_array_equal(first, rollout(env, seed=3))
    np.testing.assert_array_equal(first, rollout(MAKERS[name](), seed=3))
    assert any(not np.array_equal(first, other) for other in others)


def test_minatars_numbers_reach_the_game_and_sticky_actions_no_next_episode():
    options = {"sticky_action_prob": 0.3, "difficulty_ramping": False}
    game = minatar.make("seaquest", 64, **MINATAR | options).unwrapped.game
    assert game.sticky_action_prob == 0.3 and game.env.ramping is False
    assert minatar.make("breakout", 64, **MINATAR).action_space.n == 6
    options = {"full_action_space": False, "sticky_action_prob": 0.0}
    env = minatar.make("breakout", 64, **MINATAR | options)
    assert env.action_space.n == 3
    column = env.reset(seed=0)[0][9, :, 0].argmax()
    assert env.step(2)[0][9, :, 0].argmax() == column + 1
    env = minatar.make("freeway", 64, **MINATAR | {"max_steps": 4})
    env.reset(seed=0)
    assert [env.step(0)[2:4] for _ in range(4)] == [(False, False)] * 3 + [(False, True)]
    env = minatar.make("space_invaders", 64, **MINATAR | {"sticky_action_prob": 1.0})
    cannon = env.reset(seed=0)[0][..., 0]
    env.unwrapped.game.last_action = 1
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(1)[0][..., 0], cannon)


def test_minigrids_planes_encode_the_view():
    env = gym.make("MiniGrid-DoorKey-5x5-v0", 64)
    raw = gymnasium.make("MiniGrid-DoorKey-5x5-v0")
    obs, _ = env.reset(seed=2)
    view = raw.reset(seed=2)[0]["image"]
    for action in (0, 1, 2, 3, 5, 0, 2):
        assert obs.shape == (7, 7, 20) and np.all(obs.sum(-1) == 3)
        np.testing.assert_array_equal(obs[..., :11].argmax(-1), view[..., 0])
        np.testing.assert_array_equal(obs[..., 11:17].argmax(-1), view[..., 1])
        np.testing.assert_array_equal(obs[..., 17:].argmax(-1), view[..., 2])
        obs = env.step(action)[0]
        view = raw.step(action)[0]["image"]
    env = gym.make("MiniGrid-Empty-5x5-v0", 64, scale=[1.0])  # which a grid does not read
    env.reset(seed=0)
    for action in (2, 2, 1, 2, 2):
        _, reward, terminated, _, _ = env.step(action)
    task = tiny.compose("suite=minigrid", "task=minigrid_empty_5x5").task
    assert terminated and reward == pytest.approx(task.reference)


def test_bsuites_boards_are_grids_and_rows_of_numbers_vectors():
    env = made(lambda: gym.make("bsuite/catch-v0", 64))
    obs, _ = env.reset(seed=4)
    for row in range(9):
        assert obs.shape == (10, 5, 1) and obs.dtype == np.uint8
        assert obs[row].sum() == 1 and obs[9].sum() == 1  # the ball and the paddle
        obs, reward, terminated, _, _ = env.step(1)
        assert terminated == (row == 8) and (reward != 0) == terminated
    assert gym.make("bsuite/cartpole-v0", 64).reset(seed=0)[0].shape == (6,)


@pytest.mark.parametrize("id", ["bsuite/catch-v0", "MiniGrid-Empty-Random-5x5-v0"])
def test_a_picture_shows_what_the_grid_holds(id):
    drawn, grid = (made(lambda pixels=pixels: gym.make(id, 64, pixels=pixels)) for pixels in (1, 0))
    picture, planes = drawn.reset(seed=4)[0], grid.reset(seed=4)[0]
    pictures = {}  # of each grid that was seen
    for action in (0, 1, 2, 2, 1, 2, 0, 2):
        assert picture.shape[:2] == (64, 64) and picture.dtype == np.uint8
        np.testing.assert_array_equal(pictures.setdefault(planes.tobytes(), picture), picture)
        picture, planes = drawn.step(action)[0], grid.step(action)[0]
    assert len(pictures) > 3 and len({*map(bytes, pictures.values())}) == len(pictures)


def test_the_control_suite_repeats_actions_and_truncates():
    env = made(lambda: control.make("cartpole", "swingup", 64, 250, scale=[1.0] * 5))
    env.reset(seed=0)
    unseen = {"height": 240, "width": 240, "camera_id": 0}
    assert (env.unwrapped.render_kwargs, env.render_mode) == (unseen, None)
    outcomes = [env.step(np.zeros(1, np.float32))[1:4] for _ in range(4)]
    assert [flags for _, *flags in outcomes] == [[False, False]] * 3 + [[False, True]]
    single = control.make("cartpole", "swingup", 64, 1, scale=[1.0] * 5)
    single.reset(seed=0)
    total = sum(single.step(np.zeros(1, np.float32))[1] for _ in range(250))
    assert 0 <= total <= 250 and total == pytest.approx(outcomes[0][0])
    with pytest.raises(UserError, match="no domain walkr; allowed: acrobot, "):
        control.make("walkr", "walk", 64, action_repeat=2)
    with pytest.raises(UserError, match="the domain walker has no task fly; allowed: .*run"):
        control.make("walker", "fly", 64, action_repeat=2)


@pytest.mark.parametrize(
    ("module", "install", "make"),
    [
        ("ale_py", "ale-py", MAKERS["atari"]),
        ("minatar", "minatar", MAKERS["breakout"]),
        ("minigrid", "minigrid", MAKERS["layouts"]),
        ("dm_control", "dm-control==1.0.50 mujoco==3.17.0", MAKERS["walker"]),
    ],
)
def test_a_missing_package_names_the_install(monkeypatch, module, install, make):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=f"misses the module {module}: pip install {install}"):
        make()


NO_OSMESA = "UserError: task.env.pixels=true cannot draw with MUJOCO_GL=osmesa (apt install libos"


@pytest.mark.parametrize("pixels, said", [(True, "cannot draw"), (False, "cannot be imported")])
def test_a_package_that_breaks_is_named(monkeypatch, pixels, said):
    monkeypatch.setattr(control.wrappers, "load", Mock(side_effect=RuntimeError("no OpenGL")))
    with pytest.raises(UserError, match=f"{said}.*no OpenGL"):
        control.make("walker", "walk", 64, 2, pixels)


DRAWN = "(64, 64, 3) {'height': 64, 'width': 64, 'camera_id': 1} rgb_array"
PICTURES = {
    "egl": ("control.make('walker', 'walk', 64, 2, pixels=True, camera=1)", DRAWN),
    "osmesa": ("gym.make('Hopper-v5', 64, pixels=True)", NO_OSMESA),
}


@pytest.mark.parametrize("backend", PICTURES)
def test_pictures_of_mujoco(backend):
    made, said = PICTURES[backend]
    pytest.importorskip("dm_control")
    program = f"from agent.envs import control, gym; env = {made}; shape = env.reset()[0].shape; "
    program += "print(shape, env.unwrapped.render_kwargs, env.render_mode)"
    environment = os.environ | {"MUJOCO_GL": backend}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    if "libegl1 " in done.stderr.split("headless")[0]:
        pytest.skip("EGL is not installed")
    if backend == "osmesa" and ctypes.util.find_library("OSMesa"):
        pytest.skip("OSMesa is installed")
    assert said in done.stdout + done.stderr


def test_an_unknown_drawing_backend_is_refused(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    said = "MUJOCO_GL=vulkan is not known; allowed: egl, osmesa, glf"
    for make in (partial(gym.make, "Hopper-v5"), partial(control.make, "walker", "walk")):
        with pytest.raises(UserError, match=said):
            make(size=64, action_repeat=2, pixels=True)


def test_random_play_repeats_and_meets_the_documented_score():
    env = gym.make("CartPole-v1", 64)
    returns = random_returns(env, episodes=100)
    np.testing.assert_array_equal(returns, random_returns(env, episodes=100))
    error = returns.std() / 10
    task = tiny.compose("task=cartpole").task
    assert returns.mean() == pytest.approx(task.random, abs=4 * error)
