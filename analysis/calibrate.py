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
    stacked,
)
from analysis.show.tables import markdown

LEVEL = 0.5  # of the baseline
SCATTER = 0.2  # standard deviation of an effect between tasks
QUIET = 0.02  # standard deviation of runs that hardly vary
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
            named = [options(arm) for row in _claims(registered) for arm in row.arms(SUITE)]
            arms = [arm for arm in dict.fromkeys(named) if arm for _ in range(self.rounds[-1])]
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


FALSE = {
    "direction": "helps or hurts",
    "small": "no substantial help, a little",
    "substantial": "substantially",
    "task": "better or worse on a task",
    "depends": "depends on the task",
    "kind": "better or worse on a kind",
}


def sentences(batch: Batch, share: float, registered: Claims) -> dict:
    """Whether a study has a false sentence of each kind, `(S,)`; whether a claim is answered, and
    half of its interval, `(S, C)`."""
    family, tasks = registered.family(SUITE), len(batch.designs)
    alphas = (
        verdict.alpha(share, family, verdict.MEAN),
        verdict.alpha(share, family * tasks, verdict.TASK),
        verdict.alpha(share, family * 2 * KINDS, verdict.KIND),
    )
    each = [
        _of_claim(batch.change(claim), truth, *alphas) for claim, truth in enumerate(batch.truth)
    ]
    found = {name: np.stack([one[name] for one in each], axis=-1) for name in each[0]}
    return found | {name: found[name].any(-1) for name in FALSE}


def _of_claim(
    change: Change, truth: np.ndarray, alpha: float, task_alpha: float, kind_alpha: float
) -> dict[str, np.ndarray]:
    true, kind = truth.mean(-1), np.arange(truth.shape[-1]) % KINDS
    low, high = change.interval(alpha)
    task_low, task_high = change.task_intervals(task_alpha)
    both = (task_low > 0).any(-1) & (task_high < 0).any(-1)
    has_both = (truth > NEAR).any(-1) & (truth < -NEAR).any(-1)
    kinds = [(kind == one) / (kind == one).sum() for one in range(KINDS)]
    by_kind = [_wrong(*change.interval(kind_alpha, own), truth @ own) for own in kinds]
    words = verdict.words(low, high, MARGIN)
    return {
        "direction": _wrong(low, high, true),
        "small": np.isin(words, SMALL) & (true >= MARGIN - NEAR),
        "substantial": (words == verdict.SUBSTANTIALLY) & (true <= MARGIN + NEAR),
        "task": _wrong(task_low, task_high, truth).any(-1),
        "depends": both & ~has_both,
        "kind": np.any(by_kind, axis=0),
        "answered": np.isin(words, verdict.ANSWERED),
        "half": (high - low) / 2,
    }


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
    joined["any"] = np.any([joined[name] for name in FALSE], axis=0)
    half = joined.pop("half")
    shares = {name: float(values.mean()) for name, values in joined.items()}
    return shares | {"half": float(np.median(half)), "narrow": float((half <= HALF).mean())}


def _residual_freedom(design: Design, contrast: np.ndarray, scores: np.ndarray) -> Estimate:
    used = design.estimate(contrast, scores)
    return used._replace(df=np.full(used.effect.shape, design.free.sum()))


def _hc3(design: Design, contrast: np.ndarray, scores: np.ndarray) -> Estimate:
    scale = (contrast @ design.inverse / design.free) ** 2
    error = np.sqrt(design.residuals(scores) ** 2 @ scale)
    return _residual_freedom(design, contrast, scores)._replace(error=error)


def _without_numbers(design: Design, contrast: np.ndarray, scores: np.ndarray) -> Estimate:
    keep = np.array([not name.startswith("recipe.") for name in design.columns])
    fewer = Design(design.matrix[:, keep], tuple(np.array(design.columns)[keep]))
    return fewer.estimate(contrast[keep], scores)


WAYS = {
    "HC2, Bell and McCaffrey (used)": Design.estimate,
    "HC2, residual degrees of freedom": _residual_freedom,
    "HC3, residual degrees of freedom": _hc3,
    "used, numbers of the recipe left out": _without_numbers,
}


def methods(
    plan: Plan, scenario: Scenario, registered: Claims, studies: int, seed: int
) -> pd.DataFrame:
    """By way to estimate, without the guard: how often the 95% interval of a mean holds the truth,
    how often one of the simultaneous ones of a study does not, and the median of half of one."""
    truths, found = [], {name: [] for name in WAYS}
    for batch in batches(plan, scenario, registered, studies, seed):
        truths.append(np.stack(batch.truth, axis=1).mean(-1))
        for name, way in WAYS.items():
            found[name].append(_means(way, batch))
    truth, table = np.concatenate(truths), {}
    alpha = verdict.alpha(1, registered.family(SUITE), verdict.MEAN)
    for name, own in found.items():
        means = Estimate(*map(np.concatenate, zip(*own, strict=True)))
        (low, high), (least, most) = means.interval(verdict.ERROR), means.interval(alpha)
        table[name] = {
            "95% interval holds": ((low <= truth) & (truth <= high)).mean(),
            "one of a study misses": ((truth < least) | (most < truth)).any(-1).mean(),
            "half": np.median((most - least) / 2),
        }
    return pd.DataFrame.from_dict(table, orient="index")


def _means(way: Callable[..., Estimate], batch: Batch) -> Estimate:
    """The means of all claims, `(S, C)`."""
    means = []
    for contrasts in batch.contrasts:
        given = zip(batch.designs, contrasts, batch.scores, strict=True)
        means.append(mean_over_tasks(stacked([way(*one) for one in given])))
    return stacked(means)


def other_sentences(plan: Plan, registered: Claims, studies: int, seed: int) -> dict[str, float]:
    """Without any effect: how often the placebo differs, a registered pair interacts, and a pair is
    discovered at a rate of 5%. Of effects by task drawn around 0.1: how often the 95% interval for
    other tasks like these does not hold 0.1."""
    rng, found = np.random.default_rng(seed), []
    for batch in batches(plan, Scenario(resampled()), registered, studies, seed):
        pairs = said.pairs(batch.designs, batch.scores)
        named = said.registered_pairs(pairs, registered)
        alpha = verdict.alpha(1, len(named))
        interacts = [_wrong(*pairs[pair].interval(alpha), 0) for pair in named]
        discovered = [rate <= verdict.ERROR for rate in said.discovery_rates(pairs).values()]
        tasks = batch.change(0).tasks
        own = tasks.effect + rng.normal(0.1, SCATTER, tasks.effect.shape)
        low, high = mean_over_new_tasks(tasks._replace(effect=own)).interval(verdict.ERROR)
        found.append(
            {
                "the placebo differs": _placebo_differs(batch),
                "a registered pair interacts": np.any(interacts, axis=0),
                "a pair is discovered": np.any(discovered, axis=0),
                "the interval for other tasks misses": (low > 0.1) | (high < 0.1),
            }
        )
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def _placebo_differs(batch: Batch) -> np.ndarray:
    coins = [one.with_column(np.arange(len(one.matrix)) % 2, "odd") for one in batch.designs]
    contrasts = [np.eye(len(one.columns))[-1] for one in coins]
    placebo = replace(batch, designs=coins, contrasts=[contrasts]).change(0)
    return _wrong(*placebo.interval(verdict.ERROR), 0)


LARGE, ROUNDS = 24, (32, 48, 72)
TRIALS = [
    Plan(LARGE, ROUNDS, (0.25, 0.35, 0.4)),
    Plan(LARGE, (48,)),
    Plan(8, (48,)),
    Plan(5, (48,)),
    Plan(6, (32,)),
]
ONE_CHANGE = [Plan(5, (seeds,), one_change=True) for seeds in (3, 5, 12, 25)]
UNEQUAL = Plan(5, (12,), one_change=True, baseline=3)
PRECISION = [*(Plan(LARGE, (size,)) for size in ROUNDS), *TRIALS[2:], *ONE_CHANGE[1:]]
COMPARED = {"no effect": 32, "effects by task": 48}  # runs a task by truth


def page(registered: Claims, studies: int, seed: int = 1) -> str:
    """docs/calibration.md, made anew."""
    truths, given = scenarios(), (registered, studies, seed)
    plans = [*TRIALS, *ONE_CHANGE, UNEQUAL]
    simulated = {(plan, name): None for plan in plans for name in truths}
    simulated |= {(plan, "effects by task"): None for plan in PRECISION}
    found = {(plan.name, name): errors(plan, truths[name], *given) for plan, name in simulated}
    rows = pd.DataFrame.from_dict(found, orient="index").rename_axis(["runs", "truth"])
    order, precise = ([plan.name for plan in own] for own in (plans, PRECISION))
    precision = rows.xs("effects by task", level="truth").rename_axis("runs a task").loc[precise]
    ways = {
        f"{name}, {size} runs": methods(Plan(LARGE, (size,)), truths[name], *given)
        for name, size in COMPARED.items()
    }
    others = other_sentences(Plan(LARGE, (48,)), *given)
    template = Environment(loader=PackageLoader("analysis.show"), keep_trailing_newline=True)
    return template.get_template("calibration.md").render(
        worst=_table(rows.groupby("runs")[[*FALSE, "any"]].max().loc[order].rename(columns=FALSE)),
        any=_table(rows["any"].unstack("runs").loc[list(truths), order]),
        precision=_table(precision[["half", "narrow", "answered"]], "{:.0%}"),
        methods=_table(pd.concat(ways, names=["truth, runs a task", "way"])),
        others="\n".join(f"- {name}: {share:.1%}" for name, share in others.items()),
        studies=studies,
        few=FEW,
        parts=[f"{100 * part * verdict.ERROR:g}%" for part in verdict.PARTS],
    )


def _table(shares: pd.DataFrame, form: str = "{:.1%}") -> str:
    """Shares in percent, and halves of intervals, as Markdown."""
    text = {
        name: values.map(("±{:.3f}" if name == "half" else form).format)
        for name, values in shares.items()
    }
    return markdown(pd.DataFrame(text).reset_index())
