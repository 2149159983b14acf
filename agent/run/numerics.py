"""What the numbers of a run rest on: its device, threads and precision, and random numbers.

Every random number is a function of the run's seed, what it is for, and a number. So a checkpoint
holds no state of a generator, and an environment that draws or seeds changes nothing in acting and
learning.
"""

import ctypes
import gc
import os
import platform
import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from agent.errors import UserError


def choose_device(name: str) -> torch.device:
    """Device for `auto | cpu | cuda | cuda:N`; UserError names what this machine has."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = ["auto", "cpu", *["cuda"][:gpus], *(f"cuda:{index}" for index in range(gpus))]
    if name not in here:
        raise UserError(f"run.device={name}: not on this machine; allowed here: {', '.join(here)}")
    return torch.device(("cuda" if gpus else "cpu") if name == "auto" else name)


def check_threads(threads: int | None) -> None:
    """UserError for more threads than this machine has cores."""
    cores = os.cpu_count() or 1
    if threads is not None and threads > cores:
        raise UserError(f"run.threads={threads}: allowed here: 1 to {cores}, the cores there are")


def configure(threads: int | None, precision: str) -> None:
    """Set CPU threads (None: PyTorch's default) and float32 precision.

    `highest` keeps full float32 in matrix products and in cuDNN's convolutions; the others allow
    TF32 in both. What is freed stays in the process, for the next update asks for the same sizes.
    """
    gc.freeze()  # what is imported is no garbage: no later collection looks at it
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(-3, 2**25)  # M_MMAP_THRESHOLD, in bytes: glibc's own at most
        ctypes.CDLL(None).mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def tensors(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch on a device; page-locked memory lets the host go on while a GPU takes its copy."""
    if device.type == "cuda":
        batch = {name: tensor.pin_memory() for name, tensor in batch.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


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
    return int(np.random.SeedSequence(seed, spawn_key=(stream, *index)).generate_state(1)[0] >> 1)


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
