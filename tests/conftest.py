"""Runs that train in seconds, and `python run.py` in this process."""

import sys
from contextlib import closing

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import run
from tests import tiny

RUN = (
    *("recipe.length=8", "recipe.prefill=60", "recipe.capacity=150"),
    *("run.steps=300", "run.train_every=8"),
    *("run.log_every=30", "run.checkpoint_every=40", "run.eval_every=100", "run.eval_episodes=2"),
    *("run.device=cpu", "run.threads=1", "run.matmul_precision=highest"),
)


@pytest.fixture(scope="session")
def configure():
    """Function of overrides: the configuration of a short run of a tiny agent on cartpole, or
    another task."""
    torch.set_num_threads(1)
    return lambda *overrides: tiny.compose(*RUN, *overrides, numbers=tiny.NUMBERS)


@pytest.fixture
def record(tmp_path):
    """The records of a run that was just claimed."""
    with closing(tiny.claimed(tmp_path / "run")) as record:
        yield record


@pytest.fixture(scope="session")
def unbroken(configure, tmp_path_factory):
    """The folder of a run of `configure()` that nothing interrupted; to be read or copied."""
    with closing(tiny.claimed(tmp_path_factory.mktemp("unbroken") / "run")) as record:
        tiny.train(configure(), record)
    return record.path


@pytest.fixture
def run_py(monkeypatch, capsys):
    """Function of arguments: exit status, output and errors of `python run.py`."""

    def start(*arguments):
        GlobalHydra.instance().clear()
        monkeypatch.setattr(run, "Stop", lambda: lambda: False)
        monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run.start()
        return end.value.code, *capsys.readouterr()

    return start
