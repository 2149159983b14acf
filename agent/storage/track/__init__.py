"""Trackers: views of a run's records in TensorBoard or W&B."""

import sys

from hydra.utils import instantiate
from omegaconf import DictConfig

from agent.errors import UserError
from agent.storage.record import Record, Tracker


def add_tracker(config: DictConfig, record: Record) -> None:
    """Add the tracker that `config` names, if any, to the record of a run.

    Raises UserError where its package is missing; one that cannot start otherwise is reported and
    left out.
    """
    if "_target_" not in config:
        return
    try:
        record.add_tracker(start(config, record))
    except UserError:
        raise
    except Exception as error:  # a tracker is a view: the run goes on without it
        print(f"tracker={config.name} cannot start: {described(error)}", file=sys.stderr)


def publish(config: DictConfig, record: Record) -> None:
    """Show the tracker that `config` names, if any, the records of a run that nobody trains any
    more.

    Raises what the tracker raises.
    """
    if "_target_" in config:
        tracker = start(config, record)
        tracker.rewind(record)
        tracker.close(record.fields["status"])


def start(config: DictConfig, record: Record) -> Tracker:
    """The tracker that `config` names; raises what its class raises."""
    try:
        return instantiate(config, record=record)
    except Exception as error:
        raise (error.__cause__ or error) from None


def described(error: Exception) -> str:
    """An error on one line."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
