"""What a person sees: the progress bar and pictures of predictions."""

import io
import re

import numpy as np
from rich.console import Console

from agent.run import pictures
from agent.run.progress import Clock, Display


def show(terminal, monkeypatch):
    monkeypatch.setattr("agent.run.progress.REFRESH_SECONDS", 0.0)
    console = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    clock = Clock(steps=2000, prefill=20, action_repeat=1)
    with Display(clock, 0, console) as display:
        display.say("baseline on [cartpole], " + "long " * 40)
        for clock.step, updates, display.last_return in ((500, 3, None), (1000, 6, 12.5)):
            display.update(updates)
        display.evaluated(6, 321.5)
    return console.file.getvalue()


def test_a_bar_on_a_terminal(monkeypatch):
    shown = show(True, monkeypatch)
    for part in ("1000/2000", "return 12.5", "updates/s", "left", "score 321.5"):
        assert part in shown


def test_lines_alone_where_there_is_no_terminal(monkeypatch):
    start, evaluation = show(False, monkeypatch).splitlines()
    assert start == "baseline on [cartpole], " + "long " * 40
    number = r"[\d.]+"
    said = rf"step 1,000 of 2,000: score 321.5, {number} updates/s, 0:00:0\d left"
    assert re.fullmatch(said, evaluation)


def test_a_picture_has_rows_of_truth_model_and_error():
    truth, model = np.zeros((2, 5, 64, 64, 1)), np.full((2, 5, 64, 64, 1), 1.5)
    picture = pictures.strip(truth, model)
    assert picture.shape == (2 * 3 * 64, 5 * 64, 3)
    assert [picture[64 * row, 0, 0] for row in range(6)] == [0, 255, 255, 0, 255, 255]
    assert pictures.strip(truth, truth)[128, 0, 0] == 128


def test_planes_of_a_grid_have_different_colours_and_small_grids_are_enlarged():
    planes = np.zeros((1, 1, 1, 4, 4))
    planes[0, 0, 0] = np.eye(4)
    colours = pictures.colours(planes)[0, 0, 0]
    assert len({tuple(colour) for colour in colours}) == 4
    assert not pictures.colours(np.zeros((1, 1, 1, 1, 4))).any()
    assert pictures.strip(np.zeros((1, 2, 10, 10, 4)), np.zeros((1, 2, 10, 10, 4))).shape == (
        3 * 60,
        2 * 60,
        3,
    )


def test_a_vector_is_bars_up_and_down_from_the_middle():
    truth = np.array([[[2.0, -1.0], [0.0, 4.0]]])
    first, second = pictures.rgb(truth, truth)[0].any(-1)[:, :, [16, 48]].transpose(0, 2, 1)
    assert first.sum(1).tolist() == [16, 8] and second.sum(1).tolist() == [0, 32]
    assert first[0, 16:32].all() and first[1, 32:40].all()
    strip = pictures.strip(truth, 9 * truth)
    assert strip.shape == (3 * 64, 2 * 64, 3) and strip[64:128, 16].any(-1).sum() == 32
