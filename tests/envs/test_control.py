"""The DeepMind Control Suite, and pictures of any simulator."""

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from agent.envs import control, gym
from agent.envs.wrappers import prepare_rendering
from agent.errors import UserError

ROOT = Path(__file__).parents[2]
PICTURE = (
    "from agent.envs import {module}; "
    "print({module}.make({arguments}, size=64, pixels=True).reset(seed=0)[0].{what})"
)


def rollout(env, seed, steps=5):
    env.action_space.seed(0)
    rows = [env.reset(seed=seed)[0]]
    rows += [env.step(env.action_space.sample())[0] for _ in range(steps)]
    return np.stack(rows)


def in_a_fresh_process(backend, **fields):
    """Output and errors of drawing one picture where MUJOCO_GL is `backend`."""
    environment = os.environ | {"MUJOCO_GL": backend}
    command = [sys.executable, "-c", PICTURE.format(**fields)]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    return done.stdout.strip(), done.stderr.strip()


def test_episodes_depend_on_the_seed_alone():
    pytest.importorskip("dm_control")
    env = control.make("walker", "walk", 64, action_repeat=2)
    first = rollout(env, seed=1)
    rollout(env, seed=2)
    np.testing.assert_array_equal(first, rollout(env, seed=1))
    np.testing.assert_array_equal(
        first, rollout(control.make("walker", "walk", 64, action_repeat=2), seed=1)
    )
    assert not np.array_equal(first, rollout(env, seed=3))
    assert first.dtype == np.float32


def test_repeated_actions_and_truncation():
    pytest.importorskip("dm_control")
    env = control.make("cartpole", "swingup", 64, action_repeat=250)
    env.reset(seed=0)
    outcomes = [env.step(np.zeros(1, np.float32))[1:4] for _ in range(4)]
    assert [flags for _, *flags in outcomes] == [[False, False]] * 3 + [[False, True]]
    assert all(0 <= reward <= 250 for reward, *_ in outcomes)
    single = control.make("cartpole", "swingup", 64, action_repeat=1)
    single.reset(seed=0)
    assert sum(single.step(np.zeros(1, np.float32))[1] for _ in range(250)) == pytest.approx(
        outcomes[0][0]
    )


def test_unknown_tasks_are_refused():
    pytest.importorskip("dm_control")
    with pytest.raises(UserError, match="no domain walkr; allowed: acrobot, "):
        control.make("walkr", "walk", 64, action_repeat=2)
    with pytest.raises(UserError, match="the domain walker has no task fly; allowed: .*run"):
        control.make("walker", "fly", 64, action_repeat=2)


def test_a_missing_package_names_the_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "dm_control", None)
    with pytest.raises(
        UserError,
        match="misses the module dm_control: pip install dm-control==1.0.50 mujoco==3.17.0",
    ):
        control.make("walker", "walk", 64, action_repeat=2)


def test_pictures_of_the_control_suite():
    pytest.importorskip("dm_control")
    arguments = "'walker', 'walk', action_repeat=2"
    output, errors = in_a_fresh_process("egl", module="control", arguments=arguments, what="shape")
    if "libegl1" in errors:
        pytest.skip("EGL is not installed")
    assert output == "(64, 64, 3)", errors


@pytest.mark.skipif(bool(ctypes.util.find_library("OSMesa")), reason="OSMesa is installed")
@pytest.mark.parametrize(
    ("module", "arguments"),
    [("control", "'walker', 'walk', action_repeat=2"), ("gym", "'Hopper-v5'")],
)
def test_a_missing_drawing_library_names_the_package(module, arguments):
    pytest.importorskip("mujoco")
    _, errors = in_a_fresh_process("osmesa", module=module, arguments=arguments, what="shape")
    assert (
        "UserError: task.env.pixels=true cannot draw with MUJOCO_GL=osmesa (apt install libosmesa6)"
        in errors
    )


def test_an_unknown_drawing_backend_is_refused(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "vulkan")
    with pytest.raises(
        UserError, match="MUJOCO_GL=vulkan is not known; allowed: egl, osmesa, glfw"
    ):
        prepare_rendering()


def test_pictures_of_classic_control():
    env = gym.make("CartPole-v1", 64, pixels=True)
    obs, _ = env.reset(seed=0)
    assert (obs.shape, obs.dtype) == ((64, 64, 3), np.uint8)
    moved = np.stack([env.step(1)[0] for _ in range(5)])
    assert np.any(moved[-1] != obs)
    assert (
        gymnasium.make("CartPole-v1", render_mode="rgb_array").render_mode
        == env.unwrapped.render_mode
    )
