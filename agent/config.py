"""What a configuration may hold: its groups, their fields, and how values are checked.

A field's annotation says which values it takes (pydantic's types) and, in the groups of which not
every field is the method's, what a value changes (`Effect`).
"""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
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

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Effect(Enum):
    """What a value changes; a number of an option or a recipe that does not say it names an arm."""

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

    def __post_init__(self):
        if self.capacity < self.length:
            raise UserError(
                f"recipe.capacity={self.capacity}: must hold a sequence of {self.length} steps"
            )
        if self.start_every > self.length:
            raise UserError(
                f"recipe.start_every={self.start_every}: a sequence has {self.length} steps"
            )


@dataclass(frozen=True)
class Settings:
    """A run's budget, what it writes and when, and how it uses the machine; conf/config.yaml says
    what each is."""

    seed: Annotated[Seed, NOTHING]
    steps: Annotated[PositiveInt, BUDGET]
    train_every: Annotated[PositiveFloat, ARM]
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
    precision: Annotated[Literal["float32", "bf16"], ARM]
    threads: Annotated[PositiveInt | None, NOTHING] = None  # None: cores / runs under way


@dataclass(frozen=True)
class Task:
    """An environment: `env` is its maker and arguments, the two scores are the analysis's."""

    name: Annotated[Name, NOTHING]  # the environment's arguments change results
    env: Annotated[dict[str, Any], ARM]
    actions: Annotated[Literal["discrete", "continuous"], ARM]
    action_repeat: Annotated[PositiveInt, ARM]
    terminates: Annotated[bool, NOTHING]  # whether an episode may end but by its time limit
    random: Annotated[float | None, NOTHING] = None
    reference: Annotated[float | None, NOTHING] = None
    id: Annotated[Name | None, OPTIONS] = None  # of Gymnasium
    option: Annotated[Name | None, NOTHING] = None  # the file in conf/task, if not the name


@dataclass(frozen=True)
class Suite:
    """Tasks that belong together, and how the analysis normalises their scores."""

    name: Annotated[Name, PROTOCOL]
    tasks: Annotated[list[Name], NOTHING]
    normalisation: Annotated[Literal["clipped_record", "reference"], NOTHING]

    def check_task(self, task: Task) -> None:
        """Raise UserError that names the suite's tasks for one that is not of them."""
        option = task.option or task.name
        if option not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise UserError(f"task={option} is not in suite={self.name}, whose tasks are {allowed}")


GROUPS = {"size": Size, "recipe": Recipe, "run": Settings, "task": Task, "suite": Suite}


def effect(key: str) -> Effect:
    """What the value of a dotted key changes; every number of an option changes results.

    Raises KeyError for a field of `run`, `task` or `suite` that does not say it.
    """
    group, _, rest = key.partition(".")
    if group not in GROUPS:
        return NOTHING if group == "tracker" else ARM
    declared, field = _effects(GROUPS[group]), rest.partition(".")[0]
    return declared.get(field, ARM) if group in ("size", "recipe") else declared[field]


def make(group: str, function: Callable, values: Any, partial: bool = False) -> Any:
    """What `function` gives for the values of a `group`; with `partial`, a function of the rest.

    Raises UserError with a line for each value that it does not take.
    """
    if not isinstance(values, Mapping):
        raise UserError(f"{group}={shown(values)} must be a table of keys and values")
    arguments = _arguments(function, partial)
    try:
        taken = arguments.model_validate(dict(values))
    except ValidationError as error:
        raise UserError("\n".join(_problems(group, arguments, values, error))) from None
    given = {key: getattr(taken, key) for key in values}
    return functools.partial(function, **given) if partial else function(**given)


def check_value(name: str, value: Any, kind: Any) -> None:
    """Raise UserError unless `value` is of a `kind`: a type, or one annotated with bounds."""
    try:
        TypeAdapter(kind, config=STRICT).validate_python(value)
    except ValidationError:
        raise UserError(_refused(name, value, kind)) from None


def unknown(given: str, allowed: list[str]) -> str:
    """The message for a name that is none of those allowed, with the nearest one."""
    near = difflib.get_close_matches(given, allowed, n=1, cutoff=CLOSE)
    group = given.rpartition(".")[0] + "."
    short = ", ".join(name.removeprefix(group) for name in allowed)
    hint = f"did you mean {near[0]}?" if near else f"allowed: {short}"
    return f"{given} is not known; {hint}"


def shown(value: object) -> str:
    """A value as it is written on the command line."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


@functools.cache
def _effects(group: type) -> dict[str, Effect]:
    annotations = inspect.get_annotations(group)
    declared = {
        name: [mark for mark in getattr(kind, "__metadata__", ()) if isinstance(mark, Effect)]
        for name, kind in annotations.items()
    }
    return {name: marks[0] for name, marks in declared.items() if marks}


@functools.cache
def _arguments(function: Callable, partial: bool) -> type[BaseModel]:
    """A pydantic model of what a function or a class takes; of some of it, with `partial`."""
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    fields: dict[str, Any] = {
        parameter.name: (
            Any if parameter.annotation is parameter.empty else parameter.annotation,
            ... if parameter.default is parameter.empty and not partial else None,
        )
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    config = ConfigDict(extra="allow" if takes_all else "forbid", **STRICT)
    return create_model("Arguments", __config__=config, **fields)


def _problems(
    group: str, arguments: type[BaseModel], values: Mapping[str, Any], error: ValidationError
) -> Iterable[str]:
    """One line for each argument of a `group` that is not as it should be."""
    lines: dict[str, str] = {}
    for problem in error.errors():
        key = str(problem["loc"][0])
        name = f"{group}.{key}"
        if problem["type"] == "missing":
            line = f"{name} is missing"
        elif problem["type"] == "extra_forbidden":
            line = unknown(name, [f"{group}.{known}" for known in arguments.model_fields])
        else:
            field = arguments.model_fields[key]
            bounds = field.metadata
            kind = Annotated[(field.annotation, *bounds)] if bounds else field.annotation
            line = _refused(name, values[key], kind)
        lines.setdefault(key, line)
    return lines.values()


def _refused(name: str, value: Any, kind: Any) -> str:
    """The line for a value that is not of its kind."""
    schema = TypeAdapter(kind).json_schema()
    if words := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return f"{name}={shown(value)} is unknown; allowed: {', '.join(map(str, words))}"
    return f"{name}={shown(value)} must be {_allowed(schema)}"


def _allowed(schema: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    match schema:
        case {"anyOf": kinds}:
            return " or ".join(map(_allowed, kinds))
        case {"enum": words}:
            return " or ".join(words)
        case {"$ref": reference}:
            return f"a {reference.rpartition('/')[2]}"
        case {"type": "string"}:
            return "a name" if "minLength" in schema else "text"
        case {"type": "array", "items": {"type": "number"}}:
            return "a list of numbers"
        case {"type": "array", "items": {"enum": words}}:
            return f"a list of {', '.join(words)}"
        case {"type": "number" | "integer"}:
            return _number(schema)
    words = {"boolean": "true or false", "null": "null", "array": "a list of names"}
    return words.get(schema.get("type", ""), "a table of keys and values")


def _number(schema: Mapping[str, Any]) -> str:
    whole = schema["type"] == "integer"
    words = {
        "minimum": "of at least {}",
        "exclusiveMinimum": "greater than {}",
        "maximum": "and at most {}",
        "exclusiveMaximum": "and less than {}",
    }
    said = [word.format(schema[bound]) for bound, word in words.items() if bound in schema]
    return " ".join(["a whole number" if whole else "a number", *said])
