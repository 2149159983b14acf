"""The claims file: which arm is compared with which, where, and what the paper says of it; the
margins, scores, controls and ladders that are registered with them."""

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from analysis import InputError, registration
from analysis.fields import ACTIONS, is_identifier, is_suite, shown
from analysis.ladder import Ladder
from analysis.scores import LAST, WINDOWS

DEFAULT = Path(__file__).parents[1] / "sweeps" / "claims.yaml"
PAPER = ("helps", "no_help", "worse", "none")
REQUIRED, OPTIONAL = ("margin", "claims"), ("score", "controls", "ladder", "date")
SIDES = ("with", "without")
LONGEST, DEEPEST = 100_000, 20  # bytes and levels of a claims file
STARTS = (
    *(yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken),
    *(yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken),
)
ENDS = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


@dataclass(frozen=True)
class Claim:
    """One row: the option `with_` (an arm, or an arm by suite) against `without`, and what the
    paper says of it.

    `paper` is `helps`, `no_help`, `worse` for a change without help that it reports as worse, or
    `none` for a change that is not in the paper.
    """

    id: str
    paper: str
    with_: str | dict[str, str]
    without: str | dict[str, str]
    where: str

    def arms(self, suite: str) -> tuple[str, str] | None:
        """The two arms in a suite, or None where the claim names none for it."""
        sides = [
            side.get(suite) if isinstance(side, dict) else side
            for side in (self.with_, self.without)
        ]
        return None if None in sides else tuple(sides)


@dataclass(frozen=True)
class Claims:
    """What is registered: `margin` is by suite the smallest effect, in normalised score, that
    counts as substantial, `score` by suite what a run's final score is.

    Of the `controls`, which are no claims, those with two arms must hurt; those with one arm on
    both sides compare its odd seeds with its even ones and must not differ. `ladder` is by suite
    how many seeds its runs have and when they are looked at. `digest` is of the file, `date` the
    day of its registration.
    """

    margin: dict[str, float]
    claims: tuple[Claim, ...]
    controls: tuple[Claim, ...] = ()
    score: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    ladder: dict[str, Ladder] = field(default_factory=dict)
    date: str = ""

    @property
    def rows(self) -> tuple[Claim, ...]:
        """Everything that needs runs: claims and controls."""
        return (*self.claims, *self.controls)

    def window(self, suite: str) -> str:
        """The registered score of a suite: the last evaluation where the file says nothing."""
        return self.score.get(suite, LAST)

    def climbed(self, suite: str) -> Ladder:
        """The registered ladder of a suite; `InputError` names the suites that have one."""
        if suite not in self.ladder:
            there = ", ".join(self.ladder) or "none"
            raise InputError(f"no ladder is registered for suite '{suite}'; there are for: {there}")
        return self.ladder[suite]

    def family(self, suite: str) -> int:
        """The number of claims registered for a suite, whether they have data or not."""
        return sum(claim.arms(suite) is not None for claim in self.claims)


def load(path: str | Path = DEFAULT) -> Claims:
    """Reads and validates a claims file; raises `InputError` naming the row and what is allowed."""
    data = _read(Path(path))
    raw = _parse(data, path)
    if not isinstance(raw, dict) or not {*REQUIRED} <= {*raw} <= {*REQUIRED, *OPTIONAL}:
        raise InputError(
            f"{path}: a claims file has the keys {' and '.join(REQUIRED)}, "
            f"and may have {', '.join(OPTIONAL)}"
        )
    margin, score = _margin(raw["margin"], path), _score(raw.get("score", {}), path)
    claims = _rows(raw["claims"], f"{path}: claim", "claims", {"id", "paper", *SIDES, "where"})
    controls = ()
    if "controls" in raw:
        keys = {"id", *SIDES, "where"}
        controls = _rows(raw["controls"], f"{path}: control", "controls", keys)
    names = [row.id for row in (*claims, *controls)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: two rows have the id {', '.join(twice)}")
    ladder = registration.ladders(raw.get("ladder", {}), margin, path)
    date = registration.date(raw["date"], path) if "date" in raw else ""
    digest = hashlib.sha256(data).hexdigest()[:8]
    return Claims(margin, claims, controls, score, digest, ladder, date)


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot read the claims ({error.strerror})") from error
    if len(data) > LONGEST:
        raise InputError(f"{path}: a claims file has at most {LONGEST} bytes")
    return data


def _parse(data: bytes, path: str | Path):
    """The file's contents; aliases, which can grow without bound, are refused."""
    try:
        text = data.decode()
        _check_tokens(text, path)
        return yaml.safe_load(text)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start + 1})") from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: not valid YAML ({shown(error, 200)})") from error


def _check_tokens(text: str, path: str | Path) -> None:
    """`InputError` for what makes a small file large: aliases, and depth."""
    depth = 0
    for token in yaml.scan(text):
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
            raise InputError(f"{path}: anchors and aliases (& and *) are not allowed here")
        depth += isinstance(token, STARTS) - isinstance(token, ENDS)
        if depth > DEEPEST:
            raise InputError(f"{path}: nested more than {DEEPEST} levels deep")


def _margin(raw, path) -> dict[str, float]:
    if not isinstance(raw, dict) or not all(
        is_suite(suite) and _is_share(value) for suite, value in raw.items()
    ):
        raise InputError(
            f"{path}: margin gives a number between 0 and 1 for each suite, "
            f"as in {{mini: 0.10}}; got {shown(raw)}"
        )
    return raw


def _is_share(value) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 < value < 1


def _score(raw, path) -> dict[str, str]:
    if not isinstance(raw, dict) or not all(
        is_suite(suite) and isinstance(name, str) and name in WINDOWS for suite, name in raw.items()
    ):
        raise InputError(
            f"{path}: score gives one of {', '.join(WINDOWS)} for each suite, "
            f"as in {{mini: {LAST}}}; got {shown(raw)}"
        )
    return raw


def _rows(raw, where: str, name: str, keys: set[str]) -> tuple[Claim, ...]:
    listed = ", ".join(key for key in ("id", "paper", *SIDES, "where") if key in keys)
    if not isinstance(raw, list) or not raw:
        raise InputError(f"{where.rpartition(': ')[0]}: {name} is a list of rows with {listed}")
    return tuple(
        _row(row, f"{where} {number}", keys, listed) for number, row in enumerate(raw, start=1)
    )


def _row(row, where: str, keys: set[str], listed: str) -> Claim:
    if not isinstance(row, dict) or set(row) != keys:
        given = ", ".join(map(str, row)) if isinstance(row, dict) else row
        raise InputError(f"{where}: needs exactly the keys {listed}; got {shown(given)}")
    if not is_identifier(row["id"]):
        raise InputError(
            f"{where}: id is a name of letters, digits, _ and -; got {shown(row['id'])}"
        )
    where = f"{where} ({row['id']})"
    paper = row.get("paper", "none")
    for key, value, allowed in (("paper", paper, PAPER), ("where", row["where"], ACTIONS)):
        if not isinstance(value, str) or value not in allowed:
            raise InputError(f"{where}: {key} is '{shown(value)}'; allowed: {', '.join(allowed)}")
    for side in SIDES:
        names = row[side].values() if isinstance(row[side], dict) else [row[side]]
        if not all(isinstance(name, str) and name and name.isprintable() for name in names):
            raise InputError(
                f"{where}: {side} is an arm name, or one by suite; got {shown(row[side])}"
            )
    claim = Claim(row["id"], paper, row["with"], row["without"], row["where"])
    named = [side for side in (claim.with_, claim.without) if isinstance(side, dict)]
    for suite in {suite for side in named for suite in side} or {""}:
        arms = claim.arms(suite)
        if "paper" in keys and arms is not None and arms[0] == arms[1]:
            raise InputError(f"{where}: with and without are both {shown(arms[0])}")
    return claim
