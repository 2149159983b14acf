# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Learning curves
#
# What every arm scored while it learned, and at the end. An *arm* is one way to configure the
# agent: `baseline` is the paper's final agent, `latent=gaussian` the same with Gaussian latents.
# Every run is evaluated now and then with the greedy policy.

# %%
# %matplotlib inline
import pandas as pd

from analysis import captioned, claims, committed, plots, score, study

# %% tags=["parameters"]
runs = committed.RUNS
claims_file = claims.DEFAULT
suite = None
published_scores = None
leave_out = []

# %%
ours = study.one(runs, claims_file, suite, leave_out)
captioned.runs(ours)

# %% [markdown]
# ## All arms

# %%
captioned.figure(
    plots.learning_curves(ours),
    "Evaluation return while learning: lines are means over seeds, bands reach from the lowest to "
    "the highest seed.",
)

# %% [markdown]
# ## Final scores
#
# One number per run: the score that the claims file registers for the suite. Normalised scores are
# 0 for random play and 1 for the fixed reference of the task (on Atari the human world record,
# clipped at 1). A run that diverged scores as random play does.

# %%
by_arm = {"index": "arm", "columns": "task"}
raw = ours.scores.pivot_table(**by_arm, values="score").loc[ours.arms]
captioned.table(raw.reset_index(), "Mean return over seeds at the end")

# %%
normalised = ours.scores.pivot_table(**by_arm, values="normalised").loc[ours.arms]
captioned.table(normalised.reset_index(), "Mean normalised score over seeds at the end")

# %% [markdown]
# ## Speed of learning
#
# An arm that ends as high but learns later is lower here.

# %%
areas, _ = score.final_scores(ours.store, score.AREA, fewest=1)
heights, _ = score.normalise(areas, ours.scheme)
heights = heights.pivot_table(**by_arm, values="normalised").loc[ours.arms]
captioned.table(heights.reset_index(), "Mean height of the whole curve, normalised")

# %% [markdown]
# ## The data
#
# One number per run enters the statistics, so the sample sizes are numbers of runs. Runs that are
# broken, unfinished or left out are listed here and nowhere else: an arm that loses its worst runs
# looks better than it is.

# %%
counts = ours.scores.pivot_table(**by_arm, values="score", aggfunc="size", fill_value=0)
captioned.table(counts.loc[ours.arms].reset_index(), "Scored runs of each arm by task")

# %%
problems = pd.DataFrame(ours.problems, columns=["run", "problem"])
captioned.table(problems, "Problems", "Every run is complete.")
