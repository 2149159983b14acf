"""A small study with known effects, judged and drawn once, and the official score files."""

import numpy as np
import pytest
from scipy.stats import norm

from analysis import committed, read
from analysis import study as studies
from analysis.show import figures, pages
from tests.analysis.runs import REFERENCES, SEEDS, STUDY, write_run


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A folder of runs: six arms, three discrete tasks and a continuous one, fourteen seeds."""
    root = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(1)
    quantiles = norm.ppf((np.arange(SEEDS) + 0.5) / SEEDS)  # so that the means are as stated
    for arm, score in STUDY.items():
        spread = 0.3 if arm == "gru=plain" else 0.05
        for task in REFERENCES:
            for seed, deviation in enumerate(rng.permutation(quantiles)):
                write_run(root, arm, task, seed, finals=score + spread * deviation)
    return root


@pytest.fixture(scope="session")
def judged(study):
    """The study, judged."""
    return studies.judge(read.load(study))


@pytest.fixture(scope="session")
def drawn(judged):
    """Its figures, by name."""
    return figures.of(judged)


@pytest.fixture(scope="session")
def page(judged):
    """Its report."""
    return pages.report(judged)


@pytest.fixture(scope="session")
def published_folder():
    if not committed.SCORE_FILES.is_dir():
        pytest.skip(f"the official score files are not in {committed.SCORE_FILES}")
    return committed.SCORE_FILES
