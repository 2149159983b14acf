"""Checkpoints: what was saved comes back, a bad one gives way to the previous, another run's is
refused."""

from pathlib import Path

import pytest
import torch

from agent.errors import UserError
from agent.run import checkpoint
from agent.run.checkpoint import CURRENT, PREVIOUS

IDENTITY = {"arm": "baseline", "digest": "0123abcd"}


def save(folder, *steps):
    for step in steps:
        weights = torch.full((5000,), float(step))
        checkpoint.save(folder, IDENTITY, {"clock": {"step": step}, "weights": weights})


def step(folder):
    return checkpoint.load(folder, IDENTITY)["clock"]["step"]


def test_the_newest_comes_back_and_a_killed_writer_does_no_harm(tmp_path):
    assert checkpoint.load(tmp_path, IDENTITY) is None
    save(tmp_path, 1, 2, 3)
    assert {path.name for path in tmp_path.iterdir()} == {PREVIOUS, CURRENT}
    (tmp_path / f"{CURRENT}.partial").write_bytes(b"half")
    weights = checkpoint.load(tmp_path, IDENTITY)["weights"]
    assert step(tmp_path) == 3 and torch.equal(weights, torch.full((5000,), 3.0))
    (tmp_path / CURRENT).unlink()  # killed between the two renames
    assert step(tmp_path) == 2


DAMAGE = {
    "cut": lambda data: data[: len(data) // 2],
    "flipped": lambda data: data[:9000] + bytes([data[9000] ^ 1]) + data[9001:],
    "empty": lambda data: b"",
}


class Payload:
    """Code that a pickle would run."""

    def __reduce__(self):
        return Path.touch, (Path("executed"),)


FOREIGN = Payload(), {"state": Payload()}, {"model": torch.zeros(3)}, [1], torch.nn.Linear(1, 1)


@pytest.mark.parametrize("spoil", [*DAMAGE.values(), *FOREIGN])
def test_a_bad_one_gives_way_to_the_previous_and_is_not_executed(
    tmp_path, capsys, monkeypatch, spoil
):
    monkeypatch.chdir(tmp_path)
    foreign, file = spoil in FOREIGN, tmp_path / CURRENT
    said = "is no checkpoint of this program\n" if foreign else "is damaged ("
    save(tmp_path, 1, 2)
    for _ in range(2):
        torch.save(spoil, file) if foreign else file.write_bytes(spoil(file.read_bytes()))
        assert step(tmp_path) == 1
        err = capsys.readouterr().err
        assert f"{CURRENT} {said}" in err and "\nresuming from the previous checkpoint, of s" in err
        assert err.endswith("step 1\n") and "weights_only" not in err
        save(tmp_path, 5)
    assert not Path("executed").exists()


def test_what_cannot_be_used_is_named(tmp_path, monkeypatch):
    save(tmp_path, 1, 2)
    with pytest.raises(UserError, match="latent=gaussian"):
        checkpoint.load(tmp_path, IDENTITY | {"arm": "latent=gaussian"})
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"schema \d, .* reads 99"):
        patch.setattr(checkpoint, "SCHEMA", 99)
        step(tmp_path)
    for name in (CURRENT, PREVIOUS):
        (tmp_path / name).write_bytes(b"half")
    with pytest.raises(UserError, match="no undamaged checkpoint"):
        step(tmp_path)
    for name in (PREVIOUS, CURRENT):
        (tmp_path / CURRENT).unlink(missing_ok=True)
        (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).mkdir()
        with pytest.raises(UserError, match=f"{name} is a folder"):
            step(tmp_path)
