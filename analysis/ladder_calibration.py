"""How often the verdicts of a ladder hold in simulated studies with known effects, and the runs
that it saves.

Letters: as in `simulate`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis import claims
from analysis.calibration import (
    BATCH,
    FALSE_NO_HELP,
    FALSE_SUBSTANTIAL,
    MARGIN,
    WRONG_SIGN,
    compared,
    family,
)
from analysis.effects import Cells
from analysis.ladder import Climbed, Ladder, climb
from analysis.rule import HELPS, HURTS, NO_HELP, UNDECIDED, Evidence
from analysis.simulate import BASELINE_WITHOUT, CLAIMS, SCENARIOS, Scenario

LADDER = claims.load().ladder["mini"]
LARGE = 0.3
EFFECTS = {  # of the claims of a study
    "none": np.zeros(CLAIMS),
    "all at the margin": np.full(CLAIMS, MARGIN),
    "all at minus the margin": np.full(CLAIMS, -MARGIN),
    "thirds: 0, once and twice the margin": np.resize([0, MARGIN, 2 * MARGIN], CLAIMS),
    "half large": np.resize([0, LARGE], CLAIMS),
}
FALSE_EFFECT = 'false "helps" or "hurts"'
KINDS = (FALSE_EFFECT, WRONG_SIGN, FALSE_NO_HELP, FALSE_SUBSTANTIAL)
DECIDED, SAVED = "decided", "runs saved"


def climbed(with_: np.ndarray, without: np.ndarray, ladder: Ladder) -> Climbed:
    """What comes of studies whose scores are `(S, C, M, R)`, R the baseline's in the last round;
    the positive control hurts."""
    looks = []
    for number in ladder.rounds:
        runs = np.where(BASELINE_WITHOUT, number, ladder.baseline * number)
        swapped = np.where(BASELINE_WITHOUT, ladder.baseline * number, number)
        looks.append(Evidence.of(compared(_cells(with_, runs), _cells(without, swapped))))
    return climb(looks, ladder.shares, family())


def _cells(scores: np.ndarray, runs: np.ndarray) -> Cells:
    """Of the first runs, as many as each claim has, `(C,)`."""
    shape = scores.shape[:-1]
    mean, variance = np.empty(shape), np.empty(shape)
    for number in np.unique(runs):
        those = runs == number
        first = scores[:, those, :, :number]
        mean[:, those], variance[:, those] = first.mean(-1), first.var(-1, ddof=1)
    return Cells(np.broadcast_to(runs[:, None], shape), mean, variance)


def false(result: Climbed, effects: np.ndarray) -> dict[str, np.ndarray]:
    """By kind, the studies `(S,)` with at least one false verdict among the claims of which it
    would be one; kinds that no claim can have are left out."""
    found = {
        FALSE_EFFECT: (np.isin(result.verdict, (HELPS, HURTS)), effects == 0),
        WRONG_SIGN: (result.verdict == np.where(effects > 0, HURTS, HELPS), effects != 0),
        FALSE_NO_HELP: (result.verdict == NO_HELP, effects >= MARGIN),
        FALSE_SUBSTANTIAL: (result.substantial, effects <= MARGIN),
    }
    return {kind: (wrong & can).any(-1) for kind, (wrong, can) in found.items() if can.any()}


def saved(result: Climbed, ladder: Ladder) -> np.ndarray:
    """The part of the runs of a fixed design, in which every arm has the last round's seeds, that
    the ladder leaves out, `(S,)`: an arm stops when its claim is decided, the baseline with the
    last claim."""
    seeds = np.array(ladder.rounds)
    until = np.where(result.round == 0, len(seeds), result.round) - 1
    used = seeds[until].sum(-1) + ladder.baseline * seeds[until.max(-1)]
    return 1 - used / (seeds[-1] * (1 + CLAIMS))


def row(
    scenario: Scenario, effects: np.ndarray, ladder: Ladder, studies: int, seed: int = 0
) -> dict[str, float]:
    """Shares of studies with a false verdict by kind, of claims that were decided, and of runs that
    were saved."""
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, studies, BATCH):
        size = min(BATCH, studies - start)
        scores = scenario(rng, size, ladder.baseline * ladder.rounds[-1], effects)
        result = climbed(*scores, ladder)
        decided = (result.verdict != UNDECIDED).mean(-1)
        parts.append(
            pd.DataFrame({**false(result, effects), DECIDED: decided, SAVED: saved(result, ladder)})
        )
    return pd.concat(parts).mean().to_dict()


def table(
    studies: int,
    scenarios: Mapping[str, Scenario] = SCENARIOS,
    effects: Mapping[str, Sequence[float]] = EFFECTS,
    ladder: Ladder = LADDER,
) -> pd.DataFrame:
    """A row for each scenario and pattern of effects; NaN for a kind that no claim can have."""
    rows = [
        {"scenario": name, "effects": pattern, **row(scenario, values, ladder, studies)}
        for name, scenario in scenarios.items()
        for pattern, values in effects.items()
    ]
    return pd.DataFrame(rows, columns=["scenario", "effects", *KINDS, DECIDED, SAVED])
