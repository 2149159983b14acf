"""Every random number of a run comes from its seed: one place seeds, saves and restores the
generators."""

import random
from collections.abc import Mapping
from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """What a seed is for; different streams of one run are independent."""

    LIBRARIES = 0
    REPLAY = 1
    TRAIN_EPISODE = 2
    EVAL_EPISODE = 3
    EVAL_LATENTS = 4
    PREDICTION = 5
    WATCH = 6
    PREFILL = 7


def derive(seed: int, stream: Stream, *index: int) -> int:
    """A seed in [0, 2**31) that is a function of the run's seed, the stream and the index alone."""
    return int(np.random.SeedSequence([seed, stream, *index]).generate_state(1)[0] >> 1)


def generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """NumPy's generator of a stream."""
    return np.random.default_rng(derive(seed, stream, *index))


def torch_generator(seed: int, stream: Stream, index: int, device: torch.device) -> torch.Generator:
    """PyTorch's generator of a stream, which the training does not draw from."""
    return torch.Generator(device).manual_seed(derive(seed, stream, index))


def seed_libraries(seed: int) -> None:
    """Seed the global generators of Python, NumPy and PyTorch on all devices."""
    value = derive(seed, Stream.LIBRARIES)
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)


def state_dict(own: Mapping[str, np.random.Generator], device: torch.device) -> dict:
    """States of the run's own generators and of the global ones, in types that
    `torch.load(weights_only=True)` reads.

    Of the GPUs only the run's own `device` is asked: asking another one would take memory there.
    """
    numpy = np.random.get_state(legacy=False)
    numpy["state"]["key"] = torch.from_numpy(numpy["state"]["key"].astype(np.int64))
    return {
        "own": {name: generator.bit_generator.state for name, generator in own.items()},
        "python": random.getstate(),
        "numpy": numpy,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def load_state_dict(
    own: Mapping[str, np.random.Generator], state: dict, device: torch.device
) -> None:
    """Restore what `state_dict` returned; a GPU that goes on from a CPU's checkpoint keeps its
    seed's numbers."""
    for name, generator in own.items():
        generator.bit_generator.state = state["own"][name]
    random.setstate(state["python"])
    numpy = state["numpy"]
    np.random.set_state(
        {
            **numpy,
            "state": {**numpy["state"], "key": numpy["state"]["key"].numpy().astype(np.uint32)},
        }
    )
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
