# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The two lists
#
# Which changes helped, which did not help substantially, and which do one thing on some tasks and
# the opposite on others. The *effect* of a change is the score with it less the score without it:
# 0 is random play, 1 the task's reference.

# %%
from analysis import committed
from analysis.show import figures, notebooks, tables

ours = committed.judged()  # your own: study.judge(read.load("runs"))
print(tables.caption(ours))
print(*ours.warnings, sep="\n")

# %% [markdown]
# ## The map
#
# Look for rows with both colours: there the answer depends on the task.

# %%
notebooks.figure(figures.effect_map(ours), "Effect of each change on each task, and on average")

# %% [markdown]
# ## The lists
#
# "Not significant" is not "does not help". A change is on the third list only if its whole interval
# lies below the margin, or below 0: then the runs exclude a substantial help.

# %%
for title, table in tables.lists(ours).items():
    notebooks.table(table, title, tables.EMPTY[title])

# %% [markdown]
# ## All claims in one picture

# %%
notebooks.figure(figures.forest(ours), "The mean effect of each change with its two intervals")

# %% [markdown]
# ## Can these runs show an effect?
#
# The positive control is broken on purpose and must hurt by at least the margin. The placebo
# compares odd seeds with even ones and must not differ.

# %%
notebooks.table(tables.brief(ours, ours.controls), "Controls")
