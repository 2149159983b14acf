"""TensorBoard shows what the run's files hold, configuration and final score too."""

import pytest

from agent.run.trackers import evaluation
from sweeps import publish
from tests.sweeps.tracked import expected, pictured, track

accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def scalars(events, name):
    return [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)]


def test_a_run_resumed_and_published_behind_a_link_is_shown_once(tmp_path, capsys):
    (runs := tmp_path / "runs").mkdir()
    (runs / "link").symlink_to(tmp_path := tmp_path / "run")
    track(tmp_path, "tensorboard", 0, 7, "interrupted")
    track(tmp_path, "tensorboard", 4, 9)
    for _ in range(2):
        events = accumulators.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
        for name, rows in expected(9).items():
            assert scalars(events, name) == [(4 * step, value) for step, value in rows]
        for name, start in (("prediction", b"\x89PNG"), ("episode", b"GIF8")):
            pictures = events.Images(f"pictures/{name}")
            assert [picture.step for picture in pictures] == [4 * s for s in pictured(9)[name]]
            assert all(picture.encoded_image_string.startswith(start) for picture in pictures)
        (text,) = events.Tensors("configuration/text_summary")
        assert b'"action_repeat": 4' in text.tensor_proto.string_val[0]
        assert scalars(events, "final/eval/score") == [(36, 0.095)]
        options = events.SummaryMetadata("_hparams_/session_start_info")
        assert b"gaussian" in options.plugin_data.content and b"kl" in options.plugin_data.content
        assert publish.main([str(runs), "tracker=tensorboard"]) == 0
        assert capsys.readouterr().out.endswith("1 finished runs are there\n")


def evaluated(*returns, normalisation="clipped_record", **task):
    task = {"name": "pong", "random": None, "reference": None, **task}
    return evaluation({"task": task, "suite": {"normalisation": normalisation}}, returns)


def test_scores_are_shares_of_the_human_record_or_of_the_tasks_own_reference():
    assert evaluated(0.0) == {"eval/return": 0.0, "eval/score": pytest.approx(20.7 / 41.7)}
    assert evaluated(-20.7, 21.0)["eval/score"] == pytest.approx(0.5)
    assert evaluated(1e9, name="qbert")["eval/score"] == 1.0
    own = {"normalisation": "reference", "name": "cartpole", "random": 20.0, "reference": 500.0}
    assert evaluated(260.0, **own)["eval/score"] == 0.5
    assert evaluated(740.0, **own)["eval/score"] == 1.5
    assert evaluated(1.0, normalisation="reference") == {"eval/return": 1.0}
