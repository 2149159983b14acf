"""The files of a run: atomic fields, appended lines, cutting back, and trackers that fail."""

import json
from unittest.mock import Mock, call

import numpy as np
import pytest

from agent.errors import UserError
from agent.run.record import Record, read_run
from tests.analysis.runs import HEADER


def fill(record, steps):
    for step in steps:
        record.log(step, 4 * step, step // 2, 0.5, {"kl_loss": step / 10})
        record.score(step, 4 * step, "train", step, 1.5, 20)


def test_fields_and_lines_can_be_read_at_once_and_after_reopening(tmp_path):
    record = Record(tmp_path)
    record.update(arm="baseline", status="under way")
    record.update(status="done")
    fill(record, [2, 4])
    record.log(6, 24, 3, 0.0, {"loss": float("nan"), "norm": np.float32(2.5)})
    text = (tmp_path / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    axes = {"step": 4, "env_frames": 16, "gradient_steps": 2, "wall_seconds": 0.5}
    assert lines[1] == axes | {"kl_loss": 0.4}
    assert (lines[2]["loss"], lines[2]["norm"]) == (None, 2.5)
    rows = "2,8,train,2,1.5,20\n4,16,train,4,1.5,20\n"
    assert (tmp_path / "scores.csv").read_text() == f"{HEADER}\n{rows}"
    fields = {"schema": 1, "arm": "baseline", "status": "done"}
    assert read_run(tmp_path) == Record(tmp_path).fields == fields
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"metrics.jsonl", "run.json", "scores.csv"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "run.json is no valid JSON"),
        ("[]", "run.json holds no object: delete or restore it"),
        ('{"schema": 99}', "run.json has schema 99, this version has 1"),
        ('{"status": "dun"}', "run.json has status dun; allowed: not started, "),
    ],
)
def test_a_run_json_that_is_none_of_this_program_is_named(tmp_path, text, said):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=said):
        read_run(tmp_path)


def test_rewinding_equals_never_having_gone_on(tmp_path):
    cut, short = Record(tmp_path / "cut"), Record(tmp_path / "short")
    fill(short, [2, 4])
    fill(cut, [2, 4])
    marks = cut.sync()
    fill(cut, [6, 8])
    cut.close()
    files = {"metrics.jsonl": '{"step": 9, "env_f', "scores.csv": "9,2"}
    for name, torn in files.items():
        with open(cut.path / name, "a") as file:
            file.write(torn)
    cut = Record(cut.path)
    assert [row["step"] for row in cut.metrics()] == [2, 4, 6, 8]
    cut.rewind(4, marks)
    for name in files:
        assert (cut.path / name).read_bytes() == (short.path / name).read_bytes()
    fill(cut, [6])
    for rows in (cut.metrics(), cut.scores()):
        assert [row["step"] for row in rows] == [2, 4, 6]


def test_trackers_see_every_record_and_a_broken_one_is_dropped(tmp_path, capsys):
    record, watcher, broken = Record(tmp_path), Mock(), Mock()
    broken.log.side_effect = ConnectionError("no route to host\nmore")
    record.add_tracker(lambda record: broken, "broken")
    record.add_tracker(lambda record: watcher, "watcher")
    files, marks = {}, []
    for step in (2, 4):
        fill(record, [step])
        for name in ("prediction", "episode"):
            files[name, step] = file = record.picture_file(name, step, ".png")
            file.write_bytes(b"a picture")
            record.picture(name, step, file)
        marks.append(record.sync())
    record.rewind(2, marks[0])  # to before its evaluation, which films again
    assert list(record.pictures()) == [("prediction", 2, files["prediction", 2])]
    record.update(status="done")
    record.close()
    seen = [name for name, *_ in watcher.method_calls]
    assert seen == [*["log", "score", "picture", "picture"] * 2, "show", "close"]
    assert watcher.method_calls[-1] == call.close("done")
    assert len(list(record.metrics())) == 1 and len(broken.method_calls) == 1
    said = "Mock stopped at log: ConnectionError: no route to host\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("metrics.jsonl", "garbage"),
        ("metrics.jsonl", '{"step": "abc"}'),
        ("metrics.jsonl", '{"env_frames": 3}'),
        ("scores.csv", "2,8,train"),
        ("scores.csv", "x,8,train,2,1.5,20"),
    ],
)
def test_a_line_that_is_no_record_is_named_and_nothing_is_dropped(tmp_path, name, line):
    record = Record(tmp_path)
    fill(record, [2, 4])
    marks, file = record.sync(), tmp_path / name
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], line, *lines[1:], ""]))
    before = file.read_text()
    with pytest.raises(UserError, match=f"{name}: line 2 is no record"):
        list(record.metrics()), list(record.scores())
    with pytest.raises(UserError, match=f"{name}: its first .* bytes are not those of the check"):
        record.rewind(4, marks)
    assert file.read_text() == before
    record.rewind(-1, {})  # a run that starts over needs none of them
    assert list(record.metrics()) == list(record.scores()) == []
    assert (tmp_path / "scores.csv").read_text() == HEADER + "\n"
