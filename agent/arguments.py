"""Arguments that a configuration gives to a class or a maker: only those that it takes, each of the
type that it says."""

import inspect
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from agent.checked import check_choice, is_number, shown, unknown
from agent.errors import UserError

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "null",
}


def check_names(group: str, function: Callable, given: Mapping[str, Any]) -> None:
    """Raise UserError for an argument of `group` that `function` does not take; Hydra's own start
    with an underscore."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [f"{group}.{parameter.name}" for parameter in parameters]
    for name in given:
        if not name.startswith("_") and f"{group}.{name}" not in known:
            raise UserError(unknown(f"{group}.{name}", known))


def check_types(group: str, function: Callable, given: Mapping[str, Any]) -> None:
    """Raise UserError for an argument that is no flag, number, text or word of a Literal where
    `function` is annotated so; other annotations are not checked."""
    for name, parameter in inspect.signature(function).parameters.items():
        if name in given:
            _check_type(f"{group}.{name}", given[name], parameter.annotation)


def _check_type(name: str, value: Any, annotation: Any) -> None:
    if get_origin(annotation) is Literal:
        return check_choice(name, value, get_args(annotation))
    is_union = get_origin(annotation) in (Union, UnionType)
    kinds = get_args(annotation) if is_union else (annotation,)
    if all(kind in WORDS for kind in kinds) and not any(_is(value, kind) for kind in kinds):
        allowed = " or ".join(WORDS[kind] for kind in kinds)
        raise UserError(f"{name}={shown(value)} must be {allowed}")


def _is(value: Any, kind: type) -> bool:
    if kind in (int, float):
        return is_number(value, whole=kind is int)
    return isinstance(value, kind)
