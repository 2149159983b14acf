"""The trial: which options each run draws.

A draw is a function of the registered seed, the task and the number of the run alone, so a sweep
that starts again draws the same. Within a task and a round the options of each factor are balanced:
they are a permuted block with the registered weights.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated, Self
from zlib import crc32

import numpy as np
from pydantic import BaseModel, BeforeValidator, Field, NonNegativeInt, model_validator

Number = Annotated[int, Field(ge=1)]
# YAML reads the options 0.5 and 1 as numbers.
Option = Annotated[str, BeforeValidator(lambda given: str(given)), Field(min_length=1)]
PILOT = range(900, 1000)  # the seeds of a pilot's runs, which no verdict reads


class Trial(BaseModel, extra="forbid", frozen=True):
    """A registered trial.

    `rounds` are runs a task, each with those before; `shares` what part of the 5% error each may
    spend. `weights` are by factor (a group of options or a dotted key) and option how often it is
    drawn, the baseline's first; `x...` multiplies the task's own value. `default` is by factor and
    kind of actions the baseline's option where it depends on that. `needs` are by factor options of
    factors listed before it without which it is not drawn. `control_runs` are runs a task of each
    positive control, outside of the draw. `at_most` are by kind of task its most runs a task.
    """

    seed: NonNegativeInt
    rounds: tuple[Number, ...] = Field(min_length=1)
    shares: tuple[Annotated[float, Field(gt=0, le=1)], ...]
    weights: dict[str, dict[Option, Number]] = Field(min_length=1)
    default: dict[str, dict[str, Option]] = {}
    needs: dict[str, dict[str, Option]] = {}
    control_runs: NonNegativeInt = 0
    at_most: dict[str, Number] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(later <= earlier for earlier, later in itertools.pairwise(self.rounds)):
            raise ValueError(f"rounds must rise; got {list(self.rounds)}")
        if len(self.shares) != len(self.rounds) or abs(sum(self.shares) - 1) > 1e-9:
            wanted = f"one number for each of the {len(self.rounds)} rounds and sum to 1"
            raise ValueError(f"shares are {wanted}; got {list(self.shares)}")
        for what, named in (("needs", self.needs), ("default", self.default)):
            if unknown := sorted(set(named) - set(self.weights)):
                raise ValueError(f"{what} has {unknown[0]}, which has no weights")
        order = list(self.weights)
        for factor, needed in self.needs.items():
            for other, option in needed.items():
                if other not in order[: order.index(factor)]:
                    raise ValueError(f"{factor} needs {other}, which is not listed before it")
                if option not in self.weights[other]:
                    known = f"the options of {other}: {', '.join(self.weights[other])}"
                    raise ValueError(f"{factor} needs {other}={option}, which is not among {known}")
        return self

    def pilot(self, runs: int, seed: int) -> Self:
        """One round of `runs` a task and no controls, drawn from another seed."""
        changed = {"seed": seed, "rounds": (runs,), "shares": (1.0,), "control_runs": 0}
        return self.model_copy(update=changed)

    @property
    def drawn(self) -> frozenset[str]:
        """All options that runs may draw."""
        return frozenset(f"{key}={option}" for key, own in self.weights.items() for option in own)

    def baseline(self, factor: str, actions: str) -> str:
        """The baseline's option of a factor on tasks with this kind of actions."""
        return self.default.get(factor, {}).get(actions, next(iter(self.weights[factor])))

    def options(self, factor: str, actions: str) -> dict[str, int]:
        """The options of a factor and their weights for a kind of actions, the baseline's first."""
        weights, baseline = self.weights[factor], self.baseline(factor, actions)
        first = next(iter(weights))  # stands for the baseline's, unless it is itself one of these
        first = baseline if first in self.default.get(factor, {}).values() else first
        others = {name: weight for name, weight in weights.items() if name not in (first, baseline)}
        return {baseline: weights.get(first, 1), **others}

    def draws(self, task: str, actions: str, most: int | None = None) -> list[tuple[str, ...]]:
        """By number (from 0), up to the last round or `most`, the options of each run of a task
        that differ from the baseline's, as `("gru=plain",)`; a run's number is its seed."""
        sizes = np.diff(np.minimum(self.rounds, most or self.rounds[-1]), prepend=0).tolist()
        blocks = [self._block(task, actions, *block) for block in enumerate(sizes, start=1)]
        return [run for block in blocks for run in block]

    def _block(self, task: str, actions: str, block: int, size: int) -> list[tuple[str, ...]]:
        chosen, named = {}, []
        for factor in self.weights:
            acts = np.ones(size, bool)
            for other, option in self.needs.get(factor, {}).items():
                acts &= chosen[other] == option
            names = (crc32(name.encode()) for name in (task, factor))
            rng = np.random.default_rng([self.seed, *names, block])
            baseline, own = self.baseline(factor, actions), self.options(factor, actions)
            drawn = chosen[factor] = np.full(size, baseline, dtype=object)
            drawn[acts] = rng.permutation(_repeated(own, int(acts.sum()), rng))
            named.append(np.where(drawn == baseline, "", f"{factor}=" + drawn))
        return [tuple(sorted(filter(None, run))) for run in zip(*named, strict=True)]


def _repeated(weights: dict[str, int], size: int, rng: np.random.Generator) -> np.ndarray:
    """Each option as often as its weight says, by largest remainder; ties are drawn."""
    shares = np.array(list(weights.values()), float)
    shares *= size / shares.sum()
    counts = np.floor(shares).astype(int)
    order = np.lexsort([rng.random(len(counts)), -(shares - counts).round(9)])
    counts[order[: size - counts.sum()]] += 1
    return np.repeat(np.array(list(weights), dtype=object), counts)


def matches(options: Sequence[str] | frozenset[str], drawn: Sequence[str]) -> bool:
    """Whether a run's options are those drawn; an option `x...` is any value of its key."""
    loose = [option.partition("=x")[0] for option in drawn if "=x" in option]

    def key(option: str) -> str:
        name = option.partition("=")[0]
        return name if name in loose else option

    return {key(option) for option in options} == {key(option) for option in drawn}
