"""What is shown of a sweep while it runs."""

import json
from contextlib import ExitStack
from io import StringIO
from itertools import chain, repeat
from unittest.mock import Mock

import pytest
from rich.console import Console

from agent.run.compose import project_config
from agent.run.lock import RunFolder
from agent.run.status import Status
from sweeps import display, state
from sweeps.job import Outcome
from tests.waiting import wait_until


@pytest.mark.parametrize("is_terminal", [True, False])
def test_runs_under_way_with_their_steps_and_the_time_left(tmp_path, monkeypatch, is_terminal):
    monkeypatch.setattr(display, "LIVE_SECONDS" if is_terminal else "PLAIN_SECONDS", 0.01)
    with project_config():
        root = (f"run.root={tmp_path}", "run.steps=1000")
        runs = state.planned([[f"run.seed={seed}", *root] for seed in range(3)])
    screen = Console(file=StringIO(), force_terminal=is_terminal, width=100, highlight=False)
    monkeypatch.setattr(display, "time", Mock(monotonic=Mock(side_effect=chain([0], repeat(10)))))
    shows = display.Display(runs, screen)
    with ExitStack() as stack:
        for run, steps in zip(runs, (250, 750), strict=False):
            stack.enter_context(RunFolder(run.folder).claim())
            fields = {"status": "under way", "steps": steps, "last_score": 12.34}
            (run.folder / "run.json").write_text(json.dumps(fields))
        with shows.shown():
            wait_until(lambda: "750 of 1,000  12.34" in screen.file.getvalue())
            left = shows.end(Outcome("", runs[0].folder, Status.DONE))
            wait_until(lambda: "1 of 3 runs ended, 1 under way, 0:00:07" in screen.file.getvalue())
    said = screen.file.getvalue()
    assert "mini/cartpole/baseline seed 1" in said and "seed 2" not in said
    assert left == "; 0:00:07 left", "1,250 steps at 175 a second"
    assert ("\x1b[" in said) == is_terminal
    assert shows.end(Outcome("", runs[1].folder, Status.FAILED)) == "; 0:00:06 left"
