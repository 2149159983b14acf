"""What a user can put right, and the checks of numbers: one line that names what was given and what
is allowed."""

import math


class UserError(ValueError):
    """Bad input or surroundings; the message names what was given and what is allowed."""


def number(
    name: str, value: object, low: float, high: float = math.inf, whole: bool = False
) -> None:
    """Raise UserError unless `value` is a number, a whole one if asked, from `low` to `high`."""
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        upper = "" if high == math.inf else f" and at most {high:g}"
        raise UserError(
            f"{name}={value} must be a {'whole ' if whole else ''}number of at least {low:g}{upper}"
        )


def positive(name: str, value: object) -> None:
    """Raise UserError unless `value` is a number greater than zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UserError(f"{name}={value} must be a number greater than zero")
