"""What runs leave: the words that are allowed, run.json as a model, and runs as frames."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictInt, ValidationError

SCHEMA = 1
BASELINE = "baseline"
SCORE_COLUMNS = ("step", "env_frames", "kind", "return")  # of scores.csv

Actions = Literal["discrete", "continuous"]
Kind = Literal["train", "eval"]  # of an episode
Normalisation = Literal["clipped_record", "reference"]


def _text(pattern: str, what: str) -> AfterValidator:
    """A check that a text matches a pattern; `what` says which texts do."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"this is {what}")
        return text

    return AfterValidator(check)


Name = Annotated[str, _text(r"[^\x00-\x1f\x7f]+", "a name in one line")]
Suite = Annotated[
    str, _text(r"\w[\w .+-]*", "a suite's name: letters, digits, spaces, and _ . + -")
]  # a folder
Identifier = Annotated[
    str, _text(r"[A-Za-z0-9_-]+", "a name of letters, digits, _ and -")
]  # of files too
Digest = Annotated[str, _text(r"[A-Za-z0-9_-]*", "a digest of letters and digits")]
Seed = Annotated[StrictInt, Field(gt=-(2**63), lt=2**63)]
Number = Annotated[float, BeforeValidator(lambda given: math.nan if given is None else given)]
KINDS = get_args(Kind)


class Status(StrEnum):
    """How far a run is: the agent's own words, which this package does not import."""

    TODO = "not started"
    UNDER_WAY = "under way"
    INTERRUPTED = "interrupted"
    DONE = "done"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    DIVERGED = "diverged"  # NaN or infinity in a loss: an end, without later evaluations


ENDED = (Status.DONE, Status.DIVERGED)


class _Task(BaseModel):
    random: Number = math.nan
    reference: Number = math.nan
    traits: tuple[Identifier, ...] = ()


class _Suite(BaseModel):
    normalisation: Normalisation = "reference"


class _Run(BaseModel):
    steps: Number = math.nan


class _Recipe(BaseModel):
    prefill: Number = 0


class _Config(BaseModel):
    task: _Task = _Task()
    suite: _Suite = _Suite()
    run: _Run = _Run()
    recipe: _Recipe = _Recipe()


class _Git(BaseModel):
    commit: str | None = None
    dirty: bool | None = None


class _Parameters(BaseModel):
    total: Number = math.nan


class RunFile(BaseModel):
    """A run.json: what of it the analysis reads."""

    suite: Suite
    task: Name
    arm: Name
    seed: Seed
    actions: Actions
    status: Status
    error: str | None = None
    digest: Digest | None = ""
    baseline: Digest | None = ""
    git: _Git | None = None
    config: _Config
    steps: Number = math.nan
    env_frames: Number = math.nan
    gradient_steps: Number = math.nan
    wall_seconds: Number = math.nan
    parameters: _Parameters = _Parameters()
    saturation: dict[str, float | None] = {}

    @property
    def commit(self) -> str:
        """The commit of the code that made the run, `+` where it was changed since; empty if
        unknown."""
        git = self.git or _Git()
        return f"{git.commit or ''}{'+' * bool(git.dirty)}"

    def row(self) -> dict:
        """The run as a row of `Store.runs`, but for its number and source."""
        shares = {part: share for part, share in self.saturation.items() if share is not None}
        saturated = max(shares, key=shares.get, default="")
        own = {name: getattr(self, name) for name in RUN_COLUMNS if hasattr(self, name)}
        return own | {
            **{name: getattr(self, name) or "" for name in ("error", "digest", "baseline")},
            "normalisation": self.config.suite.normalisation,
            "traits": " ".join(self.config.task.traits),
            "saturated": saturated,
            "saturation": shares.get(saturated, 0.0),
            "planned_steps": self.config.run.steps,
            "prefill": self.config.recipe.prefill,
            "random": self.config.task.random,
            "reference": self.config.task.reference,
            "parameters": self.parameters.total,
        }


NUMBERS = [
    *("planned_steps", "prefill", "steps", "env_frames", "gradient_steps", "wall_seconds"),
    *("random", "reference", "parameters", "saturation"),
]
RUN_COLUMNS = [
    *("source", "suite", "task", "arm", "seed", "actions", "status", "error"),
    *("digest", "baseline", "commit", "normalisation", "traits", "saturated"),
    *NUMBERS,
]
POINT_COLUMNS = ["kind", "step", "env_frames", "gradient_steps", "score", "episodes"]


class Problem(NamedTuple):
    """One thing that was wrong with one run (or `source` of runs), in one line."""

    source: str
    message: str


@dataclass(frozen=True)
class Store:
    """Runs as frames: `runs` (R rows, columns `run` and RUN_COLUMNS), `points` (columns `run` and
    POINT_COLUMNS; one row a run, kind and step, `score` the mean of an evaluation's episodes), and
    `problems`. Raises ValueError where two runs have one number."""

    runs: pd.DataFrame
    points: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.runs.run.is_unique:
            raise ValueError("two runs of a store have one number, and so each other's points")

    def tidy(self) -> pd.DataFrame:
        """Every point beside its run's identity: one row per (run, kind, step)."""
        identity = self.runs[
            ["run", "suite", "task", "arm", "seed", "actions", "status", "random", "reference"]
        ]
        return identity.merge(self.points, on="run")

    def where(self, **columns) -> "Store":
        """The part of the store whose runs have the given values, as in `where(suite="mini",
        task="cartpole")`."""
        keep = np.logical_and.reduce([self.runs[name] == value for name, value in columns.items()])
        return self.of(self.runs[keep])

    def of(self, runs: pd.DataFrame, problems: Sequence[Problem] = ()) -> "Store":
        """The store with these of its runs, their points, and more problems."""
        points = self.points[self.points.run.isin(runs.run)]
        return Store(
            runs.reset_index(drop=True),
            points.reset_index(drop=True),
            [*self.problems, *problems],
        )


def joined(stores: Iterable[Store]) -> Store:
    """One store of several, whose runs get new numbers: a number is one run's."""
    runs, points, problems, first = [], [], [], 0
    for store in stores:
        runs.append(store.runs.assign(run=store.runs.run + first))
        points.append(store.points.assign(run=store.points.run + first))
        problems += store.problems
        first += 1 + (0 if store.runs.empty else int(store.runs.run.max()))
    return Store(pd.concat(runs, ignore_index=True), pd.concat(points, ignore_index=True), problems)


def shown(value: object, longest: int = 60) -> str:
    """A value of the user's in one line of a message, cut where it is long."""
    text = "nothing" if value is None else " ".join(str(value).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= longest else f"{text[:longest]}..."


def one_line(error: ValidationError) -> str:
    """The first of pydantic's errors in one line: where, what is wrong, what was given."""
    first = error.errors()[0]
    places = [part + 1 if isinstance(part, int) else part for part in first["loc"]]
    # pydantic names the types of a union too
    where = " ".join(str(part) for part in places if not {*"[]"} & {*str(part)} and part != "dict")
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] == "missing" else f"; got {shown(first['input'])}"
    more = error.error_count() - 1
    return f"{f'{where}: ' * bool(where)}{message}{given}{f' (and {more} more)' * bool(more)}"
