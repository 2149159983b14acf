"""Composing the project's configuration outside of run.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra import initialize_config_dir

from sweeps.parallel import register_resolver

CONF = Path(__file__).parents[1] / "conf"


@contextmanager
def project_config() -> Iterator[None]:
    """Let `hydra.compose` find conf/."""
    register_resolver()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield
