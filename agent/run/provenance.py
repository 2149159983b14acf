"""Where a run's numbers come from: the commit, the versions of packages, the host."""

import platform
import socket
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "torch",
    "numpy",
    "hydra-core",
    "gymnasium",
    "ale-py",
    "minatar",
    "minigrid",
    "dm-control",
    "mujoco",
)
ROOT = Path(__file__).parents[2]


def provenance() -> dict[str, object]:
    """Fields `git`, `versions` and `host` of run.json."""
    return {"git": git(), "versions": versions(), "host": socket.gethostname()}


@cache
def git() -> dict[str, object] | None:
    """The checkout's commit and whether tracked files were changed since; None outside of a
    repository."""
    commit, changes = (
        _git("rev-parse", "HEAD"),
        _git("status", "--porcelain", "--untracked-files=no"),
    )
    return None if commit is None else {"commit": commit, "dirty": bool(changes)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result, where installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
