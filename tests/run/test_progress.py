"""What a person sees: the progress bar."""

import io
import re

from rich.console import Console

from agent.run.progress import Clock, Display


def show(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    clock = Clock(steps=2000, prefill=20, action_repeat=1)
    display = Display(clock, 0, console)
    with display.bar:
        display.say("baseline on [cartpole], " + "long " * 40)
        for clock.step, updates, display.last_return in ((500, 3, None), (1000, 6, 12.5)):
            display.update(updates)
        display.evaluated(6, 321.5)
    return console.file.getvalue()


def test_a_bar_on_a_terminal():
    shown = show(True)
    for part in ("1000/2000", "return 12.5", "updates/s", "left", "score 321.5"):
        assert part in shown


def test_lines_alone_where_there_is_no_terminal():
    start, evaluation = show(False).splitlines()
    assert start == "baseline on [cartpole], " + "long " * 40
    number = r"[\d.]+"
    said = rf"step 1,000 of 2,000: score 321.5, {number} updates/s, 0:00:0\d left"
    assert re.fullmatch(said, evaluation)
