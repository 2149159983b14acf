"""The claims file: which arm is compared with which, where, and what the paper says of it."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from analysis import InputError
from analysis.store import ACTIONS

DEFAULT = Path(__file__).parents[1] / "sweeps" / "claims.yaml"
PAPER = ("helps", "no_help", "none")


@dataclass(frozen=True)
class Claim:
    """One row: the option `with_` (an arm, or an arm by suite) against `without`, and what the
    paper says of it.

    `paper` is `helps`, `no_help`, or `none` for a change that is not in the paper.
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
    """All rows, and by suite the margin: the smallest effect, in normalised score, that counts as
    substantial."""

    margin: dict[str, float]
    rows: tuple[Claim, ...]


def load(path: str | Path = DEFAULT) -> Claims:
    """Reads and validates a claims file; raises `InputError` naming the row and what is allowed."""
    try:
        raw = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise InputError(f"{path}: cannot read the claims ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    if not isinstance(raw, dict) or set(raw) != {"margin", "claims"}:
        raise InputError(f"{path}: a claims file has exactly two keys, margin and claims")
    margin, rows = raw["margin"], raw["claims"]
    if not isinstance(margin, dict) or not all(_is_positive(value) for value in margin.values()):
        raise InputError(
            f"{path}: margin gives a positive number for each suite, as in {{mini: 0.10}}; got {margin}"
        )
    if not isinstance(rows, list) or not rows:
        raise InputError(
            f"{path}: claims is a list of rows with id, paper, with, without and where"
        )
    claims = tuple(
        _claim(row, f"{path}: claim {number}") for number, row in enumerate(rows, start=1)
    )
    names = [claim.id for claim in claims]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{path}: two claims have the id {', '.join(twice)}")
    return Claims(margin, claims)


def _is_positive(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _claim(row, where: str) -> Claim:
    keys = {"id", "paper", "with", "without", "where"}
    if not isinstance(row, dict) or set(row) != keys:
        given = ", ".join(map(str, row)) if isinstance(row, dict) else row
        raise InputError(
            f"{where}: needs exactly the keys id, paper, with, without, where; got {given}"
        )
    if not isinstance(row["id"], str):
        raise InputError(f"{where}: id is a name; got {row['id']}")
    where = f"{where} ({row['id']})"
    if row["paper"] not in PAPER:
        raise InputError(f"{where}: paper is '{row['paper']}'; allowed: {', '.join(PAPER)}")
    if row["where"] not in ACTIONS:
        raise InputError(f"{where}: where is '{row['where']}'; allowed: {', '.join(ACTIONS)}")
    for side in ("with", "without"):
        names = row[side].values() if isinstance(row[side], dict) else [row[side]]
        if not all(isinstance(name, str) and name for name in names):
            raise InputError(f"{where}: {side} is an arm name, or one by suite; got {row[side]}")
    if row["with"] == row["without"]:
        raise InputError(f"{where}: with and without are both {row['with']}")
    return Claim(row["id"], row["paper"], row["with"], row["without"], row["where"])
