"""Compose configurations as `run.py` does."""

from functools import cache
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def composed():
    """A function from overrides to the composed configuration."""

    @cache
    def get(*overrides):
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            return compose("config", overrides=list(overrides))

    return get
