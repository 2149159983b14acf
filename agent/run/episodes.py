"""Episodes: those of the training go into replay, greedy ones are scored."""

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import flatdim
from torch import Tensor

from agent.dreamer import Dreamer
from agent.run import numerics
from agent.run.numerics import Stream
from agent.run.replay import Replay
from agent.spaces import action_kind


class EnvironmentFault(Exception):
    """The environment gave a number that is not finite, or does not repeat itself."""


class Episode:
    """One episode, with its raw return `ret`; EnvironmentFault for NaN or infinity in it."""

    def __init__(self, env: gymnasium.Env, seed: int, name: str):
        """Reset `env` by `seed`; `name` is what a fault calls the episode."""
        self.env = env
        self.is_discrete = action_kind(env.action_space) == "discrete"
        self.name = name
        self.actions: list[np.ndarray] = []
        self.ret = 0.0
        self.over = False
        self.observation, _ = env.reset(seed=seed)
        self._check_finite(reward=0.0)

    @property
    def length(self) -> int:
        """Agent steps so far."""
        return len(self.actions)

    def step(self, action: np.ndarray) -> tuple[float, bool]:
        """Take an agent's action (A,); returns the reward and whether the episode terminated."""
        taken = int(action.argmax()) if self.is_discrete else action
        self.observation, given, terminated, truncated, _ = self.env.step(taken)
        reward = float(given)
        self.actions.append(action)
        self.ret += reward
        self.over = self.over or bool(terminated or truncated)
        self._check_finite(reward)
        return reward, bool(terminated)

    def _check_finite(self, reward: float) -> None:
        for name, value in (("observation", self.observation), ("reward", reward)):
            if not np.isfinite(value).all():
                raise EnvironmentFault(
                    f"the environment's {name} is not finite at step {self.length} of {self.name}"
                )


@dataclass
class Collector:
    """Plays the training's episodes into replay; every random number is a function of the run's
    seed and of the number of the episode or the step."""

    env: gymnasium.Env
    agent: Dreamer
    replay: Replay
    prefill: int  # first steps, which take uniform actions
    seed: int
    knows_ends: bool = True  # whether the agent has a model of termination
    started: int = 0  # episodes
    episode: Episode | None = None  # under way
    agent_state: dict[str, Tensor] | None = None

    def step(self, step: int, progress: float) -> Episode | None:
        """Take agent step number `step`, from 0, and store it in replay; returns the episode that
        it ended, if any.

        EnvironmentFault for NaN or infinity from the environment, and for a termination that the
        agent has no model of.
        """
        if self.episode is None:
            self.episode = self._start_episode()
            nothing = np.zeros(flatdim(self.env.action_space), np.float32)
            self.replay.add(self.episode.observation, nothing, 0.0, True, False)
        episode, policy = self.episode, step >= self.prefill
        action = self._policy_action(step, progress) if policy else self._random_action(step)
        reward, terminated = episode.step(action)
        self.replay.add(episode.observation, action, reward, False, terminated)
        if terminated and not self.knows_ends:
            raise EnvironmentFault(
                f"{episode.name} terminated, which recipe.discount_scale=0 has no model of: "
                "task.terminates=false does not hold"
            )
        if not episode.over:
            return None
        self.episode = self.agent_state = None
        return episode

    def state_dict(self) -> dict:
        """How many episodes were started; of the one under way its actions (N, A), the last
        observation and the acting state."""
        under_way = self.episode and {
            "actions": torch.from_numpy(np.array(self.episode.actions)),
            "observation": torch.from_numpy(self.episode.observation.copy()),
            "agent_state": self.agent_state,
        }
        return {"started": self.started, "under_way": under_way}

    def load_state_dict(self, state: dict) -> None:
        """Play the episode under way again, by its seed and its actions; EnvironmentFault where it
        comes to another observation."""
        self.started, played = state["started"], state["under_way"]
        self.episode = self.agent_state = None
        if played is None:
            return
        self.started -= 1
        episode = self.episode = self._start_episode()
        for action in played["actions"].numpy():
            episode.step(action)
        if episode.over or not np.array_equal(episode.observation, played["observation"].numpy()):
            raise EnvironmentFault(
                f"{episode.name}, played again by its seed and its {episode.length} actions, comes "
                "to another observation: the environment must depend on these alone; without "
                "checkpoint.pt, run.retry_failed=true goes on from checkpoint.previous.pt"
            )
        if acting := played["agent_state"]:
            self.agent_state = {name: value.to(self.agent.device) for name, value in acting.items()}

    def _start_episode(self) -> Episode:
        number, self.started = self.started, self.started + 1
        numerics.seed_libraries(self.seed, Stream.TRAIN_EPISODE, number)
        seed = numerics.derive(self.seed, Stream.TRAIN_EPISODE, number)
        return Episode(self.env, seed, f"episode {number} of the training")

    def _random_action(self, step: int) -> np.ndarray:
        """Uniform action (A,) float32: one-hot, or in [-1, 1]."""
        rng = numerics.generator(self.seed, Stream.PREFILL, step)
        size = flatdim(self.env.action_space)
        if action_kind(self.env.action_space) == "discrete":
            return np.eye(size, dtype=np.float32)[rng.integers(size)]
        return rng.uniform(-1.0, 1.0, size).astype(np.float32)

    def _policy_action(self, step: int, progress: float) -> np.ndarray:
        """Action (A,) float32 of the policy, which takes over from the prefill in a fresh state."""
        assert self.episode
        numerics.seed_torch(self.seed, Stream.ACT, step, self.agent.device)
        is_first = np.array([self.agent_state is None])
        state = self.agent_state or self.agent.initial(1)
        actions, self.agent_state = self.agent.act(
            self.episode.observation[None], state, is_first, evaluate=False, progress=progress
        )
        return actions[0]


@torch.no_grad()
def evaluate(
    agent: Dreamer,
    envs: list[gymnasium.Env],
    *,
    seed: int,
    step: int,
    most_steps: int,
    check_stop: Callable[[], None] = lambda: None,
) -> list[Episode]:
    """Play one episode in each environment, in step with one another, with the mode of the policy;
    those that are not over after `most_steps` steps are cut.

    Random numbers depend on the run's seed and the agent step alone. `check_stop` is called at
    every step and may raise to break off. EnvironmentFault for NaN or infinity.
    """
    latents = numerics.torch_generator(seed, Stream.EVAL_LATENTS, step, agent.device)
    episodes = []
    for number, env in enumerate(envs):
        start = numerics.derive(seed, Stream.EVAL_EPISODE, step, number)
        episodes.append(Episode(env, start, f"episode {number} of an evaluation"))
    playing, state = episodes, agent.initial(len(episodes))
    for played in range(most_steps):
        check_stop()
        observations = np.stack([episode.observation for episode in playing])
        is_first = np.full(len(playing), played == 0)
        actions, state = agent.act(
            observations, state, is_first, evaluate=True, progress=1.0, generator=latents
        )
        for episode, action in zip(playing, actions, strict=True):
            episode.step(action)
        left = [row for row, episode in enumerate(playing) if not episode.over]
        if not left:
            break
        if len(left) < len(playing):
            playing = [playing[row] for row in left]
            rows = torch.tensor(left, device=agent.device)
            state = {name: value[rows] for name, value in state.items()}
    return episodes
