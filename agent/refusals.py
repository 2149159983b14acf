"""Combinations in which an option, or the training, would change nothing, refused by name."""

from collections.abc import Mapping, Sequence

from agent.config import Recipe
from agent.dreamer import Toggles
from agent.errors import UserError

THROUGH_OPTIONS = tuple(
    f"recipe.{key}"
    for key in ("entropy_scale", "free_nats", "unbalanced_free_nats", "schedule_share")
)


def check_budget(steps: int, train_every: float, recipe: Recipe) -> None:
    """Raise UserError for a run that would end before its first gradient step."""
    first = max(recipe.prefill + train_every, recipe.length)
    if steps < first:
        raise UserError(
            f"run.steps={steps}: no gradient step would be made, the first comes after "
            f"{first:g} steps (recipe.prefill={recipe.prefill}, recipe.length={recipe.length}, "
            f"run.train_every={train_every:g})"
        )


def check_combination(chosen: Toggles, recipe: Recipe, choices: Mapping[str, str]) -> None:
    """Raise UserError that names both options and the reason."""
    for refused, reason in _combinations(chosen, recipe, choices):
        if refused:
            raise UserError(reason)


def check_read(unresolved: str, overrides: Sequence[str]) -> None:
    """Raise UserError for a number of the command line that only an option passes on, if none does.

    `unresolved` is the configuration as YAML, interpolations as they are written.
    """
    for override in overrides:
        name = override.partition("=")[0].lstrip("+")
        read_by_options = name in THROUGH_OPTIONS or name.startswith("recipe.ratios.")
        if read_by_options and "${" + name + "}" not in unresolved:
            raise UserError(f"{override}: none of the chosen options reads {name}")


def _combinations(
    chosen: Toggles, recipe: Recipe, choices: Mapping[str, str]
) -> list[tuple[bool, str]]:
    schedule, entropy_scale = chosen.schedule, chosen.explore.entropy_scale
    weight = chosen.actor_grad.dynamics_weight
    option = {group: f"{group}={choice}" for group, choice in choices.items()}
    scales = vars(recipe)
    return [
        (
            schedule.actor_mix is not None and not chosen.actor_grad.mixes,
            f"{option['schedule']} with {option['actor_grad']}: "
            "it schedules the gradient mix, which only actor_grad=mixed reads",
        ),
        (
            chosen.actor_grad.mixes and not 0 < weight < 1,
            f"{option['actor_grad']} with actor_grad.dynamics_weight={weight}: "
            "it mixes nothing; allowed: between 0 and 1",
        ),
        (
            schedule.actor_entropy is not None and entropy_scale == 0,
            f"{option['schedule']} with {option['explore']}: "
            "it schedules the entropy scale, which is 0",
        ),
        (
            chosen.entropy.in_reward and entropy_scale == 0,
            f"{option['entropy']} with {option['explore']}: "
            "it adds the policy's entropy times a scale that is 0",
        ),
        (
            schedule.kl_scale is not None and chosen.kl.scale == 0,
            f"{option['schedule']} with {option['kl']} and kl.scale=0: "
            "it schedules a scale that is 0",
        ),
        *(
            (
                scales[f"{head}_scale"] == 0,
                f"{option['gradients']} with recipe.{head}_scale=0: "
                f"the {head} head has no gradient to stop",
            )
            for head in sorted(chosen.gradients.stop)
        ),
    ]
