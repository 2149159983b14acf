"""How often the sentences of a table are false: whole studies, simulated with known effects.

Scores scatter as the committed runs do: residuals, failures among them, are drawn again from those
of one arm on one task. A study is judged by the same code as real runs.

Letters: `S` studies, `M` tasks, `R` runs of a task, `K` options.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader

from analysis import read, score, verdict
from analysis import sentences as said
from analysis.claims import Claims, options
from analysis.committed import RUNS, SUITE
from analysis.estimate import (
    FEW,
    Change,
    Design,
    Estimate,
    mean_over_new_tasks,
    mean_over_tasks,
)
from analysis.show.tables import markdown

LEVEL = 0.5  # of the baseline
SCATTER = 0.2  # standard deviation of an effect between tasks
QUIET = 0.02  # standard deviation of runs that hardly vary
STUDIES = 2000
MARGIN = 0.1
HALF = 0.05  # half of an interval that is called narrow
NEAR = 1e-9
SMALL = (verdict.NO_HELP, verdict.A_LITTLE)
ANYWAY = 0.02  # share of all runs that fail, where those of a harmful option fail more often
BATCH = 100  # studies with the same draws
ACTIONS = "discrete"
KINDS = 2  # into which the tasks are divided in turn
Noise = Callable[[np.random.Generator, int, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Plan:
    """The runs of a study. A trial has `rounds`, runs a task up to each, and `shares`, the part of
    the error for each. With `one_change` each arm has `rounds[-1]` runs and the baseline
    `baseline` times as many."""

    tasks: int
    rounds: tuple[int, ...]
    shares: tuple[float, ...] = (1.0,)
    one_change: bool = False
    baseline: int = 1  # times as many runs

    def arms(self, registered: Claims, seed: int) -> list[list[frozenset[str]]]:
        """The options of each run, by task."""
        if self.one_change:
            named = {options(arm) for row in _claims(registered) for arm in row.arms(SUITE)}
            arms = [arm for arm in named if arm for _ in range(self.rounds[-1])]
            return [arms + [frozenset()] * self.rounds[-1] * self.baseline] * self.tasks
        trial = registered.trial.model_copy(
            update={"seed": seed, "rounds": self.rounds, "shares": self.shares}
        )
        names = [f"task{number}" for number in range(self.tasks)]
        return [[frozenset(run) for run in trial.draws(name, ACTIONS)] for name in names]

    @property
    def name(self) -> str:
        """What it is, in a table."""
        if self.one_change:
            more = f", baseline {self.rounds[-1] * self.baseline}" * (self.baseline > 1)
            return f"{self.tasks} tasks, {self.rounds[-1]} seeds an arm{more}"
        return f"{self.tasks} tasks x {', '.join(map(str, self.rounds))}"


@dataclass(frozen=True)
class Scenario:
    """A truth. Effects have a `mean` over tasks and a `scatter` between them. Runs vary by `noise`;
    every other option multiplies it by `unequal`. Two options interact by `interacting`. With
    `failing` only one option has an effect: that share of its runs fails on the first task, and the
    other tasks shift."""

    noise: Noise
    mean: float = 0.0
    scatter: float = 0.0
    unequal: float = 1.0
    interacting: float = 0.0
    failing: float = 0.0

    def effects(self, rng: np.random.Generator, studies: int, tasks: int, count: int) -> np.ndarray:
        """True effects `(S, M, K)`, whose mean over these tasks is exactly `mean`, with a sign for
        each option."""
        if self.failing:
            return self._harm(rng, studies, tasks, count)
        scattered = rng.normal(0, self.scatter, (studies, tasks, count))
        scattered -= scattered.mean(1, keepdims=True)
        return scattered + self.mean * rng.choice([-1, 1], (studies, 1, count))

    def _harm(self, rng: np.random.Generator, studies: int, tasks: int, count: int) -> np.ndarray:
        lost = self.failing * LEVEL
        each = np.full(tasks, (self.mean * tasks - lost) / (tasks - 1))
        each[0] = lost
        harmful = np.eye(count)[rng.integers(count, size=studies)]
        return -each[:, None] * harmful[:, None]


def resampled() -> Noise:
    """The residuals of the committed runs about their arm's mean, of each task in turn."""
    frame, *_ = score.scored(read.load(RUNS).where(suite=SUITE), "area")
    means = frame.groupby(["task", "arm"]).normalised.transform("mean")
    pools = [own.to_numpy() for _, own in (frame.normalised - means).groupby(frame.task)]

    def noise(rng: np.random.Generator, task: int, size: tuple[int, int]) -> np.ndarray:
        return rng.choice(pools[task % len(pools)], size)

    return noise


def skewed(rng: np.random.Generator, task: int, size: tuple[int, int]) -> np.ndarray:
    """Log-normal with a standard deviation of 0.15: a few runs far above the rest."""
    draws = rng.lognormal(0, 0.8, size) - np.exp(0.8**2 / 2)
    return 0.15 * draws / np.sqrt((np.exp(0.8**2) - 1) * np.exp(0.8**2))


def collapsing(rng: np.random.Generator, task: int, size: tuple[int, int]) -> np.ndarray:
    """A twentieth of the runs fails, the others hardly vary."""
    return rng.normal(0, QUIET, size) - LEVEL * (rng.random(size) < 0.05) + LEVEL * 0.05


def quiet(rng: np.random.Generator, task: int, size: tuple[int, int]) -> np.ndarray:
    """Runs that hardly vary."""
    return rng.normal(0, QUIET, size)


def scenarios() -> dict[str, Scenario]:
    """The truths that are simulated, by name."""
    real = resampled()
    return {
        "no effect": Scenario(real),
        "effects by task": Scenario(real, scatter=SCATTER),
        "effects of the margin": Scenario(real, mean=0.1, scatter=0.1),
        "interactions": Scenario(real, scatter=SCATTER, interacting=0.2),
        "unequal spreads": Scenario(real, scatter=SCATTER, unequal=2.0),
        "skewed": Scenario(skewed),
        "rare failures": Scenario(collapsing),
        "a shift and failures": Scenario(quiet, mean=0.1, failing=0.1),
    }


@dataclass(frozen=True)
class Batch:
    """Studies with the same draws: by task the design, the scores `(S, R)`, and by claim its
    contrasts and true effects `(S, M)`."""

    designs: list[Design]
    scores: list[np.ndarray]
    contrasts: list[list[np.ndarray]]
    truth: list[np.ndarray]

    def upto(self, size: int) -> "Batch":
        """The first runs of each task."""
        designs = [Design(one.matrix[:size], one.columns) for one in self.designs]
        return replace(self, designs=designs, scores=[own[:, :size] for own in self.scores])

    def change(self, claim: int) -> Change:
        """A claim's change."""
        worst = [own.min(-1) for own in self.scores]
        return Change.of(self.designs, self.contrasts[claim], self.scores, worst)


def batches(
    plan: Plan, scenario: Scenario, registered: Claims, studies: int, seed: int
) -> Iterator[Batch]:
    """Simulated studies, in batches of new draws."""
    rng = np.random.default_rng(seed)
    for _ in range(-(-studies // BATCH)):
        arms = plan.arms(registered, int(rng.integers(2**31)))
        designs = [Design.of(own) for own in arms]
        names = designs[0].columns[1:]
        true = scenario.effects(rng, BATCH, plan.tasks, len(names))
        scores = [
            _scores(rng, scenario, task, design.matrix[:, 1:], true[:, task])
            for task, design in enumerate(designs)
        ]
        shares = np.mean([design.matrix[:, 1:].mean(0) for design in designs], axis=0)
        true[..., 0] += scenario.interacting * shares[-1]
        true[..., -1] += scenario.interacting * shares[0]
        contrasts, truth = [], []
        for row in _claims(registered):
            sides = list(map(options, row.arms(SUITE)))
            contrasts.append([design.contrast(*sides) for design in designs])
            truth.append(np.einsum("smk,k->sm", true, contrasts[-1][0][1:]))
        yield Batch(designs, scores, contrasts, truth)


def _scores(
    rng: np.random.Generator,
    scenario: Scenario,
    task: int,
    chosen: np.ndarray,
    effects: np.ndarray,
) -> np.ndarray:
    """Scores `(S, R)` of a task's runs, from which options each has, `(R, K)`, and their effects,
    `(S, K)`."""
    fails = scenario.failing > 0 and task == 0
    means = LEVEL + (0 if fails else effects @ chosen.T)
    means = means + scenario.interacting * chosen[:, 0] * chosen[:, -1]
    spread = np.minimum(scenario.unequal ** chosen[:, ::2].sum(1), scenario.unequal)
    scores = means + spread * scenario.noise(rng, task, (len(effects), len(chosen)))
    if fails:
        rate = ANYWAY + scenario.failing * (effects @ chosen.T < 0)
        scores = np.where(rng.random(scores.shape) < rate, 0, scores)
    return scores


def _claims(registered: Claims) -> list:
    return [row for row in registered.claims if row.where == ACTIONS and row.arms(SUITE)]


FALSE = ("direction", "small", "substantial", "task", "depends", "kind")


def sentences(batch: Batch, share: float, registered: Claims) -> dict:
    """Whether a study has a false sentence of each kind, `(S,)`; whether a claim is answered, and
    half of its interval, `(S, C)`."""
    family, tasks = registered.family(SUITE), len(batch.designs)
    alpha = verdict.alpha(share, family, verdict.MEAN)
    task_alpha = verdict.alpha(share, family * tasks, verdict.TASK)
    kind_alpha = verdict.alpha(share, family * 2 * KINDS, verdict.KIND)
    groups = np.arange(tasks) % KINDS
    kinds = [(groups == group) / (groups == group).sum() for group in range(KINDS)]
    found = {name: [] for name in (*FALSE, "answered", "half")}
    for claim, truth in enumerate(batch.truth):
        change, true = batch.change(claim), truth.mean(-1)
        low, high = change.interval(alpha)
        task_low, task_high = change.task_intervals(task_alpha)
        better, worse = task_low > 0, task_high < 0
        by_kind = [
            _wrong(*change.interval(kind_alpha, weights), truth @ weights) for weights in kinds
        ]
        both = better.any(-1) & worse.any(-1)
        has_both = (truth > NEAR).any(-1) & (truth < -NEAR).any(-1)
        words = verdict.words(low, high, MARGIN)
        said = {
            "direction": _wrong(low, high, true),
            "small": np.isin(words, SMALL) & (true >= MARGIN - NEAR),
            "substantial": (words == verdict.SUBSTANTIALLY) & (true <= MARGIN + NEAR),
            "task": _wrong(task_low, task_high, truth).any(-1),
            "depends": both & ~has_both,
            "kind": np.any(by_kind, axis=0),
            "answered": np.isin(words, verdict.ANSWERED),
            "half": (high - low) / 2,
        }
        for name, values in said.items():
            found[name].append(values)
    stacked = {name: np.stack(values, axis=-1) for name, values in found.items()}
    return stacked | {name: stacked[name].any(-1) for name in FALSE}


def _wrong(low: np.ndarray, high: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Whether an interval lies on the other side of 0 than the truth, or the truth is 0."""
    return ((low > 0) & (truth <= NEAR)) | ((high < 0) & (truth >= -NEAR))


def looks(plan: Plan, batch: Batch, registered: Claims) -> dict:
    """`sentences` of a study that is judged after each round: false at some of them, answered and
    as narrow as at the last."""
    if plan.one_change:
        return sentences(batch, 1, registered)
    rounds = [
        sentences(batch.upto(size), share, registered)
        for size, share in zip(plan.rounds, plan.shares, strict=True)
    ]
    return rounds[-1] | {name: np.any([one[name] for one in rounds], axis=0) for name in FALSE}


def errors(
    plan: Plan, scenario: Scenario, registered: Claims, studies: int, seed: int
) -> dict[str, float]:
    """The shares of simulated studies with a false sentence, of each kind and of any, how many
    claims are answered and how many intervals narrow, and the median of half an interval."""
    found = [
        looks(plan, batch, registered)
        for batch in batches(plan, scenario, registered, studies, seed)
    ]
    joined = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    return {
        **{name: float(joined[name].mean()) for name in FALSE},
        "any": float(np.any([joined[name] for name in FALSE], axis=0).mean()),
        "answered": float(joined["answered"].mean()),
        "half": float(np.median(joined["half"])),
        "narrow": float((joined["half"] <= HALF).mean()),
    }


def methods(
    plan: Plan, scenario: Scenario, registered: Claims, studies: int, seed: int
) -> pd.DataFrame:
    """By way to estimate, without the guard: how often the 95% interval of a mean holds the truth,
    how often one of the simultaneous ones of a study does not, and the median of half of one."""
    alpha = verdict.alpha(1, registered.family(SUITE), verdict.MEAN)
    rows: dict[str, list] = {}
    for batch in batches(plan, scenario, registered, studies, seed):
        for claim, truth in enumerate(batch.truth):
            for name, estimate in _ways(batch, claim).items():
                hits = []
                for level in (verdict.ERROR, alpha):
                    low, high = estimate.interval(level)
                    hits.append((low <= truth.mean(-1)) & (truth.mean(-1) <= high))
                rows.setdefault(name, []).append((*hits, (high - low) / 2))
    claims = len(batch.truth)
    table = {}
    for name, found in rows.items():
        single, together, half = (np.array(values) for values in zip(*found, strict=True))
        missed = ~together.reshape(-1, claims, together.shape[-1])
        table[name] = (single.mean(), missed.any(1).mean(), np.median(half))
    columns = ["95% interval holds", "one of a study misses", "half"]
    return pd.DataFrame.from_dict(table, orient="index", columns=columns)


def _ways(batch: Batch, claim: int) -> dict[str, Estimate]:
    """The mean of a claim by several estimators."""
    by_task: dict[str, list[Estimate]] = {}
    given = zip(batch.designs, batch.contrasts[claim], batch.scores, strict=True)
    for design, contrast, scores in given:
        used = design.estimate(contrast, scores)
        free = np.full(used.effect.shape, float(design.free.sum()))
        keep = np.array([not name.startswith("recipe.") for name in design.columns])
        fewer = Design(design.matrix[:, keep], tuple(np.array(design.columns)[keep]))
        for name, one in {
            "HC2, Bell and McCaffrey (used)": used,
            "HC2, residual degrees of freedom": used._replace(df=free),
            "HC3, residual degrees of freedom": used._replace(
                error=_hc3(design, contrast, scores), df=free
            ),
            "used, numbers of the recipe left out": fewer.estimate(contrast[keep], scores),
        }.items():
            by_task.setdefault(name, []).append(one)
    return {name: mean_over_tasks(Change.unguarded(found).tasks) for name, found in by_task.items()}


def _hc3(design: Design, contrast: np.ndarray, scores: np.ndarray) -> np.ndarray:
    scale = (contrast @ design.inverse / design.free) ** 2
    return np.sqrt(design.residuals(scores) ** 2 @ scale)


def other_sentences(plan: Plan, registered: Claims, studies: int, seed: int) -> dict[str, float]:
    """Without any effect: how often the placebo differs, a registered pair interacts, and a pair is
    discovered at a rate of 5%. Of effects by task drawn around 0.1: how often the 95% interval for
    other tasks like these does not hold 0.1."""
    names = ("the placebo differs", "a registered pair interacts", "a pair is discovered")
    found = {name: [] for name in names}
    noise = resampled()
    for batch in batches(plan, Scenario(noise), registered, studies, seed):
        coins = [one.with_column(np.arange(len(one.matrix)) % 2, "odd") for one in batch.designs]
        contrast = np.eye(len(coins[0].columns))[-1]
        worst = [own.min(-1) for own in batch.scores]
        placebo = Change.of(coins, [contrast] * len(coins), batch.scores, worst)
        found[names[0]].append(_wrong(*placebo.interval(verdict.ERROR), 0))
        pairs = said.pairs(batch.designs, batch.scores)
        named = said.registered_pairs(pairs, registered)
        alpha = verdict.alpha(1, len(named))
        wrong = [_wrong(*pairs[pair].interval(alpha), 0) for pair in named]
        found[names[1]].append(np.any(wrong, axis=0))
        rates = said.discovery_rates(pairs)
        found[names[2]].append(np.any([rate <= verdict.ERROR for rate in rates.values()], axis=0))
    shares = {name: float(np.mean(np.concatenate(values))) for name, values in found.items()}
    rng, missed = np.random.default_rng(seed), []
    for batch in batches(plan, Scenario(noise), registered, studies, seed):
        own = rng.normal(0.1, SCATTER, (BATCH, plan.tasks))
        tasks = batch.change(0).tasks
        low, high = mean_over_new_tasks(tasks._replace(effect=tasks.effect + own)).interval(0.05)
        missed.append((low > 0.1) | (high < 0.1))
    return shares | {"the interval for other tasks misses": float(np.mean(missed))}


LARGE, ROUNDS = 24, (32, 48, 72)
SHARES = (0.25, 0.35, 0.4)
TRIALS = [
    Plan(LARGE, ROUNDS, SHARES),
    Plan(LARGE, (48,)),
    Plan(8, (48,)),
    Plan(5, (48,)),
    Plan(6, (32,)),
]
ONE_CHANGE = [Plan(5, (seeds,), one_change=True) for seeds in (3, 5, 12, 25)]
UNEQUAL = Plan(5, (12,), one_change=True, baseline=3)
PRECISION = [Plan(LARGE, (size,)) for size in (*ROUNDS,)]
KINDS_OF_ERROR = {
    "direction": "helps or hurts",
    "small": "no substantial help, a little",
    "substantial": "substantially",
    "task": "better or worse on a task",
    "depends": "depends on the task",
    "kind": "better or worse on a kind",
    "any": "any",
}


def tables(registered: Claims, studies: int, seed: int = 1) -> dict[str, pd.DataFrame]:
    """All that the page shows, by name."""
    truths = scenarios()
    plans = [*TRIALS, *ONE_CHANGE, UNEQUAL]
    found = {
        (plan.name, name): errors(plan, truth, registered, studies, seed)
        for plan in plans
        for name, truth in truths.items()
    }
    rows = pd.DataFrame.from_dict(found, orient="index").rename_axis(["runs", "truth"])
    order = [plan.name for plan in plans]
    scattered = {
        plan: errors(plan, truths["effects by task"], registered, studies, seed)
        for plan in [*PRECISION, *TRIALS[2:], *ONE_CHANGE[1:]]
    }
    precise = pd.DataFrame.from_dict(
        {plan.name: values for plan, values in scattered.items()}, orient="index"
    )[["half", "narrow", "answered"]]
    return {
        "worst": rows.groupby("runs")[list(KINDS_OF_ERROR)].max().loc[order],
        "any": rows["any"].unstack("runs")[order].loc[list(truths)],
        "precision": precise,
        "methods": pd.concat(
            {
                f"{name}, {size} runs": methods(
                    Plan(LARGE, (size,)), truths[name], registered, studies, seed
                )
                for name, size in (("no effect", 32), ("effects by task", 48))
            }
        ),
        "others": pd.Series(other_sentences(Plan(LARGE, (48,)), registered, studies, seed)),
    }


def page(registered: Claims, studies: int) -> str:
    """docs/calibration.md, made anew."""
    found = tables(registered, studies)
    shown = {
        "worst": found["worst"].rename(columns=KINDS_OF_ERROR).map(_percent),
        "any": found["any"].map(_percent),
        "precision": found["precision"].assign(
            half=found["precision"].half.map("±{:.3f}".format),
            narrow=found["precision"].narrow.map("{:.0%}".format),
            answered=found["precision"].answered.map("{:.0%}".format),
        ),
        "methods": found["methods"].assign(
            **{name: found["methods"][name].map(_percent) for name in found["methods"].columns[:2]},
            half=found["methods"].half.map("±{:.3f}".format),
        ),
    }
    named = {"precision": "runs a task", "any": "truth", "worst": "runs"}
    names = {name: [named.get(name, "truth, runs a task")] for name in shown} | {
        "methods": ["truth, runs a task", "way"]
    }
    values = {
        name: markdown(frame.rename_axis(names[name]).reset_index())
        for name, frame in shown.items()
    }
    lines = [f"- {name}: {_percent(value)}" for name, value in found["others"].items()]
    template = Environment(loader=PackageLoader("analysis.show"), keep_trailing_newline=True)
    return template.get_template("calibration.md").render(
        **values,
        others="\n".join(lines),
        studies=studies,
        few=FEW,
        family=registered.family(SUITE),
        parts=[f"{100 * part * verdict.ERROR:g}%" for part in verdict.PARTS],
    )


def _percent(share: float) -> str:
    return f"{share:.1%}"
