"""The Slurm engine against stand-ins of Slurm's commands: what it submits, and how it collects."""

import os
from functools import partial

import pytest

from agent.errors import UserError
from agent.run.lock import RunFolder
from agent.run.status import Status
from sweeps import slurm

pytest.importorskip("submitit", reason="the Slurm engine needs submitit")


def test_arrays_are_as_large_as_slurm_takes_and_share_the_places(cluster, jobs, engine, capsys):
    cluster.set(max_array=3)
    numbers = [ticket.number for ticket in engine()._submit(jobs)]
    assert cluster.state["arrays"] == [[3, 2], [3, 2], [2, 2]]
    assert sorted(numbers) == sorted(cluster.states)
    first = {job.name: (job.folder / slurm.REGISTER).read_text() for job in jobs[:3]}
    assert first == {"a": "1_0", "b": "2_0", "c": "3_0"}, "the first jobs go first"
    assert "scancel 1 2 3" in capsys.readouterr().out


def test_each_job_is_collected_by_itself_and_a_lost_one_starts_again(cluster, jobs, engine, capsys):
    def end_again():
        assert cluster.states["2"] == "PENDING"
        cluster.end("2", jobs[0].outcome(Status.DONE))

    cluster.turns = [lambda: cluster.move("1_0", "RUNNING")]
    cluster.turns += [lambda: cluster.end("1_1", jobs[1].outcome(Status.DONE))]
    cluster.turns += [lambda: cluster.move("1_0", "FAILED"), lambda: None, end_again]
    assert sorted(map(str, engine().run(jobs[:2]))) == ["a: done", "b: done"]
    assert "Slurm job 1_0: FAILED; submitted again as 2" in capsys.readouterr().out


def test_a_lost_job_that_slurm_refuses_now_hides_no_other_and_is_tried_again(
    cluster, jobs, engine, capsys
):
    def lose():
        cluster.move("1_0", "NODE_FAIL")
        cluster.set(refuse="Partition is down")

    cluster.turns = [lose, lambda: cluster.end("1_1", jobs[1].outcome(Status.DONE))]
    cluster.turns += [lambda: None, lambda: cluster.set(refuse="")]
    cluster.turns += [lambda: cluster.end("2", jobs[0].outcome(Status.DONE))]
    assert [str(outcome) for outcome in engine().run(jobs[:2])] == ["b: done", "a: done"]
    assert capsys.readouterr().out.count("Partition is down") == 1


def test_slurm_hears_of_no_allocation_around_the_sweep(cluster, jobs, engine, monkeypatch):
    around = {"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "9", "PMIX_RANK": "0", "RANK": "0"}
    users = {"SLURM_CONF": "/etc/slurm.conf", "SBATCH_ACCOUNT": "mine"}
    for name, value in {**around, **users}.items():
        monkeypatch.setenv(name, value)
    engine()._submit(jobs[:1])
    seen = cluster.state["environment"]
    assert not around.keys() & seen.keys() and users.items() <= seen.items()
    assert os.environ["SLURM_JOB_ID"] == "7"


TIMED_OUT = "Traceback\nUncompletedJobError: Job not requeued because: timed-out too many times."
PUT_BACK = "Command '['scontrol', 'requeue', '1']' died with <Signals.SIGTERM: 15>."


@pytest.mark.parametrize(
    ("turns", "outcome"),
    [
        (
            [("move", "1", "FAILED"), ("move", "2", "NODE_FAIL")],  # lost once more than allowed
            "a: not started: Slurm job 2: NODE_FAIL",
        ),
        ([("move", "1", "CANCELLED")], "a: not started: Slurm job 1: CANCELLED"),  # by a user
        ([("write", '{"status": "done"}'), ("move", "1", "NODE_FAIL")], "a: done"),
        (
            [("end", "1", TIMED_OUT, "error"), ("move", "1", "FAILED")],
            f"a: not started: Slurm job 1: {TIMED_OUT.splitlines()[1]}",
        ),
        ([("end", "1", PUT_BACK, "error"), ("set",), ("end", "1", "done")], "done"),
    ],
)
def test_how_a_job_ends(cluster, jobs, engine, monkeypatch, turns, outcome):
    if turns[0][-1] == "CANCELLED":
        monkeypatch.setattr(slurm, "SETTLE_SECONDS", 1e9)  # no result is on its way
    cluster.write = (jobs[0].folder / "run.json").write_text
    cluster.turns = [partial(getattr(cluster, name), *given) for name, *given in turns]
    assert [str(ended) for ended in engine().run(jobs[:1])] == [outcome]


def test_the_same_command_finds_the_jobs_that_are_queued(cluster, jobs, engine):
    engine()._submit(jobs[:2])
    cluster.end("1_0", jobs[0].outcome(Status.DONE))
    cluster.turns = [lambda: cluster.end("1_1", jobs[1].outcome(Status.DONE))]
    cluster.turns += [lambda: cluster.end("2", jobs[2].outcome(Status.DONE))]
    assert len(list(engine().run(jobs[:3]))) == 3
    assert cluster.state["arrays"] == [[2, 2], [1, 1]]
    engine()._submit(jobs[3:4])
    cluster.move("3", "RUNNING")
    cluster.turns = [jobs[3].stop_file.touch]
    (outcome,) = engine().run(jobs[3:4])
    assert cluster.states["3"] == "CANCELLED" and "CANCELLED" in outcome.error


def test_submitting_is_all_where_that_is_asked_for(cluster, jobs, engine):
    with RunFolder(jobs[0].folder).claim():
        held, *told = engine(submit_only=True).run(jobs[:3])
    assert held.status == "under way" and cluster.state["arrays"] == [[2, 2]]
    assert [one.error for one in told] == ["Slurm job 1_0: PENDING", "Slurm job 1_1: PENDING"]
    assert [*engine(submit_only=True).run(jobs[1:3])] == told
    assert cluster.state["arrays"] == [[2, 2]], "nothing is submitted twice"
    jobs[1].stop_file.touch()  # Ctrl-C
    assert {one.status for one in engine(submit_only=True).run(jobs[1:4])} == {"not started"}
    assert set(cluster.states.values()) == {"CANCELLED"}


def test_a_stopped_sweep_cancels_what_waits_and_waits_for_what_runs(cluster, jobs, engine):
    def stop():
        cluster.move("1_0", "RUNNING")
        jobs[0].stop_file.touch()

    def end():
        assert cluster.states == {"1_0": "RUNNING", "1_1": "CANCELLED"}
        cluster.end("1_0", jobs[0].outcome(Status.INTERRUPTED))

    cluster.turns = [stop, end]
    outcomes = {outcome.name: outcome.status for outcome in engine().run(jobs[:2])}
    assert outcomes == {"a": "interrupted", "b": "not started"}


def test_a_sweep_that_ends_at_once_leaves_nothing_queued(cluster, jobs, engine, monkeypatch):
    running = engine().run(jobs[:3])
    cluster.turns = [lambda: cluster.end("1_0", jobs[0].outcome(Status.DONE))]
    assert next(running).name == "a"
    running.close()
    assert {cluster.states["1_1"], cluster.states["1_2"]} == {"CANCELLED"}

    def interrupted(ticket):
        if ticket.job.name == "f":
            raise KeyboardInterrupt

    cluster.set(max_array=2, jobs={})
    monkeypatch.setattr(slurm.Ticket, "register", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(engine().run(jobs[3:]))
    assert set(cluster.states.values()) == {"CANCELLED"} and len(cluster.states) > 2


def test_a_stop_that_slurm_does_not_hear_is_tried_again(cluster, jobs, engine, monkeypatch, capsys):
    ask, silent = slurm.queue, []

    def stop():
        jobs[0].stop_file.touch()
        silent.append(1)

    monkeypatch.setattr(slurm, "queue", lambda: None if silent and silent.pop() else ask())
    cluster.turns = [stop, lambda: cluster.set(refuse="down"), lambda: cluster.set(refuse="")]
    assert [outcome.status for outcome in engine().run(jobs[:1])] == ["not started"]
    assert cluster.states == {"1": "CANCELLED"}
    assert capsys.readouterr().out.count("not cancelled: scancel: error: down; scancel 1") == 1


def test_no_answer_is_no_empty_queue(cluster, jobs, engine, monkeypatch, capsys):
    engine()._submit(jobs[:1])
    ask, answers = slurm.queue, [None, None]
    monkeypatch.setattr(slurm, "queue", lambda: answers.pop() if answers else ask())
    cluster.turns = [lambda: None, lambda: None]
    cluster.turns += [lambda: cluster.end("1", jobs[0].outcome(Status.DONE))]
    assert [outcome.status for outcome in engine().run(jobs[:1])] == ["done"]
    assert cluster.state["arrays"] == [[1, 1]]
    assert capsys.readouterr().out.count("waiting: Slurm does not answer") == 2
    monkeypatch.setattr(slurm, "queue", lambda: None)
    cluster.turns = [jobs[1].stop_file.touch]
    assert [outcome.status for outcome in engine().run(jobs[1:2])] == ["not started"]


def test_what_cannot_work_is_refused(cluster, jobs, engine, monkeypatch):
    with pytest.raises(UserError, match="run.stop_seconds=20: .*signal_delay_s=15"):
        list(engine(signal_delay_s=15).run(jobs))
    engine().check()
    cluster.set(refuse="Requested node configuration is not available")
    with pytest.raises(UserError, match="Requested node configuration .*slurm_cpu"):
        list(engine().run(jobs))
    assert cluster.state["arrays"] == [] and not (jobs[0].folder / slurm.REGISTER).exists()
    with pytest.raises(UserError, match="hydra.launcher.*partion"):
        engine(partion="gpu").check()
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="no Slurm on this machine: scontrol"):
        engine().check()
    with pytest.raises(UserError, match="squeue"):
        slurm.queue()
