"""What a configuration may hold: its checked groups, and how their fields are checked.

@dataclass(frozen=True)
class Balanced(Checked, group="kl"):
    alpha: float = number(0, 1)

Balanced(alpha=7)       UserError: kl.alpha=7 must be a number of at least 0 and at most 1
"""

import dataclasses
import difflib
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin

from agent.errors import UserError

PRECISIONS = ("float32", "bf16")
MATMUL_PRECISIONS = ("highest", "high", "medium")
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


@dataclass(frozen=True)
class Size(Checked, group="size"):
    """Numbers of every component; `latents` and `classes` are read by options."""

    name: str = text()
    image: int = whole(1)  # pixels, height and width
    latents: int = whole(1)
    classes: int = whole(2)
    deter: int = whole(1)
    hidden: int = whole(1)
    depth: int = whole(1)
    units: int = whole(1)
    layers: int = whole(1)


@dataclass(frozen=True)
class Ratio(Checked, group="recipe.ratio"):
    """What a preset's learning rates are of the recipe's."""

    model_lr: float = positive()
    actor_lr: float = positive()
    critic_lr: float = positive()


@dataclass(frozen=True)
class Recipe(Checked, group="recipe"):
    """Table D.1, and what it leaves to the released code."""

    name: str = text()
    capacity: int = whole(1)  # rows of replay
    prefill: int = whole(0)  # agent steps
    batch_size: int = whole(1)
    length: int = whole(2)  # states must follow
    model_lr: float = number(0)  # 0: a world model that is not trained, the positive control
    actor_lr: float = positive()
    critic_lr: float = positive()
    eps: float = positive()
    weight_decay: float = number(0, 1)
    clip: float = positive()
    kl_scale: float = number(0)
    free_nats: float = number(0)
    unbalanced_free_nats: float = number(0)
    observation_scale: float = number(0)
    reward_scale: float = number(0)
    discount_scale: float = number(0)
    reward_factor: float = positive()
    reward_transform: str = choice("tanh", "identity")
    start_every: int = whole(1)  # steps of a sequence
    horizon: int = whole(2)  # the actor's loss drops two
    discount: float = number(0, 1)
    lambda_: float = number(0, 1)
    entropy_scale: float = number(0)
    action_min_std: float = positive()
    slow_every: int = whole(1)
    schedule_share: float = positive()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Built from the values of its group: each learning rate times its `ratio`.

        A preset's is one of the recipe's `ratios`.
        """
        ratio = values.get("ratio")
        if not isinstance(ratio, Mapping):
            raise UserError(f"recipe.ratio={ratio} must hold model_lr, actor_lr and critic_lr")
        factors = vars(Ratio.of(ratio))
        own = {key: value for key, value in values.items() if key not in ("ratio", "ratios")}
        recipe = super().of(own)
        rates = {name: getattr(recipe, name) * factor for name, factor in factors.items()}
        return replace(recipe, **rates)

    def __post_init__(self):
        super().__post_init__()
        if self.capacity < self.length:
            raise UserError(
                f"recipe.capacity={self.capacity}: must hold a sequence of {self.length} steps"
            )
        if self.start_every > self.length:
            raise UserError(
                f"recipe.start_every={self.start_every}: a sequence has {self.length} steps"
            )


@dataclass(frozen=True)
class Settings(Checked, group="run"):
    """The group `run` of the configuration; conf/config.yaml says what each is."""

    seed: int = whole(0)
    steps: int = whole(1)
    train_every: float = positive()
    eval_every: int = whole(1)
    eval_episodes: int = whole(1)
    eval_max_steps: int = whole(1)
    log_every: int = whole(1)
    predict_every: int = whole(0)
    checkpoint_every: int = whole(1)
    watch: bool = flag()
    stop_seconds: float = number(0)
    keep_replay: bool = flag()
    root: str = text()
    device: str = text()
    jobs_per_gpu: int = whole(1)
    retry_failed: bool = flag()
    fail_fast: bool = flag()
    matmul_precision: str = choice(*MATMUL_PRECISIONS)
    precision: str = choice(*PRECISIONS)
    threads: int | None = whole(1, optional=True)  # None: cores / runs under way


@dataclass(frozen=True)
class Task(Checked, group="task"):
    """An environment: `env` is its maker and arguments, the two scores are the analysis's."""

    name: str = text()
    env: Mapping[str, Any] = table()
    actions: str = choice("discrete", "continuous")
    action_repeat: int = whole(1)
    terminates: bool = flag()  # whether an episode may end but by its time limit
    random: float | None = number(optional=True)
    reference: float | None = number(optional=True)
    id: str | None = text(optional=True)  # of Gymnasium
    option: str | None = text(optional=True)  # the file in conf/task, where it is not the name

    def check_discount(self, scale: float) -> None:
        """Raise UserError for episodes that end where the scale of the discount loss is 0, so that
        no head predicts the end."""
        if self.terminates and not scale:
            raise UserError(
                f"recipe.discount_scale={scale} with task={self.option or self.name}: its episodes "
                "terminate, and without a discount head nothing models that; a task that never "
                "terminates says task.terminates=false"
            )


@dataclass(frozen=True)
class Suite(Checked, group="suite"):
    """Tasks that belong together, and how the analysis normalises their scores."""

    name: str = text()
    tasks: list[str] = names()
    normalisation: str = choice("clipped_record", "reference")

    def check_task(self, task: Task) -> None:
        """Raise UserError that names the suite's tasks for one that is not of them."""
        option = task.option or task.name
        if option not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise UserError(f"task={option} is not in suite={self.name}, whose tasks are {allowed}")


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
