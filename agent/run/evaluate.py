"""Evaluation: greedy episodes in environments of their own, independent of the training's random
numbers."""

from collections.abc import Callable

import gymnasium
import numpy as np
import torch

from agent.run import seeding
from agent.run.collect import Score, check_finite, environment_action
from agent.run.seeding import Stream
from agent.run.settings import Settings


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
