"""The W&B workspace as code: what helped, learning curves, final scores, losses and entropies.

python -m sweeps.dashboard --project dreamer-ablation --runs runs  # save it to W&B
python -m sweeps.dashboard --json workspace.json                   # to a file, without any server
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import wandb

from agent.errors import UserError
from agent.run.record import first_line
from analysis import InputError, claims
from sweeps import program

FRAMES, UPDATES = "env_frames", "gradient_steps"
SCORE, RETURNS = "eval/score", ("eval/return", "train/return")
CURVES = {  # by arm, of the training's metrics
    "World model": (
        *("model_loss", "kl_loss", "observation_loss", "reward_loss", "discount_loss"),
        "model_grad_norm",
    ),
    "KL and entropies": ("kl", "prior_entropy", "post_entropy", "actor_entropy", "kl_clamped"),
    "Behaviour": ("actor_loss", "critic_loss", "actor_grad_norm", "critic_grad_norm"),
}
VALUES = ("imagined_reward", "target", "slow_value")  # on the task's own scale
OPEN = ("What helps", "Learning curves")
COLUMNS = ["change", "effect", "interval", "verdict", "where", "the paper", "agrees"]
NO_RUNS = "Verdicts appear here with `python -m sweeps.dashboard --runs FOLDER`."


def workspace(entity: str, project: str, verdicts: str = NO_RUNS):
    """The workspace, with `verdicts` as markdown; UserError where wandb-workspaces is missing."""
    try:
        import wandb_workspaces.reports.v2 as wr
        import wandb_workspaces.workspaces as ws
    except ModuleNotFoundError as error:
        lacks = f"the dashboard misses the module {error.name}"
        raise UserError(f"{lacks}: pip install wandb-workspaces") from error

    arms = {"groupby": wr.Config("arm"), "groupby_aggfunc": "mean", "groupby_rangefunc": "stderr"}

    def by_arm(metric: str, x: str) -> wr.LinePlot:
        return wr.LinePlot(title=f"{metric} by arm", x=x, y=[metric], **arms)

    # for what has the task's own scale: the runs are grouped by task and arm
    def by_task(metric: str, x: str) -> wr.LinePlot:
        return wr.LinePlot(title=f"{metric} by task and arm", x=x, y=[metric])

    panels = {
        "What helps": [
            wr.MarkdownPanel(markdown=verdicts),
            wr.BarPlot(title=f"{SCORE} by arm", metrics=[SCORE], **arms),
        ],
        "Learning curves": [
            by_arm(SCORE, FRAMES),
            *(by_task(name, FRAMES) for name in (SCORE, *RETURNS)),
        ],
        "Final scores": [
            wr.BarPlot(title=f"{name} by task and arm", metrics=[name])
            for name in (SCORE, RETURNS[0])
        ],
        **{
            title: [by_arm(f"metrics/{name}", UPDATES) for name in names]
            for title, names in CURVES.items()
        },
        "Pictures": [wr.MediaBrowser(media_keys=["pictures/episode", "pictures/prediction"])],
    }
    panels["Behaviour"] += [by_task(f"metrics/{name}", UPDATES) for name in VALUES]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="DreamerV2 ablation",
        sections=[ws.Section(name=t, panels=own, is_open=t in OPEN) for t, own in panels.items()],
        runset_settings=ws.RunsetSettings(groupby=[ws.Config("task_name"), ws.Config("arm")]),
    )


def verdict_table(runs: str | Path, suite: str | None) -> str:
    """The paper's lists by our runs, as markdown; UserError where there are no runs."""
    from analysis import read, study
    from analysis.show import tables

    try:
        ours = study.judge(read.load(runs), claims.DEFAULT, suite)
    except InputError as error:
        raise UserError(str(error)) from error
    filled = {title: part for title, part in tables.lists(ours).items() if len(part)}
    rows = [f"**{title}**\n\n{tables.markdown(part[COLUMNS])}" for title, part in filled.items()]
    return "\n\n".join([f"{tables.caption(ours)}.", *ours.warnings, *rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Save or write the workspace; returns the exit status."""
    parser = program("dashboard", __doc__)
    parser.add_argument("--entity", default=None, help="default: the account's")
    parser.add_argument("--project", default="dreamer-ablation")
    parser.add_argument("--runs", help="folder of runs or exported csv, for the verdicts")
    parser.add_argument("--suite", help="of the verdicts, where the runs are of several")
    parser.add_argument("--json", type=Path, help="a file to write, instead of saving to W&B")
    given = parser.parse_args(arguments)
    try:
        verdicts = verdict_table(given.runs, given.suite) if given.runs else NO_RUNS
        if given.json:
            built = workspace(given.entity or "", given.project, verdicts)._to_model()
            given.json.write_text(built.model_dump_json(by_alias=True, indent=1))
        else:
            print(_saved(given.entity, given.project, verdicts))
    except (OSError, UserError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _saved(entity: str | None, project: str, verdicts: str) -> str:
    """The address of the workspace, saved to W&B; UserError with the words of W&B's client."""
    try:
        if entity := entity or wandb.Api().default_entity:
            return workspace(entity, project, verdicts).save().url
    except (wandb.Error, OSError, ValueError) as error:
        raise UserError(f"--project {project}: W&B: {first_line(error)}") from error
    raise UserError("W&B names no default entity: give --entity, after `wandb login`")


if __name__ == "__main__":
    sys.exit(main())
