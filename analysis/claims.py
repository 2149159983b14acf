"""The claims file: which arm is compared with which, what the paper says of it, and what is
registered with that: margins, scores, controls, kinds of tasks, interactions and the trial."""

import datetime
import hashlib
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, Field, model_validator

from analysis import InputError
from analysis.design import Trial
from analysis.schema import Actions, Identifier, Name, Suite, from_yaml, options

DEFAULT = Path(__file__).parents[1] / "sweeps" / "claims.yaml"
ELSEWHERE = "default"  # the key for suites that a mapping does not name
NOT = "not "


class Row(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """A control: the arm `with_` against `without`, each one name or one by suite, on the tasks of
    all `kinds`; `not KIND` is one that a task must not be of."""

    id: Identifier
    with_: Name | dict[Suite, Name] = Field(alias="with")
    without: Name | dict[Suite, Name]
    where: Actions
    kinds: tuple[Name, ...] = ()

    def arms(self, suite: str) -> tuple[str, str] | None:
        """The two arms in a suite, or None where the row names none for it."""
        sides = [_for_suite(side, suite) for side in (self.with_, self.without)]
        return None if None in sides else tuple(sides)

    def sides(self, suite: str) -> list[frozenset[str]]:
        """The options of the two arms in a suite for which the row names some."""
        return list(map(options, self.arms(suite)))

    def fits(self, actions: str, kinds: frozenset[str]) -> bool:
        """Whether it is about a task with these actions and of these kinds."""
        right = ((kind.removeprefix(NOT) in kinds) != kind.startswith(NOT) for kind in self.kinds)
        return actions == self.where and all(right)

    @model_validator(mode="after")
    def _differ(self):
        named = [side for side in (self.with_, self.without) if isinstance(side, dict)]
        for suite in {suite for side in named for suite in side} or {""}:
            arms = self.arms(suite)
            if arms and arms[0] == arms[1]:
                raise ValueError(f"with and without are both {arms[0]}")
        return self


class Claim(Row):
    """A claim and what the paper says: `worse` is reported as worse, `none` not in it."""

    paper: Literal["helps", "no_help", "worse", "none"]


class Claims(BaseModel, extra="forbid", frozen=True):
    """What is registered. `margin` is by suite the smallest effect that counts as substantial,
    `score` by suite what a run's score is, `kinds` by suite and kind its tasks, `interactions`
    pairs of groups, `digest` the first digits of the file's SHA-256."""

    margin: dict[Suite, Annotated[float, Field(gt=0, lt=1)]]
    claims: tuple[Claim, ...] = Field(min_length=1)
    controls: tuple[Row, ...] = ()
    score: dict[Suite, Literal["last", "last_bin", "area"]] = {}
    kinds: dict[Suite, dict[Identifier, tuple[str, ...]]] = {}
    interactions: tuple[tuple[str, str], ...] = ()
    trial: Trial | None = None
    date: datetime.date | None = None
    digest: str = ""

    @property
    def rows(self) -> tuple[Row, ...]:
        """Everything that needs runs: claims and controls."""
        return (*self.claims, *self.controls)

    def window(self, suite: str) -> str:
        """The registered score of a suite: the last evaluation where the file says nothing."""
        return _for_suite(self.score, suite) or "last"

    def margin_of(self, suite: str) -> float:
        """The margin of a suite; `InputError` where the file gives none for it."""
        if (margin := _for_suite(self.margin, suite)) is None:
            known = f"the claims give no margin for it, they do for: {', '.join(self.margin)}"
            raise InputError(f"suite {suite}: {known}")
        return margin

    def kinds_of(self, suite: str) -> dict[str, tuple[str, ...]]:
        """The registered kinds of a suite's tasks."""
        return _for_suite(self.kinds, suite) or {}

    def family(self, suite: str) -> list[Claim]:
        """The claims registered for a suite, whether they have runs or not."""
        return [claim for claim in self.claims if claim.arms(suite)]

    def controls_of(self, suite: str) -> list[Row]:
        """The positive controls registered for a suite."""
        return [row for row in self.controls if row.arms(suite)]

    def most_runs(self, suite: str, task: str) -> int:
        """How many runs of a task the trial draws up to its last round."""
        assert self.trial
        kinds = self.kinds_of(suite)
        own = [most for kind, most in self.trial.at_most.items() if task in kinds.get(kind, ())]
        return min([self.trial.rounds[-1], *own])

    @model_validator(mode="after")
    def _consistent(self):
        names = [row.id for row in self.rows]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two rows have the id {', '.join(twice)}")
        known = {kind for kinds in self.kinds.values() for kind in kinds}
        if unknown := sorted({*self.trial.at_most} - known) if self.trial else []:
            raise ValueError(f"at_most has {unknown[0]}, which is no kind of any suite")
        return self


def _for_suite(value, suite: str):
    return value.get(suite, value.get(ELSEWHERE)) if isinstance(value, dict) else value


def load(path: str | Path = DEFAULT) -> Claims:
    """Reads and validates a claims file; `InputError` names the entry and what is allowed."""
    found = from_yaml(path, Claims, "claims")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
    return found.model_copy(update={"digest": digest})


def save(registered: Claims, path: Path) -> None:
    """Writes a claims file."""
    told = registered.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    path.write_text(yaml.safe_dump(told, sort_keys=False))
