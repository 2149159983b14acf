"""The results that are committed: what notebooks, README and docs show."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from analysis import claims, study
from analysis.study import Study

PACKAGE = Path(__file__).parent
ROUNDS = PACKAGE / "results" / "mini"  # one exported csv for each round of seeds
BASELINE = PACKAGE / "results" / "mini_baseline.csv.gz"
SUITE = "mini"
SCORE_FILES = PACKAGE.parents[1] / "shared" / "published"
OFFICIAL = "https://raw.githubusercontent.com/danijar/dreamerv2/main/scores"


def runs() -> Path:
    """The runs of all arms, those of the baseline alone where there are no others yet."""
    return ROUNDS if ROUNDS.is_dir() else BASELINE


def run_files() -> list[Path]:
    """The csv files of `runs`."""
    return sorted(ROUNDS.glob("*.csv.gz")) if ROUNDS.is_dir() else [BASELINE]


def ladder() -> bool:
    """Whether `runs` are judged by the registered ladder."""
    return ROUNDS.is_dir() and SUITE in claims.load().ladder


def judged() -> Study | None:
    """The study of all arms; None before there are runs."""
    if not ROUNDS.is_dir():
        return None
    return study.load(ROUNDS, suite=SUITE, ladder=ladder())[0]


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, of those that are here."""
    there = [file for file in files if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in there}


def score_files() -> str:
    """Where the official score files are: a folder beside the project's, or the repository's
    URL."""
    return str(SCORE_FILES) if SCORE_FILES.is_dir() else OFFICIAL
