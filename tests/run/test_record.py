"""The files of a run: atomic fields, appended lines, cutting back, and trackers that fail."""

import json

import numpy as np
import pytest

from agent.errors import UserError
from agent.run.record import Record, read_run

HEADER = "step,env_frames,kind,episode,return,length"


def fill(record, steps):
    for step in steps:
        record.log(step, 4 * step, step // 2, 0.5, {"kl_loss": step / 10})
        record.score(step, 4 * step, "train", step, 1.5, 20)


def test_fields_are_merged_and_survive_reopening(tmp_path):
    record = Record(tmp_path)
    record.update(arm="baseline", status="under way")
    record.update(status="done")
    record.close()
    assert read_run(tmp_path) == {"schema": 1, "arm": "baseline", "status": "done"}
    assert Record(tmp_path).fields["arm"] == "baseline"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["metrics.jsonl", "run.json", "scores.csv"]


def test_lines_are_readable_at_once_and_valid_for_values_that_are_not_finite(tmp_path):
    record = Record(tmp_path)
    fill(record, [2, 4])
    record.log(6, 24, 3, 0.0, {"loss": float("nan"), "norm": np.float32(2.5)})
    text = (tmp_path / "metrics.jsonl").read_text()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    axes = {"step": 4, "env_frames": 16, "gradient_steps": 2, "wall_seconds": 0.5}
    assert lines[1] == axes | {"kl_loss": 0.4}
    assert (lines[2]["loss"], lines[2]["norm"]) == (None, 2.5)
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        HEADER,
        "2,8,train,2,1.5,20",
        "4,16,train,4,1.5,20",
    ]


def test_rewinding_equals_never_having_gone_on(tmp_path):
    cut, short = Record(tmp_path / "cut"), Record(tmp_path / "short")
    fill(short, [2, 4])
    fill(cut, [2, 4])
    marks = cut.sync()
    fill(cut, [6, 8])
    for name, torn in (("metrics.jsonl", '{"step": 9, "env_f'), ("scores.csv", "9,2")):
        with open(tmp_path / "cut" / name, "a") as file:
            file.write(torn)
    cut.close()
    cut = Record(tmp_path / "cut")
    assert [row["step"] for row in cut.metrics()] == [2, 4, 6, 8]
    cut.rewind(4, marks)
    for name in ("metrics.jsonl", "scores.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "short" / name).read_bytes()
    fill(cut, [6])
    assert [row["step"] for row in cut.metrics()] == [2, 4, 6]
    assert [row["step"] for row in cut.scores()] == [2, 4, 6]


class Watcher:
    def __init__(self):
        self.seen = []

    def __getattr__(self, what):
        return lambda *args: self.seen.append((what, *args))


class Broken(Watcher):
    def log(self, row):
        raise ConnectionError("no route to host\nmore")


def test_trackers_see_every_record_and_a_broken_one_is_dropped(tmp_path, capsys):
    record, watcher = Record(tmp_path), Watcher()
    record.add_tracker(lambda record: Broken(), "broken")
    record.add_tracker(lambda record: watcher, "watcher")
    files = {}
    for step in (2, 4):
        fill(record, [step])
        for name in ("prediction", "episode"):
            files[name, step] = file = record.picture_file(name, step, ".png")
            file.write_bytes(b"a picture")
            record.picture(name, step, file)
        marks = record.sync() if step == 2 else marks  # noqa: F821
    record.rewind(2, marks)  # to before its evaluation, which films again
    assert list(record.pictures()) == [("prediction", 2, files["prediction", 2])]
    record.update(status="done")
    record.close()
    seen = [what for what, *_ in watcher.seen]
    assert seen == [*["log", "score", "picture", "picture"] * 2, "show", "close"]
    assert watcher.seen[-1] == ("close", "done")
    assert len(list(record.metrics())) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Broken stopped at log: ConnectionError: no route to host"
    ]


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("metrics.jsonl", "garbage", "metrics.jsonl: line 2 is no record"),
        ("metrics.jsonl", '{"step": "abc"}', "metrics.jsonl: line 2 is no record"),
        ("metrics.jsonl", '{"env_frames": 3}', "metrics.jsonl: line 2 is no record"),
        ("scores.csv", "2,8,train", "scores.csv: line 2 is no record"),
        ("scores.csv", "x,8,train,2,1.5,20", "scores.csv: line 2 is no record"),
    ],
)
def test_a_line_that_is_no_record_is_named_and_nothing_is_dropped(tmp_path, name, line, said):
    record = Record(tmp_path)
    fill(record, [2, 4])
    marks, file = record.sync(), tmp_path / name
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], line, *lines[1:], ""]))
    before = file.read_text()
    with pytest.raises(UserError, match=said):
        list(record.metrics()), list(record.scores())
    with pytest.raises(UserError, match=f"{name}: its first .* bytes are not those of the check"):
        record.rewind(4, marks)
    assert file.read_text() == before
    record.rewind(-1, {})  # a run that starts over needs none of them
    assert list(record.metrics()) == list(record.scores()) == []
    assert (tmp_path / "scores.csv").read_text() == HEADER + "\n"


@pytest.mark.parametrize(
    "text", ['{"schema": 1, "arm', "[]", '{"schema": 99}', '{"schema": 1, "status": "dun"}']
)
def test_a_corrupt_run_json_is_named(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        read_run(tmp_path)
