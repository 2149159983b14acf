"""What the agent writes is what the analysis reads: the words, and every field of the table in
docs/analysis.md, on the folder of a run that trained for a moment."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest

from agent.run import record, status
from analysis import InputError, read, schema
from tests.test_run import SHORT, command

ROOT = Path(__file__).parents[2]
ROW = r"^\| `(run\.json|scores\.csv)` \| `([\w.]+)` \|"
TABLE = re.findall(ROW, (ROOT / "docs" / "analysis.md").read_text(), flags=re.MULTILINE)

# Another value that the analysis takes for a field, where it is not a number or a text.
OTHER = {
    "actions": "continuous",
    "observations": "grid",
    "config.task.traits": ["sparse"],
    "status": "failed",
    "config.suite.normalisation": "clipped_record",
    "saturation": {"kl_clamped": 0.5},
    "error": "another",
    "kind": "train",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run of the project's command."""
    root = tmp_path_factory.mktemp("runs")
    subprocess.run(command(*SHORT, f"run.root={root}"), check=True, capture_output=True)
    (file,) = root.rglob("run.json")
    return file.parent


def loaded(folder):
    """Everything that the analysis makes of a folder of runs."""
    try:
        runs = read.load(folder)
    except InputError as error:
        return str(error)
    return runs.runs.to_csv() + runs.points.to_csv() + str(runs.problems)


@pytest.fixture(scope="module")
def before(run):
    return loaded(run)


def test_words_and_columns_are_the_agents_and_the_tables():
    assert set(get_args(schema.Status)) == {*map(str, status.Status)}
    assert {*schema.ENDED} == {status.Status.DONE, status.Status.DIVERGED}
    columns = set(schema.SCORE_COLUMNS)
    assert {field for file, field in TABLE if file == "scores.csv"} == columns
    assert columns <= set(record.SCORE_FIELDS) and len(TABLE) == len(set(TABLE)) > 20


def test_a_real_run_is_read_without_a_problem(run):
    loaded = read.load(run.parents[3])
    assert not loaded.problems and loaded.runs.status.tolist() == ["done"]
    (only,) = loaded.runs.to_dict("records")
    assert (only["suite"], only["task"]) == run.relative_to(run.parents[3]).parts[:2]
    assert run.name == f"{only['seed']}-{only['digest']}" and only["normalisation"] == "reference"
    assert re.fullmatch("[0-9a-f]{8}", only["baseline"]) and only["baseline"] != only["digest"]
    assert set(loaded.points.kind) == {"eval"}


@pytest.mark.parametrize(("file", "field"), TABLE)
def test_every_field_of_the_table_is_written_and_read(run, before, tmp_path, file, field):
    for name in ("run.json", "scores.csv"):
        shutil.copy(run / name, tmp_path)
    path = tmp_path / file
    if file == "scores.csv":
        scores = pd.read_csv(path)
        scores[field] = OTHER.get(field) or scores[field].iloc[-1] + 1
        scores.to_csv(path, index=False)
    else:
        raw = inner = json.loads(path.read_text())
        *outer, last = field.split(".")
        for key in outer:
            inner = inner[key]
        value = inner[last]  # a KeyError: the agent does not write it
        inner[last] = OTHER.get(field) or (f"{value}x" if isinstance(value, str) else value + 1)
        path.write_text(json.dumps(raw))
    assert before != loaded(tmp_path)
