"""Folders of runs and exported csv files: what is read, what is reported, what is refused."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from analysis import InputError, read
from tests.analysis.runs import HEADER, SEEDS, STUDY, write_run


def messages(loaded):
    return {problem.source: problem.message for problem in loaded.problems}


def change(folder, **fields):
    record = json.loads((folder / "run.json").read_text()) | fields
    (folder / "run.json").write_text(json.dumps(record))


def test_a_folder_becomes_one_tidy_frame(study):
    loaded = read.load(study)
    tidy = loaded.tidy()
    assert not loaded.problems
    assert len(loaded.runs) == len(STUDY) * 4 * SEEDS
    assert len(tidy) == 5 * len(loaded.runs)  # one train episode and four evaluations a run
    last = tidy[
        (tidy.task == "cartpole")
        & (tidy.arm == "baseline")
        & (tidy.seed == 0)
        & (tidy.step == 8000)
    ]
    assert list(last.kind) == ["eval"] and list(last.episodes) == [2]
    assert last.score.item() == pytest.approx(20 + 480 * 0.8, abs=80)


def test_an_evaluation_is_the_mean_of_its_episodes(tmp_path):
    folder = write_run(tmp_path)
    (folder / "scores.csv").write_text(
        f"{HEADER}\n10,40,eval,0,1,9\n10,40,eval,1,4,9\n20,80,eval,0,7,9\n"
    )
    points = read.load(tmp_path).points
    assert points.score.tolist() == [2.5, 7] and points.env_frames.tolist() == [40, 80]


def test_gradient_steps_follow_the_ratio_after_prefill(tmp_path):
    write_run(tmp_path)
    points = read.load(tmp_path).points.set_index("step").gradient_steps
    assert points[100] == 0 and points[4000] == 875 and points[8000] == 1875


def test_broken_and_partial_runs_are_reported(tmp_path):
    write_run(tmp_path)
    (write_run(tmp_path, seed=1) / "run.json").write_text('{"schema": 1, "arm"')
    (write_run(tmp_path, seed=2) / "run.json").unlink()
    change(write_run(tmp_path, seed=3), schema=2)
    (write_run(tmp_path, seed=4) / "scores.csv").unlink()
    (write_run(tmp_path, seed=5) / "scores.csv").write_text("step,kind,return\n1,eval,3\n")
    with open(write_run(tmp_path, seed=6) / "scores.csv", "a") as file:
        file.write("9000,9000,eval,0,5")
    with open(write_run(tmp_path, seed=7) / "scores.csv", "a") as file:
        file.write("9000,9000,eval,0,nan,9\n9000,9000,eval,1,x,9\n")
    with open(write_run(tmp_path, seed=8) / "scores.csv", "ab") as file:
        file.write(b"9000,9000,eval,0,5,9,9,9,9\n\n\xff\n")
    change(write_run(tmp_path, seed=9), config=None, parameters=None, saturation=None)
    loaded = read.load(tmp_path)
    found = {source.split("/")[-1][0]: message for source, message in messages(loaded).items()}
    assert re.match("left out: .*", found["1"])
    assert found["2"] == "left out: it has no run.json"
    assert found["3"] == "left out: run.json has schema 2, this analysis reads schema 1"
    assert found["4"] == "no scores yet: it has no scores.csv"
    assert found["5"] == "scores left out: scores.csv lacks the column env_frames"
    assert found["6"] == "the last line of scores.csv is cut off and left out"
    assert found["7"] == "2 rows of scores.csv left out: no number, or neither train nor eval"
    assert "8" in found and "9" in found
    assert {0, 4, 5, 6, 7, 8} == set(loaded.runs.seed)
    scored = loaded.tidy()[lambda frame: frame.kind == "eval"].groupby("seed").size()
    assert scored[0] == scored[6] == scored[7] == 4


def test_of_duplicates_the_run_further_along_is_used(tmp_path):
    write_run(tmp_path, digest="old", finals=0.1, status="interrupted", env_frames=10)
    write_run(tmp_path, digest="new", finals=0.9)
    loaded = read.load(tmp_path)
    assert loaded.runs.source.tolist() == ["gym/cartpole/baseline/0-new"]
    assert messages(loaded)["gym/cartpole/baseline/0-old"].startswith(
        "left out: a second run of gym cartpole"
    )
    assert set(loaded.points.run) == set(loaded.runs.run)


def test_runs_of_another_length_are_not_mixed_in(tmp_path):
    for seed in range(3):
        write_run(tmp_path, seed=seed)
    write_run(tmp_path, seed=3, planned=100_000)
    loaded = read.load(tmp_path)
    assert sorted(loaded.runs.seed) == [0, 1, 2]
    message = messages(loaded)["gym/cartpole/baseline/3-abcd"]
    assert message == "left out: 100000 steps, the runs of cartpole that are used have 8000"


def test_finished_runs_set_the_length(tmp_path):
    for seed in range(3):
        write_run(tmp_path, seed=seed)
    for seed in range(4):
        write_run(tmp_path, seed=seed, digest="old", planned=20_000, status="interrupted")
        write_run(tmp_path, task="acrobot", seed=seed, planned=20_000, status="under way")
    loaded = read.load(tmp_path)
    assert loaded.runs.groupby("task").planned_steps.unique().map(list).to_dict() == {
        "cartpole": [8000],
        "acrobot": [20_000],
    }
    assert sum("left out: 20000 steps" in problem.message for problem in loaded.problems) == 4


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *((key, 3, f"{key}: Input should be a valid string; got 3") for key in ("task", "arm")),
        ("suite", {"name": "gym"}, "suite: Input should be a valid string; got {'name': 'gym'}"),
        ("arm", None, "arm: Input should be a valid string; got nothing"),
        ("arm", "a\nb", "arm: this is a name in one line; got a b"),
        *(
            (
                "suite",
                name,
                f"suite: this is a suite's name: letters, digits, spaces, and _ . + -; got {name}",
            )
            for name in ("../x", "a/b")
        ),
        ("status", "dun", "status: Input should be 'not started', 'under way', 'interrupted', 'd"),
        ("seed", "0", "seed: Input should be a valid integer; got 0"),
        ("seed", True, "seed: Input should be a valid integer; got True"),
        ("seed", 10**30, "seed: Input should be less than 9223372036854775808; got 1000"),
        ("digest", ["x"], "digest: Input should be a valid string; got ['x']"),
        ("steps", "many", "steps: Input should be a valid number"),
        (
            "config",
            {"suite": {"normalisation": "records"}},
            "config suite normalisation: Input",
        ),
        ("actions", None, "actions: Input should be 'discrete' or 'continuous'; got nothing"),
    ],
)
def test_a_run_without_a_proper_name_is_left_out(tmp_path, field, value, message):
    write_run(tmp_path)
    change(write_run(tmp_path, seed=1), **{field: value})
    loaded = read.load(tmp_path)
    assert loaded.runs.seed.tolist() == [0]
    (said,) = messages(loaded).values()
    assert said.startswith(f"left out: run.json: {message}")


def test_an_export_holds_everything(study, tmp_path):
    loaded = read.load(study)
    read.export(loaded, tmp_path / "runs.csv.gz", kinds=("eval", "train"))
    again = read.load(tmp_path / "runs.csv.gz")
    pd.testing.assert_frame_equal(
        again.runs.drop(columns="run"), loaded.runs.drop(columns="run"), check_dtype=False
    )
    keys = ["suite", "task", "arm", "seed", "kind", "step"]
    first, second = (
        part.tidy().drop(columns="run").sort_values(keys, ignore_index=True)
        for part in (loaded, again)
    )
    pd.testing.assert_frame_equal(first, second, check_dtype=False)


def test_an_export_keeps_runs_without_scores(tmp_path):
    write_run(tmp_path, seed=0)
    (write_run(tmp_path, seed=1, status="failed", error="nan in kl_loss") / "scores.csv").unlink()
    read.export(read.load(tmp_path), tmp_path / "runs.csv")
    runs = read.load(tmp_path / "runs.csv").runs.set_index("seed")
    assert runs.status[1] == "failed" and runs.error[1] == "nan in kl_loss"


def test_a_file_of_an_earlier_version_is_read(study, tmp_path):
    read.export(read.load(study), tmp_path / "runs.csv")
    frame = pd.read_csv(tmp_path / "runs.csv")
    frame.drop(columns=["digest", "baseline", "normalisation"]).to_csv(
        tmp_path / "old.csv", index=False
    )
    runs = read.load(tmp_path / "old.csv").runs
    assert len(runs) == len(STUDY) * 4 * SEEDS
    assert set(runs.normalisation) == {"reference"} and set(runs.digest) == {""}


def test_the_committed_results_can_be_read():
    for path in (Path(read.__file__).parent / "results").rglob("*.csv.gz"):
        loaded = read.load(path)
        told = {problem.message.partition(":")[0] for problem in loaded.problems}
        assert told <= {"runs of different commits"} and (loaded.runs.digest.str.len() == 8).all()


def test_a_csv_beside_run_folders_is_listed_as_not_read(tmp_path):
    write_run(tmp_path)
    read.export(read.load(tmp_path), tmp_path / "earlier.csv.gz")
    (problem,) = read.load(tmp_path).problems
    assert problem.source == "earlier.csv.gz" and problem.message.startswith("not read")
    (folder,) = tmp_path.glob("*/*/*/*")
    assert read.load(folder).problems == []


def test_runs_of_different_baselines_are_refused_with_both_named(tmp_path):
    for seed in range(3):
        write_run(tmp_path, seed=seed, digest="aaaa", baseline="aaaa")
    write_run(tmp_path, "latent=gaussian", digest="bbbb", baseline="cccc")
    with pytest.raises(InputError) as error:
        read.load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: runs of gym cartpole of different baselines: 3 runs with aaaa and 1 run "
        "with cccc; give a folder with one of them, or leave one out: --leave-out cccc"
    )
    assert set(read.load(tmp_path, ["cccc"]).runs.arm) == {"baseline"}
    assert set(read.load(tmp_path, ["aaaa"]).runs.arm) == {"latent=gaussian"}


def test_runs_of_one_arm_with_different_configurations_are_refused(tmp_path):
    for seed in range(2):
        write_run(tmp_path, seed=seed, digest="aaaa")
        write_run(tmp_path, seed=seed, digest="bbbb", finals=0.2)
    with pytest.raises(InputError) as error:
        read.load(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: runs of gym cartpole baseline of different configurations: 2 runs with aaaa "
        "and 2 runs with bbbb; give a folder with one of them, or leave one out: --leave-out bbbb"
    )
    loaded = read.load(tmp_path, ["bbbb"])
    assert set(loaded.runs.digest) == {"aaaa"} and len(loaded.runs) == 2
    assert set(messages(loaded).values()) == {"left out: asked for, its digest is bbbb"}
    with pytest.raises(InputError, match="no run has the digest dddd; they have aaaa, base, bbbb"):
        read.load(tmp_path, ["dddd"])


def test_runs_that_recorded_no_baseline_are_another_configuration(tmp_path):
    change(write_run(tmp_path, seed=0, digest="aaaa"), baseline=None)
    write_run(tmp_path, seed=1, digest="aaaa")
    with pytest.raises(
        InputError, match="1 run with .* and 1 run with none recorded|none recorded"
    ):
        read.load(tmp_path)


def test_unfinished_runs_of_another_configuration_are_only_listed(tmp_path):
    write_run(tmp_path, seed=0, digest="aaaa")
    write_run(tmp_path, seed=0, digest="bbbb", status="interrupted", baseline="cccc")
    loaded = read.load(tmp_path)
    assert loaded.runs.digest.tolist() == ["aaaa"]
    assert "a second run" in list(messages(loaded).values())[0]


def test_other_budgets_are_left_out_before_configurations_are_compared(tmp_path):
    for seed in range(2):
        write_run(tmp_path, seed=seed, digest="aaaa")
    write_run(tmp_path, seed=2, digest="bbbb", planned=100)
    assert len(read.load(tmp_path).runs) == 2


def test_useless_input_is_refused_in_one_line(tmp_path):
    with pytest.raises(InputError, match="no such folder of runs or csv file"):
        read.load(tmp_path / "absent")
    with pytest.raises(InputError, match="no readable run found"):
        read.load(tmp_path)
    (tmp_path / "some.csv").write_text("arm,task\nbaseline,x\n")
    with pytest.raises(InputError, match="lacks the column source, suite, seed"):
        read.load(tmp_path / "some.csv")


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    write_run(tmp_path / "runs")
    path = tmp_path / "some.csv.gz"
    read.export(read.load(tmp_path / "runs"), path)
    whole = path.read_bytes()
    broken = (b"not gzip", whole[: len(whole) // 2], whole[:40] + b"\0" * 9 + whole[49:])
    for data in broken:
        path.write_bytes(data)
        with pytest.raises(InputError, match="not a csv of runs") as error:
            read.load(path)
        assert "\n" not in str(error.value)


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
    message = "round3.csv.gz: the run gym cartpole baseline seed 1 .* round1.csv.*run.root=other"
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
    assert problems == ["1 rows left out: the score or its step is not a number"]


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
