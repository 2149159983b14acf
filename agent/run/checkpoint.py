"""Checkpoints: written atomically, the previous one kept, read without unpickling code.

A checkpoint is an ordinary `torch.load` file; the checksums inside it tell a damaged one.
"""

import os
import sys
import zipfile
from pathlib import Path

import torch

from agent.errors import UserError
from agent.run.record import ANEW

SCHEMA = 4
CURRENT = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
KEYS = {"schema", "identity", "state"}


def save(folder: Path, identity: dict[str, str], state: dict) -> None:
    """Write `state` as the current checkpoint of the run `identity`; the one that was current
    becomes the previous."""
    current, partial = folder / CURRENT, folder / f"{CURRENT}.partial"
    with partial.open("wb") as file:
        torch.save({"schema": SCHEMA, "identity": identity, "state": state}, file)
        file.flush()
        os.fsync(file.fileno())
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    os.replace(partial, current)
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def load(folder: Path, identity: dict[str, str], read_only: bool = False) -> dict | None:
    """State of the newest undamaged checkpoint on the CPU, None where there is none yet.

    A damaged file, or another program's, is replaced by the previous checkpoint, with a line on
    standard error. `read_only` leaves the files as they are.
    UserError for a checkpoint of another schema or run, and when no undamaged one is left.
    """
    current, previous = folder / CURRENT, folder / PREVIOUS
    candidates = [path for path in (current, previous) if path.exists()]
    for path in candidates:
        if path.is_dir():
            raise UserError(f"{path} is a folder, where a checkpoint should be: move it away")
        if problem := _damage(path):
            print(f"{path} is damaged ({problem})", file=sys.stderr)
            continue
        if (content := _read(path)) is None:
            print(f"{path} is no checkpoint of this program", file=sys.stderr)
            continue
        state = _checked(path, content, identity)
        if path == previous and not read_only:
            os.replace(previous, current)
            step = state["clock"]["step"]
            print(f"resuming from the previous checkpoint, of step {step}", file=sys.stderr)
        return state
    if candidates:
        raise UserError(f"no undamaged checkpoint in {folder}: {ANEW}")
    return None


def _damage(path: Path) -> str | None:
    """What is wrong with a file that was cut off or changed on disk, None if nothing is."""
    try:
        with zipfile.ZipFile(path) as archive:
            record = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        return str(error) or type(error).__name__
    return record and f"wrong checksum of {record}"


def _read(path: Path) -> dict | None:
    """What `save` wrote; None for another program's file, of which no code is run."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # of many kinds, as the file may be anything
        return None
    return content if isinstance(content, dict) and set(content) == KEYS else None


def _checked(path: Path, content: dict, identity: dict[str, str]) -> dict:
    if content["schema"] != SCHEMA:
        raise UserError(f"{path} has schema {content['schema']}, this version reads {SCHEMA}")
    if content["identity"] != identity:
        raise UserError(f"{path} is of the run {content['identity']}, not of {identity}")
    return content["state"]
