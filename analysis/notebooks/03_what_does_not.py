# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # What does not help
#
# "Not significant" is not "does not help". A change is listed here only if its whole interval lies
# below the margin, also with one more failed run of the arm without it, and the suite's positive
# control hurts: the data exclude a substantial help. What the data cannot tell is listed as
# undecided, with the number of seeds that would decide it if effect and spread stayed as they are.
# Judging again after each added seed gives false verdicts: fix their number beforehand.

# %%
import pandas as pd
from IPython.display import Markdown

from analysis import study, tables

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
# ## Changes that did not help substantially

# %%
lists[tables.NOT_HELPED].set_index("change")

# %% [markdown]
# ## Not decided
#
# *Degenerate arm* means that a part of the arm was saturated during training, such as a KL clamped
# at its free nats in over 90% of the updates: such an arm does not test what its name says.

# %%
lists[tables.OPEN].set_index("change")

# %% [markdown]
# ## The other kind of actions
#
# The paper states most claims for discrete actions. The same comparisons on the other kind are
# shown beside, and neither agree nor disagree with it.

# %%
lists[tables.BESIDE].set_index("change")

# %% [markdown]
# ## Tasks better, worse and tied

# %%
tables.games(ours).set_index("change")

# %% [markdown]
# ## The paper's table 2 beside ours

# %%
Markdown(tables.TABLE_2_CAPTION)

# %%
tables.table_2(ours).set_index("agent").round(2)
