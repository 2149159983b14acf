"""Files that the analysis writes: whether it can, before any work, and csv that spreadsheets do not
execute."""

import os
from pathlib import Path

import pandas as pd

from analysis import InputError

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # first characters of what a spreadsheet executes
GUARD = "'"


def csv(frame: pd.DataFrame, path: str | os.PathLike) -> None:
    """Writes a csv (`.gz` compresses); a text that a spreadsheet would take for a formula starts
    with an apostrophe."""
    compression = {"method": "gzip", "mtime": 0} if str(path).endswith(".gz") else None
    frame.map(_guarded).to_csv(path, index=False, compression=compression)


def read_csv(path: str | os.PathLike) -> pd.DataFrame:
    """Reads what `csv` wrote, without the apostrophes."""
    texts = dict.fromkeys(["digest", "baseline"], str)  # 12345678 and 1e234567 are digests too
    frame = pd.read_csv(path, dtype=texts, float_precision="round_trip")
    texts = [name for name in frame if frame[name].dtype == object]
    return frame.assign(**{name: frame[name].map(_bare) for name in texts})


def _guarded(value):
    return GUARD + value if isinstance(value, str) and _needs_guard(value) else value


def _bare(value):
    guarded = isinstance(value, str) and value.startswith(GUARD) and _needs_guard(value[1:])
    return value[1:] if guarded else value


def _needs_guard(text: str) -> bool:
    return text.lstrip(GUARD).startswith(FORMULA)


def folder(path: str | os.PathLike) -> Path:
    """The folder, which is created; `InputError` where it cannot be written."""
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot make this folder ({error.strerror})") from error
    return path


def check_folder(path: str | os.PathLike) -> None:
    """`InputError` for a folder that can neither be written nor made; nothing is made yet."""
    nearest = next(one for one in (Path(path), *Path(path).absolute().parents) if one.exists())
    if not nearest.is_dir():
        raise InputError(f"{path}: cannot make this folder ({nearest} is a file)")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: no permission to write into {nearest}")


def file(path: str | os.PathLike) -> Path:
    """The path of a file that can be written; `InputError` where it is a folder or its folder is
    absent or cannot be written."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file is wanted")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{path}: no permission to write this file")
    return path
