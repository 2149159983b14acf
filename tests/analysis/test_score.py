"""Final scores in a window, and normalisations."""

import numpy as np
import pandas as pd
import pytest

from analysis import InputError, read, score
from analysis.score import final_scores
from tests.analysis.runs import HEADER, unscaled, write_run


@pytest.fixture
def with_rows(tmp_path):
    """A store of one run with these rows of step, frames, kind, episode and return."""

    def made(rows):
        lines = "\n".join([HEADER, *(f"{row},9" for row in rows), ""])
        (write_run(tmp_path) / "scores.csv").write_text(lines)
        return read.load(tmp_path)

    return made


def test_windows(with_rows, monkeypatch):
    """Evaluations 0, 10, 20, 30, 40 at frames 0, 5, 9, 9.5 and 10 (thousands)."""
    steps = (0, 5000, 9000, 9500, 10_000)
    rows = [f"{step},{step},eval,0,{10 * number}" for number, step in enumerate(steps)]
    curve = with_rows([*rows, "11000,11000,train,0,999"])
    monkeypatch.setitem(score.FEWEST, score.AREA, 1)
    for window, until, expected in (
        ("last", np.inf, 40),
        ("last", 9700, 30),
        ("area", np.inf, (5 * 5 + 4 * 15 + 0.5 * 25 + 0.5 * 35) / 10),
    ):
        frame, problems = final_scores(curve, window, until)
        assert frame.score.item() == pytest.approx(expected) and not problems


def test_the_last_bin_is_the_mean_of_its_episodes(with_rows):
    hundreds = range(100_000, 900_001, 100_000)
    rows = ["1000000,eval,0,1"]  # the last of the first million frames
    rows += [f"{1_000_000 + frames},eval,0,{frames}" for frames in hundreds]
    rows += ["2000000,eval,0,50", "2000000,eval,1,150"]
    runs = with_rows([f"{number},{row}" for number, row in enumerate(rows)])
    (found,) = final_scores(runs, "last_bin")[0].score
    assert found == pytest.approx((sum(hundreds) + 50 + 150) / 11)  # by episode, not evaluation
    assert final_scores(runs, "last_bin", until=1e6)[0].score.item() == 1


def test_a_run_that_diverged_scores_the_worst_that_its_task_has_shown(tmp_path):
    for seed, finals in enumerate((0.9, -0.3, 0.5)):
        write_run(tmp_path, seed=seed, finals=finals)
    write_run(tmp_path, seed=3, finals=0.9, status="diverged")
    write_run(tmp_path, "b", seed=0, status="diverged", points=0)
    write_run(tmp_path, task="acrobot", seed=0, status="diverged")
    frame, _, scheme, _ = score.scored(read.load(tmp_path), score.LAST)
    runs = frame.set_index(["task", "arm", "seed"]).normalised
    assert scheme == "reference"
    assert runs["cartpole", "baseline", 3] == runs["cartpole", "b", 0] == pytest.approx(-0.3)
    assert runs["acrobot", "baseline", 0] == 0  # random play's, where nothing else is known


def test_tasks_without_references_are_scored_in_raw_returns(tmp_path):
    write_run(tmp_path, seed=0, finals=0.5, **unscaled("reference"))
    runs, file = read.load(tmp_path), tmp_path / "references.yaml"
    frame, curves, scheme, problems = score.scored(runs, "last")
    assert scheme == score.RAW and frame.normalised.tolist() == [20 + 480 * 0.5]
    assert curves.normalised.tolist()[-1] == 260 and not problems
    file.write_text("cartpole: {random: 20, reference: 500}")
    frame, _, scheme, _ = score.scored(score.with_references(runs, file), "last")
    assert scheme == "reference" and frame.normalised.tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not valid YAML"),
        ("cartpole: 3", "cartpole: Input should be a valid dictionary"),
        ("cartpole: {random: 1}", "cartpole reference: Field required"),
        ("cartpole: {random: 1, reference: .nan}", "cartpole reference: Input should be a finite"),
        ("pong: {random: 1, reference: 2}", "no run is of task pong"),
    ],
)
def test_wrong_references_are_refused_in_one_line(tmp_path, text, message):
    write_run(tmp_path)
    (tmp_path / "references.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        score.with_references(read.load(tmp_path), tmp_path / "references.yaml")
    assert "\n" not in str(error.value)


def test_runs_that_are_not_done_are_listed_not_scored(tmp_path):
    for seed, points in {0: 8, 2: 0, 3: 7, 4: 1}.items():
        write_run(tmp_path, seed=seed, points=points)
    write_run(tmp_path, seed=1, status="failed", error="nan in kl_loss at step 12")
    runs = read.load(tmp_path)
    unscored = {1: "status failed, nan in kl_loss at step 12", 2: "no evaluation"}
    few = {seed: f"area takes 8 evaluations, it has {it}" for seed, it in ((3, 7), (4, 1))}
    thin = [
        ("gym/cartpole/baseline/4-abcd", "its last bin of 1M frames has 2 episodes, fewer than ten")
    ]
    for window, seeds, left, more in (
        ("last", [0, 3, 4], unscored, []),
        ("area", [0], unscored | few, []),
        ("last_bin", [0, 3, 4], unscored, thin),
    ):
        frame, found = final_scores(runs, window)
        said = [(f"gym/cartpole/baseline/{it}-abcd", f"not scored: {left[it]}") for it in left]
        assert frame.seed.tolist() == seeds and sorted(found) == sorted([*said, *more])


def test_atari_reference_has_the_55_games_and_the_corrected_one():
    table = score.atari_reference()
    assert len(table) == 55 and {"defender", "surround"}.isdisjoint(table.index)
    assert table.loc["james_bond"].tolist() == [7.0, 302.8, 45550.0]
    assert (table.human_record > table.random).all() and (table.human_gamer > table.random).all()


def test_normalisations():
    frame = pd.DataFrame(
        {"suite": "atari", "task": ["pong", "breakout", "breakout"], "score": [14.6, 864.0, 2000.0]}
    )
    pong, record = (14.6 + 20.7) / 41.7, (2000 - 1.7) / 862.3
    for scheme, expected in {
        "gamer": [1, (864 - 1.7) / 28.8, (2000 - 1.7) / 28.8],
        "record": [pong, 1, record],
        "clipped_record": [pong, 1, 1],
    }.items():
        assert score.normalise(frame, scheme)[0].normalised.tolist() == pytest.approx(expected)
    below, _ = score.normalise(frame.assign(score=-100.0), "clipped_record")
    assert (below.normalised < 0).all()


def test_fixed_references_are_the_tasks_own_and_a_task_without_is_listed():
    references = {"random": [0, np.nan], "reference": [2, 3]}
    frame = pd.DataFrame({"suite": "gym", "task": ["a", "b"], "score": 1.0, **references})
    normalised, (problem,) = score.normalise(frame, "reference")
    assert normalised[["task", "normalised"]].values.tolist() == [["a", 0.5]]
    said = "not normalised: no different random and reference score"
    assert tuple(problem) == ("gym/b", said)
    frame["reference"] = frame.random
    assert len(score.normalise(frame, "reference")[1]) == 2, "nor one whose two scores are equal"
