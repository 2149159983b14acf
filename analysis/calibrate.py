"""How often the sentences of a table are false: whole studies, simulated with known effects.

Scores scatter as the committed runs do: residuals, failures among them, are drawn again from those
of one arm on one task. A study is judged by the same code as real runs.

Letters: `S` studies, `M` tasks, `R` runs of a task, `K` options, `C` claims.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
import pandas as pd
from scipy import special

from analysis import read, score, sentences, tasks, verdict
from analysis.claims import Claim, Claims
from analysis.committed import MINI
from analysis.estimate import FEW, Design, mean_over_new_tasks, mean_over_tasks
from analysis.sentences import Rule
from analysis.tasks import Change, Task

LEVEL = 0.5  # of the baseline
SCATTER = 0.2  # standard deviation of an effect between tasks
QUIET = 0.02  # standard deviation of runs that hardly vary
MARGIN = 0.1
HALF = 0.05  # half of an interval that is called narrow
NEAR = 1e-9
ANYWAY = 0.02  # share of all runs that fail, where those of a harmful option fail more often
BATCH = 100  # studies with the same draws
SUITE, ACTIONS = MINI.name, "discrete"
KINDS = 2  # into which the tasks are divided in turn
GRID = (np.arange(20_000) + 0.5) / 20_000  # probabilities of quantiles
Measured = dict[str, np.ndarray]  # of each study, or each study's claims


@dataclass(frozen=True)
class Plan:
    """The runs of a study. A trial has `rounds`, runs a task up to each, and `shares`, the part of
    the error for each. One change at a time has `seeds` an arm, the baseline `baseline` times as
    many."""

    tasks: int
    rounds: tuple[int | None, ...] = (None,)  # None: all runs
    shares: tuple[float, ...] = (1.0,)
    seeds: int = 0
    baseline: int = 1

    def arms(self, registered: Claims, seed: int) -> list[list[frozenset[str]]]:
        """The options of each run, by task."""
        if self.seeds:
            named = [side for row in _claims(registered) for side in row.sides(SUITE)]
            arms = [arm for arm in dict.fromkeys(named) if arm for _ in range(self.seeds)]
            return [arms + [frozenset()] * self.seeds * self.baseline] * self.tasks
        trial = registered.trial.model_copy(update={"seed": seed, "rounds": self.rounds})
        draws = [trial.draws(f"task{number}", ACTIONS) for number in range(self.tasks)]
        return [list(map(frozenset, own)) for own in draws]


def _claims(registered: Claims) -> list[Claim]:
    return [row for row in registered.family(SUITE) if row.where == ACTIONS]


@dataclass(frozen=True)
class Scenario:
    """A truth. Effects have a `mean` over tasks and a `scatter` between them. Runs vary by one of
    the `noises`; every other option multiplies it by `unequal`. Two options interact by
    `interacting`. With `failing` only one option has an effect: that share of its runs fails on the
    first task, and the other tasks shift."""

    noise: str = "residuals"
    mean: float = 0.0
    scatter: float = 0.0
    unequal: float = 1.0
    interacting: float = 0.0
    failing: float = 0.0

    def effects(self, rng: np.random.Generator, tasks: int, count: int) -> np.ndarray:
        """True effects `(S, M, K)`; their mean over the tasks is exactly `mean`, up or down."""
        if self.failing:
            lost = self.failing * LEVEL
            each = np.full(tasks, (self.mean * tasks - lost) / (tasks - 1))
            each[0] = lost
            harmful = np.eye(count)[rng.integers(count, size=BATCH)]
            return -each[:, None] * harmful[:, None]
        scattered = rng.normal(0, self.scatter, (BATCH, tasks, count))
        scattered -= scattered.mean(1, keepdims=True)
        return scattered + self.mean * rng.choice([-1, 1], (BATCH, 1, count))

    def scores(
        self, rng: np.random.Generator, task: int, chosen: np.ndarray, effects: np.ndarray
    ) -> np.ndarray:
        """Scores `(S, R)` of a task's runs from their options `(R, K)` and the effects `(S, K)`."""
        fails = self.failing > 0 and task == 0
        means = LEVEL + (0 if fails else effects @ chosen.T)
        means = means + self.interacting * chosen[:, 0] * chosen[:, -1]
        spread = np.minimum(self.unequal ** chosen[:, ::2].sum(1), self.unequal)
        pools = noises()[self.noise]
        scores = means + spread * rng.choice(pools[task % len(pools)], (BATCH, len(chosen)))
        if fails:
            rate = ANYWAY + self.failing * (effects @ chosen.T < 0)
            scores = np.where(rng.random(scores.shape) < rate, 0, scores)
        return scores


@cache
def noises() -> dict[str, list[np.ndarray]]:
    """Deviations of runs, of each task in turn: residuals of the committed runs about their arm's
    mean; a few runs far above the rest; hardly any; a twentieth of the runs fails."""
    frame, *_ = score.scored(read.load(MINI), "area")
    means = frame.groupby(["task", "arm"]).normalised.transform("mean")
    residuals = (frame.normalised - means).groupby(frame.task)
    quiet = QUIET * special.ndtri(GRID)
    skewed = np.exp(0.8 * special.ndtri(GRID))  # lognormal
    fails = np.arange(len(GRID)) % 20 == 0
    return {
        "residuals": [own.to_numpy() for _, own in residuals],
        "skewed": [0.15 * (skewed - skewed.mean()) / skewed.std()],
        "quiet": [quiet],
        "collapsing": [quiet + LEVEL * (fails.mean() - fails)],
    }


SCENARIOS = {
    "no effect": Scenario(),
    "effects by task": Scenario(scatter=SCATTER),
    "effects of the margin": Scenario(mean=0.1, scatter=0.1),
    "interactions": Scenario(scatter=SCATTER, interacting=0.2),
    "unequal spreads": Scenario(scatter=SCATTER, unequal=2.0),
    "skewed": Scenario("skewed"),
    "rare failures": Scenario("collapsing"),
    "a shift and failures": Scenario("quiet", mean=0.1, failing=0.1),
}


@dataclass(frozen=True)
class Batch:
    """Studies with the same draws: tasks with scores `(S, R)`; by claim true effects `(S, M)`."""

    plan: Plan
    rule: Rule
    tasks: list[Task]
    truth: list[np.ndarray]

    def upto(self, size: int | None) -> "Batch":
        """The first runs of each task, or all."""
        designs = [replace(one.design, matrix=one.design.matrix[:size]) for one in self.tasks]
        pairs = zip(self.tasks, designs, strict=True)
        first = [replace(one, design=own, scores=one.scores[:, :size]) for one, own in pairs]
        return replace(self, tasks=first)

    @cached_property
    def changes(self) -> list[Change]:
        """By claim what the runs show."""
        return [self.rule.shown(row, self.tasks)[0] for row in _claims(self.rule.registered)]


@dataclass(frozen=True)
class Simulation:
    """That many `studies` of what is `registered`, from one seed."""

    registered: Claims
    studies: int
    seed: int = 1

    def batches(self, plan: Plan, scenario: Scenario) -> Iterator[Batch]:
        """The studies, in batches of new draws."""
        rng = np.random.default_rng(self.seed)
        rule = Rule(self.registered, SUITE, MARGIN, 1.0)
        for _ in range(-(-self.studies // BATCH)):
            designs = list(map(Design.of, plan.arms(self.registered, int(rng.integers(2**31)))))
            chosen = [design.matrix[:, 1:] for design in designs]
            true = scenario.effects(rng, plan.tasks, chosen[0].shape[1])
            own = []
            for number, (design, runs) in enumerate(zip(designs, chosen, strict=True)):
                scores = scenario.scores(rng, number, runs, true[:, number])
                kinds, coin = frozenset({f"kind {number % KINDS}"}), np.arange(len(runs)) % 2
                own.append(Task(str(number), ACTIONS, kinds, design, scores, coin, pd.DataFrame()))
            shares = np.mean([runs.mean(0) for runs in chosen], axis=0)
            true[..., [0, -1]] += scenario.interacting * shares[[-1, 0]]
            named = [row.sides(SUITE) for row in _claims(self.registered)]
            truth = [true @ designs[0].contrast(*sides)[1:] for sides in named]
            yield Batch(plan, rule, own, truth)

    def measured(
        self, plan: Plan, scenario: Scenario, measure: Callable[[Batch], Measured]
    ) -> dict[str, float]:
        """What is measured, as shares of the studies; of halves of intervals the median."""
        found = [measure(batch) for batch in self.batches(plan, scenario)]
        joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        return {
            name: float(np.median(values) if values.dtype == float else values.mean())
            for name, values in joined.items()
        }


FALSE = {
    "direction": "helps or hurts",
    "small": "no substantial help, a little",
    "substantial": "substantially",
    "task": "better or worse on a task",
    "depends": "depends on the task",
    "kind": "better or worse on a kind",
}


def false_sentences(batch: Batch) -> Measured:
    """Whether a study has a false sentence of each kind at one of its rounds, `(S,)`, and what the
    last says of each claim, `(S, C)`: whether it is answered, half of its interval, whether it is
    narrow."""
    looks = []
    for size, share in zip(batch.plan.rounds, batch.plan.shares, strict=True):
        pairs = zip(batch.upto(size).changes, batch.truth, strict=True)
        rule = replace(batch.rule, share=share)
        each = [_of_claim(change, truth, rule) for change, truth in pairs]
        looks.append({name: np.stack([one[name] for one in each], axis=-1) for name in each[0]})
    false = {name: np.any([one[name].any(-1) for one in looks], axis=0) for name in FALSE}
    return looks[-1] | false | {"any": np.any(list(false.values()), axis=0)}


def _of_claim(change: Change, truth: np.ndarray, rule: Rule) -> Measured:
    true = truth.mean(-1)
    low, high = change.interval(rule.alpha())
    task_low, task_high = change.task_intervals(rule.alpha(verdict.TASK, len(change.given)))
    both = (task_low > 0).any(-1) & (task_high < 0).any(-1)
    has_both = (truth > NEAR).any(-1) & (truth < -NEAR).any(-1)
    weights = change.kinds()
    kind_alpha = rule.alpha(verdict.KIND, len(weights))
    by_kind = [_wrong(*change.interval(kind_alpha, own), truth @ own) for own in weights.values()]
    words = verdict.words(low, high, rule.margin)
    return {
        "direction": _wrong(low, high, true),
        "small": np.isin(words, (verdict.NO_HELP, verdict.A_LITTLE)) & (true >= MARGIN - NEAR),
        "substantial": (words == verdict.SUBSTANTIALLY) & (true <= MARGIN + NEAR),
        "task": _wrong(task_low, task_high, truth).any(-1),
        "depends": both & ~has_both,
        "kind": np.any(by_kind, axis=0),
        "answered": np.isin(words, verdict.ANSWERED),
        "half": (high - low) / 2,
        "narrow": (high - low) / 2 <= HALF,
    }


def _wrong(low: np.ndarray, high: np.ndarray, truth: np.ndarray | float = 0) -> np.ndarray:
    """Whether an interval lies on the other side of 0 than the truth, or the truth is 0."""
    return ((low > 0) & (truth <= NEAR)) | ((high < 0) & (truth >= -NEAR))


def other_sentences(batch: Batch, rng: np.random.Generator) -> Measured:
    """Without any effect: whether the placebo differs, a registered pair interacts, and a pair is
    discovered at a rate of 5%. Of effects by task drawn around 0.1: whether the 95% interval for
    other tasks like these does not hold 0.1."""
    registered = batch.rule.registered
    found = sentences.pairs(batch.tasks, registered)
    pairs = {pair: mean_over_tasks(change.estimates) for pair, change in found.items()}
    named = sentences.registered_pairs(pairs, registered)
    alpha = verdict.alpha(1, len(named))
    rates = sentences.discovery_rates(pairs).values()
    estimates = batch.changes[0].estimates
    drawn = estimates.effect + rng.normal(0.1, SCATTER, estimates.effect.shape)
    low, high = mean_over_new_tasks(estimates._replace(effect=drawn)).interval(verdict.ERROR)
    placebo = tasks.of_placebo(batch.tasks).interval(verdict.ERROR)
    interacts = [_wrong(*pairs[pair].interval(alpha)) for pair in named]
    return {
        "the placebo differs": _wrong(*placebo),
        "a registered pair interacts": np.any(interacts, axis=0),
        "a pair is discovered": np.any([rate <= verdict.ERROR for rate in rates], axis=0),
        "the interval for other tasks misses": (low > 0.1) | (high < 0.1),
    }


PLANS = {
    "24 tasks x 32, 48, 72": Plan(24, (32, 48, 72), (0.25, 0.35, 0.4)),
    "24 tasks x 48": Plan(24, (48,)),
    "8 tasks x 48": Plan(8, (48,)),
    "5 tasks x 48": Plan(5, (48,)),
    "6 tasks x 32": Plan(6, (32,)),
    **{f"5 tasks, {seeds} seeds an arm": Plan(5, seeds=seeds) for seeds in (3, 5, 12, 25)},
    "5 tasks, 12 seeds an arm, baseline 36": Plan(5, seeds=12, baseline=3),
}
MORE = {"24 tasks x 32": Plan(24, (32,)), "24 tasks x 72": Plan(24, (72,))}  # for precision alone
PRECISION = ["24 tasks x 32", "24 tasks x 48", "24 tasks x 72", *[*PLANS][2:5], *[*PLANS][6:9]]
OTHERS = Plan(24, (48,))


def calibrated(simulation: Simulation) -> dict[str, object]:
    """What docs/calibration.md, a template, says."""
    found = {
        (runs, truth): simulation.measured(plan, scenario, false_sentences)
        for runs, plan in (PLANS | MORE).items()
        for truth, scenario in SCENARIOS.items()
    }
    rows = pd.DataFrame.from_dict(found, orient="index").rename_axis(["runs", "truth"])
    precision = rows.xs("effects by task", level="truth").rename_axis("runs a task").loc[PRECISION]
    worst = rows.groupby("runs")[[*FALSE, "any"]].max().loc[[*PLANS]]
    rng = np.random.default_rng(simulation.seed)
    others = simulation.measured(OTHERS, Scenario(), lambda batch: other_sentences(batch, rng))
    return {
        "worst": _table(worst.rename(columns=FALSE)),
        "any": _table(rows["any"].unstack("runs").loc[[*SCENARIOS], [*PLANS]]),
        "precision": _table(precision[["half", "narrow", "answered"]], "{:.0%}"),
        "others": "\n".join(f"- {name}: {share:.1%}" for name, share in others.items()),
        "studies": simulation.studies,
        "few": FEW,
        "parts": [f"{100 * part * verdict.ERROR:g}%" for part in verdict.PARTS],
    }


def _table(shares: pd.DataFrame, form: str = "{:.1%}") -> pd.DataFrame:
    text = shares.apply(lambda own: own.map(("±{:.3f}" if own.name == "half" else form).format))
    return text.reset_index()
