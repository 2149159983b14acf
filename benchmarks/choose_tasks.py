"""Choose the tasks of suite=broad from a pilot's runs by the rule of docs/tasks.md.

python run.py -m +sweep=pilot suite=candidates
python run.py -m +sweep=pilot suite=candidates task=taxi +suite.times.taxi=2
python -m analysis export --runs runs --out analysis/results/candidates/pilot.csv.gz
python benchmarks/choose_tasks.py analysis/results/candidates  # says what is to be tried next
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
DRAWS = 8  # runs of a candidate at one budget
LOW, HIGH, SPREAD = 0.08, 0.85, 0.05  # of their normalised areas
TASKS, CONTINUOUS, IMAGES, OF_FAMILY = 24, 6, 4, 4
HELD_OUT = 4  # at least
LOT, FIRST_LOT = 2026, 49  # the candidates after these are drawn after them


def main() -> int:
    """Print what each candidate shows and what it is chosen for; write it as choice.csv."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of csv files of a pilot's runs")
    folder = parser.parse_args().folder
    with project_config():
        kept, tried = (composed((f"suite={name}",))[0].suite.tasks for name in ("mini", SUITE))
        about = pd.DataFrame(map(described, [*kept, *tried])).set_index("task")
    found = shown(folder)
    rng = np.random.default_rng(LOT)
    parts = tried[:FIRST_LOT], tried[FIRST_LOT:]
    order = [task for part in parts for task in rng.permutation(sorted(part))]
    roles = lots(about, kept, [task for task in order if task in {*found.task[found.passes]}])
    roles |= to_try(about, order, roles, found)
    found = about.join(found.set_index("task")).join(pd.Series(roles, name="role")).reset_index()
    found = found.sort_values(["observation", "actions", "family", "task", "steps"])
    found.to_csv(folder / "choice.csv", index=False, float_format="%.3f")
    print(found.to_string(index=False, float_format="%.3f", na_rep=""))
    for role in pd.unique(found.role.dropna()):
        print(f"{role}: {','.join(task for task, own in roles.items() if own == role)}")
    return 0


def shown(folder: Path) -> pd.DataFrame:
    """By candidate and budget: runs, mean area, its spread between draws, whether it passes. The
    larger budget counts only where the smaller one does not lift the mean off the floor."""
    frame, *_ = scored(read.exported(sorted(folder.glob("*.csv.gz"))), AREA)
    runs = frame.groupby(["task", "planned_steps"]).normalised
    found = runs.agg(runs="size", mean="mean", spread="std", lowest="min", highest="max")
    found = found.reset_index().rename(columns={"planned_steps": "steps"})
    floor = found["mean"] < LOW
    fits = ~floor & (found["mean"] <= HIGH) & (found.spread >= SPREAD)
    is_first = found.groupby("task").cumcount() == 0
    first_on_floor = floor.groupby(found.task).transform("first")
    complete = found.runs >= DRAWS
    return found.assign(passes=complete & fits & (is_first | first_on_floor))


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
    """What is to be tried next, in the order of the lot: every task but pictures; then, longer, the
    first on the floor that the suite has room for, or any while too few are held out; then the
    first pictures of tasks that are in."""
    suite = [task for task, role in roles.items() if role in ("kept", "suite")]
    pictures = {task for task in order if about.observation[task] == "image"}
    plain = [task for task in suite if task not in pictures]
    untried = [task for task in order if task not in {*found.task[found.runs >= DRAWS]}]
    if first := [task for task in untried if task not in pictures]:
        return dict.fromkeys(first, "next")
    on_floor = {*found[(found["mean"] < LOW) & ~found.task.duplicated(keep=False)].task}
    again = [task for task in order if task in on_floor - pictures]
    families, few = about.family[plain].value_counts(), about.actions[plain].eq("continuous").sum()
    if len(plain) < TASKS or few < CONTINUOUS:
        again = [task for task in again if families.get(about.family[task], 0) < OF_FAMILY]
        again.sort(key=lambda task: few < CONTINUOUS and about.actions[task] == "discrete")
    elif len(roles) - len(suite) >= HELD_OUT:
        again = []
    if again:
        return {again[0]: "next, longer"}
    lacking = IMAGES - (len(suite) - len(plain))
    return dict.fromkeys([task for task in untried if about.twin[task] in plain][:lacking], "next")


if __name__ == "__main__":
    sys.exit(main())
