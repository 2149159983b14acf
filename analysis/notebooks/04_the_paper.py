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
# %matplotlib inline
from analysis import captioned, committed, formats, plots, published, score_files

# %% tags=["parameters"]
runs = None
claims_file = None
suite = None
published_scores = committed.score_files()
leave_out = []

# %%
paper = score_files.load(published_scores)

# %% [markdown]
# ## Table 1
#
# To two decimals 24 of 24 cells agree with the paper. Scores are normalised and clipped run by run,
# then averaged over seeds, then over games; James Bond takes the corrected reference.

# %%
captioned.table(published.table_1(paper).rename_axis("agent").reset_index(), "Table 1, recomputed")

# %% [markdown]
# ## Runs that ended early
#
# Some runs stopped long before 199M frames, three of Breakout after 2M. The paper's numbers take
# their last value as final.

# %%
early = published.early_ended(paper)
captioned.table(early, f"The {len(early)} runs that ended before 195M frames")

# %%
whole = published.table_1(published.complete(paper))
whole = whole.loc[[score_files.DREAMER, score_files.SCHEDULED]]
captioned.table(whole.rename_axis("agent").reset_index(), "Table 1 without them")

# %% [markdown]
# ## Scheduling
#
# The one ablation whose raw scores are public: the agent with schedules of the actor's entropy and
# of gradient mixing against the agent without. The first row is the verdict; the others repeat it
# with more seeds without schedules and without the runs that ended early. The positive controls are
# the same runs without schedules after 20M frames. The effect is over the games that can move: the
# note names those that neither arm learned, and those that both arms master.

# %%
judged = published.scheduling(paper)
ends = [formats.interval(low, high) for low, high in zip(judged.low, judged.high, strict=True)]
judged = judged.assign(effect=judged.effect.map(formats.number), interval=ends)
columns = ["claim", "without", "runs", "effect", "interval", "moving", "verdict", "agrees", "note"]
captioned.table(judged[columns], "Scheduling: the verdict, its checks and their controls")

# %%
captioned.figure(
    plots.curves(published.curves(paper), "clipped record mean", "825 published runs, 55 games"),
    "Clipped record mean of the published runs; ended runs keep their last value.",
)

# %%
captioned.figure(
    plots.bars(
        published.scheduling_games(paper),
        "Scheduling: with minus without",
        "difference of score normalised by the human record",
        "published scores, 200M frames",
    ),
    "Scheduling game by game; ties are within 5%.",
)

# %% [markdown]
# ## Table K.1

# %%
k1 = published.table_k1(paper).round().astype(int).reset_index()
captioned.table(k1, "Table K.1, recomputed: final scores of all agents, means over seeds")
