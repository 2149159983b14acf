"""Checks of numbers, with errors that name what was given and what is allowed."""

import math


def number(name: str, value: object, low: float, high: float = math.inf, whole: bool = False) -> None:
    """Raise ValueError unless `value` is a number, a whole one if asked, from `low` to `high`."""
    kinds = int if whole else int | float
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        upper = "" if high == math.inf else f" and at most {high:g}"
        raise ValueError(f"{name}={value} must be a {'whole ' if whole else ''}number of at least {low:g}{upper}")


def positive(name: str, value: object) -> None:
    """Raise ValueError unless `value` is a number greater than zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name}={value} must be a number greater than zero")
