"""The results that are committed: what notebooks, README and docs show."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from analysis import claims, study
from analysis.study import Study

PACKAGE = Path(__file__).parent
RUNS = PACKAGE / "results" / "mini"  # exported csv files
HELD_OUT = PACKAGE / "results" / "held_out"  # decided rows run again, on seeds that RUNS lacks
SUITE = "mini"
SCORE_FILES = PACKAGE.parents[1] / "shared" / "published"
OFFICIAL = "https://raw.githubusercontent.com/danijar/dreamerv2/main/scores"


def run_files() -> list[Path]:
    """The csv files of the runs."""
    return sorted(RUNS.glob("*.csv.gz"))


def judged() -> Study:
    """The study of the runs, by the ladder that is registered for their suite."""
    return study.one(RUNS, suite=SUITE, ladder=SUITE in claims.load().ladder)


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, of those that are here."""
    there = [file for file in files if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in there}


def score_files() -> str:
    """Where the official score files are: a folder beside the project's, or the repository's
    URL."""
    return str(SCORE_FILES) if SCORE_FILES.is_dir() else OFFICIAL
