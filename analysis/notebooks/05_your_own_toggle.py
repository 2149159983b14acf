# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Your own toggle
#
# Three steps: an option (a YAML file such as `conf/latent/mine.yaml`, or just a number such as
# `kl.alpha=0.5`), a claim about it, written **before** the runs, and the runs:
#
#     python run.py -m latent=categorical,mine suite=mini 'run.seed=range(10)'
#     python -m analysis table --claims mine.yaml
#
# What would the table say of a toggle whose effect is known? Here is one: the committed baseline's
# runs, of which every second is called `latent=mine`, with 0.3 more on grids and 0.3 less on
# vectors.

# %%
from dataclasses import replace

import numpy as np

from analysis import committed, read, study
from analysis.claims import Claims
from analysis.show import figures, notebooks, tables

runs = read.load(committed.MINI).where(arm="baseline", actions="discrete")
mine = runs.runs.seed % 2 == 1
grids = ["catch", "minigrid_empty_random_5x5"]
sign = np.where(runs.runs.task.isin(grids), 0.3, -0.3) * mine
more = (sign * (runs.runs.reference - runs.runs.random)).set_axis(runs.runs.run)
points = runs.points.assign(score=runs.points.score + runs.points.run.map(more))
made = replace(runs, runs=runs.runs.assign(arm=np.where(mine, "latent=mine", "baseline")))
made = replace(made, points=points)

# %% [markdown]
# The claim. In a file it is the same as YAML; [docs/howto.md](../../docs/howto.md#claims) has one.

# %%
claim = {"id": "my_toggle", "with": "latent=mine", "without": "baseline", "paper": "none"}
registered = Claims.model_validate(
    {
        "margin": {"mini": 0.1},
        "score": {"mini": "area"},
        "kinds": {"mini": {"grid": grids}},
        "claims": [claim | {"where": "discrete"}],
    }
)
ours = study.judge(made, registered)
notebooks.table(tables.claims(ours), "What the table says")
notebooks.table(tables.kinds(ours), "By kind of task", "No kind is registered.")

# %% [markdown]
# On average this toggle does little, and that is not the point: the first words are that it depends
# on the task, and both sides are named.

# %%
notebooks.figure(figures.effect_map(ours), "The effect of my toggle on each task")
notebooks.figure(figures.learning_curves(ours, "my_toggle"), "Return with and without my toggle")
