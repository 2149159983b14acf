"""TensorBoard shows what the run's files hold, configuration and final score too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.run.record import Record
from agent.run.track.evaluation import Evaluation
from sweeps import publish
from tests.sweeps import tracked

accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
ROOT = Path(__file__).parents[2]


def shown(folder):
    events = accumulators.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return events


def scalars(events, name):
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)]


def check_whole(events, last):
    """Every record up to `last` is there once, in order, over environment frames."""
    steps, evaluated = range(1, last + 1), range(3, last + 1, 3)
    assert scalars(events, "train/return") == [(4 * step, -step) for step in steps]
    assert scalars(events, "metrics/kl_loss") == [(4 * step, step / 10) for step in steps]
    assert scalars(events, "eval/return") == [(4 * step, step + 0.5) for step in evaluated]
    assert scalars(events, "eval/score") == [(4 * step, (step + 0.5) / 100) for step in evaluated]
    for name, every, start in (("prediction", 5, b"\x89PNG"), ("episode", 3, b"GIF8")):
        pictures = events.Images(f"pictures/{name}")
        assert [picture.step for picture in pictures] == [
            4 * step for step in range(every, last + 1, every)
        ]
        assert all(picture.encoded_image_string.startswith(start) for picture in pictures)


def test_a_run_killed_and_resumed_is_shown_once(tmp_path):
    for resumed, last, end in ((0, 7, "kill"), (4, 9, "done")):
        arguments = [str(tmp_path), "tensorboard", str(resumed), str(last), end]
        subprocess.run(
            [sys.executable, str(Path(tracked.__file__)), *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    events = shown(tmp_path)
    check_whole(events, last=9)
    (text,) = events.Tensors("configuration/text_summary")
    assert b'"action_repeat": 4' in text.tensor_proto.string_val[0]
    assert scalars(events, "final/eval/score") == [(36, 0.095)]
    options = events.SummaryMetadata("_hparams_/session_start_info")
    assert b"gaussian" in options.plugin_data.content and b"kl" in options.plugin_data.content


def test_a_finished_run_is_published_once(tmp_path):
    record = Record(tmp_path / "run")
    record.update(status="done", **tracked.FIELDS)
    for step in range(1, 8):
        tracked.record_step(record, step)
    record.update(env_frames=28)
    record.close()
    for _ in range(2):
        assert publish.main([str(tmp_path), "tracker=tensorboard"]) == 0
        check_whole(shown(tmp_path / "run"), last=7)


def evaluated(returns, **config):
    task = {"name": "pong", "random": None, "reference": None, **config.pop("task", {})}
    evaluation = Evaluation({"run": {"eval_episodes": len(returns)}, "task": task, **config})
    rows = [{"episode": number, "return": ret} for number, ret in enumerate(returns)]
    return [evaluation.add(row) for row in rows][-1]


def test_atari_scores_are_shares_of_the_human_record():
    """Pong: random play -20.7, record 21; nothing counts for more than one record."""
    assert evaluated([0.0])["eval/score"] == pytest.approx(20.7 / 41.7)
    clipped = {"suite": {"normalisation": "clipped_record"}}
    assert evaluated([-20.7, 21.0], **clipped)["eval/score"] == pytest.approx(0.5)
    assert evaluated([1e9], task={"name": "qbert"}, **clipped)["eval/score"] == 1.0


def test_other_tasks_have_the_references_that_they_name():
    own = {"task": {"name": "cartpole", "random": 20.0, "reference": 500.0}}
    assert evaluated([260.0], **own)["eval/score"] == 0.5
    assert evaluated([740.0], suite={"normalisation": "reference"}, **own)["eval/score"] == 1.5
    assert evaluated([1.0], task={"name": "gym"}) == {"eval/return": 1.0}
