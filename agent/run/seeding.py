"""Every random number of a run is a function of the run's seed, what it is for, and a number.

So a checkpoint holds no state of a generator, and an environment that draws or seeds changes
nothing in acting and learning.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a seed is for; different streams of one run are independent."""

    START = 0
    REPLAY = 1
    TRAIN_EPISODE = 2
    EVAL_EPISODE = 3
    EVAL_LATENTS = 4
    PREDICTION = 5
    WATCH = 6
    PREFILL = 7
    ACT = 8
    LEARN = 9


def derive(seed: int, stream: Stream, *index: int) -> int:
    """A seed in [0, 2**31) that is a function of the run's seed, the stream and the index alone."""
    sequence = np.random.SeedSequence(seed, spawn_key=(stream, *index))
    return int(sequence.generate_state(1)[0] >> 1)


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """NumPy's generator of a stream."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, *index)))


def torch_generator(seed: int, stream: Stream, index: int, device: torch.device) -> torch.Generator:
    """PyTorch's generator of a stream, which the training does not draw from."""
    return torch.Generator(device).manual_seed(derive(seed, stream, index))


def seed_torch(seed: int, stream: Stream, index: int, device: torch.device) -> None:
    """Seed the generator that PyTorch draws from on `device`."""
    gpus = torch.cuda.default_generators
    own = gpus[device.index or 0] if device.type == "cuda" else torch.default_generator
    own.manual_seed(derive(seed, stream, index))


def seed_libraries(seed: int, stream: Stream, index: int) -> None:
    """Seed the global generators of Python and NumPy, from which an environment may draw."""
    value = derive(seed, stream, index)
    random.seed(value)
    np.random.seed(value)


@contextmanager
def libraries_apart(seed: int, stream: Stream, index: int) -> Iterator[None]:
    """Seed the global generators of Python and NumPy for a while, and put them back."""
    before = random.getstate(), np.random.get_state()
    seed_libraries(seed, stream, index)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
