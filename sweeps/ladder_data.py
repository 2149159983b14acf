"""The ended runs of a ladder, from run folders and from exported csv files, as one store."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agent.errors import UserError
from agent.run.compose import composed
from agent.run.identity import baseline_digest
from agent.run.status import Status
from analysis import InputError, exported, folders, frames
from analysis.fields import ENDED
from analysis.frames import Store
from sweeps.state import Planned, unseeded

Cell = tuple[str, str]  # task and arm
ONE = ["task", "arm", "seed"]


def of_folders(root: Path, planned: Mapping[Cell, Planned]) -> Store:
    """The ended runs below a root that are of the planned cells, whatever their seeds."""
    found = folders.load(root)
    digests = {cell: run.identity.digest for cell, run in planned.items()}
    suites = {run.identity.suite for run in planned.values()}
    runs = found.runs[found.runs.suite.isin(suites) & found.runs.status.isin(ENDED)]
    own = [digests.get((run.task, run.arm)) == run.digest for run in runs.itertuples()]
    return found.of(runs[np.array(own, bool)])


def of_csv(path: str, planned: Mapping[Cell, Planned]) -> Store:
    """The ended runs of an exported csv, or of a folder of them; UserError for one that is of no
    planned cell or of another configuration."""
    files = sorted(Path(path).glob("*.csv*")) if Path(path).is_dir() else [Path(path)]
    if not files or not all(file.is_file() for file in files):
        raise UserError(f"hydra.sweeper.results: there is no file {path}")
    try:
        found = exported.load_all(files)
    except InputError as error:
        raise UserError(f"hydra.sweeper.results: {error}") from error
    suite = next(iter(planned.values())).identity.suite
    runs = found.runs[(found.runs.suite == suite) & found.runs.status.isin(ENDED)]
    if runs.empty:
        raise UserError(f"hydra.sweeper.results: {path} has no ended run of suite '{suite}'")
    for (task, arm), own in runs.groupby(["task", "arm"]):
        where = f"hydra.sweeper.results: {path} has runs of {task} {arm}"
        if (task, arm) not in planned:
            raise UserError(f"{where}, which is not on the ladder of suite={suite}")
        for name, digest in _digests(planned[task, arm]).items():
            if different := sorted(set(own[name]) - {digest}):
                raise UserError(
                    f"{where} with the {name} {different[0] or 'missing'}; here it is {digest}"
                )
    return found.of(runs)


def joined(stores: Mapping[str, Store]) -> Store:
    """One store of several, by where they are from; a run that two hold alike counts once.

    Raises UserError for one that they hold differently.
    """
    try:
        exported.check_alike(stores)
    except InputError as error:
        raise UserError(f"hydra.sweeper.results: {error}") from error
    together = frames.joined(stores.values())
    return together.of(together.runs.drop_duplicates(ONE))


def done(store: Store) -> dict[tuple[str, str, int], dict]:
    """By task, arm and seed what the plan needs of a run that has ended: its steps and time."""
    return {
        (run.task, run.arm, int(run.seed)): {
            "status": Status.DONE,
            "steps": run.steps,
            "wall_seconds": run.wall_seconds,
        }
        for run in store.runs.itertuples()
    }


def _digests(run: Planned) -> dict[str, str]:
    """What a run of the same cell carries."""
    choices = composed(unseeded(run.overrides))[1]
    return {"digest": run.identity.digest, "baseline": baseline_digest(run.cfg, choices)}
