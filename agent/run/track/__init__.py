"""Trackers: views of a run's records in TensorBoard or W&B."""

import sys
from collections.abc import Callable

from agent.errors import UserError
from agent.run.record import Record, Tracker


def add_tracker(start: Callable[..., Tracker], name: str, record: Record) -> None:
    """Add the tracker that `start(record=record)` makes to the record of a run.

    Raises UserError where its package is missing; one that cannot start otherwise is reported and
    left out.
    """
    try:
        record.add_tracker(start(record=record))
    except UserError:
        raise
    except Exception as error:  # a tracker is a view: the run goes on without it
        first = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"tracker={name} cannot start: {first}", file=sys.stderr)


def publish(start: Callable[..., Tracker], record: Record) -> None:
    """Show the tracker that `start(record=record)` makes the records of a run that has ended.

    Raises what the tracker raises.
    """
    tracker = start(record=record)
    tracker.rewind(record)
    tracker.close(record.fields["status"])
