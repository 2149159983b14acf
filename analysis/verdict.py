"""The rule from an interval to words; one study or thousands at once."""

import numpy as np
import pandas as pd

ERROR = 0.05  # of any false sentence in a table
MEAN, TASK, KIND = 0.6, 0.2, 0.2  # what part of it sentences on means, tasks and kinds may spend
PARTS = (MEAN, TASK, KIND)
SUBSTANTIALLY, HELPS, A_LITTLE = "helps substantially", "helps", "helps a little"
NO_HELP, HURTS, UNDECIDED = "no substantial help", "hurts", "undecided"
DEPENDS = "depends on the task"
HURTS_ENOUGH = "hurts by at least the margin"
NOT_ENOUGH = "does not surely hurt by the margin"
DIFFERS, ALIKE = "differs", "does not differ"
NO_RUNS = "has no runs that show it"
ANSWERED = (SUBSTANTIALLY, HELPS, A_LITTLE, NO_HELP, HURTS)
# By what the paper says the verdicts that agree, and the one that neither does nor does not.
AGREEING = {
    "helps": ((SUBSTANTIALLY, HELPS, A_LITTLE), None),
    "no_help": ((A_LITTLE, NO_HELP, HURTS), HELPS),  # which may be less than the margin
    "worse": ((NO_HELP, HURTS), None),
}


def alpha(share: float, comparisons: int, part: float = 1) -> float:
    """The error of each of several intervals (Bonferroni), of a round's share and a part."""
    return ERROR * share * part / max(comparisons, 1)


def words(low, high, margin: float, sensitive=True) -> np.ndarray:
    """The verdict on intervals `(...)`; nothing is small unless the suite is `sensitive`: its
    positive control hurts by the margin."""
    small = np.logical_and(high < margin, sensitive)
    rules = [
        (low > margin, SUBSTANTIALLY),
        ((low > 0) & small, A_LITTLE),
        (low > 0, HELPS),
        (high < 0, HURTS),
        (small, NO_HELP),
    ]
    return np.select(*zip(*rules, strict=True), default=UNDECIDED)


def depends(names: pd.Series, rows: pd.DataFrame) -> str:
    """Where an effect is surely better and surely worse by the ends `low` and `high`, in words;
    empty unless there are both."""
    better, worse = (", ".join(names[sure]) for sure in (rows.low > 0, rows.high < 0))
    return f"better on {better}; worse on {worse}" if better and worse else ""


def agrees(paper: str, verdict: str) -> str:
    """Whether a verdict on the mean is the paper's: `yes`, `no`, or empty if unsaid."""
    if paper == "none" or verdict not in ANSWERED:
        return ""
    agreeing, unsaid = AGREEING[paper]
    return "yes" if verdict in agreeing else "" if verdict == unsaid else "no"


def of_control(low: float, high: float, margin: float) -> str:
    """What is said of a positive control by its interval; NaN: without runs, or no margin."""
    hurts = HURTS_ENOUGH if high < -np.nan_to_num(margin) else NOT_ENOUGH
    return NO_RUNS if np.isnan(low + high) else hurts


def of_placebo(low: float, high: float) -> str:
    """What is said of the placebo by its interval, NaN without runs."""
    differs = DIFFERS if low > 0 or high < 0 else ALIKE
    return NO_RUNS if np.isnan(low + high) else differs
