"""Frozen dataclasses that check their fields: what was given and what is allowed, in one line.

@dataclass(frozen=True)
class Balanced(Checked, group="kl"):
    alpha: float = number(0, 1)

Balanced(alpha=7)       UserError: kl.alpha=7 must be a number of at least 0 and at most 1
"""

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping
from typing import Any, Self

from agent.errors import UserError

CHECK = "check"  # the key of a field's metadata
CLOSE = 0.8  # likeness of names of which one may be meant by the other: most share their group's


class Checked:
    """A dataclass of a config `group`, whose fields are checked when it is made."""

    group = ""

    def __init_subclass__(cls, group: str = "", **kwargs):
        super().__init_subclass__(**kwargs)
        cls.group = group or cls.group

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if CHECK in field.metadata:
                field.metadata[CHECK](f"{self.group}.{field.name}", getattr(self, field.name))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Built from the values of its group; UserError for an unknown or a missing key."""
        if not isinstance(values, Mapping):
            raise UserError(f"{cls.group}={shown(values)} must be a table of keys and values")
        fields = {f"{cls.group}.{field.name}": field for field in dataclasses.fields(cls)}
        for key in values:
            if f"{cls.group}.{key}" not in fields:
                raise UserError(unknown(f"{cls.group}.{key}", list(fields)))
        for name, field in fields.items():
            if field.name not in values and field.default is dataclasses.MISSING:
                raise UserError(f"{name} is missing")
        return cls(**values)


def unknown(given: str, allowed: list[str]) -> str:
    """The message for a name that is none of those allowed, with the nearest one."""
    near = difflib.get_close_matches(given, allowed, n=1, cutoff=CLOSE)
    group = given.rpartition(".")[0] + "."
    short = ", ".join(name.removeprefix(group) for name in allowed)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {short}"
    return f"{given} is not known; {hint}"


LARGEST = 1e300  # beyond it a whole number has no float


def shown(value: object) -> str:
    """A value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def is_number(value: object, whole: bool) -> bool:
    """Whether `value` is a number, a whole one if asked; true and false are none."""
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool)


def check_number(
    name: str, value: object, low: float, high: float = math.inf, whole: bool = False
) -> None:
    """Raise UserError unless `value` is a number, a whole one if asked, from `low` to `high`."""
    if not is_number(value, whole) or not (low <= value <= min(high, LARGEST)):
        kind = "whole number" if whole else "number"
        lower = "" if low == -math.inf else f" of at least {low:g}"
        upper = "" if high == math.inf else f" and at most {high:g}"
        raise UserError(f"{name}={shown(value)} must be a {kind}{lower}{upper}")


def check_positive(name: str, value: object) -> None:
    """Raise UserError unless `value` is a number greater than zero."""
    if not is_number(value, whole=False) or not 0 < value < math.inf:
        raise UserError(f"{name}={shown(value)} must be a number greater than zero")


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise UserError unless `value` is one of those allowed."""
    if value not in allowed:
        words = ", ".join(map(str, allowed))
        raise UserError(f"{name}={shown(value)} is unknown; allowed: {words}")


def number(low: float = -math.inf, high: float = math.inf, optional: bool = False) -> Any:
    """A field for a number from `low` to `high`."""
    return _field(lambda name, value: check_number(name, value, low, high), optional)


def positive() -> Any:
    """A field for a number greater than zero."""
    return _field(check_positive)


def whole(low: int, optional: bool = False) -> Any:
    """A field for a whole number of at least `low`."""
    return _field(lambda name, value: check_number(name, value, low, whole=True), optional)


def choice(*allowed: str) -> Any:
    """A field for one of several words."""
    return _field(lambda name, value: check_choice(name, value, allowed))


def flag() -> Any:
    """A field for true or false."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, bool):
            raise UserError(f"{name}={shown(value)} must be true or false")

    return _field(check)


def names() -> Any:
    """A field for a list of names."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise UserError(f"{name}={shown(value)} must be a list of names")

    return _field(check)


def table() -> Any:
    """A field for a table of keys and values."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, dict):
            raise UserError(f"{name}={shown(value)} must be a table of keys and values")

    return _field(check)


def text(optional: bool = False) -> Any:
    """A field for a name or a path."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or not value:
            raise UserError(f"{name}={shown(value)} must be a name")

    return _field(check, optional)


def _field(check: Callable[[str, object], None], optional: bool = False) -> Any:
    """A field whose value passes `check`, or is None where it is optional."""
    if not optional:
        return dataclasses.field(metadata={CHECK: check})
    checked = lambda name, value: None if value is None else check(name, value)  # noqa: E731
    return dataclasses.field(default=None, metadata={CHECK: checked})
