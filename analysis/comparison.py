"""Two arms compared: the tasks that can move, the effect, its p-values, and whether one task
carries it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.effects import Cells, Effect, Terms, terms

LEAVE_OUT = 0.05  # level of the intervals without one task, not adjusted for the number of claims
CARRIED_SEEDS = 5
FLOOR, CEILING = 0.05, 0.95  # of the way from random play to the reference
SEEDS_SEARCHED = 10_000


@dataclass(frozen=True)
class Failures:
    """The effects with one more failed run of an arm, on each task in turn, and on which of them it
    is tried, `(..., M)`."""

    effects: Effect
    tried: np.ndarray

    def p_values(self, test: Callable[[Effect], np.ndarray]) -> np.ndarray:
        """Of a test of the effects, `(..., M)`; 0 where none is tried."""
        return np.where(self.tried, test(self.effects), 0)


@dataclass(frozen=True)
class Comparison:
    """Arm `with_` against arm `without` on M tasks, judged with a margin; cells `(..., M)`, results
    `(...)`; `floor` are the tasks that neither arm learned (see `at_floor`), `tasks` their
    names."""

    with_: Cells
    without: Cells
    margin: float
    floor: np.ndarray
    tasks: tuple[str, ...] = ()

    @cached_property
    def ceiling(self) -> np.ndarray:
        """Tasks on which both arms score above 0.95, `(..., M)`."""
        return np.minimum(self.with_.mean, self.without.mean) > CEILING

    @cached_property
    def moving(self) -> np.ndarray:
        """Tasks at neither end, over which the effect is, `(..., M)`."""
        return ~(self.floor | self.ceiling)

    @cached_property
    def effect(self) -> Effect:
        """The effect over the tasks that can move; NaN where none can."""
        return self.terms.over(self.moving)

    @cached_property
    def terms(self) -> Terms:
        """What each task adds to the effect."""
        return terms(self.with_, self.without)

    @cached_property
    def _without_fails(self) -> Failures:
        """One more run of `without` that scores 0, which raises the effect."""
        worse = self.without.failed_once_more()
        return self._failures(terms(self.with_, worse), worse)

    @cached_property
    def _with_fails(self) -> Failures:
        """One more run of `with_` that scores 0, which lowers the effect."""
        worse = self.with_.failed_once_more()
        return self._failures(terms(worse, self.without), worse)

    def _failures(self, changed: Terms, worse: Cells) -> Failures:
        tried = self.moving | (self.ceiling & (worse.mean <= CEILING))
        return Failures(self.terms.replacing(changed, self.moving), tried)

    @property
    def p_zero(self) -> np.ndarray:
        """Against no effect, two-sided, guarded against rare failures of the arm that is ahead; 1
        where there is no interval."""
        ahead = self._with_fails.p_values(lambda effect: effect.p_above(0))
        behind = self._without_fails.p_values(lambda effect: effect.p_below(0))
        failures = np.where(self.effect.value > 0, ahead.max(-1), behind.max(-1))
        return _known(np.maximum(self.effect.p_zero(), failures))

    @property
    def p_below(self) -> np.ndarray:
        """Against an effect of the margin or more, guarded against rare failures of `without`.

        A failure of one run in a few may not have happened yet. So this is the largest p-value over
        the runs as they are and with one more run of `without` that scores 0, on each task in turn
        that moves, or that is at the ceiling only until then.
        """
        failures = self._without_fails.p_values(lambda effect: effect.p_below(self.margin))
        return _known(np.maximum(self.effect.p_below(self.margin), failures.max(-1)))

    @property
    def p_above(self) -> np.ndarray:
        """Against an effect of the margin or less, guarded against rare failures of `with_`; 1
        where there is no interval."""
        failures = self._with_fails.p_values(lambda effect: effect.p_above(self.margin))
        return _known(np.maximum(self.effect.p_above(self.margin), failures.max(-1)))

    def threat(self) -> int:
        """Of one comparison, the task on which one more failure of `without` weighs most."""
        return int(self._without_fails.p_values(lambda e: e.p_below(self.margin)).argmax())

    def guarded_high(self, alpha: np.ndarray) -> np.ndarray:
        """The upper end that `p_below` and, below 0, `p_zero` belong to, at level 1 - alpha."""
        failures = self._without_fails
        ends = np.where(
            failures.tried, failures.effects.high(np.asarray(alpha)[..., None]), -np.inf
        )
        return np.maximum(self.effect.high(alpha), ends.max(-1))

    def guarded_low(self, alpha: np.ndarray) -> np.ndarray:
        """The lower end that `p_above` and, above 0, `p_zero` belong to, at level 1 - alpha."""
        failures = self._with_fails
        ends = np.where(failures.tried, failures.effects.low(np.asarray(alpha)[..., None]), np.inf)
        return np.minimum(self.effect.low(alpha), ends.min(-1))

    @property
    def fewest(self) -> np.ndarray:
        """The number of runs of an arm on the moving task that has fewest."""
        runs = np.minimum(self.with_.runs, self.without.runs)
        return np.where(self.moving, runs, np.iinfo(int).max).min(-1)

    @cached_property
    def remaining(self) -> np.ndarray:
        """How far from 0, on the effect's side, the 95% interval without a task ends, `(..., M)`.

        Negative where it does not lie on that side; -inf where the other tasks do not vary, and
        always with one or two tasks, which leave nothing to compare; NaN for tasks that do not
        move.
        """
        rest = self.terms.leaving_out(self.moving)
        ends = np.where(
            self.effect.value[..., None] > 0, rest.low(LEAVE_OUT), -rest.high(LEAVE_OUT)
        )
        few = self.moving.sum(-1, keepdims=True) < 3
        ends = np.where(np.isnan(ends) | few, -np.inf, ends)
        return np.where(self.moving, ends, np.nan)

    @property
    def carried(self) -> np.ndarray:
        """Whether a task carries the effect: without it the 95% interval does not lie on the
        effect's side of 0."""
        return (self.remaining <= 0).any(-1)

    @property
    def trusted(self) -> np.ndarray:
        """Whether an effect may help or hurt: with fewer than five seeds not if one task carries
        it.

        With 3 runs per arm the arms separate completely on one task by chance in 1 of 10
        comparisons, which no interval can know.
        """
        return ~self.carried | (self.fewest >= CARRIED_SEEDS)

    def carrier(self) -> int:
        """Of one comparison, the task that carries the effect: without it least remains, or, with
        few tasks, its difference is the largest."""
        size = np.where(self.moving, np.abs(self.terms.difference), -1)
        least = self.remaining == np.nanmin(self.remaining)
        return int(np.argmax(np.where(least, size, -1)))

    def seeds_to_decide(
        self, level_zero: float, level_margin: float, sensitive: bool = True
    ) -> int | None:
        """Of one comparison, the seeds per task and arm that decide, if effect and spread stay;
        without a `sensitive` suite "no substantial help" is no decision."""

        def decides(seeds: int) -> bool:
            arms = self.with_.with_runs(seeds), self.without.with_runs(seeds)
            then = replace(self, with_=arms[0], without=arms[1])
            differs = then.p_zero <= level_zero
            no_help = (
                sensitive & (then.p_below <= level_margin) & ~(differs & (then.effect.value < 0))
            )
            return bool((differs & then.trusted) | no_help)

        low, high = 2, SEEDS_SEARCHED
        if not decides(high):
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if decides(middle) else (middle + 1, high)
        return low


def at_floor(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tasks on which both arms' mean is less than 5% of the way from random play to what counts as
    played well, `(..., M)`."""
    return np.maximum(first, second) < FLOOR


def _known(p_values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(p_values), 1.0, p_values)
