# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Learning curves
#
# What every arm scored while it learned. An *arm* is one way to configure the agent: `baseline` is
# the paper's final agent, `latent=gaussian` the same with Gaussian latents. Every run is evaluated
# now and then with the greedy policy.

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown

from analysis import plots, scores, study

pd.set_option("display.max_colwidth", None)

# %% tags=["parameters"]
runs = "../../runs"
claims_file = "../../sweeps/claims.yaml"
suite = None
published_scores = None
leave_out = []

# %%
ours = study.one(runs, claims_file, suite, leave_out)

# %% [markdown]
# ## The data
#
# Runs of each arm by task. One number per run enters the statistics, so these are the sample sizes.

# %%
ours.scores.pivot_table(
    index="arm", columns="task", values="score", aggfunc="size", fill_value=0
).reindex(ours.arms)

# %% [markdown]
# Runs that are broken, unfinished or left out are listed here and nowhere else. An arm that loses
# its worst runs looks better than it is.

# %%
pd.DataFrame(ours.problems, columns=["run", "problem"]) if ours.problems else Markdown(
    "Every run is complete."
)

# %% [markdown]
# ## All arms
#
# Lines are means over seeds, bands reach from the lowest to the highest seed. Returns are raw.

# %%
plots.learning_curves(ours)

# %% [markdown]
# ## Final scores
#
# Means over seeds of the score that the claims file registers for the suite. Normalised scores are
# 0 for random play and 1 for the fixed reference of the task (on Atari the human world record,
# clipped at 1). A run that diverged scores as random play does.

# %%
print(ours.score)

# %%
ours.scores.pivot_table(index="arm", columns="task", values="score").reindex(ours.arms).round(1)

# %%
ours.scores.pivot_table(index="arm", columns="task", values="normalised").reindex(ours.arms).round(
    2
)

# %% [markdown]
# ## Speed of learning
#
# The mean height of the whole curve, normalised. An arm that ends as high but learns later is lower
# here.

# %%
areas, _ = scores.final_scores(ours.store, scores.AREA, fewest=1)
heights, _ = scores.normalise(areas, ours.scheme)
heights.pivot_table(index="arm", columns="task", values="normalised").reindex(ours.arms).round(2)
