"""Folders of runs and exported csv files: what is read, what is reported, what is refused."""

import errno
import json
import os
import re

import pandas as pd
import pytest

from analysis import InputError, read
from tests.analysis.runs import HEADER, SEEDS, STUDY, write_run


def messages(loaded):
    return {problem.source: problem.message for problem in loaded.problems}


def change(folder, **fields):
    record = json.loads((folder / "run.json").read_text()) | fields
    (folder / "run.json").write_text(json.dumps(record))


def export(runs, path):
    path.parent.mkdir(exist_ok=True)
    read.export(read.load(runs), path)


def points(store, *columns):
    """The points of a store, whatever their order."""
    return sorted(store.tidy()[[*columns]].to_numpy().tolist())


def test_a_folder_becomes_one_tidy_frame(study):
    loaded = read.load(study)
    tidy = loaded.tidy().set_index(["task", "arm", "seed", "step"])
    assert not loaded.problems and len(loaded.runs) == len(STUDY) * 4 * SEEDS
    assert len(tidy) == 4 * len(loaded.runs)  # four evaluations a run, no training episode
    last = tidy.loc["cartpole", "baseline", 0, 8000]
    assert (last.kind, last.episodes) == ("eval", 2)
    assert last.score == pytest.approx(20 + 480 * 0.8, abs=80)
    gradient = tidy.loc["cartpole", "baseline", 0].gradient_steps  # by the ratio after prefill
    assert (gradient[4000], gradient[8000]) == (875, 1875)


def test_an_evaluation_is_the_mean_of_its_episodes(tmp_path):
    rows = ("10,40,eval,0,1,9", "10,40,eval,1,4,9", "20,80,eval,0,7,9", "")
    (write_run(tmp_path) / "scores.csv").write_text("\n".join([HEADER, *rows]))
    points = read.load(tmp_path).points
    assert points.score.tolist() == [2.5, 7] and points.env_frames.tolist() == [40, 80]


def test_broken_and_partial_runs_are_reported(tmp_path):
    run = [write_run(tmp_path, seed=seed) for seed in range(10)]
    (run[1] / "run.json").write_text('{"schema": 1, "arm"')
    (run[2] / "run.json").unlink()
    change(run[3], schema=2)
    (run[4] / "scores.csv").unlink()
    (run[5] / "scores.csv").write_text("step,kind,return\n1,eval,3\n")
    for seed, more in {
        6: b"9000,9000,eval,0,5",
        7: b"9000,9000,eval,0,nan,9\n9000,9000,eval,1,x,9\n",
        8: b"9000,9000,eval,0,5,9,9,9,9\n\n\xff\n",
    }.items():
        (run[seed] / "scores.csv").write_bytes((run[seed] / "scores.csv").read_bytes() + more)
    change(run[9], config=None, parameters=None, saturation=None)
    loaded = read.load(tmp_path)
    bad = "2 rows of scores.csv left out: no number, or neither train nor eval"
    expected = {
        1: "left out: run.json: Invalid JSON: .*",
        2: "left out: it has no run.json",
        3: "left out: run.json: schema: Input should be 1; got 2",
        4: "it has no scores.csv yet",
        5: "scores left out: scores.csv lacks the column env_frames",
        6: "the last line of scores.csv is cut off and left out",
        7: bad,
        8: bad,
        9: "left out: run.json: .*",
    }
    found = {int(source.split("/")[-1][0]): said for source, said in messages(loaded).items()}
    assert found.keys() == expected.keys()
    assert all(re.fullmatch(said, found[seed]) for seed, said in expected.items())
    assert {0, 4, 5, 6, 7, 8} == set(loaded.runs.seed)
    scored = loaded.points.groupby("run").size().tolist()
    assert scored == [4, 4, 4, 5]  # the row of a longer line counts


def test_links_are_followed_once_and_closed_folders_are_listed(tmp_path, monkeypatch):
    runs, scandir = tmp_path / "runs", os.scandir

    def closed(path):
        if "closed" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    write_run(runs, seed=1)
    (runs / "closed").mkdir()
    (write_run(runs, seed=2) / "scores.csv").unlink()
    (runs / "gym" / "cartpole" / "baseline" / "2-abcd" / "scores.csv").mkdir()
    write_run(tmp_path / "elsewhere")
    for name, target in {"link": "elsewhere", "twice": "elsewhere", "loop": "runs"}.items():
        (runs / name).symlink_to(tmp_path / target)
    monkeypatch.setattr(os, "scandir", closed)
    loaded = read.load(runs)
    assert sorted(loaded.runs.seed) == [0, 1, 2]
    found = messages(loaded)
    assert found.pop("closed") == "left out: Permission denied"
    assert ["scores left out: " in said for said in found.values()] == [True]


def test_of_duplicates_the_run_further_along_is_used(tmp_path):
    """A run that has not ended is no mixture of configurations either."""
    write_run(tmp_path, digest="old", baseline="cccc", status="interrupted", env_frames=10)
    write_run(tmp_path, digest="new", finals=0.9)
    loaded = read.load(tmp_path)
    assert loaded.runs.source.tolist() == ["gym/cartpole/baseline/0-new"]
    ((source, said),) = messages(loaded).items()
    assert source == "gym/cartpole/baseline/0-old"
    assert said.startswith("left out: a second run of gym cartpole")
    assert set(loaded.points.run) == set(loaded.runs.run)


def test_runs_of_another_length_are_not_mixed_in(tmp_path):
    """Whatever their configurations; runs that ended set the length, others where none has."""
    for seed in range(3):
        write_run(tmp_path, seed=seed)
    write_run(tmp_path, seed=3, digest="bbbb", planned=100_000)
    for seed in range(4):
        write_run(tmp_path, seed=seed, digest="old", planned=20_000, status="interrupted")
        write_run(tmp_path, task="acrobot", seed=seed, planned=20_000, status="under way")
    loaded = read.load(tmp_path)
    lengths = loaded.runs.groupby("task").planned_steps.unique().map(list).to_dict()
    assert lengths == {"cartpole": [8000], "acrobot": [20_000]}
    used = "the runs of cartpole that are used have 8000"
    said = {
        f"gym/cartpole/baseline/{seed}-old": f"left out: 20000 steps, {used}" for seed in range(4)
    }
    said["gym/cartpole/baseline/3-bbbb"] = f"left out: 100000 steps, {used}"
    assert messages(loaded) == said


SUITE = "this is a suite's name: letters, digits, spaces, _ . + -; got"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        *((key, 3, "Input should be a valid string; got 3") for key in ("task", "arm")),
        ("arm", "a\nb", "this is a name in one line; got a b"),
        *(("suite", name, f"{SUITE} {name}") for name in ("../x", "a/b")),
        ("status", "dun", "Input should be 'not started', 'under way', 'interrupted', 'd"),
        ("seed", "0", "Input should be a valid integer; got 0"),
        ("seed", 10**30, "Input should be less than 9223372036854775808; got 1000"),
        ("digest", ["x"], "Input should be a valid string; got ['x']"),
        ("baseline", None, "Input should be a valid string; got nothing"),
        ("steps", "many", "Input should be a valid number"),
        ("config suite normalisation", "records", "Input should be"),
        ("actions", None, "Input should be 'discrete' or 'continuous'; got nothing"),
    ],
)
def test_a_run_without_a_proper_name_is_left_out(tmp_path, field, value, message):
    write_run(tmp_path)
    name, *inner = field.split()
    for key in reversed(inner):
        value = {key: value}
    change(write_run(tmp_path, seed=1), **{name: value})
    loaded = read.load(tmp_path)
    assert loaded.runs.seed.tolist() == [0]
    (said,) = messages(loaded).values()
    assert said.startswith(f"left out: run.json: {field}: {message}")


def test_an_export_holds_everything(tmp_path):
    for task in ("cartpole", "pendulum"):
        write_run(tmp_path / "runs", task=task, finals=0.123456789)
    failed = write_run(tmp_path / "runs", seed=1, status="failed", error="nan in kl_loss")
    (failed / "scores.csv").unlink()
    loaded = read.load(tmp_path / "runs")
    read.export(loaded, tmp_path / "runs.csv.gz")
    again = read.load(tmp_path / "runs.csv.gz")
    frames = [
        (part.runs.drop(columns="run"), part.tidy().drop(columns="run")) for part in (loaded, again)
    ]
    for first, second in zip(*frames, strict=True):
        keys = ["task", "seed", *{"kind", "step"}.intersection(first)]
        pd.testing.assert_frame_equal(
            *(part.sort_values(keys, ignore_index=True) for part in (first, second)),
            check_dtype=False,
        )
    assert again.runs.error.tolist().count("nan in kl_loss") == 1
    frame = pd.read_csv(tmp_path / "runs.csv.gz").drop(columns="traits")
    frame.to_csv(tmp_path / "old.csv", index=False)  # as an earlier version wrote it
    assert len(read.load(tmp_path / "old.csv").runs) == 3


def test_a_csv_beside_run_folders_is_listed_as_not_read(tmp_path):
    write_run(tmp_path)
    export(tmp_path, tmp_path / "earlier.csv.gz")
    (problem,) = read.load(tmp_path).problems
    assert problem.source == "earlier.csv.gz" and problem.message.startswith("not read")
    (folder,) = tmp_path.glob("*/*/*/*")
    assert read.load(folder).problems == []


CONFIG = {"task": {"random": 20, "reference": 400}, "run": {"steps": 8000}}


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (
            [{"seed": seed, "baseline": "aaaa"} for seed in range(3)]
            + [{"arm": "latent=gaussian", "baseline": "cccc"}],
            "gym cartpole of different baselines: 3 runs with aaaa and 1 run with cccc; "
            "give a folder with one of them, or leave one out: --leave-out cccc",
        ),
        (
            [{"seed": seed, "digest": digest} for digest in ("aaaa", "bbbb") for seed in (0, 1)],
            "gym cartpole baseline of different configurations: 2 runs with aaaa and 2 runs with "
            "bbbb; give a folder with one of them, or leave one out: --leave-out bbbb",
        ),
        (
            [{}, {"arm": "latent=gaussian", "config": CONFIG}],
            "gym cartpole of different random and reference scores: 1 run with 20 and 500 and 1 "
            "run with 20 and 400; give a folder with one of them",
        ),
    ],
    ids=("baselines", "configurations", "references"),
)
def test_a_mixture_of_runs_is_refused_with_what_is_mixed(tmp_path, runs, message):
    for run in runs:
        write_run(tmp_path, **run)
    with pytest.raises(InputError) as error:
        read.load(tmp_path)
    assert str(error.value) == f"{tmp_path}: runs of {message}"


def test_of_a_mixture_one_part_may_be_left_out(tmp_path):
    for digest, baseline in (("aaaa", "base"), ("bbbb", "base"), ("cccc", "other")):
        write_run(tmp_path, digest=digest, baseline=baseline)
    loaded = read.load(tmp_path, ["bbbb", "other"])  # an arm's digest, or its baseline's
    assert loaded.runs.digest.tolist() == ["aaaa"]
    asked = {f"left out: asked for, its digest is {digest}" for digest in ("bbbb", "cccc")}
    assert set(messages(loaded).values()) == asked
    known = "aaaa, base, bbbb, cccc, other"
    with pytest.raises(InputError, match=f"no run has the digest dddd; they have {known}"):
        read.load(tmp_path, ["dddd"])


@pytest.fixture
def rounds(tmp_path):
    """Folder of two files: seeds 0 and 1, then seeds 0 to 2, as two exports of a growing sweep."""
    for seed in (0, 1):
        write_run(tmp_path / "runs", seed=seed, finals=0.1 * seed)
    export(tmp_path / "runs", tmp_path / "rounds/round1.csv.gz")
    write_run(tmp_path / "runs", seed=2, finals=0.2)
    export(tmp_path / "runs", tmp_path / "rounds/round2.csv")
    return tmp_path / "rounds"


def test_files_are_read_as_one_and_a_run_counts_once_as_it_ended(rounds, tmp_path):
    (rounds / "README.md").write_text("not a file of runs")
    write_run(tmp_path / "elsewhere" / "moved", seed=0, finals=0.0)  # where it lies is no content
    for seed, status in ((2, "under way"), (3, "interrupted")):
        write_run(tmp_path / "elsewhere", seed=seed, finals=0.1, status=status)
    export(tmp_path / "elsewhere", rounds / "round0.csv")
    together = read.load(rounds)
    statuses = together.runs.set_index("seed").status.to_dict()
    assert statuses == {0: "done", 1: "done", 2: "done", 3: "interrupted"}
    assert not together.problems and together.runs.run.is_unique
    assert together.points.groupby("run").step.apply(lambda step: step.is_unique).all()
    columns = ("seed", "step", "score")
    ended = [row for row in points(together, *columns) if row[0] != 3]
    assert ended == points(read.load(rounds / "round2.csv"), *columns)


def test_of_one_run_with_two_contents_the_first_is_used(rounds, tmp_path):
    before = points(read.load(rounds), "seed", "step", "score")
    write_run(tmp_path / "others", seed=1, finals=0.5)
    export(tmp_path / "others", rounds / "round3.csv.gz")
    together = read.load(rounds)
    assert points(together, "seed", "step", "score") == before
    (said,) = messages(together).values()
    assert said == "left out: round3.csv.gz has it too and differs; that of round1.csv.gz is used"


def test_what_is_wrong_in_one_of_the_files_is_listed_or_refused(rounds):
    frame = pd.read_csv(rounds / "round2.csv").astype({"score": object})
    frame.loc[frame.index[-1], "score"] = "high"
    frame.to_csv(rounds / "round2.csv", index=False)
    (said,) = messages(read.load(rounds)).values()
    assert said == "1 rows of round2.csv left out: no number, or neither train nor eval"
    (rounds / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="notes.csv: lacks the column source"):
        read.load(rounds)
    (rounds / "notes.csv").unlink()
    whole = (rounds / "round1.csv.gz").read_bytes()
    (rounds / "round1.csv.gz").write_bytes(whole[:40] + b"\0" * 9 + whole[49:])
    with pytest.raises(InputError, match="round1.csv.gz: not a csv of runs"):
        read.load(rounds)


def test_runs_of_different_code_are_listed(tmp_path):
    clean, dirty = ({"commit": "abc1234567", "dirty": dirty} for dirty in (False, True))
    for seed, git in enumerate((clean, clean, dirty, None)):
        write_run(tmp_path, seed=seed, git=git)
    for seed in (4, 5):
        write_run(tmp_path, task="acrobot", seed=seed, git=clean)
    [problem] = read.load(tmp_path).problems
    listed = "2 runs with abc1234, 1 run with abc1234+"
    assert tuple(problem) == ("gym", f"runs of different commits: {listed}; on cartpole")
