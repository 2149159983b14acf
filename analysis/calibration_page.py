"""The page of the documentation that says how well intervals and verdicts hold."""

import textwrap

import numpy as np
import pandas as pd

from analysis import ladder_calibration as of_ladder
from analysis.calibration import (
    ALLOWED,
    FALSE_HELPS,
    FALSE_NO_HELP,
    FALSE_SUBSTANTIAL,
    LAST_LOOK,
    MARGIN,
    SAME_ARM,
    SEEDS,
    SMALL,
    USED,
    WRONG_SIGN,
    family,
    looking_again,
    unguarded,
)
from analysis.formats import markdown
from analysis.simulate import CLAIMS, SCENARIOS, Scenario

HOLDS = (0.93, 0.98)  # shares of covering 95% intervals that the page does not remark on

PAGE = """# Do the intervals and the verdicts hold?

Simulated studies with known effects, {studies} per row, written by

```sh
{command}
```

The first shares are of 95% intervals of one change that contain the true effect: they should be
95%. The others are of whole studies: {claims} claims that share one baseline, judged as a family of
the {family} that are registered, with a positive control that hurts, so that every verdict is
possible. They count studies with at least one false verdict, and should be at most 5%:

- *{helps}*: nothing has an effect, and a claim "helps".
- *{sign}*: every effect is -{small} and a claim "helps", or every effect is +{small} and a claim
  "hurts" (half of the studies each).
- *{no_help}*: every effect is the margin, {margin}, and a claim is "no
  substantial help";
- *{substantial}*: the same, and a claim helps by more than the margin.
- *{same}*: the baseline against itself, each half with as many seeds.

Simulation error, two standard errors: about {error:.1f} points at 95% or at 5%.

{table}
{remark}

The scenarios:

{scenarios}

The percentile bootstrap is what most papers use. With 3 to 5 seeds it is too narrow: there are few
runs to resample, and their spread is underestimated. The stratified Welch t stays near its level
with few seeds, so the verdicts use it.

No interval holds for what has not happened yet. Where runs fail now and then, a few runs of an arm
may all be well, and their spread looks like none: see the coverage of *rare failures*. So

- with fewer than five seeds an effect "helps" or "hurts" only if its 95% interval still lies on the
  same side of 0 when any one task is left out, and never with one or two tasks;
- a change "helps", or does so substantially, only if it still does with one more run of `with`
  that scores 0, on each task in turn, and "hurts" only with one more such run of `without`;
- a change is "no substantial help" only if it still is with one more run of `without` that scores
  0, on each task in turn that moves or would then leave the ceiling. Without
  this rule *rare failures* has a false "no substantial help" in
  {unguarded} of the studies with {seeds} seeds.

Judging again after each added seed, from {first} to {last}, finds a difference at 5% where there is
none in {again:.0%} of the comparisons. The number of seeds is to be fixed before the runs, or the
rounds of a ladder.

{ladder}
"""

LADDER = """## Does a ladder hold?

The same claims on a ladder, {studies} studies per row: rounds of {rounds} seeds that may spend
{shares} of the 5%, a baseline with {baseline} times as many seeds, and a first verdict that stays.
The effects of a study's claims are none; the margin, {margin}, or minus the margin, of all; 0, once
and twice the margin in turn; or 0 and {large} in turn. The shares, each with its standard error,
are of studies with at least one false verdict, and should be at most 5%:

- *{effect}*: of a claim without an effect;
- *{sign}*: of a claim with the other sign;
- *{no_help}*: of a claim at the margin or more;
- *{substantial}*: of a claim at the margin or less.

*{decided}* is the mean share of claims that get a verdict. *{saved}* is the mean part of the runs
of a fixed design, in which every arm has {last} seeds, that the ladder leaves out: an arm stops
when its claim is decided, the baseline, which has {baseline_last} in the end, with the last claim.

{table}
{remark}"""


def page(results: pd.DataFrame, scenarios: dict[str, Scenario], studies: int, command: str) -> str:
    """The results as a page of the documentation; `command` is the command line that gave them."""
    shares = results.set_index(["scenario", "seeds"]).map("{:.1%}".format).reset_index()
    error = 2 * np.sqrt(0.95 * 0.05 / studies)
    ladder = of_ladder.table(studies, {name: scenarios[name] for name in SCENARIOS})
    notes = [_note(name, scenario) for name, scenario in scenarios.items()]
    return PAGE.format(
        studies=studies,
        command=command,
        claims=CLAIMS,
        family=family(),
        small=SMALL,
        margin=MARGIN,
        helps=FALSE_HELPS,
        sign=WRONG_SIGN,
        no_help=FALSE_NO_HELP,
        substantial=FALSE_SUBSTANTIAL,
        same=SAME_ARM,
        error=100 * error,
        table=markdown(shares),
        remark=_remark(results, error),
        scenarios="\n".join(notes),
        unguarded=" / ".join(f"{unguarded(seeds, studies):.0%}" for seeds in SEEDS),
        seeds=" / ".join(map(str, SEEDS)),
        again=looking_again(studies),
        first=SEEDS[0],
        last=LAST_LOOK,
        ladder=ladder_section(ladder, studies),
    )


def ladder_section(results: pd.DataFrame, studies: int) -> str:
    """The results of the ladder as a section of the page."""
    ladder = of_ladder.LADDER
    shown = results.copy()
    for kind in of_ladder.KINDS:
        shown[kind] = [_with_error(share, studies) for share in results[kind]]
    for name in (of_ladder.DECIDED, of_ladder.SAVED):
        shown[name] = results[name].map("{:.0%}".format)
    return LADDER.format(
        studies=studies,
        rounds=", ".join(map(str, ladder.rounds)),
        shares=", ".join(map("{:.0%}".format, ladder.shares)),
        baseline=ladder.baseline,
        margin=MARGIN,
        large=of_ladder.LARGE,
        effect=of_ladder.FALSE_EFFECT,
        sign=WRONG_SIGN,
        no_help=FALSE_NO_HELP,
        substantial=FALSE_SUBSTANTIAL,
        decided=of_ladder.DECIDED,
        saved=of_ladder.SAVED,
        last=ladder.rounds[-1],
        baseline_last=ladder.baseline * ladder.rounds[-1],
        table=markdown(shown),
        remark=_ladder_remark(results, studies),
    )


def _with_error(share: float, studies: int) -> str:
    if np.isnan(share):
        return ""
    error = np.sqrt(share * (1 - share) / studies)
    return f"{share:.1%} ± {100 * error:.1f}" if share else "0.0%"


def _ladder_remark(results: pd.DataFrame, studies: int) -> str:
    most = ALLOWED + 2 * np.sqrt(ALLOWED * (1 - ALLOWED) / studies)
    misses = [
        f"- {row['scenario']}, effects {row['effects']}: {kind} in {row[kind]:.1%}"
        for row in results.to_dict("records")
        for kind in of_ladder.KINDS
        if row[kind] > most
    ]
    rule = "Every share is at most 5% up to two standard errors"
    return "\n".join([f"{rule}, except for:\n", *misses]) if misses else f"{rule}."


def _note(name: str, scenario: Scenario) -> str:
    text = " ".join((scenario.__doc__ or "").split())
    return textwrap.fill(f"- *{name}*: {text}", 100, subsequent_indent="  ")


def _remark(results: pd.DataFrame, error: float) -> str:
    """Says which rows cover outside of `HOLDS`, or have more false verdicts than allowed, beyond
    the simulation's error."""
    low, high = HOLDS
    bounds = f"{low:.0%} to {high:.0%}"
    remarks = []
    for row in results.to_dict("records"):
        where, share = f"{row['scenario']}, {row['seeds']} seeds", row[USED]
        if not low <= share <= high:
            how = "too narrow" if share < low else "wider than need be"
            remarks.append(f"- {where}: {USED} covers in {share:.1%}, {how}")
        for kind in (FALSE_HELPS, WRONG_SIGN, FALSE_NO_HELP, FALSE_SUBSTANTIAL, SAME_ARM):
            if row[kind] > ALLOWED + error:
                remarks.append(f"- {where}: {kind} in {row[kind]:.1%}")
    rule = f"Coverage of the Welch t within {bounds}, every other share at most 5% up to the error"
    if not remarks:
        return f"{rule}: in every row."
    head = f"{rule}, except for:\n"
    return "\n".join([head, *remarks])
