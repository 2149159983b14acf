"""Playing episodes: the training's, one step at a time, into replay, and greedy ones that are
scored."""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import flatdim
from torch import Tensor

from agent.config import Settings
from agent.run import seeding
from agent.run.replay import Replay
from agent.run.seeding import Stream
from agent.spaces import action_kind


class Score(NamedTuple):
    """Raw return and length, in agent steps, of one episode."""

    ret: float
    length: int


class EnvironmentFault(Exception):
    """The environment gave a number that is not finite, or does not repeat itself."""


def environment_action(env: gymnasium.Env, action: np.ndarray) -> int | np.ndarray:
    """The environment's form of an agent's action (A,): an index for one-hot actions."""
    return int(action.argmax()) if action_kind(env.action_space) == "discrete" else action


def check_finite(observation: np.ndarray, reward: float, where: str) -> None:
    """Raise EnvironmentFault for NaN or infinity in what the environment returned at `where`."""
    whole = observation.dtype.kind != "f" or np.isfinite(observation).all()
    if whole and np.isfinite(reward):
        return
    raise EnvironmentFault(
        f"the environment's {'reward' if whole else 'observation'} is not finite at {where}"
    )


class Collector:
    """Plays episodes whose seeds are functions of the run's seed and the episode's number; rewards
    stay raw."""

    def __init__(
        self,
        env: gymnasium.Env,
        agent,
        replay: Replay,
        prefill: int,
        rng: np.random.Generator,
        seed: int,
        knows_ends: bool = True,
    ):
        """The first `prefill` steps take uniform actions drawn from `rng`; `knows_ends` tells
        whether the agent has a model of termination."""
        self.env = env
        self.agent = agent
        self.replay = replay
        self.rng = rng
        self.seed = seed
        self.prefill = prefill
        self.knows_ends = knows_ends
        self.episode = -1
        self._new_episode()

    def step(self, step: int, progress: float) -> Score | None:
        """Take agent step number `step`, from 0, and store it in replay; returns a score if it
        ended the episode.

        EnvironmentFault for NaN or infinity from the environment, and for a termination that the
        agent has no model of.
        """
        if self.observation is None:
            self._reset()
            action = np.zeros(flatdim(self.env.action_space), np.float32)
            self.replay.add(self.observation, action, 0.0, True, False)
        action = self._random_action() if step < self.prefill else self._policy_action(progress)
        reward, terminated, truncated = self._act(action)
        self.replay.add(self.observation, action, reward, False, terminated)
        if terminated and not self.knows_ends:
            raise EnvironmentFault(
                f"episode {self.episode} of the training terminated, which recipe.discount_scale=0 "
                "has no model of: task.terminates=false does not hold"
            )
        if not (terminated or truncated):
            return None
        score = Score(self.ret, len(self.actions))
        self._new_episode()
        return score

    def state_dict(self) -> dict:
        """The episode under way: its number, its actions (N, A), the last observation and the
        acting state; None between episodes."""
        under_way = self.observation is not None
        return {
            "episode": self.episode,
            "actions": torch.from_numpy(np.array(self.actions)) if self.actions else None,
            "observation": torch.from_numpy(np.array(self.observation)) if under_way else None,
            "agent_state": self.agent_state,
        }

    def load_state_dict(self, state: dict, device: torch.device) -> None:
        """Play the episode under way again, by its seed and its actions; EnvironmentFault where it
        comes to another observation."""
        self.episode = state["episode"]
        self._new_episode()
        if state["observation"] is None:
            return
        self.episode -= 1
        self._reset()
        over = False
        for action in state["actions"].numpy():
            _, *ends = self._act(action)
            over = over or any(ends)
        if over or not np.array_equal(self.observation, state["observation"].numpy()):
            raise EnvironmentFault(
                f"episode {self.episode} of the training, played again by its seed and its "
                f"{len(self.actions)} actions, comes to another observation: the environment must "
                "depend on these alone; without checkpoint.pt, run.retry_failed=true goes on from "
                "checkpoint.previous.pt"
            )
        if state["agent_state"] is not None:
            move = lambda tensor: tensor.to(device)  # noqa: E731
            self.agent_state = {name: move(value) for name, value in state["agent_state"].items()}

    def _reset(self) -> None:
        self.episode += 1
        seed = seeding.derive(self.seed, Stream.TRAIN_EPISODE, self.episode)
        self.observation, _ = self.env.reset(seed=seed)
        check_finite(self.observation, 0.0, f"the start of episode {self.episode} of the training")

    def _act(self, action: np.ndarray) -> tuple[float, bool, bool]:
        """Act in the environment; raw reward, terminated, truncated."""
        self.observation, reward, terminated, truncated, _ = self.env.step(
            environment_action(self.env, action)
        )
        self.actions.append(action)
        self.ret += float(reward)
        where = f"step {len(self.actions)} of episode {self.episode} of the training"
        check_finite(self.observation, reward, where)
        return reward, terminated, truncated

    def _new_episode(self) -> None:
        self.observation: np.ndarray | None = None
        self.agent_state: dict[str, Tensor] | None = None
        self.actions: list[np.ndarray] = []
        self.ret = 0.0

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


@torch.no_grad()
def evaluate(
    agent,
    envs: list[gymnasium.Env],
    seeds: list[int],
    most_steps: int,
    generator: torch.Generator | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> tuple[list[Score], int]:
    """Play one episode in each environment, in step with one another, with the mode of the policy;
    returns scores, and how many episodes were cut after `most_steps` steps.

    `seeds` fix the environments and `generator`, on the agent's device, the latents; `check_stop`
    is called at every step and may raise to break off. EnvironmentFault for NaN or infinity.
    """
    observations = np.stack([_reset(env, seed) for env, seed in zip(envs, seeds, strict=True)])
    returns, lengths = np.zeros(len(envs)), np.zeros(len(envs), dtype=int)
    playing = np.arange(len(envs))
    state, is_first = agent.initial(len(envs)), np.ones(len(envs), dtype=bool)
    for step in range(1, most_steps + 1):
        check_stop()
        actions, state = agent.act(
            observations, state, is_first, evaluate=True, progress=1.0, generator=generator
        )
        steps = [
            _step(envs[index], action, f"step {step} of episode {index} of an evaluation")
            for index, action in zip(playing, actions, strict=True)
        ]
        observations, rewards, over = (np.stack(column) for column in zip(*steps, strict=True))
        returns[playing] += rewards
        lengths[playing] += 1
        is_first = np.zeros(len(playing), dtype=bool)
        if over.any():
            going_on = np.flatnonzero(~over)
            playing, observations = playing[going_on], observations[going_on]
            is_first, state = is_first[going_on], _select(state, going_on)
        if not len(playing):
            break
    scores = [Score(float(ret), int(length)) for ret, length in zip(returns, lengths, strict=True)]
    return scores, len(playing)


def _reset(env: gymnasium.Env, seed: int) -> np.ndarray:
    """The first observation."""
    observation, _ = env.reset(seed=seed)
    check_finite(observation, 0.0, "the start of an evaluation")
    return observation


def _step(env: gymnasium.Env, action: np.ndarray, where: str) -> tuple[np.ndarray, float, bool]:
    """Observation, raw reward, and whether the episode is over."""
    observation, reward, terminated, truncated, _ = env.step(environment_action(env, action))
    check_finite(observation, reward, where)
    return observation, float(reward), terminated or truncated


def _select(state: dict[str, torch.Tensor], rows: np.ndarray) -> dict[str, torch.Tensor]:
    """The rows of every tensor of an acting state; their numbers are copied to its device once."""
    index = torch.from_numpy(rows).to(next(iter(state.values())).device)
    return {name: value[index] for name, value in state.items()}


class Evaluator:
    """The evaluations of a run, in environments of their own, made for the first one."""

    def __init__(
        self, make_env: Callable[[], gymnasium.Env], settings: Settings, device: torch.device
    ):
        self._make_env = make_env
        self._settings = settings
        self._device = device
        self._envs: list[gymnasium.Env] = []

    def play(self, agent, step: int, check_stop: Callable[[], None]) -> tuple[list[Score], int]:
        """What `evaluate` returns, for seeds that depend on the run's seed and the step alone."""
        count, seed = self._settings.eval_episodes, self._settings.seed
        if not self._envs:
            self._envs = [self._make_env() for _ in range(count)]
        seeds = [seeding.derive(seed, Stream.EVAL_EPISODE, step, k) for k in range(count)]
        latents = seeding.torch_generator(seed, Stream.EVAL_LATENTS, step, self._device)
        most = self._settings.eval_max_steps
        return evaluate(agent, self._envs, seeds, most, latents, check_stop)

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()
