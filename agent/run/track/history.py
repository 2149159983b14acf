"""The records of a run in their order, each with an index that no kill and no resumption
changes."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any

from agent.run.record import PICTURES, Record, Tracker

PER_STEP = 8  # indices of an agent step, more than there are slots
Slot = IntEnum("Slot", ["TRAIN", "METRICS", "EVAL", *map(str.upper, PICTURES)], start=0)


def index(step: int, slot: Slot) -> int:
    """The index of a record: its agent step, and its place among the records of that step."""
    return PER_STEP * step + slot


def replay(record: Record, tracker: Tracker) -> None:
    """Show `tracker` every record that the run's files hold, in the order in which they were
    made."""
    for _, method, arguments in sorted(_records(record), key=lambda entry: entry[0]):
        getattr(tracker, method)(*arguments)


def _records(record: Record) -> Iterator[tuple[int, str, tuple[Any, ...]]]:
    """Index of each record, the tracker's method that takes it, and what the method takes."""
    for row in record.metrics():
        yield index(row["step"], Slot.METRICS), "log", (row,)
    for row in record.scores():
        yield index(row["step"], Slot[row["kind"].upper()]), "score", (row,)
    for name, step, file in record.pictures():
        yield index(step, Slot[name.upper()]), "picture", (name, step, file)
