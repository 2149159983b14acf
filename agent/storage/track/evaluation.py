"""The mean of an evaluation, from its episodes as they are recorded."""

from collections.abc import Mapping
from typing import Any


class Evaluation:
    """Gathers the rows of scores.csv of one evaluation of `episodes` episodes."""

    def __init__(self, episodes: int):
        self.episodes = episodes
        self._returns: list[float] = []

    def add(self, row: Mapping[str, Any]) -> float | None:
        """Take a row of kind `eval`; the mean return once the evaluation is complete."""
        if row["episode"] == 0:
            self._returns = []
        self._returns.append(row["return"])
        return (
            sum(self._returns) / len(self._returns) if len(self._returns) == self.episodes else None
        )
