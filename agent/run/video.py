"""An episode as a moving picture: what there was, what the model imagined, return and value."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from agent.dreamer import Dreamer
from agent.envs.wrappers import prepare_rendering
from agent.rssm import State
from agent.run import seeding
from agent.run.episodes import environment_action
from agent.run.pictures import as_bytes, rgb
from agent.run.record import Record
from agent.run.seeding import Stream

LONGEST = 300  # steps of an episode that are filmed at an evaluation
CHUNK = 64  # features that are decoded at a time
MILLISECONDS = 66  # of a frame
MARGIN, LINE, PANEL, CURVE = 8, 14, 192, 48  # pixels
INK, PALE, MARK = "black", "#b0b0b0", "#d62728"


class Episode(NamedTuple):
    """T steps: pictures (T, h, w, 3) uint8 by caption, values (T,), returns (T,) so far, and how
    many steps (T,) before each the model last looked."""

    panels: dict[str, np.ndarray]
    values: np.ndarray
    returns: np.ndarray
    ages: np.ndarray


def film(agent: Dreamer, env: gymnasium.Env, seed: int, step: int, record: Record) -> None:
    """Add an episode to the record of a run with this `seed`: the one that the evaluation at `step`
    plays first."""
    start = seeding.derive(seed, Stream.EVAL_EPISODE, step, 0)
    latents = seeding.torch_generator(seed, Stream.WATCH, step, agent.device)
    file = record.picture_file("episode", step, ".gif")
    save(file, play(agent, env, start, latents, LONGEST))
    record.picture("episode", step, file)


@torch.no_grad()
def play(
    agent: Dreamer, env: gymnasium.Env, seed: int, generator: torch.Generator, longest: int
) -> Episode:
    """Play an episode of at most `longest` steps with the policy's mode.

    `seed` fixes the environment and `generator`, on the agent's device, the latents.
    """
    observation, _ = env.reset(seed=seed)
    observations, drawn, states, returns, over = [], [_draw(env)], [], [0.0], False
    state = agent.initial(1)
    while not over and len(states) < longest:
        observations.append(observation)
        first = np.array([not states])
        action, state = agent.act(
            observation[None], state, first, evaluate=True, progress=1.0, generator=generator
        )
        states.append(state)
        observation, reward, terminated, truncated, _ = env.step(environment_action(env, action[0]))
        returns.append(returns[-1] + float(reward))
        drawn.append(None if drawn[-1] is None else _draw(env))
        over = terminated or truncated
    tensors = {name: torch.cat([state[name] for state in states]).float() for name in state}
    actions, post = tensors.pop("action"), State(**tensors)
    panels = _panels(agent, np.stack(observations), imagine(agent, post, actions, generator))
    if all(picture is not None for picture in drawn):
        panels = {"drawn by the environment": np.stack(drawn[:-1]), **panels}
    ages = np.arange(len(states)) % agent.recipe.horizon
    return Episode(panels, agent.critic(post.feat).cpu().numpy(), np.array(returns[1:]), ages)


def imagine(agent: Dreamer, post: State, actions: Tensor, generator: torch.Generator) -> Tensor:
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


def save(file: Path, episode: Episode) -> None:
    """Write an episode as a gif file."""
    first, *others = frames(episode)
    first.save(file, save_all=True, append_images=others, duration=MILLISECONDS, loop=0)


def frames(episode: Episode) -> Iterator[Image.Image]:
    """One frame for each step: the panels below their captions, and the curve of the values."""
    widths = [max(_enlarged(shown[0]).width, PANEL) + MARGIN for shown in episode.panels.values()]
    text_at = 2 * MARGIN + LINE + PANEL
    size = sum(widths) + MARGIN, text_at + LINE + CURVE + 2 * MARGIN
    across = np.linspace(MARGIN, size[0] - MARGIN, len(episode.values))
    depth = (episode.values.max() - episode.values) / max(np.ptp(episode.values), 1e-6)
    curve = list(zip(across, text_at + LINE + MARGIN + CURVE * depth, strict=True))
    for step, (value, total, age) in enumerate(zip(*episode[1:], strict=True)):
        frame = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(frame)
        for column, (caption, shown) in enumerate(episode.panels.items()):
            left = MARGIN + sum(widths[:column])
            draw.text((left, MARGIN // 2), caption.format(age=age), INK)
            frame.paste(_enlarged(shown[step]), (left, MARGIN + LINE))
        draw.text((MARGIN, text_at), f"step {step}   return {total:.4g}   value {value:.3g}", INK)
        draw.line(curve, PALE)
        draw.line(curve[: step + 1], MARK, width=2)
        yield frame


def _draw(env: gymnasium.Env) -> np.ndarray | None:
    """What the environment draws, (H, W, 3) uint8; None where it draws nothing here."""
    try:
        prepare_rendering()
        env.unwrapped.render_mode = "rgb_array"
        return np.asarray(_enlarged(np.asarray(env.render(), np.uint8)))
    except Exception:  # of a simulator without pictures, or of the machine's graphics
        return None


def _panels(agent: Dreamer, seen: np.ndarray, feats: Tensor) -> dict[str, np.ndarray]:
    """Pictures of the observations (T, ...), and of those that the model decodes from features
    (T, F)."""
    decoder = agent.model.heads["observation"]
    model = torch.cat([decoder.picture(part.unsqueeze(0)) for part in feats.split(CHUNK)], 1)
    truth = decoder.truth(torch.from_numpy(seen).unsqueeze(0)).numpy()
    shown = {"observed": truth, "imagined, {age} steps after the last look": model.cpu().numpy()}
    return {name: as_bytes(rgb(values, truth)[0]) for name, values in shown.items()}


def _enlarged(picture: np.ndarray) -> Image.Image:
    """A picture (h, w, 3) uint8, enlarged or reduced to the height of a panel."""
    image = Image.fromarray(picture)
    size = max(1, image.width * PANEL // image.height), PANEL
    return image.resize(size, Image.Resampling.BOX)
