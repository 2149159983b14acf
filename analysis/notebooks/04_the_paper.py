# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The paper, from its own scores
#
# The official repository publishes the scores of 825 runs of DreamerV2 on 55 Atari games. They go
# through the same code as our runs, which checks the code and gives one verdict at full scale.

# %%
# %matplotlib inline
import pandas as pd

from analysis import plots, published, score_files

pd.set_option("display.max_colwidth", None, "display.max_rows", None, "display.max_columns", None)

# %% tags=["parameters"]
runs = "../../runs"
claims_file = "../../sweeps/claims.yaml"
suite = None
published_scores = "https://raw.githubusercontent.com/danijar/dreamerv2/main/scores"
leave_out = []

# %%
paper = score_files.load(published_scores)

# %% [markdown]
# ## Table 1
#
# As printed in the paper, to two decimals: 24 of 24 cells agree. Scores are normalised and clipped
# run by run, then averaged over seeds, then over games; James Bond takes the corrected reference.

# %%
published.table_1(paper).round(2)

# %% [markdown]
# ## Runs that ended early
#
# Some runs stopped long before 199M frames, three of Breakout after 2M. The paper's numbers take
# their last value as final.

# %%
published.early_ended(paper).set_index("arm")

# %% [markdown]
# Table 1 without them:

# %%
published.table_1(published.complete(paper)).loc[
    [score_files.DREAMER, score_files.SCHEDULED]
].round(2)

# %% [markdown]
# ## Scheduling
#
# The one ablation whose raw scores are public: the agent with schedules of the actor's entropy and
# of gradient mixing against the agent without. The first row is the verdict; the others repeat it
# with more seeds without schedules and without the runs that ended early. The positive controls are
# the same runs without schedules after 20M frames. The effect is over the games that can move: the
# note names those that neither arm learned, and those that both arms master.

# %%
published.scheduling(paper)[
    ["claim", "without", "runs", "effect", "low", "high", "moving", "verdict", "agrees", "note"]
]

# %%
plots.curves(published.curves(paper), "clipped record mean", "825 published runs, 55 games")

# %%
plots.bars(
    published.scheduling_games(paper),
    "Scheduling: with minus without",
    "difference of score normalised by the human record",
    "published scores, 200M frames",
)

# %% [markdown]
# ## Table K.1
#
# Final scores of all agents.

# %%
published.table_k1(paper).round().astype(int)
