"""Collecting experience: the training's episodes, one step at a time, into replay."""

from typing import NamedTuple

import gymnasium
import numpy as np
from gymnasium.spaces import flatdim

from agent.spaces import action_kind
from agent.storage.replay import Replay
from agent.training import seeding
from agent.training.seeding import Stream


class Score(NamedTuple):
    """Raw return and length, in agent steps, of one episode."""

    ret: float
    length: int


def environment_action(env: gymnasium.Env, action: np.ndarray) -> int | np.ndarray:
    """The environment's form of an agent's action (A,): an index for one-hot actions."""
    return int(action.argmax()) if action_kind(env.action_space) == "discrete" else action


class Collector:
    """Plays episodes whose seeds are functions of the run's seed and the episode's number; rewards
    stay raw."""

    def __init__(
        self,
        env: gymnasium.Env,
        agent,
        replay: Replay,
        rng: np.random.Generator,
        seed: int,
        prefill: int,
    ):
        """The first `prefill` steps take uniform actions drawn from `rng`."""
        self.env, self.agent, self.replay, self.rng, self.seed, self.prefill = (
            env,
            agent,
            replay,
            rng,
            seed,
            prefill,
        )
        self.episode = -1
        self._new_episode()

    def step(self, step: int, progress: float) -> Score | None:
        """Take agent step number `step`, from 0, and store it in replay; returns a score if it
        ended the episode."""
        if self.observation is None:
            self._reset()
        action = self._random_action() if step < self.prefill else self._policy_action(progress)
        self.observation, reward, terminated, truncated, _ = self.env.step(
            environment_action(self.env, action)
        )
        self.replay.add(self.observation, action, reward, False, terminated)
        self.ret += float(reward)
        self.length += 1
        if not (terminated or truncated):
            return None
        score = Score(self.ret, self.length)
        self._new_episode()
        return score

    def _reset(self) -> None:
        self.episode += 1
        self.observation, _ = self.env.reset(
            seed=seeding.derive(self.seed, Stream.TRAIN_EPISODE, self.episode)
        )
        self.replay.add(
            self.observation, np.zeros(flatdim(self.env.action_space), np.float32), 0.0, True, False
        )

    def _new_episode(self) -> None:
        self.observation = self.agent_state = None
        self.ret, self.length = 0.0, 0

    def _random_action(self) -> np.ndarray:
        """Uniform action (A,) float32: one-hot, or in [-1, 1]."""
        size = flatdim(self.env.action_space)
        if action_kind(self.env.action_space) == "discrete":
            return np.eye(size, dtype=np.float32)[self.rng.integers(size)]
        return self.rng.uniform(-1.0, 1.0, size).astype(np.float32)

    def _policy_action(self, progress: float) -> np.ndarray:
        """Action (A,) float32 of the policy, which starts from a fresh state where it takes over
        from the prefill."""
        is_first = np.array([self.agent_state is None])
        state = self.agent.initial(1) if self.agent_state is None else self.agent_state
        actions, self.agent_state = self.agent.act(
            self.observation[None], state, is_first, evaluate=False, progress=progress
        )
        return actions[0]
