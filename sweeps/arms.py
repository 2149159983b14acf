"""The arms of a claims file, as overrides."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from agent.errors import UserError
from agent.run.identity import BASELINE, parts

ROOT = Path(__file__).parents[1]


def of_claims(path: str, rows: Sequence[str] | None, suite: str, actions: str) -> list[list[str]]:
    """Overrides of each arm that a claim about tasks of this kind of actions names in a suite, each
    arm once.

    `rows` are the ids of some claims; None takes all. A relative path is the project's. Raises
    UserError for a file that is no claims file and for an id it does not have.
    """
    claims = registered(path).rows
    ids = [claim.id for claim in claims]
    if unknown := sorted(set(rows or ()) - set(ids)):
        raise UserError(f"{path} has no claim {', '.join(unknown)}; it has {', '.join(ids)}")
    named = (
        claim.arms(suite)
        for claim in claims
        if claim.where == actions and claim.id in (rows or ids)
    )
    return [parts(arm) for arm in _ordered(arm for sides in named if sides for arm in sides)]


def registered(path: str):
    """The claims file at a path, which is the project's where it is relative; UserError for a file
    that is no claims file."""
    return _claims(ROOT / path)


@cache
def _claims(path: Path):
    from analysis import InputError, claims  # pandas: only where a claims file is read

    try:
        return claims.load(path)
    except InputError as error:
        raise UserError(str(error)) from error


def _ordered(arms: Iterable[str]) -> list[str]:
    return sorted(set(arms), key=lambda arm: (arm != BASELINE, arm))
