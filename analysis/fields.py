"""What the agent writes and the analysis reads: the words, columns and rules of names, in one
place."""

import re
from enum import StrEnum

SCHEMA = 1
ACTIONS = ("discrete", "continuous")
KINDS = ("train", "eval")
NORMALISATIONS = ("clipped_record", "reference")
SCORE_COLUMNS = ("step", "env_frames", "kind", "return")  # of scores.csv
BASELINE = "baseline"


class Status(StrEnum):
    """How far a run is: the agent's own words, which this package does not import."""

    TODO = "not started"
    UNDER_WAY = "under way"
    INTERRUPTED = "interrupted"
    DONE = "done"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    DIVERGED = "diverged"  # NaN or infinity in a loss: an end, without later evaluations


ENDED = (Status.DONE, Status.DIVERGED)

# A suite names a folder of results, a claim its figures.
_SUITE, _IDENTIFIER = re.compile(r"\w[\w .+-]*"), re.compile(r"[A-Za-z0-9_-]+")


def is_suite(name: object) -> bool:
    """Whether a folder of results may have this name."""
    return isinstance(name, str) and _SUITE.fullmatch(name) is not None


def is_identifier(name: object) -> bool:
    """Whether a claim may have this id."""
    return isinstance(name, str) and _IDENTIFIER.fullmatch(name) is not None


def shown(value: object, longest: int = 60) -> str:
    """A value of the user's in one line of a message, cut where it is long."""
    text = " ".join(str(value).split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= longest else f"{text[:longest]}..."
