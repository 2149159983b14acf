"""Observations as pictures, and strips of open-loop predictions: truth, model and error."""

import colorsys

import numpy as np
from torch import Tensor

from agent.run.replay import Replay

SIDE = 64  # pixels; smaller pictures are enlarged, bars are as high
SEQUENCES, STEPS = 4, 20
CONTEXT = 5  # observations that the model sees before it predicts
CANDIDATES = 8  # sequences of which one is shown


def sample(replay: Replay, rng: np.random.Generator) -> dict[str, Tensor]:
    """Replayed rows (SEQUENCES, STEPS, ...) with few or no ends of an episode to foresee."""
    rows = replay.sample(CANDIDATES * SEQUENCES, STEPS, rng)
    kept = rows["is_first"][:, CONTEXT:].sum(1).argsort(stable=True)[:SEQUENCES]
    return {name: values[kept] for name, values in rows.items()}


def strip(truth: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Picture (3 n h, T w, 3) uint8 of n sequences of T observations (n, T, ...), as the decoder
    shows them: rows truth, model and error of each."""
    truth, model = rgb(truth, truth), rgb(model, truth)
    frames = np.stack([truth, model, (model - truth + 1.0) / 2.0], axis=1)
    scale = max(1, SIDE // frames.shape[3])
    frames = frames.repeat(scale, axis=3).repeat(scale, axis=4)
    samples, rows, steps, height, width, _ = frames.shape
    picture = frames.transpose(0, 1, 3, 2, 4, 5).reshape(samples * rows * height, steps * width, 3)
    return as_bytes(picture)


def rgb(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """RGB (n, T, h, w, 3) in [0, 1] of images or grids (n, T, H, W, C) in [0, 1], or of vectors
    (n, T, D), whose bars reach the edge at the largest number of `truth`."""
    if values.ndim == 3:
        return bars(values, float(np.abs(truth).max()))
    return colours(values.clip(0.0, 1.0))


def as_bytes(picture: np.ndarray) -> np.ndarray:
    """RGB in [0, 1] as uint8."""
    return (picture * 255.0).round().astype(np.uint8)


def colours(frames: np.ndarray) -> np.ndarray:
    """RGB (..., 3) of gray, RGB or many planes (..., C) in [0, 1]: each plane has a hue, a pixel
    shows its brightest plane."""
    planes = frames.shape[-1]
    if planes == 3:
        return frames
    if planes == 1:
        return frames.repeat(3, axis=-1)
    return frames.max(axis=-1, keepdims=True) * _hues(planes)[frames.argmax(axis=-1)]


def bars(vectors: np.ndarray, largest: float) -> np.ndarray:
    """RGB (..., SIDE, w, 3) in [0, 1] of vectors (..., D): a bar for each number, up or down from
    the middle, which reaches the edge at `largest`."""
    levels = np.linspace(1.0, -1.0, SIDE)[:, None]
    heights = (vectors / max(largest, 1e-6))[..., None, :]
    filled = (levels * heights > 0) & (abs(levels) <= abs(heights))  # (..., SIDE, D)
    size = vectors.shape[-1]
    width = max(2, SIDE // size)
    picture = (filled[..., None] * _hues(size)).repeat(width, axis=-2)
    picture[..., ::width, :] = 0.2  # a line on the left of each bar
    return picture


def _hues(number: int) -> np.ndarray:
    """Colours (number, 3) that differ."""
    return np.array([colorsys.hsv_to_rgb(hue / number, 0.8, 1.0) for hue in range(number)])
