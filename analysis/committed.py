"""The results that are committed: what notebooks, README and docs show."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from analysis import claims, read, study
from analysis.study import Judged

PACKAGE = Path(__file__).parent
RUNS = PACKAGE / "results" / "broad"  # the trial: what the pages show
MINI = PACKAGE / "results" / "mini"  # one change at a time, on that suite
HELD_OUT = PACKAGE / "results" / "held_out"  # claims run again, on seeds that MINI lacks
SCORE_FILES = PACKAGE.parents[1] / "shared" / "published"
OFFICIAL = "https://raw.githubusercontent.com/danijar/dreamerv2/main/scores"


@cache
def judged(runs: Path = RUNS) -> Judged:
    """The committed trial, or the runs of another folder, judged."""
    return study.judge(read.load(runs), claims.DEFAULT)


def sources() -> dict[str, str]:
    """The SHA-256 of the files behind the verdicts by their names."""
    runs = [file for folder in (RUNS, MINI) for file in sorted(folder.glob("*.csv.gz"))]
    return hashes([claims.DEFAULT, *runs])


def hashes(files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, of those that are here."""
    there = [file for file in files if file.is_file()]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in there}


def score_files() -> str:
    """The folder of the official score files beside the project, or their repository's URL."""
    return str(SCORE_FILES) if SCORE_FILES.is_dir() else OFFICIAL
