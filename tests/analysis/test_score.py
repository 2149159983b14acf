"""Final scores in a window, and normalisations."""

import numpy as np
import pandas as pd
import pytest

from analysis import InputError, read, score
from analysis.score import final_scores
from tests.analysis.runs import HEADER, write_run


@pytest.fixture
def curve(tmp_path):
    """A run with evaluations 0, 10, 20, 30, 40 at frames 0, 5, 9, 9.5 and 10 (thousands)."""
    folder = write_run(tmp_path)
    rows = [
        f"{step},{step},eval,0,{score},9"
        for step, score in zip((0, 5000, 9000, 9500, 10_000), range(0, 50, 10), strict=True)
    ]
    (folder / "scores.csv").write_text(
        "\n".join([HEADER, *rows, "11000,11000,train,0,999,9"]) + "\n"
    )
    return read.load(tmp_path)


@pytest.mark.parametrize(
    ("window", "until", "expected"),
    [
        ("last", np.inf, 40),
        ("last", 9700, 30),
        ("area", np.inf, (5 * 5 + 4 * 15 + 0.5 * 25 + 0.5 * 35) / 10),
    ],
)
def test_windows(curve, window, until, expected, monkeypatch):
    monkeypatch.setitem(score.FEWEST, score.AREA, 1)
    frame, problems = score.final_scores(curve, window, until)
    assert frame.score.item() == pytest.approx(expected) and not problems


def test_the_last_bin_is_the_mean_of_its_episodes(tmp_path):
    folder = write_run(tmp_path)
    rows = ["1000000,eval,0,1"]  # the last of the first million frames
    rows += [f"{1_000_000 + frames},eval,0,{frames}" for frames in range(100_000, 900_001, 100_000)]
    rows += ["2000000,eval,0,50", "2000000,eval,1,150"]
    lines = [f"{number},{row},9" for number, row in enumerate(rows)]
    (folder / "scores.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    runs = read.load(tmp_path)
    (found,) = final_scores(runs, "last_bin")[0].score
    episodes = [*range(100_000, 900_001, 100_000), 50, 150]  # by episode, not by evaluation
    assert found == pytest.approx(sum(episodes) / 11)
    (score,) = final_scores(runs, "last_bin", until=1e6)[0].score
    assert score == 1


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
    config = {"run": {"steps": 8000}, "suite": {"normalisation": "reference"}}
    write_run(tmp_path, seed=0, finals=0.5, config=config)
    runs = read.load(tmp_path)
    frame, curves, scheme, problems = score.scored(runs, "last")
    assert scheme == score.RAW and frame.normalised.tolist() == [20 + 480 * 0.5]
    assert curves.normalised.tolist()[-1] == 260 and not problems
    file = tmp_path / "references.yaml"
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
        ("cartpole: {random: 1, reference: 1}", "cartpole: random and reference must differ"),
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
    write_run(tmp_path, seed=0, points=8)
    write_run(tmp_path, seed=1, status="failed", error="nan in kl_loss at step 12")
    write_run(tmp_path, seed=2, points=0)
    write_run(tmp_path, seed=3, points=7)
    write_run(tmp_path, seed=4, points=1)
    runs = read.load(tmp_path)
    unscored = [
        ("gym/cartpole/baseline/1-abcd", "not scored: status failed, nan in kl_loss at step 12"),
        ("gym/cartpole/baseline/2-abcd", "not scored: no evaluation"),
    ]
    few = [
        (f"gym/cartpole/baseline/{seed}-abcd", f"not scored: area takes 8 evaluations, it has {it}")
        for seed, it in ((3, 7), (4, 1))
    ]
    thin = "its last bin of 1M frames has 2 episodes, fewer than ten"
    for window, seeds, problems in (
        ("last", [0, 3, 4], unscored),
        ("area", [0], [*unscored, *few]),
        ("last_bin", [0, 3, 4], [*unscored, ("gym/cartpole/baseline/4-abcd", thin)]),
    ):
        frame, found = score.final_scores(runs, window)
        assert frame.seed.tolist() == seeds and sorted(map(tuple, found)) == sorted(problems)
    with pytest.raises(InputError, match="'best' is not known; allowed: last, last_bin, area"):
        score.final_scores(runs, "best")


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
    assert tuple(problem) == (
        "gym/b",
        "not normalised: the task has no random and reference score",
    )
    with pytest.raises(InputError, match="normalisation 'human'"):
        score.normalise(frame, "human")
