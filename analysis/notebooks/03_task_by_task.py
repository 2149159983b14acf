# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Task by task
#
# Where the effects come from. A task counts as better or worse where that is sure for all tasks and
# claims at once, as tied where it is not. The paper counts games too, with ties within 5%.

# %%
from analysis import committed, repeats
from analysis.show import figures, notebooks, tables

ours = committed.judged()
print(tables.caption(ours))

# %%
notebooks.figure(figures.task_effects(ours), "The effect of each change on each task")

# %%
counts = tables.claims(ours)[["change", "better / worse / tied", "its games"]]
notebooks.table(
    counts, "Tasks here, and games of the paper, on which a change is better, worse, tied"
)

# %% [markdown]
# ## By kind of task

# %%
notebooks.table(tables.kinds(ours), "The mean effect on each kind of tasks")
notebooks.table(
    tables.contrasts(ours), "Kinds that surely differ from other tasks", "None does so surely."
)

# %% [markdown]
# ## Is it the picture or the task?
#
# Some tasks are there twice: as vectors or grids, and drawn.

# %%
notebooks.table(
    repeats.table(repeats.pictures(ours), repeats.PICTURES),
    "The mean effect on tasks, and on their pictures",
    "No task is here as a picture too.",
)

# %% [markdown]
# ## Which options change each other's effect?
#
# That takes runs in which two options were changed together, as in a trial.

# %%
notebooks.table(
    tables.interactions(ours), "Pairs of options that do so surely", "No pair does so surely."
)
