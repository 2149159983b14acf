"""W&B's offline folders of a run, one for each time that it went on: what `wandb sync` sent of
them."""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

FILE_HEADER, BLOCK, RECORD_HEADER = 7, 32_768, 7  # bytes
OFFLINE = "offline-run-*-"
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4  # parts of a record


def drop_unsynced(folder: Path, run_id: str) -> None:
    """Delete the offline folders that were not synced: their records are sent again, and one that
    a killed process left empty keeps `wandb sync` from sending the others."""
    for offline in folder.glob(OFFLINE + run_id):
        if not _marker(offline, run_id).exists():
            shutil.rmtree(offline)


def last_synced(folder: Path, run_id: str) -> int:
    """The last index that `wandb sync` sent of the run's synced offline folders, -1 for none.

    Raises ConnectionError where a folder was written to after it was synced.
    """
    last = -1
    for offline in folder.glob(OFFLINE + run_id):
        log = offline / f"run-{run_id}.wandb"
        if _marker(offline, run_id).stat().st_mtime_ns < log.stat().st_mtime_ns:
            raise ConnectionError(f"{offline} was synced before its end")
        last = max(last, last_index(log))
    return last


def last_index(log: Path) -> int:
    """The index of the last whole record of a run's history in a .wandb file, -1 for none."""
    from wandb.proto.wandb_internal_pb2 import Record

    records = map(Record.FromString, _records(log.read_bytes()))
    history = (record.history for record in records if record.HasField("history"))
    return max((row.step.num for row in history), default=-1)


def _marker(offline: Path, run_id: str) -> Path:
    """The file that `wandb sync` leaves."""
    return offline / f"run-{run_id}.wandb.synced"


def _records(data: bytes) -> Iterator[bytes]:
    """The whole records of a log in LevelDB's format: in blocks, cut where one does not fit."""
    at, parts = FILE_HEADER, b""
    while True:
        if (room := BLOCK - at % BLOCK) < RECORD_HEADER:
            at += room
        header, start = data[at : at + RECORD_HEADER], at + RECORD_HEADER
        if len(header) < RECORD_HEADER:
            return
        _, length, part = struct.unpack("<IHB", header)
        at = start + length
        if at > len(data) or part not in (WHOLE, FIRST, MIDDLE, LAST):
            return
        parts += data[start:at]
        if part in (WHOLE, LAST):
            yield parts
            parts = b""
