"""Finished runs are sent from their files, as often as one likes."""

import json

import pytest

from agent.run.record import Record
from sweeps import publish
from tests.sweeps import tracked
from tests.sweeps.tracked import check_files, check_whole


@pytest.fixture
def runs(tmp_path):
    """A folder with one finished run and an interrupted one, that no tracker saw."""
    for name, status in (("first", "done"), ("second", "interrupted")):
        record = Record(tmp_path / "runs" / name)
        record.update(status=status, **tracked.FIELDS)
        for step in range(1, 11):
            tracked.record_step(record, step)
        record.close()
    return tmp_path / "runs"


def test_a_finished_run_is_sent_to_wandb_once(wandb, runs, capsys):
    for _ in range(2):
        assert publish.main([str(runs), "tracker.project=later"]) == 0
        shown = wandb.run(runs / "first")
        check_whole(shown, last=10)
        check_files(shown)
        assert shown["state"] == "finished" and shown["project"] == "later"
        url = json.loads((runs / "first" / "run.json").read_text())["wandb_url"]
        assert capsys.readouterr().out.splitlines() == [
            str(runs / "first"),
            f"W&B: {url}",
            "1 finished runs are there, 1 interrupted left out",
        ]
    assert "wandb_id" not in json.loads((runs / "second" / "run.json").read_text())


def test_without_a_server_nothing_is_written_and_the_first_failure_is_said(wandb, runs, capsys):
    wandb.use(WANDB_BASE_URL="http://127.0.0.1:9")
    assert publish.main([str(runs), "tracker.timeout=1"]) == 1
    assert f"error: {runs / 'first'}: " in capsys.readouterr().err
    assert not list(runs.rglob("offline-run-*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no runs there"),
        (["{runs}", "latent=gaussian"], "latent=gaussian: allowed: tracker=wandb"),
        (["{runs}", "tracker=none"], "tracker=none shows nothing; allowed: wandb, tensorboard"),
        (["{runs}", "tracker=wandbb"], "wandbb"),
    ],
)
def test_bad_input_is_named(runs, capsys, arguments, said):
    assert publish.main([part.format(runs=runs) for part in arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.startswith("error: ") and len(printed.splitlines()) == 1
