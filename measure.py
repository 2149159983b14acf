"""Measure uniform random play on a task, and write the YAML of an environment that has none.

python measure.py task.id=MountainCar-v0               # writes conf/task/MountainCar_v0.yaml
python measure.py task.id=Blackjack-v1 task.env.flatten=true task.name=blackjack
python measure.py suite=mini task=cartpole             # a task that has a YAML: prints alone
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import gymnasium
import numpy as np
import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import PositiveInt

from agent.build import check_machine, environment
from agent.config import check_value
from agent.envs.wrappers import one_line, random_play, spread
from agent.errors import UserError, complaint
from agent.run.compose import composed, leaves, options_of, project_config
from agent.spaces import action_kind, observation_kind
from sweeps.job import COMMAND

OBSERVATIONS = 10_000  # that measure a scale
OPTIONS = {"discrete": "gym", "continuous": "gym_continuous"}  # for environments by their id
WRITTEN = """\
# @package _global_
defaults: [{option}]
task:
{values}
  random: {random:.4g}  # the mean return of {episodes} episodes of uniform random actions
  reference: null  # the return that counts as 1; null: the analysis judges raw returns
  # what no space shows, for the analysis by kind of task, such as [partly_observed, sparse]
  traits: []
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the task of the overrides given; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python measure.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("overrides", nargs="+", help="of the task, as for run.py")
    parser.add_argument("--episodes", type=int, default=200, help="of random actions (200)")
    given = parser.parse_intermixed_args(arguments)
    try:
        check_value("--episodes", given.episodes, PositiveInt)
        with project_config():
            measure(given.overrides, given.episodes)
    except (UserError, OSError) as error:
        print(complaint(error), file=sys.stderr)
        return 2
    except Exception as error:  # of any kind: environments are other people's
        print(f"error: the task cannot be played: {one_line(error)}", file=sys.stderr)
        return 2
    return 0


def measure(overrides: Sequence[str], episodes: int) -> None:
    """Print a task's random score and scale; write its YAML where an id alone names it."""
    is_new = any(override.startswith("task.id=") for override in overrides)
    cfg = by_id(overrides) if is_new else composed(tuple(overrides))[0]
    path = own_file(cfg) if is_new else None
    check_machine(cfg)
    env = environment(cfg)
    returns = random_returns(env, episodes, cfg.run.eval_max_steps)
    env.close()
    if not np.isfinite(returns).all():
        raise UserError(f"task={cfg.task.name}: a return of random actions is not finite")
    scale, error = vector_scale(cfg), returns.std() / np.sqrt(episodes)
    print(f"{cfg.task.name}: random {returns.mean():.4g} +- {error:.2g} ({episodes} episodes)")
    if scale:
        print(f"scale: {scale}")
    if path:
        write(path, cfg, returns, scale)
        print(f"{path} is written; train on it: {COMMAND} suite=gym task={path.stem}")


def by_id(overrides: Sequence[str]) -> DictConfig:
    """The configuration of an environment by its id, with the task of its kind of actions."""
    own = [given for given in overrides if given != "suite=gym"]
    if strange := [override for override in own if not override.lstrip("+~").startswith("task.")]:
        raise UserError(f"{strange[0]}: allowed with task.id: task.KEY=, which the YAML keeps")
    env = environment(composed(("suite=gym", *own, "task.env.actions=null"))[0])
    option = OPTIONS[action_kind(env.action_space)]
    env.close()
    return composed(("suite=gym", f"task={option}", *own))[0]


def own_file(cfg: DictConfig) -> Path:
    """Where a task's YAML goes; UserError for a name that is taken, or that is none."""
    task = cfg.task
    name = re.sub(r"\W+", "_", task.id.split(":")[-1]) if task.name == task.id else task.name
    if not re.fullmatch(r"\w+", name):
        raise UserError(f"task.name={name}: allowed: letters, digits and _")
    path = Path("conf", "task", f"{name}.yaml")
    if name in options_of("task"):
        raise UserError(f"task={name} is there already; task.name=OTHER gives another name")
    return path


def random_returns(env: gymnasium.Env, episodes: int, longest: int = 27_000) -> np.ndarray:
    """Raw returns (episodes,) of uniform random actions in episodes of at most `longest` steps;
    episode k is reset with seed k."""
    env.action_space.seed(0)
    returns = np.zeros(episodes)
    for episode in range(episodes):
        env.reset(seed=episode)
        for _ in range(longest):
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            returns[episode] += float(reward)
            if terminated or truncated:
                break
    return returns


def vector_scale(cfg: DictConfig, observations: int = OBSERVATIONS) -> list[float] | None:
    """The scale of a task's vectors to three digits, as its YAML has it; None for images and
    grids."""
    space = environment(cfg).observation_space
    if observation_kind(space) != "vector":
        return None
    raw = OmegaConf.merge(cfg, {"task": {"env": {"scale": [1.0] * space.shape[0]}}})
    return spread(random_play(environment(raw), observations))


def write(path: Path, cfg: DictConfig, returns: np.ndarray, scale: list[float] | None) -> None:
    """Write a task's YAML: what differs from the task of any id, and what was measured."""
    ours, base = (
        leaves(of, resolve=False)
        for of in (cfg.task, composed(("suite=gym", f"task={cfg.task.option}"))[0].task)
    )
    changed = {key: value for key, value in ours.items() if value != base.get(key)}
    values = OmegaConf.create({"name": path.stem, "id": cfg.task.id})
    measured = {"env.scale": scale} if scale else {}
    for key, value in {**changed, **measured, "name": path.stem}.items():
        OmegaConf.update(values, key, value)
    flow = None if "env" in values else False  # names alone would share one line
    text = yaml.safe_dump(
        OmegaConf.to_container(values), default_flow_style=flow, sort_keys=False, width=90
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        WRITTEN.format(
            option=cfg.task.option,
            values=textwrap.indent(text.rstrip(), "  "),
            random=returns.mean(),
            episodes=len(returns),
        )
    )


if __name__ == "__main__":
    sys.exit(main())
