"""Evaluation: greedy episodes in environments of their own, independent of the training's random
numbers."""

from collections.abc import Callable

import gymnasium
import numpy as np
import torch

from agent.training.collect import Score, environment_action


@torch.no_grad()
def evaluate(
    agent,
    envs: list[gymnasium.Env],
    seeds: list[int],
    generator: torch.Generator | None = None,
    check_stop: Callable[[], None] = lambda: None,
) -> list[Score]:
    """Play one episode in each environment, in step with one another, with the mode of the policy.

    `seeds` fix the environments and `generator`, on the agent's device, the latents; `check_stop`
    is called at every step and may raise to break off.
    """
    observations = np.stack(
        [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    )
    returns, lengths = np.zeros(len(envs)), np.zeros(len(envs), dtype=int)
    playing = np.arange(len(envs))
    state, is_first = agent.initial(len(envs)), np.ones(len(envs), dtype=bool)
    while len(playing):
        check_stop()
        actions, state = agent.act(
            observations, state, is_first, evaluate=True, progress=1.0, generator=generator
        )
        steps = [_step(envs[index], action) for index, action in zip(playing, actions, strict=True)]
        observations, rewards, over = (np.stack(column) for column in zip(*steps, strict=True))
        returns[playing] += rewards
        lengths[playing] += 1
        going_on = np.flatnonzero(~over)
        playing, observations, is_first = (
            playing[going_on],
            observations[going_on],
            np.zeros(len(going_on), dtype=bool),
        )
        rows = torch.from_numpy(going_on)
        state = {name: value[rows.to(value.device)] for name, value in state.items()}
    return [Score(float(ret), int(length)) for ret, length in zip(returns, lengths, strict=True)]


def _step(env: gymnasium.Env, action: np.ndarray) -> tuple[np.ndarray, float, bool]:
    """Observation, raw reward, and whether the episode is over."""
    observation, reward, terminated, truncated, _ = env.step(environment_action(env, action))
    return observation, float(reward), terminated or truncated
