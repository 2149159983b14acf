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
from matplotlib.figure import Figure

from analysis import committed, paper, score
from analysis.show import figures, notebooks

runs = paper.load(committed.score_files())

# %% [markdown]
# ## Table 1
#
# To two decimals 24 of 24 cells agree with the paper. Scores are normalised and clipped run by run,
# then averaged over seeds, then over games; James Bond takes the corrected reference.

# %%
notebooks.table(paper.table_1(runs).reset_index(), "Table 1, recomputed")

# %% [markdown]
# Some runs stopped long before 199M frames, three of Breakout after 2M. The paper's numbers take
# their last value as final.

# %%
early = paper.early_ended(runs)
notebooks.table(early, f"The {len(early)} runs that ended before 195M frames")
whole = paper.table_1(paper.complete(runs)).head(2)
notebooks.table(whole.reset_index(), "Table 1 without them")

# %% [markdown]
# ## Scheduling
#
# The one ablation whose raw scores are public. The first row is the verdict; the others repeat it
# with more seeds without schedules and without the runs that ended early. The control, which must
# hurt, are the same runs without schedules after 20M frames.

# %%
notebooks.table(paper.scheduling(runs), "Effect of schedules on the clipped human record")


# %%
def over_games(runs):
    """Clipped record mean over the games by frames, a column an arm."""
    points, _ = score.normalise(runs.tidy(), "clipped_record")
    points = points[points.arm.isin(paper.AGENTS) & (points.env_frames <= paper.FINAL_FRAMES)]
    by_run = points.pivot(index="env_frames", columns="run", values="normalised").ffill()
    named = runs.runs.set_index("run").loc[by_run.columns]
    return by_run.T.groupby([named.arm, named.task]).mean().groupby("arm").mean().T


@figures.styled
def over_frames(curves):
    drawn = Figure(figsize=(figures.PAGE, 3.1), layout="constrained")
    axes = drawn.add_subplot(xlabel="environment frames", ylabel="clipped record mean")
    for name, colour in zip(curves, figures.PALETTE, strict=False):
        axes.plot(curves[name], color=colour, label=name)
    figures.key(drawn, inches=2.6)
    return drawn


notebooks.figure(
    over_frames(over_games(runs)),
    "Clipped record mean of the 825 published runs; runs that ended keep their last value",
)


# %%
@figures.styled
def by_game(games):
    drawn = Figure(figsize=(figures.PAGE, 8.9), layout="constrained")
    axes = drawn.add_subplot(xlabel="difference, normalised by the record (linear within 0.01)")
    names = games.task.str.replace("_", " ")
    axes.barh(names, games.difference, color=games.result.map(figures.RESULTS))
    axes.set_xscale("symlog", linthresh=0.01)
    axes.axvline(0, color="black", linewidth=0.6)
    axes.margins(y=0.01)
    return drawn


games = paper.scheduling_games(runs)
counts = ", ".join(f"{count} {name}" for name, count in games.result.value_counts().items())
notebooks.figure(
    by_game(games),
    f"Schedules game by game: with less without; {counts}. Purple: better. Grey: within 5%.",
)

# %% [markdown]
# ## Table K.1

# %%
k1 = paper.table_k1(runs).round().astype(int).reset_index()
notebooks.table(k1, "Table K.1, recomputed: final scores of all agents, means over seeds")
