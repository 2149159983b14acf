"""How the recipe of the small suite was found, as Markdown made from the runs of the search.

A row of the csv is a run of the baseline, or of the positive control (`model_lr` 0), in one search:
its recipe, and its area and last evaluation, normalised.
"""

import pandas as pd

from analysis import claims, committed, formats

RUNS = committed.PACKAGE / "results" / "recipe_search.csv"
RECIPE = ["actions", "model_lr", "actor_lr", "entropy_scale", "start_every"]
START_EVERY = 4  # the suite's


def recipes() -> str:
    """The recipes that were tried: the mean over tasks of the mean area over seeds. The best one
    with the suite's `start_every` and runs on all tasks of its kind is bold."""
    table = _by_recipe()
    bold = table.index.isin(_chosen(table).index)
    shown = pd.DataFrame(
        {
            "actions": table.actions,
            "learning rates of model and actor, entropy scale": [
                ", ".join(map("{:g}".format, recipe)) for recipe in table[RECIPE[1:4]].to_numpy()
            ],
            "`start_every`": table.start_every.astype(str),
            "area": table.area.map("{:.2f}".format),
        }
    )
    shown[bold] = "**" + shown[bold] + "**"
    return formats.markdown(shown.assign(tasks=table.tasks, runs=table.runs)).strip()


def tasks() -> str:
    """Each task with the chosen recipe: the mean and the standard deviation of the area over seeds,
    and the mean area of the positive control."""
    chosen = _baselines().merge(_chosen(_by_recipe())[RECIPE])
    table = chosen.groupby(["actions", "task"]).area.agg(["mean", "std", "size"])
    table = table.reset_index().sort_values("actions", ascending=False, kind="stable")
    control = _runs().query("model_lr == 0").groupby("task").area.mean()
    shown = {
        "task": [f"`{task}`" for task in table.task],
        "seeds": table["size"],
        "area": table["mean"],
        "spread": table["std"],
        "untrained model": table.task.map(control),
    }
    return formats.markdown(pd.DataFrame(shown)).strip()


def _by_recipe() -> pd.DataFrame:
    by_task = _baselines().groupby([*RECIPE, "task"]).area.agg(["mean", "size"])
    table = by_task.groupby(RECIPE).agg(
        area=("mean", "mean"), tasks=("mean", "size"), runs=("size", "sum")
    )
    order = {"by": ["actions", "area"], "ascending": [False, True]}
    return table.reset_index().sort_values(**order, ignore_index=True)


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """The best recipe of each kind of actions among those on all tasks."""
    complete = table[table.tasks == table.groupby("actions").tasks.transform("max")]
    complete = complete[complete.start_every == START_EVERY]
    return complete.loc[complete.groupby("actions").area.idxmax()]


def _baselines() -> pd.DataFrame:
    """The runs with the reward factor that their task has in the end."""
    runs = _runs().query("model_lr > 0")
    return runs[runs.reward_factor == runs.groupby("task").reward_factor.transform("last")]


def _runs() -> pd.DataFrame:
    """The runs on the suite's tasks, each once: some stand in two searches."""
    runs = pd.read_csv(RUNS)
    runs = runs[runs.task.isin(claims.load().ladder[committed.SUITE].ratios)]
    return runs.drop_duplicates(["task", "seed", "reward_factor", *RECIPE, "area"])
