"""What a user can put right: reported as one line a problem, without a traceback."""

from collections.abc import Callable, Mapping
from typing import Any


class UserError(ValueError):
    """Bad input or surroundings; each line names what was given and what is allowed."""


def collect(parts: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """The result of each part; UserError with the lines of all that raise one."""
    results, lines = {}, []
    for name, part in parts.items():
        try:
            results[name] = part()
        except UserError as error:
            lines += str(error).splitlines()
    if lines:
        raise UserError("\n".join(dict.fromkeys(lines)))
    return results


def complaint(error: BaseException) -> str:
    """What a command says of a UserError: a line for each problem."""
    return "\n".join(f"error: {line}" for line in str(error).splitlines())
