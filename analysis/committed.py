"""The results that are committed: what notebooks, README and docs show."""

from pathlib import Path

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


def score_files() -> str:
    """Where the official score files are: a folder beside the project's, or the repository's
    URL."""
    return str(SCORE_FILES) if SCORE_FILES.is_dir() else OFFICIAL
