"""A folder of exported files is read as one, and no run in it counts twice."""

import pytest

from analysis import InputError, read
from tests.analysis.runs import write_run


def export(runs, path):
    path.parent.mkdir(exist_ok=True)
    read.export(read.load(runs), path)


@pytest.fixture
def rounds(tmp_path):
    """Folder of two files: seeds 0 and 1, then seeds 0 to 2, as two exports of a growing sweep."""
    for seed in (0, 1):
        write_run(tmp_path / "runs", seed=seed, finals=0.1 * seed)
    export(tmp_path / "runs", tmp_path / "rounds/round1.csv.gz")
    write_run(tmp_path / "runs", seed=2, finals=0.2)
    export(tmp_path / "runs", tmp_path / "rounds/round2.csv")
    return tmp_path / "rounds"


def test_files_are_read_as_one_and_equal_runs_once(rounds):
    (rounds / "README.md").write_text("not a file of runs")
    together = read.load(rounds)
    alone = read.load(rounds / "round2.csv")
    assert together.runs.seed.tolist() == [0, 1, 2] and not together.problems
    keys = ["seed", "step"]
    first, second = (
        part.tidy().sort_values(keys)[[*keys, "score"]].to_numpy().tolist()
        for part in (together, alone)
    )
    assert first == second


def test_one_run_with_two_contents_is_refused(rounds, tmp_path):
    write_run(tmp_path / "others", seed=1, finals=0.5)
    export(tmp_path / "others", rounds / "round3.csv.gz")
    message = r"round3.csv.gz: the run gym cartpole baseline seed 1 is another one in round1.csv"
    with pytest.raises(InputError, match=message):
        read.load(rounds)


def test_where_a_run_was_found_is_not_its_content(rounds, tmp_path):
    write_run(tmp_path / "elsewhere" / "moved", seed=0, finals=0.0)
    export(tmp_path / "elsewhere", rounds / "round0.csv")
    assert read.load(rounds).runs.seed.tolist() == [0, 1, 2]


def test_a_file_that_is_no_export_is_refused(rounds):
    (rounds / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="notes.csv: lacks the column source"):
        read.load(rounds)


def test_a_run_that_went_on_counts_as_it_ended(rounds, tmp_path):
    write_run(tmp_path / "early", seed=2, finals=0.1, status="under way")
    write_run(tmp_path / "early", seed=3, finals=0.1, status="interrupted")
    export(tmp_path / "early", rounds / "round0.csv.gz")
    runs = read.load(rounds).runs.set_index("seed")
    assert runs.status.to_dict() == {0: "done", 1: "done", 2: "done", 3: "interrupted"}


def test_a_run_that_is_not_taken_leaves_the_numbers_of_the_others_apart(tmp_path):
    write_run(tmp_path / "first", seed=0, finals=0.1, status="interrupted")
    write_run(tmp_path / "first", seed=1, finals=0.1)
    export(tmp_path / "first", tmp_path / "rounds/1.csv")
    for seed in (0, 2):
        write_run(tmp_path / "second", seed=seed, finals=0.1 * (1 + seed))
    export(tmp_path / "second", tmp_path / "rounds/2.csv")
    together = read.load(tmp_path / "rounds")
    assert together.runs.run.is_unique
    assert together.points.groupby("run").step.apply(lambda step: step.is_unique).all()
    alone = read.load(tmp_path / "rounds/2.csv").tidy()
    both = together.tidy()[together.tidy().seed != 1]
    columns = ["seed", "step", "score"]
    assert sorted(both[columns].to_numpy().tolist()) == sorted(alone[columns].to_numpy().tolist())


def test_what_is_wrong_in_one_of_the_files_is_listed(rounds):
    text = (rounds / "round2.csv").read_text().splitlines()
    score = text[0].split(",").index("score")
    cells = text[-1].split(",")
    cells[score] = "high"
    (rounds / "round2.csv").write_text("\n".join([*text[:-1], ",".join(cells)]) + "\n")
    problems = [problem.message for problem in read.load(rounds).problems]
    assert problems == ["1 rows left out: the score is not a number"]
