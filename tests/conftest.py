"""Runs that train in seconds."""

import pytest
import torch

from agent.run.record import Record
from tests import tiny

RUN = (
    *(
        "recipe.length=8",
        "recipe.prefill=60",
        "recipe.capacity=150",
        "run.steps=300",
        "run.train_every=8",
    ),
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
    record = Record(tmp_path / "run")
    record.update(
        suite="mini", task="cartpole", arm="baseline", seed=0, digest="0123abcd", status="under way"
    )
    yield record
    record.close()
