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
from analysis import committed
from analysis.paper import published, score_files
from analysis.show import cells, figures

paper = score_files.load(committed.score_files())

# %% [markdown]
# ## Table 1
#
# To two decimals 24 of 24 cells agree with the paper. Scores are normalised and clipped run by run,
# then averaged over seeds, then over games; James Bond takes the corrected reference.

# %%
cells.table(published.table_1(paper).rename_axis("agent").reset_index(), "Table 1, recomputed")

# %% [markdown]
# Some runs stopped long before 199M frames, three of Breakout after 2M. The paper's numbers take
# their last value as final.

# %%
early = published.early_ended(paper)
cells.table(early, f"The {len(early)} runs that ended before 195M frames")
whole = published.table_1(published.complete(paper)).head(2)
cells.table(whole.rename_axis("agent").reset_index(), "Table 1 without them")

# %% [markdown]
# ## Scheduling
#
# The one ablation whose raw scores are public. The first row is the verdict; the others repeat it
# with more seeds without schedules and without the runs that ended early. The control, which must
# hurt, are the same runs without schedules after 20M frames.

# %%
cells.table(published.scheduling(paper), "Effect of schedules on the clipped human record")
cells.figure(
    figures.lines(published.curves(paper), "clipped record mean", "825 published runs, 55 games"),
    "Clipped record mean of the published runs; runs that ended keep their last value",
)
cells.figure(
    figures.bars(published.scheduling_games(paper), "published scores, normalised by the record"),
    "Schedules game by game: with less without; ties are within 5%",
)

# %% [markdown]
# ## Table K.1

# %%
k1 = published.table_k1(paper).round().astype(int).reset_index()
cells.table(k1, "Table K.1, recomputed: final scores of all agents, means over seeds")
