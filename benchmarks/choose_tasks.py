"""Choose the tasks of suite=broad from a pilot's runs by the rule of docs/tasks.md.

results=analysis/results/candidates
python run.py -m +sweep=pilot suite=candidates task=... "hydra.sweeper.results=[$results]"
python -m analysis export --runs runs --out $results/NEW.csv.gz
python benchmarks/choose_tasks.py $results  # says what is to be tried next
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import gymnasium
import numpy as np
import pandas as pd
from omegaconf import DictConfig

from agent.build import environment
from agent.run.compose import composed, project_config
from agent.spaces import observation_kind
from analysis import read
from analysis.score import AREA, scored

SUITE = "candidates"
DRAWS = 8  # runs of a candidate
FIRST_DRAWS = 3  # after these it is given up if it does not beat random play
LOW, HIGH, SPREAD = 0.08, 0.85, 0.05  # of their normalised areas
STEPS = 20_000  # that measure a fixed action
TASKS, CONTINUOUS, IMAGES, OF_FAMILY = 24, 6, 4, 4
LOT, PARTS = 2026, (49, 62, 66)  # where later lots begin, each drawn after those before


def main() -> int:
    """Print what each candidate shows and what it is chosen for; write it beside the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of csv files of a pilot's runs")
    folder = parser.parse_args().folder
    with project_config():
        kept, tried = (composed((f"suite={name}",))[0].suite.tasks for name in ("mini", SUITE))
        about = pd.DataFrame(map(described, [*kept, *tried])).set_index("task")
        found = shown(folder, fixed)
    rng = np.random.default_rng(LOT)
    order = [task for part in np.split(tried, PARTS) for task in rng.permutation(np.sort(part))]
    roles = lots(about, kept, [task for task in order if task in {*found.task[found.passes]}])
    roles |= to_try(about, order, roles, found)
    found = about.join(found.set_index("task")).join(pd.Series(roles, name="role")).reset_index()
    found = found.sort_values(["observation", "actions", "family", "task", "steps"])
    found.to_csv(folder.with_suffix(".csv"), index=False, float_format="%.3f")
    print(found.to_string(index=False, float_format="%.3f", na_rep=""))
    for role in pd.unique(found.role.dropna()):
        print(f"{role}: {','.join(task for task, own in roles.items() if own == role)}")
    return 0


def shown(folder: Path, fixed: Callable[[str], float]) -> pd.DataFrame:
    """By candidate and budget: runs, mean area, its spread between draws, whether it passes; only
    its smallest budget can. `fixed` is asked where the rest of the rule holds."""
    frame, *_ = scored(read.exported(sorted(folder.glob("*.csv.gz"))), AREA)
    runs = frame.groupby(["task", "planned_steps"]).normalised
    found = runs.agg(runs="size", mean="mean", spread="std", lowest="min", highest="max")
    found = found.reset_index().rename(columns={"planned_steps": "steps"})
    fits = found["mean"].between(LOW, HIGH) & (found.spread >= SPREAD) & (found.runs >= DRAWS)
    fits &= ~found.duplicated("task")
    found["fixed"] = found.task[fits].map(fixed).astype(float)
    return found.assign(passes=fits & (found["mean"] > found.fixed))


def fixed(task: str) -> float:
    """The best normalised mean return of an action that never changes: each discrete one; -1, 0 or
    1 in every dimension."""
    cfg = composed((f"suite={SUITE}", f"task={task}"))[0]
    env = environment(cfg)
    space = env.action_space
    values = range(space.n) if cfg.task.actions == "discrete" else (-1, 0, 1)
    best = max(mean_return(env, np.full(space.shape, value, space.dtype)) for value in values)
    return (best - cfg.task.random) / (cfg.task.reference - cfg.task.random)


def mean_return(env: gymnasium.Env, action: np.ndarray) -> float:
    """The mean return of one action in as many whole episodes as `STEPS` need."""
    total, steps, episodes = 0.0, 0, 0
    while steps < STEPS:
        env.reset(seed=episodes)
        episodes, over = episodes + 1, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(action)
            total, steps, over = total + float(reward), steps + 1, terminated or truncated
    return total / episodes


def described(task: str) -> dict[str, str]:
    """A task's family, kind of observation and kind of actions."""
    cfg = composed(("suite=gym", f"task={task}"))[0]
    space = environment(cfg).observation_space  # its package registers its environments
    return {
        "task": task,
        "family": family(cfg),
        "observation": observation_kind(space),
        "actions": cfg.task.actions,
        "twin": task.removesuffix("_pixels"),
    }


def family(cfg: DictConfig) -> str:
    """Whose task it is: the package, or Gymnasium's own group of environments."""
    module = cfg.task.env._target_.split(".")[-2]
    if module != "gym":
        return module
    if cfg.task.id.startswith("bsuite/"):
        return "bsuite"
    parts = gymnasium.spec(cfg.task.id).entry_point.split(".")
    return parts[2] if parts[0] == "gymnasium" else parts[0]


def lots(about: pd.DataFrame, kept: Sequence[str], passed: Sequence[str]) -> dict[str, str]:
    """What each task is for, `passed` in an order by lot: first tasks with continuous actions until
    the suite has enough, then others, at most `OF_FAMILY` of a family; pictures of tasks that are
    in. All that is left is held out."""
    plain = [task for task in passed if about.observation[task] != "image"]
    chosen = list(kept)

    def take(tasks: list[str], enough: Callable[[], bool]) -> None:
        for task in tasks:
            full = (about.family[chosen] == about.family[task]).sum() >= OF_FAMILY
            if not enough() and not full and task not in chosen:
                chosen.append(task)

    continuous = [task for task in plain if about.actions[task] == "continuous"]
    take(continuous, lambda: about.actions[chosen].eq("continuous").sum() >= CONTINUOUS)
    take(plain, lambda: len(chosen) >= TASKS)
    pictures = [task for task in passed if task not in plain and about.twin[task] in chosen]
    suite = {*chosen, *pictures[:IMAGES]}
    roles = {task: "suite" if task in suite else "held out" for task in passed}
    return dict.fromkeys(kept, "kept") | roles


def to_try(
    about: pd.DataFrame, order: Sequence[str], roles: Mapping[str, str], found: pd.DataFrame
) -> dict[str, str]:
    """What is to be tried next, in the order of the lot: every task that has too few runs and is
    not given up, then as many pictures of tasks that are in as the suite lacks."""
    given_up = (found.runs >= FIRST_DRAWS) & (found["mean"] <= 0)
    over = {*found.task[(found.runs >= DRAWS) | given_up]}
    left = {task: "next" for task in order if task not in over}
    if first := {task: left[task] for task in left if about.observation[task] != "image"}:
        return first
    suite = [task for task, role in roles.items() if role in ("kept", "suite")]
    lacking = IMAGES - about.observation[suite].eq("image").sum()
    return dict.fromkeys([task for task in left if about.twin[task] in suite][:lacking], "next")


if __name__ == "__main__":
    sys.exit(main())
