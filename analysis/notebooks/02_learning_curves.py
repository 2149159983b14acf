# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Learning curves
#
# What the runs scored while they learned, with and without each change. Every run is evaluated now
# and then with the greedy policy.

# %%
from analysis import committed
from analysis.show import figures, notebooks, tables

ours = committed.judged()
print(tables.caption(ours))

# %% [markdown]
# ## Each change against the baseline

# %%
notebooks.figure(figures.all_curves(ours), "Normalised score while learning, mean over tasks")

# %% [markdown]
# ## Does an effect grow, fade or stay?

# %%
notebooks.figure(figures.over_the_budget(ours), "The effect of each change at each evaluation")

# %% [markdown]
# ## Scores
#
# One number a run: here the mean height of its curve, so an arm that ends as high but learns later
# is lower. A run that diverged scores the worst that its task has shown.

# %%
notebooks.table(tables.means(ours), "Mean score of each arm over its tasks")
notebooks.table(tables.by_task(ours), "Mean height of the curve in raw returns, by task")

# %% [markdown]
# ## One change on each task

# %%
notebooks.figure(
    figures.learning_curves(ours, "categorical_latents"),
    "Return with categorical and with Gaussian latents",
)
