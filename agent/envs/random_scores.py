"""Measure the uniform random policy's scores, the `random` of a task's YAML: `python -m agent.envs.random_scores`."""

import argparse
from pathlib import Path

import gymnasium
import numpy as np
from hydra import compose, initialize_config_dir

from agent.envs import make

CONF = Path(__file__).parents[2] / "conf"
SUITES = ("mini", "minatar", "minigrid", "control")


def random_returns(env: gymnasium.Env, episodes: int) -> np.ndarray:
    """Raw returns (episodes,) of uniform random actions; episode k is reset with seed k."""
    env.action_space.seed(0)
    returns = np.zeros(episodes)
    for episode in range(episodes):
        env.reset(seed=episode)
        done = False
        while not done:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            returns[episode] += reward
            done = terminated or truncated
    return returns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "overrides", nargs="*", help="such as task=cartpole suite=mini; default: all but Atari's suites"
    )
    parser.add_argument("--episodes", type=int, default=200)
    arguments = parser.parse_args()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = [compose("config", overrides=o) for o in jobs(arguments.overrides)]
    for cfg in composed:
        env = make(cfg)
        returns = random_returns(env, arguments.episodes)
        env.close()
        error = returns.std(ddof=1) / np.sqrt(len(returns))
        print(
            f"{cfg.task.name}: {returns.mean():.4g} +- {error:.2g} (standard error, {len(returns)} episodes)",
            flush=True,
        )


def jobs(overrides: list[str]) -> list[list[str]]:
    """The overrides of every measurement: those given, or each task of each suite that lists its own random scores."""
    if overrides:
        return [overrides]
    tasks = [(suite, task) for suite in SUITES for task in compose("config", overrides=[f"suite={suite}"]).suite.tasks]
    return [[f"suite={suite}", f"task={task}"] for task, suite in {task: suite for suite, task in tasks}.items()]


if __name__ == "__main__":
    main()
