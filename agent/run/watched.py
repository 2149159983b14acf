"""One greedy episode, with what the agent makes of it: to be looked at, not scored."""

from collections.abc import Callable
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor

from agent.dreamer import Dreamer
from agent.envs.wrappers import one_line
from agent.errors import UserError
from agent.rssm import State
from agent.run.episodes import environment_action
from agent.run.predictions import colours
from agent.spaces import observation_kind

DECODED = 64  # pictures at a time


class Episode(NamedTuple):
    """T steps: pictures (T, H, W, 3) uint8 of what there was and, unless None, of what the model
    imagined `ages` (T,) steps after it last looked; values (T,) and returns (T,) so far."""

    seen: np.ndarray
    imagined: np.ndarray | None
    ages: np.ndarray
    values: np.ndarray
    returns: np.ndarray


def environment(make: Callable[..., gymnasium.Env]) -> gymnasium.Env:
    """An environment with something to see: its observations, or else its own picture.

    `make(render=True)` makes one that draws. UserError where there is no picture.
    """
    env = make()
    if observation_kind(env.observation_space) != "vector":
        return env
    env.close()
    env = make(render=True)
    env.reset(seed=0)
    _picture(env)
    return env


@torch.no_grad()
def play(
    agent: Dreamer, env: gymnasium.Env, seed: int, generator: torch.Generator, longest: int
) -> Episode:
    """Play an episode of at most `longest` steps in an `environment` with the policy's mode.

    `seed` fixes the environment and `generator`, on the agent's device, the latents.
    """
    pictured = observation_kind(env.observation_space) != "vector"
    observation, _ = env.reset(seed=seed)
    seen, states, returns, over = [], [], [0.0], False
    state = agent.initial(1)
    while not over and len(seen) < longest:
        seen.append(observation if pictured else _picture(env))
        first = np.array([not states])
        action, state = agent.act(
            observation[None], state, first, evaluate=True, progress=1.0, generator=generator
        )
        states.append(state)
        observation, reward, terminated, truncated, _ = env.step(environment_action(env, action[0]))
        returns.append(returns[-1] + float(reward))
        over = terminated or truncated
    tensors = {name: torch.cat([state[name] for state in states]).float() for name in state}
    actions, post = tensors.pop("action"), State(**tensors)
    shown = np.stack(seen)
    imagined = None
    if pictured:
        shown = _truth(agent, shown)
        imagined = _decoded(agent, _imagine(agent, post, actions, generator))
    return Episode(
        seen=shown,
        imagined=imagined,
        ages=np.arange(len(seen)) % agent.recipe.horizon,
        values=agent.critic(post.feat).cpu().numpy(),
        returns=np.array(returns[1:]),
    )


def _imagine(agent: Dreamer, post: State, actions: Tensor, generator: torch.Generator) -> Tensor:
    """Features (T, F) of a model that looks at every `recipe.horizon`-th observation only, from
    the posterior states (T, ...) and the actions (T, A) that were taken."""
    rssm, steps = agent.model.rssm, len(actions)
    starts = torch.arange(0, steps, agent.recipe.horizon, device=actions.device)
    state = post.apply(lambda x: x[starts])
    feats = [state.feat]
    for age, noise in enumerate(rssm.noise(agent.recipe.horizon - 1, len(starts), generator)):
        taken = actions[(starts + age).clamp(max=steps - 1)]
        state = rssm.imagine(state, taken, noise)
        feats.append(state.feat)
    return torch.stack(feats, 1).flatten(0, 1)[:steps]


def _truth(agent: Dreamer, observations: np.ndarray) -> np.ndarray:
    """Images or grids (T, H, W, C) as RGB."""
    truth = agent.model.heads["observation"].truth(torch.from_numpy(observations))
    return _bytes(truth.numpy())


def _decoded(agent: Dreamer, feats: Tensor) -> np.ndarray:
    """What the model sees in features (T, F), as RGB."""
    decoder = agent.model.heads["observation"]
    parts = [decoder.picture(part.unsqueeze(0))[0].cpu() for part in feats.split(DECODED)]
    return _bytes(torch.cat(parts).numpy())


def _picture(env: gymnasium.Env) -> np.ndarray:
    """What the environment draws, (H, W, 3) uint8."""
    try:
        picture = env.render()
    except Exception as error:  # of a simulator or of the machine's graphics
        raise UserError(f"{env.unwrapped} cannot draw: {one_line(error)}") from error
    if not isinstance(picture, np.ndarray) or picture.ndim != 3:
        raise UserError(f"{env.unwrapped} draws no picture, and its observations are none")
    return picture.astype(np.uint8)


def _bytes(pictures: np.ndarray) -> np.ndarray:
    """Pictures (T, H, W, C) in [0, 1] as RGB (T, H, W, 3) uint8."""
    return (colours(pictures.clip(0.0, 1.0)) * 255.0).round().astype(np.uint8)
