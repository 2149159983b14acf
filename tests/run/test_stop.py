"""Requests to stop: which signals count, Ctrl-C twice, and the watch over the parent."""

import os
import signal
import threading

import pytest

from agent.errors import UserError
from agent.run import status
from agent.run.status import SIGNALS, Stop


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # which nohup ignores
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_asks_to_stop_and_ctrl_c_afterwards_stops_at_once(number):
    asked = Stop()
    assert not asked()
    signal.raise_signal(number)
    assert asked()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_nohup_is_obeyed_and_a_parent_that_is_no_process_is_named(monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = Stop()
    signal.raise_signal(signal.SIGHUP)
    assert not asked()
    monkeypatch.setenv(status.PARENT, "abc")
    with pytest.raises(UserError, match="RUN_PARENT=abc must be the number of a process"):
        Stop()


@pytest.mark.parametrize("cause", ["a signal", "a dead parent"])
def test_what_asks_to_stop_ends_the_watch_over_the_parent(monkeypatch, cause):
    """It would otherwise spin, because a wait for a request that was made returns at once."""
    monkeypatch.setenv(status.PARENT, str(os.getppid()))
    asked = Stop()
    assert not asked()
    if cause == "a signal":
        signal.raise_signal(signal.SIGTERM)
    else:
        monkeypatch.setattr(os, "getppid", lambda: 1)  # which adopts what a killed parent leaves
    for watch in threading.enumerate():
        if watch.name == "parent":
            watch.join(300)
            assert not watch.is_alive()
    assert asked()
