# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The two lists
#
# Which changes helped and which did not help substantially: the paper's two lists, found anew on
# the runs that are named below, at their budget. The effect of a change is the score with it minus
# the score without, in normalised score (0 is random play, 1 the task's fixed reference), averaged
# over tasks.

# %%
# %matplotlib inline
import pandas as pd
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
lists = tables.lists(ours.verdicts)
columns = [*tables.NARROW, "seeds to decide", "note"]
captioned.runs(ours)

# %% [markdown]
# ## Changes that helped

# %%
captioned.table(lists[tables.HELPED][columns], "Effect surely above 0", tables.EMPTY[tables.HELPED])

# %% [markdown]
# ## Changes that did not help substantially
#
# "Not significant" is not "does not help". A change is listed here only if its whole interval lies
# below the margin, also with one more failed run of the arm without it, and the suite's positive
# control hurts: the data exclude a substantial help.

# %%
captioned.table(
    lists[tables.NOT_HELPED][columns],
    "Effect surely below the margin",
    tables.EMPTY[tables.NOT_HELPED],
)

# %% [markdown]
# ## All claims in one picture

# %%
if ours.verdicts.tasks.any():
    captioned.figure(
        plots.forest(ours),
        "Effect of every claim with runs, with its interval; grey: the margin, and less than it.",
    )
else:
    display(Markdown("**No claim has runs of both of its arms.**"))

# %% [markdown]
# ## How a verdict comes about
#
# | the effect's interval | verdict |
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

# %% [markdown]
# ## Not decided
#
# What the data cannot tell, with the number of seeds that would decide it if effect and spread
# stayed as they are. Judging again after each added seed gives false verdicts: fix their number
# beforehand. *Degenerate arm* means that a part of the arm was saturated during training, such as a
# KL clamped at its free nats in over 90% of the updates: such an arm does not test what its name
# says.

# %%
captioned.table(lists[tables.OPEN][columns], "Claims without a verdict", tables.EMPTY[tables.OPEN])

# %% [markdown]
# ## Can this suite show an effect?
#
# Two comparisons that are no claims. The positive control is an arm that is broken on purpose: it
# must hurt by at least the margin, or nothing above is "no substantial help". A/A compares the
# baseline's odd seeds with its even ones, which must not differ.

# %%
for title, part in tables.controls(ours).items():
    display(captioned.table(part, title, tables.EMPTY[title]))
Markdown("\n".join(f"- {line}." for line in tables.insensitive(ours)))

# %% [markdown]
# ## The other kind of actions
#
# The paper states most claims for discrete actions. The same comparisons on the other kind are
# shown beside, and neither agree nor disagree with it.

# %%
captioned.table(
    lists[tables.BESIDE][columns],
    "Every claim on the other kind of actions",
    tables.EMPTY[tables.BESIDE],
)

# %% [markdown]
# ## What was compared
#
# The arms behind every row above. The probability of improvement is the chance that a run with the
# change scores above one without it, averaged over the tasks that can move; it describes, and no
# verdict uses it.

# %%
everything = pd.concat(lists.values())
captioned.table(everything.drop(columns=columns[1:]), "The arms of every claim")
