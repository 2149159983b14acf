"""Trackers: views of a run's records in TensorBoard or W&B."""

import sys

from hydra.utils import instantiate
from omegaconf import DictConfig

from agent.errors import UserError
from agent.storage.record import Record


def add_tracker(config: DictConfig, record: Record) -> None:
    """Add the tracker that `config` names, if any, to the record of a run.

    Raises UserError where its package is missing; one that cannot start otherwise is reported and
    left out.
    """
    if "_target_" not in config:
        return
    try:
        record.add_tracker(instantiate(config, record=record))
    except Exception as error:  # a tracker is a view: the run goes on without it
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise cause from None
        print(
            f"tracker={config.name} cannot start: {type(cause).__name__}: {cause}".splitlines()[0],
            file=sys.stderr,
        )
