"""Pictures of open-loop predictions: the truth, what the model foresees without seeing it, and the
error."""

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from agent.run.replay import Replay

MIN_SIDE = 64  # pixels; smaller frames are enlarged
SEQUENCES, STEPS = 4, 20
WATCHED_STEPS = 5  # observations that the model sees before it predicts
CANDIDATES = 8  # sequences of which one is shown


def sample(replay: Replay, rng: np.random.Generator) -> dict[str, Tensor]:
    """Replayed rows (SEQUENCES, STEPS, ...) with few or no ends of an episode to foresee."""
    rows = replay.sample(CANDIDATES * SEQUENCES, STEPS, rng)
    whole = rows["is_first"][:, WATCHED_STEPS:].sum(1).argsort(stable=True)[:SEQUENCES]
    return {name: values[whole] for name, values in rows.items()}


def strip(truth: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Picture (3 n h, T w, 3) uint8 of sequences (n, T, H, W, C) in [0, 1]: rows truth, model and
    error of each."""
    truth, model = colours(truth), colours(np.clip(model, 0.0, 1.0))
    error = (model - truth + 1.0) / 2.0
    frames = np.stack([truth, model, error], axis=1)
    scale = max(1, MIN_SIDE // frames.shape[3])
    frames = frames.repeat(scale, axis=3).repeat(scale, axis=4)
    samples, rows, steps, height, width, _ = frames.shape
    picture = frames.transpose(0, 1, 3, 2, 4, 5).reshape(samples * rows * height, steps * width, 3)
    return (picture * 255.0).round().astype(np.uint8)


def colours(frames: np.ndarray) -> np.ndarray:
    """RGB (..., 3) of gray, RGB or many planes (..., C): each plane has a hue, a pixel shows its
    brightest plane."""
    planes = frames.shape[-1]
    if planes == 3:
        return frames
    if planes == 1:
        return frames.repeat(3, axis=-1)
    hues = np.array([colorsys.hsv_to_rgb(plane / planes, 0.8, 1.0) for plane in range(planes)])
    return frames.max(axis=-1, keepdims=True) * hues[frames.argmax(axis=-1)]


def save(file: Path, picture: np.ndarray) -> None:
    """Write `picture` (h, w, 3) uint8 as a png file."""
    Image.fromarray(picture).save(file)
