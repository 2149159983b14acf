"""Files as models: the words that are allowed in them, run.json, YAML; and runs as frames."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import yaml
from pydantic import AfterValidator, AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from analysis import InputError

BASELINE = "baseline"
SCORE_COLUMNS = ("step", "env_frames", "kind", "return")  # of scores.csv

Actions = Literal["discrete", "continuous"]
Normalisation = Literal["clipped_record", "reference"]
Kinds = Mapping[str, Sequence[str]]  # by kind its tasks
KINDS = ("train", "eval")  # of an episode


def _text(pattern: str, what: str) -> AfterValidator:
    """A check that a text matches a pattern; `what` says which texts do."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"this is {what}")
        return text

    return AfterValidator(check)


Name = Annotated[str, _text(r"[^\x00-\x1f\x7f]+", "a name in one line")]
# A suite names a folder, an identifier files.
Suite = Annotated[str, _text(r"\w[\w .+-]*", "a suite's name: letters, digits, spaces, _ . + -")]
Identifier = Annotated[str, _text(r"[A-Za-z0-9_-]+", "a name of letters, digits, _ and -")]
Digest = Annotated[str, _text(r"[A-Za-z0-9_-]+", "a digest of letters and digits")]


def options(arm: str) -> frozenset[str]:
    """The options that an arm's name consists of; none for the baseline."""
    if arm == BASELINE:
        return frozenset()
    return frozenset(re.split(r",(?=[\w.+/]+=|~[\w.]+(?:,|$))", arm))


def group(option: str) -> str:
    """The group of an option, or the key of a number."""
    return option.partition("=")[0]


# How far a run is: the agent's own words, which this package does not import.
Status = Literal[
    "not started", "under way", "interrupted", "done", "failed", "unreadable", "diverged"
]
DIVERGED = "diverged"  # NaN or infinity in a loss: an end, without later evaluations
ENDED = ("done", DIVERGED)


def _at(*place: str, default: Any = None) -> Any:
    return Field(default, validation_alias=AliasPath(*place))


class Identity(BaseModel, populate_by_name=True):
    """What every run has, in a run.json and, with its source, in an exported csv."""

    source: Name = Field("here", exclude=True)
    suite: Suite
    task: Name
    arm: Name
    actions: Actions
    status: Status
    normalisation: Normalisation = _at("config", "suite", "normalisation", default="reference")
    seed: int
    digest: Digest
    baseline: Digest


class RunFile(Identity):
    """A run.json: what of it the analysis reads, by the names of `RUN_COLUMNS`."""

    version: Literal[1] = Field(validation_alias="schema")
    seed: int = Field(strict=True, gt=-(2**63), lt=2**63)
    observations: Literal["vector", "grid", "image"] | None = None
    error: str | None = None
    commit: str | None = _at("git", "commit")
    dirty: bool | None = _at("git", "dirty")
    traits: tuple[Identifier, ...] = _at("config", "task", "traits", default=())
    shares: dict[str, float | None] = Field({}, validation_alias="saturation")
    planned_steps: float | None = _at("config", "run", "steps", default=...)
    prefill: float = _at("config", "recipe", "prefill", default=0)
    steps: float | None = None
    env_frames: float | None = None
    gradient_steps: float | None = None
    wall_seconds: float | None = None
    random: float | None = _at("config", "task", "random")
    reference: float | None = _at("config", "task", "reference")
    parameters: float | None = _at("parameters", "total")

    def row(self) -> dict:
        """The run as a row of `Store.runs` without number and source; `commit+`: changed since."""
        shares = {part: share for part, share in self.shares.items() if share is not None}
        saturated = max(shares, key=shares.get, default="")
        return self.model_dump(include={*RUN_COLUMNS}) | {
            "commit": f"{self.commit or ''}{'+' * bool(self.dirty)}",
            "traits": " ".join(filter(None, (self.observations, *self.traits))),
            "saturated": saturated,
            "saturation": shares.get(saturated, 0.0),
        }


TEXTS = ["error", "digest", "baseline", "commit", "traits", "saturated"]  # may be empty
NUMBERS = [
    *("planned_steps", "prefill", "steps", "env_frames", "gradient_steps", "wall_seconds"),
    *("random", "reference", "parameters", "saturation"),
]
RUN_COLUMNS = [
    *("source", "suite", "task", "arm", "seed", "actions", "status", "normalisation"),
    *TEXTS,
    *NUMBERS,
]
POINT_COLUMNS = ["kind", "step", "env_frames", "gradient_steps", "score", "episodes"]


class Problem(NamedTuple):
    """One thing that was wrong with one run (or `source` of runs), in one line."""

    source: str
    message: str


@dataclass(frozen=True)
class Store:
    """Runs as frames: `runs` (columns `run` and RUN_COLUMNS), `points` (columns `run` and
    POINT_COLUMNS; an evaluation, whose `score` is the mean of its episodes), and `problems`."""

    runs: pd.DataFrame
    points: pd.DataFrame
    problems: list[Problem] = field(default_factory=list)

    def tidy(self) -> pd.DataFrame:
        """Every point beside its run's identity: one row per (run, step)."""
        names = ["run", "suite", "task", "arm", "seed", "actions", "status", "random", "reference"]
        return self.runs[names].merge(self.points, on="run")

    def where(self, **columns) -> "Store":
        """The part whose runs have these values, as in `where(suite="mini", task="cartpole")`."""
        keep = np.logical_and.reduce([self.runs[name] == value for name, value in columns.items()])
        return self.of(self.runs[keep])

    def of(self, runs: pd.DataFrame, problems: Sequence[Problem] = ()) -> "Store":
        """The store with these of its runs, their points, and more problems."""
        points = self.points[self.points.run.isin(runs.run)].reset_index(drop=True)
        return Store(runs.reset_index(drop=True), points, [*self.problems, *problems])


def joined(stores: Iterable[Store]) -> Store:
    """One store of several, whose runs get new numbers: a number is one run's."""
    frames, problems, first = [], [], 0
    for store in stores:
        frames.append([one.assign(run=one.run + first) for one in (store.runs, store.points)])
        problems += store.problems
        first += 1 + (0 if store.runs.empty else int(store.runs.run.max()))
    runs, points = (pd.concat(parts, ignore_index=True) for parts in zip(*frames, strict=True))
    return Store(runs, points, problems)


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


def from_yaml(path: str | Path, model: Any, what: str) -> Any:
    """A YAML file as what pydantic validates; `InputError` names the entry and what is allowed."""
    try:
        return TypeAdapter(model).validate_python(yaml.load(Path(path).read_bytes(), _Loader))
    except OSError as error:
        raise InputError(f"{path}: cannot read the {what} ({error.strerror})") from error
    except ValidationError as error:
        raise InputError(f"{path}: {one_line(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid YAML ({shown(error, 200)})") from error


class _Loader(yaml.SafeLoader):
    """YAML without aliases, by which a small file can hold any number of values."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases (& and *) are not allowed here")
        return super().compose_node(parent, index)
