"""The official implementation's numbers, by the product's own names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "golden"
SIZES = "latents=4 classes=5 deter=24 hidden=20 depth=2 units=12 layers=2"
ATARI = [
    *(f"size.{size}" for size in SIZES.split()),
    *("recipe.horizon=5", "recipe.slow_every=2", "suite=atari", "task=pong"),
    "task.terminates=false",  # its control file has no discount head
]


def load(name: str) -> dict[str, np.ndarray]:
    """All arrays of one file; the test is skipped where the files are not there."""
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"the official implementation's numbers are not at ../shared/golden/{name}.npz")
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}


def batch(golden: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """The replayed batch of a file, in the product's keys."""
    keys = {"obs": "image"} | {key: key for key in ("action", "reward", "is_first", "is_terminal")}
    return {ours: torch.from_numpy(golden[f"batch/{theirs}"]) for ours, theirs in keys.items()}


def tensors(golden: dict[str, np.ndarray], prefix: str) -> dict[str, Tensor]:
    """Weights or gradients of a file under the product's parameter names, in PyTorch's layout."""
    renamed = {}
    for key, array in golden.items():
        if key.startswith(f"{prefix}/"):
            name, layout = _rename(key.removeprefix(f"{prefix}/"), golden)
            renamed[name] = torch.from_numpy(array.transpose(layout) if layout else array)
    return renamed


def _rename(key: str, golden: dict[str, np.ndarray]) -> tuple[str, tuple[int, ...] | None]:
    module, *path, kind = key.split("/")
    layer = "/".join(path)
    dense = (1, 0) if kind == "kernel" else None
    kind = {"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}[kind]
    if module == "encoder":
        return f"model.encoder.convs.{layer[-1]}.{kind}", (3, 2, 0, 1) if dense else None
    if module == "decoder" and layer != "convin":
        return f"model.heads.observation.convs.{layer[-1]}.{kind}", (3, 2, 0, 1) if dense else None
    if module == "decoder":
        return f"model.heads.observation.dense.{kind}", dense
    if module == "rssm":
        names = {"img_in": "input", "img_out_0": "prior.0", "img_dist_0": "prior.2"}
        names |= {"obs_out": "post_hidden", "obs_dist": "post_stats"}
        names |= {"cell/dense": "cell.gates", "cell/norm": "cell.norm"}
        return f"model.rssm.{names[layer]}.{kind}", dense
    prefixes = {"reward": "model.heads.reward", "discount": "model.heads.discount"}
    prefixes |= {"target": "slow_critic"}
    prefix = prefixes.get(module, module)
    if layer.startswith("dense"):
        return f"{prefix}.net.{2 * int(layer[-1])}.{kind}", dense
    if f"init/{module}/out/std/kernel" in golden:
        return f"{prefix}.{'mean' if layer == 'out/out' else 'std'}.{kind}", dense
    return f"{prefix}.net.4.{kind}", dense
