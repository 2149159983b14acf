"""Where a run's numbers come from: the commit, the versions of packages, the host."""

import platform
import socket
import subprocess
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "numpy", "hydra-core", "gymnasium", "ale-py", "minatar", "minigrid")
PACKAGES += ("dm-control", "mujoco", "dreamer-ablation")
CODE = ("run.py", "agent", "conf", "hydra_plugins", "sweeps")  # what can change a result
ROOT = Path(__file__).resolve().parents[2]


def provenance() -> dict[str, object]:
    """Fields `git`, `versions` and `host` of run.json."""
    return {"git": git(), "versions": versions(), "host": socket.gethostname()}


@cache
def git() -> dict[str, object] | None:
    """The checkout's commit, and whether its code differs or some is not tracked; None where this
    is no checkout of its own."""
    command = ["git", f"--git-dir={ROOT / '.git'}", f"--work-tree={ROOT}"]  # whatever GIT_DIR says
    command += ["status", "--porcelain=v2", "--branch", "--", *CODE]
    try:
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    commit, *lines = said.removeprefix("# branch.oid ").splitlines()
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a result, where installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
