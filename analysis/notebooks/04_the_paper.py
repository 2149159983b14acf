# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # The paper, from its own scores
#
# The official repository publishes the scores of 825 runs of DreamerV2 on 55 Atari games. They go
# through the same code as our runs, which checks the code and gives one verdict at full scale.

# %%
from analysis import committed, paper
from analysis.show import figures, notebooks

runs = paper.load(committed.score_files())

# %% [markdown]
# ## Table 1
#
# To two decimals 24 of 24 cells agree with the paper. Scores are normalised and clipped run by run,
# then averaged over seeds, then over games; James Bond takes the corrected reference.

# %%
notebooks.table(paper.table_1(runs).rename_axis("agent").reset_index(), "Table 1, recomputed")

# %% [markdown]
# Some runs stopped long before 199M frames, three of Breakout after 2M. The paper's numbers take
# their last value as final.

# %%
early = paper.early_ended(runs)
notebooks.table(early, f"The {len(early)} runs that ended before 195M frames")
whole = paper.table_1(paper.complete(runs)).head(2)
notebooks.table(whole.rename_axis("agent").reset_index(), "Table 1 without them")

# %% [markdown]
# ## Scheduling
#
# The one ablation whose raw scores are public. The first row is the verdict; the others repeat it
# with more seeds without schedules and without the runs that ended early. The control, which must
# hurt, are the same runs without schedules after 20M frames.

# %%
notebooks.table(paper.scheduling(runs), "Effect of schedules on the clipped human record")
notebooks.figure(
    figures.lines(paper.curves(runs), "clipped record mean", "825 published runs, 55 games"),
    "Clipped record mean of the published runs; runs that ended keep their last value",
)
notebooks.figure(
    figures.bars(paper.scheduling_games(runs), "published scores, normalised by the record"),
    "Schedules game by game: with less without; ties are within 5%",
)

# %% [markdown]
# ## Table K.1

# %%
k1 = paper.table_k1(runs).round().astype(int).reset_index()
notebooks.table(k1, "Table K.1, recomputed: final scores of all agents, means over seeds")
