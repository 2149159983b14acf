"""Which runs may stand beside each other, and what is said of those that do not count."""

import pytest

from analysis import InputError, read, score, study
from tests.analysis.runs import write_run


def test_runs_of_a_task_with_different_references_are_refused(tmp_path):
    write_run(tmp_path, seed=0)
    config = {"task": {"random": 20, "reference": 400}, "run": {"steps": 8000}}
    write_run(tmp_path, "latent=gaussian", seed=0, config=config)
    with pytest.raises(InputError, match="gym cartpole of different random and reference scores"):
        read.load(tmp_path)


def test_the_advice_names_a_digest_where_some_runs_have_none(tmp_path):
    write_run(tmp_path, seed=0, digest="aaaa")
    write_run(tmp_path, seed=1, digest="")
    with pytest.raises(InputError, match="--leave-out aaaa$"):
        read.load(tmp_path)


def test_what_is_left_out_stands_in_the_caption(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, seed=seed, digest="aaaa")
    write_run(tmp_path, seed=2, digest="bbbb")
    ours = study.one(tmp_path, leave_out=["bbbb"])
    assert ours.size == "2 runs, 1 task, suite gym, left out: bbbb"


def test_a_last_bin_of_few_episodes_is_a_problem(tmp_path):
    write_run(tmp_path, planned=1_010_000, points=1)
    _, problems = score.final_scores(read.load(tmp_path), "last_bin")
    assert [problem.message for problem in problems] == [
        "its last bin of 1M frames has 2 episodes, fewer than ten"
    ]


def test_runs_of_different_code_are_listed(tmp_path):
    commit = "abc1234567"
    for seed, dirty in ((0, False), (1, False), (2, True)):
        write_run(tmp_path, seed=seed, git={"commit": commit, "dirty": dirty})
    write_run(tmp_path, seed=3, git=None)
    for seed in (4, 5):
        write_run(tmp_path, task="acrobot", seed=seed, git={"commit": commit, "dirty": False})
    [problem] = read.load(tmp_path).problems
    listed = "2 runs with abc1234, 1 run with abc1234+"
    assert tuple(problem) == ("gym", f"runs of different commits: {listed}; on cartpole")
