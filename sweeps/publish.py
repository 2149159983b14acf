"""Send finished runs to W&B or TensorBoard from their files, each record once.

python -m sweeps.publish runs                               # to W&B
python -m sweeps.publish runs/mini tracker.project=mine     # some of them, with a tracker's options
python -m sweeps.publish runs tracker=tensorboard
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from agent import build
from agent.errors import UserError, complaint
from agent.run.compose import project_config, whole
from agent.run.lock import RunFolder
from agent.run.record import Record, Tracker
from agent.run.status import Status
from analysis.read import run_folders
from analysis.schema import Problem
from sweeps import program
from sweeps.state import look

FINISHED = (Status.DONE, Status.DIVERGED)


def chosen(overrides: Sequence[str]) -> Callable[..., Tracker]:
    """What makes the tracker that the overrides choose, by default that of W&B."""
    if strange := [override for override in overrides if not override.startswith("tracker")]:
        raise UserError(f"{strange[0]}: allowed: tracker=wandb, tracker=tensorboard, tracker.KEY=")
    with project_config():
        start = build.tracker_maker(whole(["tracker=wandb", *overrides]))
    if start is None:
        raise UserError("tracker=none shows nothing; allowed: wandb, tensorboard")
    return start


def main(arguments: Sequence[str] | None = None) -> int:
    """Send the runs; returns the exit status."""
    parser = program("publish", __doc__)
    parser.add_argument("runs", type=Path, help="a folder of runs")
    parser.add_argument("overrides", nargs="*", help="of the tracker, as for run.py")
    given = parser.parse_args(arguments)
    try:
        start = chosen(given.overrides)
        problems: list[Problem] = []
        folders = [Path(where) for where, _ in run_folders(given.runs, problems)]
        for source, message in problems:
            print(f"{given.runs / source}: {message}", file=sys.stderr)
        if not folders:
            raise UserError(f"{given.runs}: no runs there")
    except UserError as error:
        print(complaint(error), file=sys.stderr)
        return 2
    found = [(folder, look(folder)[0]) for folder in folders]
    finished = [folder for folder, status in found if status in FINISHED]
    for folder in finished:
        try:
            _send(folder, start)
        except Exception as error:
            print(f"error: {folder}: {error}".splitlines()[0], file=sys.stderr)
            return 1
    left = Counter(status for _, status in found if status not in FINISHED)
    others = "".join(f", {number} {status} left out" for status, number in sorted(left.items()))
    print(f"{len(finished)} finished runs are there{others}")
    return 0


def _send(folder: Path, start: Callable[..., Tracker]) -> None:
    print(folder, flush=True)
    with RunFolder(folder).claim():
        record = Record(folder)
        if "config" not in record.fields:
            raise UserError("run.json has no config, which says what the run is")
        tracker = start(record=record)
        tracker.show(record)
        tracker.close(record.fields["status"])
        record.close()


if __name__ == "__main__":
    sys.exit(main())
