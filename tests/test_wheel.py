"""The wheel holds what a run and an analysis read: configuration, claims, templates, programs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("agent", "analysis", "conf", "hydra_plugins", "sweeps")
READ = (".py", ".yaml", ".csv", ".gz", ".html", ".md", ".mplstyle", ".tex", ".txt")
RESULTS = ("README.md", "old_verdicts.md", "candidates.csv", "recipe_search.csv")  # for readers
NOT_READ = ("README.md", *(f"analysis/results/{name}" for name in RESULTS))


def test_the_wheel_holds_what_is_read(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (*ROOT.glob("*.py"), ROOT / "pyproject.toml", ROOT / "README.md"):
        shutil.copy(file, tmp_path)
    files = [file for file in tmp_path.rglob("*") if file.suffix in READ]
    wanted = {str(file.relative_to(tmp_path)) for file in files}
    build = "from setuptools import build_meta; print(build_meta.build_wheel('.'))"
    command = [sys.executable, "-c", build]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    with zipfile.ZipFile(tmp_path / done.stdout.splitlines()[-1]) as wheel:
        assert wanted - {*NOT_READ} - {*wheel.namelist()} == set()
        (entries,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        assert "dreamer-ablation = dreamer_ablation:main" in wheel.read(entries).decode()
