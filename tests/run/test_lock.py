"""One owner at a time: locks of live, dead and foreign owners."""

import errno
import fcntl
import json
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest

from agent.errors import UserError
from agent.run import lock
from agent.run.lock import Busy, RunFolder, check_root
from tests.waiting import wait_until


def own(folder, owned):
    with RunFolder(folder).claim():
        owned.set()
        time.sleep(600)


def test_a_live_owner_keeps_the_run_and_is_named_and_a_dead_one_loses_it_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    owned = context.Event()
    owner = context.Process(target=own, args=(tmp_path, owned), daemon=True)
    owner.start()
    assert owned.wait(300)
    with pytest.raises(Busy, match=rf"pid {owner.pid}, heartbeat"), RunFolder(tmp_path).claim():
        pass
    assert str(owner.pid) in RunFolder(tmp_path).holder()
    owner.kill()
    owner.join()
    assert RunFolder(tmp_path).holder() is None
    for _ in range(2):
        with pytest.raises(PermissionError, match="inside"), RunFolder(tmp_path).claim() as lost:
            assert named(tmp_path)["pid"] == os.getpid() and not lost()
            raise PermissionError("inside")
        assert not (tmp_path / "owner.json").exists()


def foreign(tmp_path, age):
    file = tmp_path / "owner.new"
    file.write_text(json.dumps({"host": "elsewhere", "pid": 1, "token": "theirs"}))
    os.utime(file, (time.time() - age,) * 2)
    os.replace(file, tmp_path / "owner.json")


def named(tmp_path):
    return json.loads((tmp_path / "owner.json").read_text())


def test_a_heartbeat_on_another_host_counts_where_locks_stay_local_until_it_is_stale(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock, "STALE_SECONDS", 600.0)
    foreign(tmp_path, age=20)
    with pytest.raises(Busy, match="host elsewhere"), RunFolder(tmp_path).claim():
        pass
    foreign(tmp_path, age=-86_400)  # from the future
    assert RunFolder(tmp_path).holder() is None
    monkeypatch.setattr(lock, "TAKEOVER_SECONDS", 0.0)
    foreign(tmp_path, age=lock.STALE_SECONDS + 20)
    with RunFolder(tmp_path).claim():
        assert named(tmp_path)["pid"] == os.getpid()
    foreign(tmp_path, age=lock.STALE_SECONDS + 20)  # and a third host takes over as well
    monkeypatch.setattr(lock.time, "sleep", lambda _: foreign(tmp_path, age=0))
    with pytest.raises(Busy, match="host elsewhere"), RunFolder(tmp_path).claim():
        pass
    assert named(tmp_path)["token"] == "theirs"


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.02)


def test_an_owner_beats_and_notices_when_another_host_took_the_run(tmp_path, fast):
    with RunFolder(tmp_path).claim() as lost:
        os.utime(tmp_path / "owner.json", (0, 0))
        wait_until(lambda: (tmp_path / "owner.json").stat().st_mtime > 0)
        foreign(tmp_path, age=0)
        wait_until(lost)
    assert named(tmp_path)["token"] == "theirs"


@pytest.mark.parametrize("text", [None, '{"host": "el', "[]"])
def test_an_owner_writes_its_name_again_where_it_is_gone_or_torn(tmp_path, fast, text):
    file = tmp_path / "owner.json"
    with RunFolder(tmp_path).claim() as lost:
        file.unlink() if text is None else file.write_text(text)
        wait_until(lambda: file.exists() and f'"pid": {os.getpid()}' in file.read_text())
        assert not lost()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock"]


def test_an_owner_without_a_name_is_lost_after_too_long_a_silence(tmp_path, monkeypatch, fast):
    monkeypatch.setattr(lock, "STALE_SECONDS", 0.01)
    with RunFolder(tmp_path).claim() as lost:
        (tmp_path / "owner.json").unlink()
        wait_until(lost)
    assert not (tmp_path / "owner.json").exists()


def test_looking_keeps_nobody_from_claiming_and_sees_no_other_looker(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "LOCK_SECONDS", 300.0)
    (tmp_path / "lock").touch()
    seen, claiming, ended = set(), threading.Event(), threading.Event()

    def look():
        while not ended.wait(0.001):
            holder = RunFolder(tmp_path).holder()
            if not claiming.is_set():
                seen.add(holder)

    with ThreadPoolExecutor(4) as lookers:
        looks = [lookers.submit(look) for _ in range(4)]
        try:
            time.sleep(0.3)
            claiming.set()
            for _ in range(60):
                with RunFolder(tmp_path).claim():
                    pass
        finally:
            ended.set()
    assert [look.result() for look in looks] == [None] * 4 and seen == {None}


def test_a_folder_that_cannot_be_made_written_or_locked_is_named(tmp_path, monkeypatch):
    (tmp_path / "lock").touch()
    check_root(tmp_path / "not" / "there" / "yet")
    for root in (tmp_path / "lock", tmp_path / "lock" / "below"):
        with pytest.raises(UserError, match=f"run.root={root}: {tmp_path}/lock is no folder"):
            check_root(root)
    said = r"lock/run cannot be written or locked.*run\.root"
    with pytest.raises(UserError, match=said), RunFolder(tmp_path / "lock/run").claim():
        pass
    missing = OSError(errno.ENOSYS, "Function not implemented")
    monkeypatch.setattr(fcntl, "flock", Mock(side_effect=missing))
    with pytest.raises(UserError, match=r"lock cannot be locked \(Function not implemented\)$"):
        RunFolder(tmp_path).holder()
