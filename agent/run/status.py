"""How far a run is, and how its process ended: one vocabulary for run.json, sweeps, plans and
tables."""

from enum import IntEnum, StrEnum


class Status(StrEnum):
    """How far a run is; run.json holds all but the first and the last."""

    TODO = "not started"
    UNDER_WAY = "under way"
    INTERRUPTED = "interrupted"  # goes on from its last checkpoint
    DONE = "done"
    FAILED = "failed"  # does not go on by itself
    DIVERGED = "diverged"  # NaN or infinity in a loss: an end, scored like random play
    UNREADABLE = "unreadable"  # its run.json is broken


STOPPED_BY_SERVER = "stopped by the W&B server"  # error in run.json: nobody is to go on with it


class Exit(IntEnum):
    """Exit statuses of a run's process."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    BUSY = 75  # EX_TEMPFAIL: another process owns the run
    INTERRUPTED = 130
