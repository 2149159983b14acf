"""The device of a run, its threads and the precision of its matrix products."""

import torch

from agent.errors import UserError

PRECISIONS = ("highest", "high", "medium")


def choose(name: str) -> torch.device:
    """Device for `auto | cpu | cuda | cuda:N`; UserError names what this machine has."""
    available = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if name == "auto":
        return torch.device("cuda" if available else "cpu")
    if name == "cpu" or name in available or (name == "cuda" and available):
        return torch.device(name)
    usable = ["auto", "cpu"] + (["cuda"] if available else []) + available
    raise UserError(f"run.device={name}: not on this machine; allowed here: {', '.join(usable)}")


def configure(threads: int | None, precision: str) -> None:
    """Set CPU threads (None: PyTorch's default) and float32 matmul precision, and stop distributions validating."""
    if precision not in PRECISIONS:
        raise UserError(f"run.matmul_precision={precision}: allowed: {', '.join(PRECISIONS)}")
    if threads is not None:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)
    torch.distributions.Distribution.set_default_validate_args(False)
