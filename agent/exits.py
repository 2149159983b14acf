"""Exit statuses of a run's process."""

DONE = 0
FAILED = 1
BAD_INPUT = 2
BUSY = 75  # EX_TEMPFAIL: another process owns the run
INTERRUPTED = 130
