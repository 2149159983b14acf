"""Waiting for other processes and threads, however slow the machine is."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
