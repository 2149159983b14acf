"""Scores and effects of the committed runs, by arithmetic that shares no code with the tables."""

import csv
import gzip
import re
from collections import defaultdict
from statistics import mean

import pytest

from analysis import claims, committed, read

RESULTS = committed.MINI.parent
FRACTIONS = ["random", "reference", "step", "score"]


def areas():
    """By task, arm and seed the normalised area of every run that ended; 0 of one that diverged."""
    found = defaultdict(dict)
    for path in sorted(committed.MINI.glob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                run = row["task"], row["arm"], int(row["seed"])
                if row["status"] == "diverged":
                    found[run] = None
                elif row["status"] == "done" and row["kind"] == "eval":
                    random, reference, step, score = (float(row[name]) for name in FRACTIONS)
                    found[run][step] = (score - random) / (reference - random)
    return {run: 0.0 if curve is None else area(curve) for run, curve in found.items()}


def area(curve):
    steps = sorted(curve)
    assert steps == [(number + 1) * steps[0] for number in range(8)]  # trapezia of one width
    heights = [curve[step] for step in steps]
    return mean((left + right) / 2 for left, right in zip(heights, heights[1:], strict=False))


def test_every_file_has_a_row_that_names_its_commits():
    page = (RESULTS / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\S+\.csv\.gz)` \| .+? \| (.+?) \|", page, flags=re.MULTILINE))
    files = {path.relative_to(RESULTS).as_posix(): path for path in RESULTS.rglob("*.csv.gz")}
    assert rows.keys() == files.keys()
    for name, path in files.items():
        loaded = read.load(path)
        assert set(re.findall(r"`(\w{7})`", rows[name])) == {*loaded.runs.commit.str[:7]}, name
        told = {problem.message.partition(":")[0] for problem in loaded.problems}
        assert told <= {"runs of different commits"} and (loaded.runs.digest.str.len() == 8).all()


def test_effects_are_those_of_the_files():
    study, scores = committed.judged(committed.MINI), areas()
    arms = {row.id: row.arms(committed.MINI.name) for row in claims.load().claims}
    seeds = defaultdict(list)
    for task, arm, seed in scores:
        seeds[task, arm].append(scores[task, arm, seed])
    for name, own in study.effects.groupby("claim"):
        effects = [
            mean(seeds[task, arms[name][0]]) - mean(seeds[task, arms[name][1]]) for task in own.task
        ]
        assert own.effect.tolist() == pytest.approx(effects)
        (row,) = study.claims[study.claims.claim == name].to_dict("records")
        assert row["effect"] == pytest.approx(mean(effects))
        assert row["better"] + row["worse"] + row["tied"] == len(effects)
    assert len(study.effects) == 13 * 5 + 3


def test_the_first_verdicts_stay_in_the_record():
    page = (RESULTS / "old_verdicts.md").read_text()
    assert "`978e126`" in page and "d2b379c1" in page
    assert page.count("| helps |") >= 6 and "| `gru_layer_norm` | +0.034 [-0.033, +0.102]" in page
