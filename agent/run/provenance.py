"""Where a run's numbers come from: the commit, the versions of packages, the host."""

import os
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
CODE = ("run.py", "agent", "conf", "hydra_plugins", "sweeps")  # what can change a result
ROOT = Path(__file__).resolve().parents[2]


def provenance() -> dict[str, object]:
    """Fields `git`, `versions` and `host` of run.json."""
    return {"git": git(), "versions": versions(), "host": socket.gethostname()}


@cache
def git() -> dict[str, object] | None:
    """The checkout's commit, and whether its code differs or some is not tracked; None where this
    is no checkout of its own."""
    top, _, commit = (_git("rev-parse", "--show-toplevel", "HEAD") or "").partition("\n")
    if not commit or Path(top).resolve() != ROOT:
        return None
    return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--", *CODE))}


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
    """What git says of this folder, whatever repository the environment names."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
