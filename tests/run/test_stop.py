"""Requests to stop: which signals count, Ctrl-C twice, and a watch over the parent that costs
nothing."""

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
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_asks_to_stop(number):
    asked = Stop()
    assert not asked()
    signal.raise_signal(number)
    assert asked()


def test_nohup_is_obeyed():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    asked = Stop()
    signal.raise_signal(signal.SIGHUP)
    assert not asked()


def test_a_parent_that_is_no_process_is_named(monkeypatch):
    monkeypatch.setenv(status.PARENT, "abc")
    with pytest.raises(UserError, match="RUN_PARENT=abc must be the number of a process"):
        Stop()


def test_ctrl_c_again_stops_at_once():
    asked = Stop()
    signal.raise_signal(signal.SIGINT)
    assert asked()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_watch_over_the_parent_ends_with_the_request(monkeypatch):
    """It would otherwise spin, because a wait for a request that was made returns at once."""
    monkeypatch.setenv(status.PARENT, str(os.getppid()))
    asked = Stop()
    (watch,) = (thread for thread in threading.enumerate() if thread.name == "parent")
    signal.raise_signal(signal.SIGTERM)
    watch.join(300)
    assert asked() and not watch.is_alive()


def test_a_parent_that_is_another_process_asks_to_stop(monkeypatch):
    monkeypatch.setenv(status.PARENT, "1234567")
    asked = Stop()
    for thread in threading.enumerate():
        if thread.name == "parent":
            thread.join(300)
    assert asked()
