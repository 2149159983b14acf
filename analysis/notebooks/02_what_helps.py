# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # What helps
#
# Each claim of the paper compares two arms. Its effect is the score with the change minus the score
# without, in normalised score, averaged over tasks. The verdict comes from the effect's interval:
#
# | the interval | verdict |
# |---|---|
# | lies below 0 | hurts |
# | lies below the margin | no substantial help |
# | lies above 0 | helps |
# | anything else | undecided |
#
# The intervals are a Welch t stratified by task, at levels adjusted by Holm's method so that a
# false verdict anywhere in the family of registered claims is rare. An effect that one task carries
# takes five seeds to help or hurt. Tasks that neither arm learned, or that both arms master, are
# not counted.

# %%
# %matplotlib inline
import pandas as pd
from IPython.display import Markdown, display

from analysis import plots, study, tables

pd.set_option("display.max_colwidth", None, "display.max_columns", None)

# %% tags=["parameters"]
runs = "../../runs"
claims_file = "../../sweeps/claims.yaml"
suite = None
published_scores = None
leave_out = []

# %%
ours = study.one(runs, claims_file, suite, leave_out)
lists = tables.lists(ours.verdicts)

# %% [markdown]
# ## Can this suite show an effect?
#
# Two comparisons that are no claims. The positive control is an arm that is broken on purpose: it
# must hurt by at least the margin, or nothing below is "no substantial help". A/A compares the
# baseline's odd seeds with its even ones, which must not differ.

# %%
for title, table in tables.controls(ours).items():
    display(Markdown(f"### {title}"), table)
print(*tables.insensitive(ours), sep="\n")

# %% [markdown]
# ## All claims in one picture

# %%
plots.forest(ours)

# %% [markdown]
# ## Changes that helped

# %%
lists[tables.HELPED].set_index("change")

# %% [markdown]
# For each of them, task by task. A task counts as tied when the scores differ by at most 5%, as in
# section 3.2 of the paper.

# %%
for claim in lists[tables.HELPED].change:
    display(plots.games(ours, claim))

# %% [markdown]
# ## Aggregates of all arms
#
# Mean and median over tasks, interquartile mean and optimality gap over all runs. These intervals
# describe; the verdicts above do not use them.

# %%
plots.aggregates(ours)

# %%
plots.profiles(ours)
