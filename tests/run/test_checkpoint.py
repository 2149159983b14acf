"""Checkpoints: what was saved comes back, a damaged one gives way to the previous, another run's is
refused."""

from pathlib import Path

import pytest
import torch

from agent.errors import UserError
from agent.run import checkpoint

IDENTITY = {"arm": "baseline", "digest": "0123abcd"}


def save(folder, *steps):
    for step in steps:
        checkpoint.save(
            folder, IDENTITY, {"clock": {"step": step}, "weights": torch.full((5000,), float(step))}
        )


def test_the_newest_comes_back_and_the_previous_is_kept(tmp_path):
    assert checkpoint.load(tmp_path, IDENTITY) is None
    save(tmp_path, 1, 2, 3)
    state = checkpoint.load(tmp_path, IDENTITY)
    assert state["clock"]["step"] == 3 and torch.equal(state["weights"], torch.full((5000,), 3.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoint.previous.pt",
        "checkpoint.pt",
    ]


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda data: b""])
def test_a_damaged_one_gives_way_to_the_previous_and_it_is_said(tmp_path, capsys, damage):
    save(tmp_path, 1, 2)
    current = tmp_path / checkpoint.CURRENT
    current.write_bytes(damage(current.read_bytes()))
    assert checkpoint.load(tmp_path, IDENTITY)["clock"]["step"] == 1
    said = capsys.readouterr().err
    assert "checkpoint.pt is damaged" in said and "previous checkpoint, of step 1" in said
    save(tmp_path, 5)
    current.write_bytes(damage(current.read_bytes()))
    assert checkpoint.load(tmp_path, IDENTITY)["clock"]["step"] == 1


class Payload:
    """Code that a pickle would run."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    "content",
    [Payload(), {"state": Payload()}, {"model": torch.zeros(3)}, [1], torch.nn.Linear(1, 1)],
)
def test_another_programs_file_is_not_executed_and_gives_way(
    tmp_path, capsys, monkeypatch, content
):
    monkeypatch.chdir(tmp_path)
    save(tmp_path, 1, 2)
    torch.save(content, tmp_path / checkpoint.CURRENT)
    assert checkpoint.load(tmp_path, IDENTITY)["clock"]["step"] == 1
    said = capsys.readouterr().err
    assert "checkpoint.pt is no checkpoint of this program\nresuming from the previous" in said
    assert "weights_only" not in said and not Path("executed").exists()


@pytest.mark.parametrize("name", [checkpoint.CURRENT, checkpoint.PREVIOUS])
def test_a_folder_in_its_place_is_named(tmp_path, name):
    save(tmp_path, 1, 2)
    (tmp_path / checkpoint.CURRENT).unlink()
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=f"{name} is a folder"):
        checkpoint.load(tmp_path, IDENTITY)


def test_no_undamaged_one_is_an_error(tmp_path):
    save(tmp_path, 1, 2)
    for path in tmp_path.iterdir():
        path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(UserError, match="no undamaged checkpoint"):
        checkpoint.load(tmp_path, IDENTITY)


def test_what_a_killed_writer_leaves_is_harmless(tmp_path):
    save(tmp_path, 1, 2)
    (tmp_path / f"{checkpoint.CURRENT}.partial").write_bytes(b"half")
    assert checkpoint.load(tmp_path, IDENTITY)["clock"]["step"] == 2
    (tmp_path / checkpoint.CURRENT).unlink()  # killed between the two renames
    assert checkpoint.load(tmp_path, IDENTITY)["clock"]["step"] == 1


def test_another_run_or_schema_is_refused(tmp_path, monkeypatch):
    save(tmp_path, 1)
    with pytest.raises(UserError, match="latent=gaussian"):
        checkpoint.load(tmp_path, IDENTITY | {"arm": "latent=gaussian"})
    monkeypatch.setattr(checkpoint, "SCHEMA", 99)
    with pytest.raises(UserError, match=r"has schema \d, this version reads 99"):
        checkpoint.load(tmp_path, IDENTITY)
