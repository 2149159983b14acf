"""What a user can get wrong, one row each: a command, its exit status, and what its one line names.

Rows of a family of commands share a function that runs them in this process. A new family is a list
of rows and such a function.
"""

import gzip
import json
import re
from pathlib import Path

import pytest

import analysis.__main__
from tests.analysis.runs import HEADER, write_run

ROW = "{id: a, paper: helps, with: baseline, without: x=y, where: discrete}"
BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
)


def claims(row=ROW, margin="0.1"):
    return f"margin: {{mini: {margin}}}\nclaims: [{row}]\n"


def csv(**changes):
    """An exported run with other values in some columns."""
    cells = {
        **{"source": "a", "suite": "mini", "task": "t", "arm": "baseline", "seed": "0"},
        **{"actions": "discrete", "status": "done", "error": "", "saturated": ""},
        **dict.fromkeys(("planned_steps", "prefill", "steps", "run_env_frames"), "1"),
        **dict.fromkeys(("run_gradient_steps", "wall_seconds", "random", "reference"), "1"),
        **{"parameters": "1", "saturation": "0", "kind": "eval", "step": "1", "env_frames": "1"},
        **{"gradient_steps": "1", "score": "1", "episodes": "1"},
        **changes,
    }
    return f"{','.join(cells)}\n{','.join(cells.values())}\n"


# Files that the commands below are given, by name; a name with a folder is a run's.
FILES = {
    "latin.yaml": b"margin: {mini: 0.1} # \xe9",
    "list.yaml": claims(ROW.replace("helps", "[helps]")),
    "paper.yaml": claims(ROW.replace("helps", "help")),
    "markup.yaml": claims(ROW.replace("id: a", 'id: "[/red]"')),
    "dollar.yaml": claims(ROW.replace("id: a", "id: $HOME")),
    "outside.yaml": claims(ROW.replace("id: a", "id: ../a")),
    "infinite.yaml": claims(margin=".inf"),
    "bomb.yaml": BOMB,
    "deep.yaml": "[" * 50_000,
    "empty.yaml": "",
    "empty.csv": "",
    "suite.csv": csv(suite=""),
    "outside.csv": csv(suite="../x"),
    "task.csv": csv(task=""),
    "seed.csv": csv(seed="x"),
    "status.csv": csv(status="dun"),
    "binary.csv": b"\xff\xfe\x00",
    "cut.csv.gz": gzip.compress(csv().encode())[:-9],
}
CLAIMS = ("table", "--runs", "{runs}", "--out", "{out}", "--claims")
TABLE = ("table", "--out", "{out}", "--runs")
EXPORT = ("export", "--out", "{out}.csv", "--runs")
PUBLISHED = ("published", "--out", "{out}", "--from")

ANALYSIS = [
    # claims files
    ((*CLAIMS, "{here}/none.yaml"), 2, "none.yaml: cannot read the claims"),
    ((*CLAIMS, "{here}"), 2, "cannot read the claims"),
    ((*CLAIMS, "{here}/latin.yaml"), 2, "not UTF-8 text"),
    ((*CLAIMS, "{here}/list.yaml"), 2, "claim 1 (a): paper is '['helps']'; allowed: helps, no_he"),
    ((*CLAIMS, "{here}/paper.yaml"), 2, "claim 1 (a): paper is 'help'; allowed: helps, no_help"),
    ((*CLAIMS, "{here}/markup.yaml"), 2, "id is a name of letters, digits, _ and -; got [/red]"),
    ((*CLAIMS, "{here}/dollar.yaml"), 2, "id is a name of letters, digits, _ and -; got $HOME"),
    ((*CLAIMS, "{here}/outside.yaml"), 2, "id is a name of letters, digits, _ and -; got ../a"),
    ((*CLAIMS, "{here}/infinite.yaml"), 2, "margin gives a number between 0 and 1"),
    ((*CLAIMS, "{here}/bomb.yaml"), 2, "anchors and aliases (& and *) are not allowed"),
    ((*CLAIMS, "{here}/deep.yaml"), 2, "nested more than 20 levels deep"),
    ((*CLAIMS, "{here}/empty.yaml"), 2, "a claims file has the keys margin and claims"),
    # runs
    ((*TABLE, "/nowhere"), 2, "/nowhere: no such folder of runs or csv file"),
    ((*TABLE, "{runs}", "--suite", "atari"), 2, "no runs of suite 'atari'; there are runs of: min"),
    ((*TABLE, "{broken}"), 2, "no readable run found; expected folders with a run.json and a scor"),
    ((*TABLE, "{mixed}"), 2, "1 run with aaaa and 1 run with bbbb"),
    ((*EXPORT, "{mixed}"), 2, "1 run with aaaa and 1 run with bbbb"),
    ((*TABLE, "{runs}", "--leave-out", "cccc"), 2, "no run has the digest cccc; they have abcd, b"),
    ((*TABLE, "{here}/empty.csv"), 2, "empty.csv: not a csv of runs"),
    ((*TABLE, "{here}/suite.csv"), 2, "suite.csv: the column suite has a run without a name"),
    ((*TABLE, "{here}/outside.csv"), 2, "suite '../x'; a suite's name has letters, digits"),
    ((*TABLE, "{here}/task.csv"), 2, "the column task has a run without a name"),
    ((*TABLE, "{here}/seed.csv"), 2, "seed 'x' is no whole number"),
    ((*TABLE, "{here}/status.csv"), 2, "status is 'dun'; allowed: not started, under way"),
    ((*TABLE, "{here}/binary.csv"), 2, "binary.csv: not a csv of runs"),
    ((*TABLE, "{here}/cut.csv.gz"), 2, "cut.csv.gz: not a csv of runs"),
    # what cannot be written
    (("export", "--runs", "{runs}", "--out", "/nope/x.csv"), 2, "x.csv: there is no folder /nope"),
    (("export", "--runs", "{runs}", "--out", "{here}"), 2, "is a folder; a file is wanted"),
    (("table", "--runs", "{runs}", "--out", "{here}/empty.csv"), 2, "cannot make this folder"),
    (("plot", "--runs", "{runs}", "--out", "/proc/x"), 2, "cannot make this folder"),
    (("report", "--runs", "{runs}", "--out", "{here}/empty.csv"), 2, "cannot make this folder"),
    (("calibrate", "--out", "/nope/x.md"), 2, "x.md: there is no folder /nope"),
    (("calibrate", "--out", "{here}/x.md", "--studies", "0"), 2, "--studies 0: at least 1 study"),
    # score files; the others are in tests/analysis/test_published.py
    ((*PUBLISHED, "/nowhere"), 2, "/nowhere: cannot read the official score file atari-dreamerv2"),
    ((*PUBLISHED, "foo://x"), 2, "foo://x: cannot read the official score file atari-dreamerv2"),
    (("published", "--from", "{here}", "--out", "{here}/empty.csv"), 2, "cannot make this folder"),
    # no mistakes
    ((*TABLE, "{damaged}"), 0, "left out: run.json has schema 99, this analysis reads schema 1"),
    ((*TABLE, "{damaged}"), 0, 'left out: suite in run.json is "../x"; a suite'),
    ((*TABLE, "{damaged}"), 0, "scores left out: scores.csv lacks the column return"),
    ((*TABLE, "{damaged}"), 0, "1 rows of scores.csv left out: no number, or neither train nor ev"),
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Folders by the names that the rows use."""
    here = tmp_path_factory.mktemp("input")
    for name, content in FILES.items():
        (here / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    write_run(here / "runs")
    write_run(here / "mixed", seed=0, digest="aaaa")
    write_run(here / "mixed", seed=1, digest="bbbb")
    (write_run(here / "broken") / "run.json").write_text("{")
    damaged = here / "damaged"
    write_run(damaged, seed=0)
    set_fields(write_run(damaged, seed=1), schema=99)
    set_fields(write_run(damaged, seed=2), suite="../x")
    (write_run(damaged, seed=3) / "scores.csv").write_text("step,env_frames,kind\n1,1,eval\n")
    rows = f"{HEADER}\n1,1,eval,0,garbage,1\n8000,8000,eval,0,5,1\n"
    (write_run(damaged, seed=4) / "scores.csv").write_text(rows)
    folders = ("runs", "mixed", "broken", "damaged")
    return {"here": here, "out": here / "out", **{name: here / name for name in folders}}


def set_fields(folder: Path, **fields):
    file = folder / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def is_one_line(error: str, named: str) -> bool:
    """Whether an error is one short line that starts like one and names what it should."""
    return (
        bool(re.fullmatch(r"error: .{1,500}\n", error)) and named in error and "None" not in error
    )


@pytest.mark.parametrize(
    ("command", "status", "named"),
    ANALYSIS,
    ids=lambda value: " ".join(map(str, value))[-40:] if isinstance(value, tuple) else None,
)
def test_analysis(places, capsys, command, status, named):
    before = {*places["here"].parent.rglob("*")}
    code = analysis.__main__.main([part.format(**places) for part in command])
    out, error = capsys.readouterr()
    assert code == status
    if status:
        assert is_one_line(error, named), error
        written = {*places["here"].parent.rglob("*")} - before
        assert not written  # before any work
    else:
        assert named in " ".join((out + error).split())
    assert not (places["here"] / "x").exists() and not (places["here"].parent / "x").exists()
