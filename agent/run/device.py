"""The device of a run, its threads and the precision of its matrix products and convolutions."""

import os

import torch
from torch import Tensor

from agent.errors import UserError


def choose(name: str) -> torch.device:
    """Device for `auto | cpu | cuda | cuda:N`; UserError names what this machine has."""
    available = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        if torch.cuda.is_available()
        else []
    )
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name == "cpu" or name in available or (name == "cuda" and available):
        return torch.device(name)
    usable = ["auto", "cpu"] + (["cuda"] if available else []) + available
    raise UserError(f"run.device={name}: not on this machine; allowed here: {', '.join(usable)}")


def check_threads(threads: int | None) -> None:
    """UserError for more threads than this machine has cores."""
    cores = os.cpu_count() or 1
    if threads is not None and threads > cores:
        raise UserError(f"run.threads={threads}: allowed here: 1 to {cores}, the cores there are")


def configure(threads: int | None, precision: str) -> None:
    """Set CPU threads (None: PyTorch's default) and float32 precision.

    `highest` keeps full float32 in matrix products and in cuDNN's convolutions; the others allow
    TF32 in both.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.backends.cudnn.allow_tf32 = precision != "highest"


def tensors(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch on a device; from pinned memory it is copied to a GPU while the host goes on."""
    return {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
