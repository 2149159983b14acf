"""Configurations, spaces, batches and agents small enough for tests."""

import re
from collections.abc import Callable, Sequence
from contextlib import closing
from copy import deepcopy
from functools import cache
from pathlib import Path

import hydra
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete, Space, flatdim
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict
from torch import Tensor

from agent.build import build, check, training
from agent.dreamer import Dreamer
from agent.run.record import Record
from agent.spaces import action_kind

VALUE = re.compile(r"\w+(\.\w+)+=")  # an override of one value; any other chooses an option
PARSE = cache(OverridesParser.create().parse_override)
CONF = Path(__file__).resolve().parents[1] / "conf"
IMAGE, GRID = Box(0, 255, (64, 64, 1), np.uint8), Box(0, 1, (7, 7, 3), np.uint8)
VECTOR = Box(-np.inf, np.inf, (4,), np.float32)
DISCRETE, CONTINUOUS = Discrete(5), Box(-1, 1, (2,), np.float32)
SIZES = "latents=4 classes=4 deter=16 hidden=12 units=12 depth=2"
NUMBERS = [f"size.{number}" for number in SIZES.split()]
NUMBERS += ["recipe.batch_size=3", "recipe.length=5", "recipe.horizon=4"]


def compose(*overrides: str, numbers: Sequence[str] = ()) -> DictConfig:
    """The composed configuration of command-line overrides, checked as a user's; `numbers` shrink
    it beforehand."""
    given = [*numbers, *overrides]
    options = tuple(override for override in given if not VALUE.match(override))
    cfg = deepcopy(_composed(options))
    for override in filter(VALUE.match, given):
        parsed = PARSE(override)
        OmegaConf.update(cfg, parsed.key_or_group, parsed.value(), merge=True)
    check(cfg, cfg.hydra.runtime.choices)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@cache
def _composed(options: tuple[str, ...]) -> DictConfig:
    """What Hydra makes of the chosen options; it takes far longer than to set values in a copy."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", list(options), return_hydra_config=True)


def batch(
    observations: Box, actions: Space, batch: int = 3, length: int = 5, seed: int = 0
) -> dict[str, Tensor]:
    """Random replay (B, T, ...) with a first step inside a sequence and a terminal one."""
    rng, shape, size = np.random.default_rng(seed), (batch, length), flatdim(actions)
    if action_kind(actions) == "discrete":
        action = np.eye(size, dtype=np.float32)[rng.integers(size, size=shape)]
    else:
        action = rng.uniform(-1, 1, (*shape, size)).astype(np.float32)
    high = 256 if observations.high.max() == 255 else 2
    whole = rng.integers(high, size=(*shape, *observations.shape), dtype=np.uint8)
    vectors = rng.normal(size=(*shape, *observations.shape)).astype(np.float32)
    is_first, is_terminal = np.zeros(shape, bool), np.zeros(shape, bool)
    is_first[:, 0] = is_first[1, 3] = is_terminal[2, 4] = True
    arrays = {
        "obs": whole if observations.dtype == np.uint8 else vectors,
        "action": action * ~is_first[..., None],
        "reward": rng.normal(size=shape).astype(np.float32),
        "is_first": is_first,
        "is_terminal": is_terminal,
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def agent(
    *overrides: str,
    observations: Box = VECTOR,
    actions: Space = DISCRETE,
    seed: int = 0,
    numbers: Sequence[str] = NUMBERS,
) -> Dreamer:
    """A tiny agent on the CPU."""
    cfg = compose(*overrides, numbers=numbers)
    torch.manual_seed(seed)
    return build(cfg, observations, actions, torch.device("cpu"))


def claimed(folder: Path) -> Record:
    """The records of a run that was just claimed."""
    record = Record(folder)
    record.update(
        suite="mini", task="cartpole", arm="baseline", seed=0, digest="0123abcd", status="under way"
    )
    return record


def train(
    cfg: DictConfig,
    record: Record,
    stop: Callable[[], bool] = lambda: False,
    lost: Callable[[], bool] = lambda: False,
) -> None:
    """Train a run in this process, in the folder of `record`."""
    with closing(training(cfg, record, stop, lost)) as run:
        run.run()
