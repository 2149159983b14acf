"""Measure uniform random play, for a task's YAML: `random`, its mean score, and `env.scale`, the
spread of each number of a vector: `python -m benchmarks.random_scores`."""

import argparse
from pathlib import Path

import gymnasium
import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from agent.build import environment
from agent.envs.wrappers import random_play, spread
from agent.spaces import observation_kind

CONF = Path(__file__).parents[1] / "conf"
SUITES = ("mini", "minatar", "minigrid", "control")
OBSERVATIONS = 10_000  # that measure a scale


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


def vector_scale(cfg: DictConfig, observations: int = OBSERVATIONS) -> list[float] | None:
    """The scale of a task's vectors to three digits, as its YAML has it; None for images and
    grids."""
    space = environment(cfg).observation_space
    if observation_kind(space) != "vector":
        return None
    raw = OmegaConf.merge(cfg, {"task": {"env": {"scale": [1.0] * space.shape[0]}}})
    return spread(random_play(environment(raw), observations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "overrides", nargs="*", help="one task: suite=mini task=cartpole; default: all but Atari's"
    )
    parser.add_argument("--episodes", type=int, default=200)
    arguments = parser.parse_args()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        jobs = [arguments.overrides] if arguments.overrides else all_tasks()
        composed = [compose("config", overrides=job) for job in jobs]
    for cfg in composed:
        env = environment(cfg)
        returns = random_returns(env, arguments.episodes)
        env.close()
        error = returns.std(ddof=1) / np.sqrt(len(returns))
        print(
            f"{cfg.task.name}: {returns.mean():.4g} +- {error:.2g} (of {len(returns)} episodes)",
            flush=True,
        )
        if scale := vector_scale(cfg):
            print(f"  scale: {scale}", flush=True)


def all_tasks() -> list[list[str]]:
    """Overrides that select each task of `SUITES` once."""
    suite_of = {
        task: suite
        for suite in SUITES
        for task in compose("config", overrides=[f"suite={suite}"]).suite.tasks
    }
    return [[f"suite={suite}", f"task={task}"] for task, suite in suite_of.items()]


if __name__ == "__main__":
    main()
