"""What a configuration may hold: its groups, their fields, and how values are checked.

A field's annotation says which values it takes (pydantic's types). In groups where some fields are
not part of the method, it also says what a value changes (`Effect`).
"""

import difflib
import functools
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
    create_model,
)

from agent.errors import UserError

CLOSE = 0.8  # difflib's cutoff; high, because most names share a prefix
STRICT = ConfigDict(
    strict=True, allow_inf_nan=False, arbitrary_types_allowed=True, protected_namespaces=()
)
KINDS = {  # of JSON schemas, in words
    "string": "a name",
    "boolean": "true or false",
    "null": "null",
    "integer": "a whole number",
    "number": "a number",
}
BOUNDS = {
    "minimum": "of at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "and at most {}",
    "exclusiveMaximum": "and less than {}",
}

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]
Trait = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Effect(Enum):
    """What a value changes; a field without this mark is part of the method and names an arm."""

    ARM = "results: it is part of the method, and names an arm"
    PROTOCOL = "results: arms are compared under the same value"
    BUDGET = "results: arms are compared at the same one, which the analysis sees to"
    OPTIONS = "results, where an option takes it, and names an arm"
    NOTHING = "no result"


ARM, PROTOCOL, BUDGET, OPTIONS, NOTHING = Effect


@dataclass(frozen=True)
class Size:
    """Numbers of every component."""

    name: Annotated[Name, NOTHING]
    image: Literal[64]  # pixels, height and width, that the convolutions fit
    latents: Annotated[PositiveInt, OPTIONS]
    classes: Annotated[int, Field(ge=2), OPTIONS]
    deter: PositiveInt
    hidden: PositiveInt
    depth: PositiveInt
    units: PositiveInt
    layers: PositiveInt


@dataclass(frozen=True)
class Recipe:
    """Table D.1, and what it leaves to the released code."""

    name: Annotated[Name, NOTHING]
    capacity: PositiveInt  # rows of replay
    prefill: NonNegativeInt  # agent steps
    batch_size: PositiveInt
    length: Annotated[int, Field(ge=2)]  # states must follow
    model_lr: NonNegativeFloat  # 0: a world model that is not trained, the positive control
    actor_lr: PositiveFloat
    critic_lr: PositiveFloat
    learning_rates: PositiveFloat  # multiplies all three
    rates: Annotated[dict[str, dict[str, PositiveFloat]], OPTIONS]  # of other agents
    eps: PositiveFloat
    weight_decay: Fraction
    clip: PositiveFloat
    kl_scale: NonNegativeFloat
    free_nats: Annotated[NonNegativeFloat, OPTIONS]
    unbalanced_free_nats: Annotated[NonNegativeFloat, OPTIONS]
    observation_scale: NonNegativeFloat
    reward_scale: NonNegativeFloat
    discount_scale: NonNegativeFloat
    reward_factor: PositiveFloat
    reward_transform: Literal["tanh", "identity"]
    start_every: PositiveInt  # steps of a sequence
    horizon: Annotated[int, Field(ge=2)]  # the actor's loss drops two
    discount: Fraction
    lambda_: Fraction
    entropy_scale: Annotated[NonNegativeFloat, OPTIONS]
    action_min_std: PositiveFloat
    slow_every: PositiveInt
    schedule_share: Annotated[PositiveFloat, OPTIONS]


@dataclass(frozen=True)
class Settings:
    """A run's budget, records and use of the machine; conf/config.yaml says what each is."""

    seed: Annotated[Seed, NOTHING]
    steps: Annotated[PositiveInt, BUDGET]
    train_every: PositiveFloat
    eval_every: Annotated[PositiveInt, PROTOCOL]
    eval_episodes: Annotated[PositiveInt, PROTOCOL]
    eval_max_steps: Annotated[PositiveInt, PROTOCOL]
    log_every: Annotated[PositiveInt, NOTHING]
    predict_every: Annotated[NonNegativeInt, NOTHING]
    checkpoint_every: Annotated[PositiveInt, NOTHING]
    watch: Annotated[bool, NOTHING]
    stop_seconds: Annotated[NonNegativeFloat, NOTHING]
    keep_replay: Annotated[bool, NOTHING]
    root: Annotated[Name, NOTHING]
    device: Annotated[Name, NOTHING]
    jobs_per_gpu: Annotated[PositiveInt, NOTHING]
    retry_failed: Annotated[bool, NOTHING]
    fail_fast: Annotated[bool, NOTHING]
    matmul_precision: Annotated[Literal["highest", "high", "medium"], PROTOCOL]
    precision: Literal["float32", "bf16"]
    threads: Annotated[PositiveInt | None, NOTHING] = None  # None: cores / runs under way


@dataclass(frozen=True)
class Task:
    """An environment: `env` is its maker and arguments, the two scores are the analysis's."""

    name: Annotated[Name, NOTHING]  # the environment's arguments change results
    env: dict[str, Any]
    actions: Literal["discrete", "continuous"]
    action_repeat: PositiveInt
    terminates: Annotated[bool, NOTHING]  # whether an episode may end but by its time limit
    random: Annotated[float | None, NOTHING] = None
    reference: Annotated[float | None, NOTHING] = None
    id: Annotated[Name | None, OPTIONS] = None  # of Gymnasium
    option: Annotated[Name | None, NOTHING] = None  # the file in conf/task, if not the name
    traits: Annotated[Sequence[Trait], NOTHING] = ()  # kinds that no space shows


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together, and how the analysis normalises their scores."""

    name: Annotated[Name, PROTOCOL]
    tasks: Annotated[list[Name], NOTHING]
    normalisation: Annotated[Literal["clipped_record", "reference"], NOTHING]


GROUPS = {"size": Size, "recipe": Recipe, "run": Settings, "task": Task, "suite": Suite}


@functools.cache
def effect(key: str) -> Effect:
    """What the value of a dotted key changes."""
    group, _, rest = key.partition(".")
    if group == "tracker":
        return NOTHING
    field = inspect.get_annotations(GROUPS.get(group, object)).get(rest.partition(".")[0])
    marks = [mark for mark in getattr(field, "__metadata__", ()) if isinstance(mark, Effect)]
    return marks[0] if marks else ARM


def make(group: str, function: Callable, values: Mapping[str, Any], partial: bool = False) -> Any:
    """What `function` gives for the values of a `group`; with `partial`, a function of the rest.

    Raises UserError with a line for each value that it does not take.
    """
    try:
        taken = _arguments(function, partial).model_validate(values)
    except ValidationError as error:
        parameters = inspect.signature(function, eval_str=True).parameters
        wrong = {str(problem["loc"][0]): problem["type"] for problem in error.errors()}
        lines = [_problem(group, parameters, values, *each) for each in wrong.items()]
        raise UserError("\n".join(lines)) from None
    given = {key: getattr(taken, key) for key in values}
    return functools.partial(function, **given) if partial else function(**given)


def check_value(name: str, value: Any, kind: Any) -> None:
    """Raise UserError unless `value` is of a `kind`: a type, or one annotated with bounds."""
    try:
        TypeAdapter(kind, config=STRICT).validate_python(value)
    except ValidationError:
        raise UserError(_refused(name, value, kind)) from None


def unknown(given: str, allowed: Sequence[str]) -> str:
    """The message for a name that is none of those allowed, with the nearest one."""
    near = difflib.get_close_matches(given, allowed, n=1, cutoff=CLOSE)
    group = given[: max(given.rfind("."), given.rfind("=")) + 1]
    short = ", ".join(name.removeprefix(group) for name in allowed)
    return f"{given} is not known; " + (f"did you mean {near[0]}?" if near else f"allowed: {short}")


def shown(value: object) -> str:
    """A value as it is written on the command line."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


@functools.cache
def _arguments(function: Callable, partial: bool) -> type[BaseModel]:
    """A pydantic model of what a function or a class takes; of some of it, with `partial`."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    open_ended = [parameter for parameter in parameters if parameter.kind is parameter.VAR_KEYWORD]
    fields: dict[str, Any] = {
        parameter.name: (
            Any if parameter.annotation is parameter.empty else parameter.annotation,
            ... if parameter.default is parameter.empty and not partial else None,
        )
        for parameter in parameters
        if parameter not in open_ended
    }
    config = ConfigDict(extra="allow" if open_ended else "forbid", **STRICT)
    return create_model("Arguments", __config__=config, **fields)


def _problem(
    group: str, parameters: Mapping[str, inspect.Parameter], values: Mapping, key: str, kind: str
) -> str:
    name = f"{group}.{key}"
    if kind == "missing":
        return f"{name} is missing"
    if kind == "extra_forbidden":
        return unknown(name, [f"{group}.{known}" for known in parameters])
    return _refused(name, values[key], parameters[key].annotation)


def _refused(name: str, value: Any, kind: Any) -> str:
    return f"{name}={shown(value)} must be {_allowed(TypeAdapter(kind).json_schema())}"


def _allowed(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_allowed, schema["anyOf"]))
    if words := schema.get("enum") or [schema[key] for key in schema if key == "const"]:
        return f"one of {', '.join(map(str, words))}"
    if schema.get("type") == "array":
        return f"a list, each {_allowed(schema['items'])}"
    bounds = [words.format(schema[bound]) for bound, words in BOUNDS.items() if bound in schema]
    return " ".join([KINDS.get(schema.get("type", ""), "a table of keys and values"), *bounds])
