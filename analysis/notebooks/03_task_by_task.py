# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Task by task
#
# Where the effects come from: each claim on each task, all arms in aggregate, and the paper's own
# tables beside these runs.

# %%
# %matplotlib inline
from IPython.display import Markdown, display

from analysis import captioned, claims, committed, plots, study, tables

# %% tags=["parameters"]
runs = committed.RUNS
claims_file = claims.DEFAULT
suite = None
published_scores = None
leave_out = []
ladder = True

# %%
ours = study.one(runs, claims_file, suite, leave_out, ladder)
captioned.runs(ours)

# %% [markdown]
# ## Better, worse and tied
#
# A task counts as tied when the scores with and without the change differ by at most 5%, as in
# section 3.2 of the paper.

# %%
captioned.table(
    tables.games(ours),
    "Tasks on which each change is better, worse or tied, beside the paper's 55 games",
    "No claim has runs of both of its arms.",
)

# %% [markdown]
# The changes with a verdict, one by one:

# %%
lists = tables.lists(ours.verdicts)
for claim in [*lists[tables.HELPED].change, *lists[tables.NOT_HELPED].change]:
    captioned.figure(
        plots.games(ours, claim), f"{claim}: score with the change minus score without, by task."
    )
if not len(lists[tables.HELPED]) + len(lists[tables.NOT_HELPED]):
    display(Markdown("No claim is decided."))

# %% [markdown]
# ## Aggregates of all arms
#
# These intervals describe; the verdicts do not use them.

# %%
everything = study.one(runs, claims_file, suite, leave_out)
captioned.figure(
    plots.aggregates(everything),
    "Mean and median over tasks, interquartile mean and optimality gap over all runs, with 95% "
    "bootstrap intervals.",
)

# %%
captioned.figure(
    plots.profiles(everything), "Performance profiles: the share of runs that score above τ."
)

# %% [markdown]
# ## The paper's table 2

# %%
captioned.table(tables.table_2(everything), tables.TABLE_2_CAPTION)
