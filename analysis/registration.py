"""What a claims file may register besides its rows: the ladder of each suite, and the date."""

import datetime
import math
from numbers import Real

from analysis import InputError
from analysis.ladder import Ladder
from analysis.schema import is_suite, shown

KEYS = ("rounds", "shares", "baseline", "ratios")
FEWEST = 2  # seeds of an arm on a task in any round: one has no spread
RATIOS = (0.5, 2)
NEAR_ONE = 1e-9


def ladders(raw, suites, path) -> dict[str, Ladder]:
    """The registered ladders by suite, of those that have a margin; `InputError` names what is
    wrong."""
    if not isinstance(raw, dict) or not all(is_suite(suite) for suite in raw):
        raise InputError(f"{path}: ladder gives {', '.join(KEYS)} for each suite; got {shown(raw)}")
    for suite in raw:
        if suite not in suites:
            raise InputError(f"{path}: ladder of {suite}: the file gives no margin for this suite")
    return {suite: _ladder(entry, f"{path}: ladder of {suite}") for suite, entry in raw.items()}


def date(raw, path) -> str:
    """The day of registration, as in 2026-11-30."""
    if isinstance(raw, datetime.date) and not isinstance(raw, datetime.datetime):
        return raw.isoformat()
    raise InputError(f"{path}: date is a day, as in 2026-11-30; got {shown(raw)}")


def _ladder(raw, where: str) -> Ladder:
    if not isinstance(raw, dict) or set(raw) != set(KEYS):
        given = ", ".join(map(str, raw)) if isinstance(raw, dict) else raw
        raise InputError(f"{where}: needs exactly the keys {', '.join(KEYS)}; got {shown(given)}")
    rounds, shares, baseline, ratios = (raw[key] for key in KEYS)
    _check_rounds(rounds, where)
    _check_shares(shares, len(rounds), where)
    if not _is_whole(baseline) or baseline < 1:
        raise InputError(
            f"{where}: baseline is a whole number of at least 1; got {shown(baseline)}"
        )
    _check_ratios(ratios, where)
    ladder = Ladder(tuple(rounds), tuple(shares), baseline, ratios)
    for task in ratios:
        if (seeds := ladder.seeds(1, task, "")) < FEWEST:
            raise InputError(
                f"{where}: round 1 has {seeds} seeds on {task}; at least {FEWEST} are needed"
            )
    return ladder


def _check_rounds(rounds, where: str) -> None:
    whole = isinstance(rounds, list) and rounds and all(map(_is_whole, rounds))
    if not whole or rounds[0] < FEWEST or sorted(set(rounds)) != rounds:
        raise InputError(
            f"{where}: rounds are whole numbers of seeds from {FEWEST} up, each larger than the "
            f"one before; got {shown(rounds)}"
        )


def _check_shares(shares, rounds: int, where: str) -> None:
    numbers = isinstance(shares, list) and all(_is_number(share) and share > 0 for share in shares)
    if not numbers or len(shares) != rounds or abs(math.fsum(shares) - 1) > NEAR_ONE:
        raise InputError(
            f"{where}: shares are positive numbers that sum to 1, one for each of the {rounds} "
            f"rounds; got {shown(shares)}"
        )


def _check_ratios(ratios, where: str) -> None:
    low, high = RATIOS
    named = isinstance(ratios, dict) and ratios and all(isinstance(name, str) for name in ratios)
    if not named or not all(_is_number(one) and low <= one <= high for one in ratios.values()):
        raise InputError(
            f"{where}: ratios give a number from {low} to {high} for each task; got {shown(ratios)}"
        )


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
