# ---
# jupyter:
#   jupytext: {formats: "ipynb,py:percent"}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Your own toggle
#
# A design choice of your own takes three steps.
#
# 1. An option: a YAML file in the folder of a group, such as `conf/latent/mine.yaml`, and the
#    object that it names in the module of that group, `agent/toggles/latent.py`. Changing a number
#    needs no file: `kl.alpha=0.5` is an arm too.
# 2. Runs: `python run.py -m latent=categorical,mine run.seed=0,1,2`. The baseline's runs are shared
#    with every other sweep; `latent=mine` becomes the name of the arm.
# 3. A claim: one row in a file of your own, with the arm's name, and `paper: none` because the
#    paper does not speak of it. The positive control comes along.
#
# Then every table and figure takes it: `python -m analysis table --claims mine.yaml`.

# %%
# %matplotlib inline
import tempfile
from pathlib import Path

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
captioned.runs(ours)

# %% [markdown]
# The arms that have runs. Below, the last of them that is neither the baseline nor the control
# stands in for yours; where there is none yet, the first that the claims name.

# %%
arms = ours.scores.groupby("arm", as_index=False).size().rename(columns={"size": "runs"})
captioned.table(arms, "Arms with runs")

# %%
named = [arm for arm in ours.verdicts["with"].dropna() if arm != "baseline"]
tried = [arm for arm in ours.arms if arm not in ("baseline", *ours.controls["with"])]
mine = (tried or named)[-1 if tried else 0]
actions = next(iter(ours.scores.actions[ours.scores.arm == mine]), "discrete")
own_file = Path(tempfile.mkdtemp()) / "mine.yaml"
own_file.write_text(
    f"""margin: {{{ours.suite}: {ours.verdicts.margin.iloc[0]}}}
score: {{{ours.suite}: {ours.registered}}}
controls:
- {{id: control, with: recipe.model_lr=0, without: baseline, where: {actions}}}
claims:
- {{id: my_toggle, paper: none, with: '{mine}', without: baseline, where: {actions}}}
"""
)
print(own_file.read_text())

# %% [markdown]
# The verdict on it. With one claim the interval is at 95%; adding claims widens all of them.

# %%
own = study.one(runs, own_file, ours.suite, leave_out)
judged = pd.concat(tables.lists(own.verdicts).values())
judged = judged[judged.actions == actions]
captioned.table(judged[["change", "with", "without", *tables.NARROW[1:], "note"]], "Its verdict")

# %% [markdown]
# Its learning curves beside the baseline's, and the effect task by task.

# %%
captioned.figure(
    plots.learning_curves(own, ["baseline", mine]),
    f"baseline and {mine} while learning: means, lowest and highest of the seeds.",
)

# %%
if own.verdicts.tasks.any():
    captioned.figure(plots.games(own, "my_toggle"), f"Effect of {mine} by task.")
else:
    display(Markdown(f"No task has runs of both baseline and {mine}."))
