"""The results that are committed: what notebooks, README and docs show."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from analysis import claims, read, study
from analysis.study import Judged

PACKAGE = Path(__file__).parent
MINI = PACKAGE / "results" / "mini"  # csv files of one change at a time, on that suite
RUNS = MINI  # what the pages show
HELD_OUT = PACKAGE / "results" / "held_out"  # claims run again, on seeds that MINI lacks
SCORE_FILES = PACKAGE.parents[1] / "shared" / "published"
OFFICIAL = "https://raw.githubusercontent.com/danijar/dreamerv2/main/scores"


@cache
def judged(runs: Path = RUNS) -> Judged:
    """The committed runs, or those of another folder, judged."""
    return study.judge(read.load(runs), claims.DEFAULT)


def sources() -> dict[str, str]:
    """The SHA-256 of the files behind the verdicts by their names."""
    return hashes([claims.DEFAULT, *sorted(RUNS.glob("*.csv.gz"))])


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, of those that are here."""
    there = [file for file in files if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in there}


def score_files() -> str:
    """The folder of the official score files beside the project, or their repository's URL."""
    return str(SCORE_FILES) if SCORE_FILES.is_dir() else OFFICIAL
