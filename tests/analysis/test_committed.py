"""Scores and effects of the committed runs, by arithmetic that shares no code with the tables."""

import csv
import gzip
import re
from collections import defaultdict
from statistics import mean

import pandas as pd
import pytest

from analysis import claims, committed, read

RESULTS = committed.RUNS.parent
FRACTIONS = ["random", "reference", "step", "score"]


def areas():
    """By task, arm and seed the normalised area of every run that ended; 0 of one that diverged."""
    found = defaultdict(dict)
    for path in committed.run_files():
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
        commits = set(read.load(path).runs.commit.str[:7])
        assert set(re.findall(r"`(\w{7})`", rows[name])) == commits, name


def test_effects_are_those_of_the_files():
    study = committed.judged()
    ladder = claims.load().ladder[committed.SUITE]
    scores = areas()
    kinds = dict(zip(study.store.runs.task, study.store.runs.actions, strict=True))
    moves = dict(zip(study.control_tasks.task, study.control_tasks.moves == "yes", strict=True))
    rows = pd.concat([study.verdicts, study.controls])
    rows = rows[rows.effect.notna() & (rows.role != "A/A")]
    for row in rows.to_dict("records"):
        number = row["round"] or study.standing.complete
        effects = []
        for task in [task for task, kind in kinds.items() if kind == row["actions"]]:
            seeds = range(round(ladder.rounds[number - 1] * ladder.ratios[task]))
            one, other = (
                mean(scores[task, row[side], seed] for seed in seeds)
                for side in ("with", "without")
            )
            if row["role"] != "claim" or moves[task]:
                effects.append(one - other)
        assert row["effect"] == pytest.approx(mean(effects)), row["claim"]
    assert len(rows) >= 16
