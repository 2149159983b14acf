"""Films an episode at an evaluation; the training does not notice."""

from collections.abc import Callable

import gymnasium

from agent.dreamer import Dreamer
from agent.run import film, seeding, watched
from agent.run.record import Record
from agent.run.seeding import Stream

LONGEST = 300  # steps of an episode that are filmed


class Camera:
    """Adds moving pictures to a run's `record`, in an environment of its own."""

    def __init__(self, make_env: Callable[..., gymnasium.Env], seed: int, record: Record):
        self._make_env = make_env
        self._seed = seed
        self._record = record
        self._env: gymnasium.Env | None = None

    def film(self, agent: Dreamer, step: int) -> None:
        """Film an episode that starts as the first one of the evaluation at `step` does."""
        if self._env is None:
            self._env = watched.environment(self._make_env)
        start = seeding.derive(self._seed, Stream.EVAL_EPISODE, step, 0)
        latents = seeding.torch_generator(self._seed, Stream.WATCH, step, agent.device)
        episode = watched.play(agent, self._env, start, latents, LONGEST)
        file = self._record.picture_file("episode", step, ".gif")
        film.save(file, film.frames(episode))
        self._record.picture("episode", step, file)

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            self._env.close()
