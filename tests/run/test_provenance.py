"""The commit of run.json is this checkout's, and says whether other code ran."""

import subprocess

import pytest

from agent.run import provenance

git = provenance.git.__wrapped__  # not cached


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with one commit, taken for the project's."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "code.py").write_text("x = 1\n")
    for command in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -q -m first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path.resolve())
    return tmp_path


def test_code_that_differs_or_is_not_tracked_is_dirty(checkout):
    assert len(git()["commit"]) == 40 and not git()["dirty"]
    (checkout / "notes.txt").write_text("no code")
    assert not git()["dirty"]
    (checkout / "agent" / "own.py").write_text("")
    assert git()["dirty"]
    (checkout / "agent" / "own.py").unlink()
    (checkout / "agent" / "code.py").write_text("x = 2\n")
    assert git()["dirty"]


def test_another_repository_is_not_asked(checkout, tmp_path_factory, monkeypatch):
    commit = git()["commit"]
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("other") / ".git"))
    assert git()["commit"] == commit
    monkeypatch.setattr(provenance, "ROOT", checkout.resolve() / "agent")  # a copy inside another
    assert git() is None
