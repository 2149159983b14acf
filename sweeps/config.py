"""Composing the project's configuration outside of run.py."""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra import initialize_config_dir
from hydra.errors import HydraException

from agent.errors import UserError
from agent.run.compose import CONF, explained


@contextmanager
def project_config() -> Iterator[None]:
    """Let `hydra.compose` find conf/; a name that is not there is a UserError with what is."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        try:
            yield
        except HydraException as error:
            raise UserError(explained(error)) from error
