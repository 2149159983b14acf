"""Combinations in which an option, or the training, would change nothing, refused by name."""

from collections.abc import Iterator, Mapping

from agent.config import Recipe, Settings, Task
from agent.dreamer import Toggles
from agent.errors import UserError


def check(
    chosen: Toggles, recipe: Recipe, run: Settings, task: Task, choices: Mapping[str, str | None]
) -> None:
    """Raise UserError with a line for each refusal: what was given, and the reason.

    `choices` maps each config group to its chosen option.
    """
    option = {group: f"{group}={choice}" for group, choice in choices.items()}
    lines = [*_dead(chosen, recipe, option), *_untrained(recipe, run, task)]
    if lines:
        raise UserError("\n".join(lines))


def _dead(chosen: Toggles, recipe: Recipe, option: Mapping[str, str]) -> Iterator[str]:
    """Options of which nothing is read; `option` is each group's, as on the command line."""
    entropy_scale, weight = chosen.explore.entropy_scale, chosen.actor_grad.dynamics_weight
    unread = {
        "actor_mix": f"{option['actor_grad']}: it schedules the gradient mix, which only "
        "actor_grad=mixed reads"
        if not chosen.actor_grad.mixes
        else None,
        "actor_entropy": f"{option['explore']}: it schedules the entropy scale, which is 0"
        if entropy_scale == 0
        else None,
        "kl_scale": "recipe.kl_scale=0" if recipe.kl_scale == 0 else None,
        "model_lr": "recipe.model_lr=0" if recipe.model_lr == 0 else None,
    }
    scheduled = [name for name, factor in vars(chosen.schedule).items() if factor is not None]
    if scheduled and all(unread.get(name) for name in scheduled):
        yield from (f"{option['schedule']} with {unread[name]}" for name in scheduled)
    if chosen.actor_grad.mixes and not 0 < weight < 1:
        yield (
            f"{option['actor_grad']} with actor_grad.dynamics_weight={weight}: "
            "it mixes nothing; allowed: between 0 and 1"
        )
    if chosen.entropy.in_reward and entropy_scale == 0:
        yield (
            f"{option['entropy']} with {option['explore']}: "
            "it adds the policy's entropy times a scale that is 0"
        )
    for head in sorted(chosen.gradients.stop):
        if getattr(recipe, f"{head}_scale") == 0:
            yield (
                f"{option['gradients']} with recipe.{head}_scale=0: "
                f"the {head} head has no gradient to stop"
            )


def _untrained(recipe: Recipe, run: Settings, task: Task) -> Iterator[str]:
    """Runs that would train nothing, or nothing that models the task."""
    first = max(recipe.prefill + run.train_every, recipe.length)
    if run.steps < first:
        yield (
            f"run.steps={run.steps}: no gradient step would be made, the first comes after "
            f"{first:g} steps (recipe.prefill={recipe.prefill}, recipe.length={recipe.length}, "
            f"run.train_every={run.train_every:g})"
        )
    if task.terminates and not recipe.discount_scale:
        yield (
            f"recipe.discount_scale={recipe.discount_scale} with task={task.option or task.name}: "
            "its episodes terminate, and without a discount head nothing models that; "
            "a task that never terminates says task.terminates=false"
        )
