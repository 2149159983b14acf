"""Which options to take on a kind of task: those whose advantage over the paper's is sure."""

from collections.abc import Sequence

import pandas as pd

from analysis import tasks, verdict
from analysis.tasks import Change, Task

COLUMNS = ["kind", "group", "option", "effect", "low", "high", "recommended"]


def table(own: Sequence[Task], share: float) -> pd.DataFrame:
    """One row for each option and kind of tasks on all of which the runs show it: its effect
    against the baseline's, its interval, simultaneous over the rows, and whether it is recommended:
    surely above 0, and the largest such of its group.

    Kinds are kinds of actions, and what tasks of one have in common. Numbers are no options.
    """
    found = {
        (kind, option.partition("=")[0], option): change
        for kind, members in kinds(own).items()
        for option in sorted({name for task in members for name in task.design.columns[1:]})
        if "." not in option.partition("=")[0] and (change := _change(option, members))
    }
    alpha = verdict.alpha(share, len(found))
    lines = [(*key, *change.mean(alpha)) for key, change in found.items()]
    frame = pd.DataFrame(lines, columns=COLUMNS[:-1])
    sure = frame.effect.where(frame.low > 0)
    best = sure.groupby([frame.kind, frame.group]).transform("max")
    return frame.assign(recommended=sure.notna() & (sure == best))


def kinds(own: Sequence[Task]) -> dict[str, list[Task]]:
    """The tasks by kind of actions, and by what some of them share, as `discrete, vector`."""
    found: dict[str, list[Task]] = {}
    for actions in sorted({task.actions for task in own}):
        members = [task for task in own if task.actions == actions]
        found[actions] = members
        for kind in sorted(frozenset().union(*(task.kinds for task in members)) - {actions}):
            some = [task for task in members if kind in task.kinds]
            if len(some) < len(members):
                found[f"{actions}, {kind}"] = some
    return found


def _change(option: str, members: Sequence[Task]) -> Change | None:
    change, _ = tasks.shown(option, frozenset({option}), frozenset(), members)
    return change if change and len(change.given) == len(members) else None


def lines(recommendation: pd.DataFrame) -> list[str]:
    """The recommendation as text: of each kind overrides to paste, and each with its interval."""
    said = []
    for kind, rows in recommendation.groupby("kind", sort=False):
        chosen = rows[rows.recommended]
        overrides = " ".join(chosen.option) or "the paper's options"
        said.append(f"{kind}: {overrides}")
        said += [
            f"    {row.option}  {row.effect:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
            for row in chosen.itertuples()
        ]
        others = sorted(set(rows.group) - set(chosen.group))
        if len(chosen) and others:
            said.append(f"    the paper's: {', '.join(others)}")
    return said
