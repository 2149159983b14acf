"""Videos of an episode as it was and as the model imagined it, and strips of predictions."""

import colorsys
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
from agent.run.episodes import Episode

SIDE, MARGIN, LINE, PANEL, CURVE = 64, 8, 14, 192, 48  # pixels


class Film(NamedTuple):
    """T steps: pictures (T, h, w, 3) uint8 by caption, values (T,), and returns (T,) so far; the
    model looks at every `horizon`-th observation."""

    panels: dict[str, np.ndarray]
    values: np.ndarray
    returns: np.ndarray
    horizon: int


@torch.no_grad()
def play(
    agent: Dreamer, env: gymnasium.Env, seed: int, generator: torch.Generator, longest: int
) -> Film:
    """Play an episode of at most `longest` steps with the policy's mode; `seed` fixes the
    environment, `generator`, on the agent's device, the latents."""
    episode, state = Episode(env, seed, "the video"), agent.initial(1)
    observations, drawn, states, returns = [], [], [], []
    while not episode.over and episode.length < longest:
        observations.append(episode.observation)
        drawn += _draw(env) if len(drawn) == len(states) else []  # not again after a failure
        first = np.array([not states])
        action, state = agent.act(
            observations[-1][None], state, first, evaluate=True, progress=1.0, generator=generator
        )
        states.append(state)
        episode.step(action[0])
        returns.append(episode.ret)
    tensors = {name: torch.cat([state[name] for state in states]).float() for name in state}
    actions, post = tensors.pop("action"), State(**tensors)
    panels = _panels(agent, np.stack(observations), imagine(agent, post, actions, generator))
    if len(drawn) == len(states):
        panels = {"drawn by the environment": np.stack(drawn), **panels}
    values = agent.critic(post.feat).cpu().numpy()
    return Film(panels, values, np.array(returns), agent.recipe.horizon)


def imagine(agent: Dreamer, post: State, actions: Tensor, generator: torch.Generator) -> Tensor:
    """Features (T, F) of a model that looks at every `recipe.horizon`-th observation only, from
    the posterior states (T, ...) and the actions (T, A) that were taken."""
    rssm, steps = agent.model.rssm, len(actions)
    starts = torch.arange(0, steps, agent.recipe.horizon, device=actions.device)
    state = post.apply(lambda x: x[starts])
    feats = [state.feat]
    for age, noise in enumerate(rssm.noise(agent.recipe.horizon - 1, len(starts), generator)):
        state = rssm.imagine(state, actions[(starts + age).clamp(max=steps - 1)], noise)
        feats.append(state.feat)
    return torch.stack(feats, 1).flatten(0, 1)[:steps]


def save(file: Path, film: Film) -> None:
    """Write a gif file."""
    first, *others = frames(film)
    first.save(file, save_all=True, append_images=others, duration=66, loop=0)


def frames(film: Film) -> Iterator[Image.Image]:
    """One frame for each step: the panels below their captions, and the curve of the values."""
    panels, values = film.panels, film.values
    width = max(PANEL, *(_enlarged(shown[0]).width for shown in panels.values())) + MARGIN
    below = 2 * MARGIN + LINE + PANEL
    size = len(panels) * width + MARGIN, below + LINE + CURVE + 2 * MARGIN
    across = np.linspace(MARGIN, size[0] - MARGIN, len(values))
    depth = (values.max() - values) / max(np.ptp(values), 1e-6)
    curve = list(zip(across, below + LINE + MARGIN + CURVE * depth, strict=True))
    for step, (value, ret) in enumerate(zip(values, film.returns, strict=True)):
        frame = Image.new("RGB", size, "white")
        draw = ImageDraw.Draw(frame)
        for left, (caption, shown) in zip(
            range(MARGIN, size[0], width), panels.items(), strict=True
        ):
            draw.text((left, MARGIN // 2), caption.format(age=step % film.horizon), "black")
            frame.paste(_enlarged(shown[step]), (left, MARGIN + LINE))
        draw.text((MARGIN, below), f"step {step}   return {ret:.4g}   value {value:.3g}", "black")
        draw.line(curve, "silver")
        draw.line(curve[: step + 1], "#d62728", width=2)
        yield frame


def strip(truth: np.ndarray, model: np.ndarray) -> Image.Image:
    """Picture of sequences (n, T, ...) as the decoder shows them: rows truth, model and error."""
    truth, model = _rgb(truth, truth), _rgb(model, truth)
    shown = np.stack([truth, model, (model.astype(int) - truth + 256) // 2], axis=1)
    scale = max(1, SIDE // shown.shape[3])
    rows = np.concatenate(shown.reshape(-1, *shown.shape[2:]).transpose(0, 2, 1, 3, 4))
    picture = rows.reshape(len(rows), -1, 3).repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(picture.astype(np.uint8))


def _draw(env: gymnasium.Env) -> list[np.ndarray]:
    """What the environment draws, (H, W, 3) uint8; nothing where it cannot draw here."""
    try:
        prepare_rendering()
        env.unwrapped.render_mode = "rgb_array"
        return [np.asarray(_enlarged(np.asarray(env.render(), np.uint8)))]
    except Exception:  # of a simulator without pictures, or of the machine's graphics
        return []


def _panels(agent: Dreamer, seen: np.ndarray, feats: Tensor) -> dict[str, np.ndarray]:
    """Pictures of the observations (T, ...), and of those decoded from features (T, F)."""
    decoder = agent.model.heads["observation"]
    model = torch.cat([decoder.picture(part.unsqueeze(0)) for part in feats.split(64)], 1)
    truth = decoder.truth(torch.from_numpy(seen).unsqueeze(0)).numpy()
    shown = {"observed": truth, "imagined, {age} steps after the last look": model.cpu().numpy()}
    return {name: _rgb(values, truth)[0] for name, values in shown.items()}


def _enlarged(picture: np.ndarray) -> Image.Image:
    """A picture (h, w, 3) uint8, enlarged or reduced to the height of a panel."""
    image, scale = Image.fromarray(picture), PANEL / len(picture)
    return image.resize((max(1, int(image.width * scale)), PANEL), Image.Resampling.BOX)


def _rgb(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """RGB (n, T, h, w, 3) uint8 of images or grids (n, T, H, W, C) in [0, 1], each plane of a grid
    in its hue, or of vectors (n, T, D): a bar for each number, up or down from the middle."""
    channels = values.shape[-1]
    hues = np.array([colorsys.hsv_to_rgb(hue / channels, 0.8, 1.0) for hue in range(channels)])
    if values.ndim == 3:
        levels = np.linspace(1.0, -1.0, SIDE)[:, None]
        heights = (values / max(float(np.abs(truth).max()), 1e-6))[..., None, :]
        filled = (levels * heights > 0) & (abs(levels) <= abs(heights))  # (n, T, SIDE, D)
        shown = (filled[..., None] * hues).repeat(max(2, SIDE // channels), axis=-2)
    elif channels in (1, 3):
        shown = values.clip(0.0, 1.0).repeat(3 // channels, axis=-1)
    else:
        shown = values.clip(0.0, 1.0).max(axis=-1, keepdims=True) * hues[values.argmax(axis=-1)]
    return (shown * 255.0).round().astype(np.uint8)
