"""Time one gradient step of all three optimisers on random replay; print one JSON line.

python benchmarks/gradient_step.py                           # the paper's model, batch 16 x 50
python benchmarks/gradient_step.py suite=mini recipe=mini    # the embedded default's
python benchmarks/gradient_step.py latent=gaussian --steps 3 # any overrides
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import hydra
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from omegaconf import DictConfig

from agent.build import build
from agent.dreamer import Dreamer
from agent.run import numerics

PAPER = ["suite=atari", "recipe.batch_size=16"]
CONF = Path(__file__).resolve().parents[1] / "conf"


def main() -> None:
    """Build the agent, take two steps to warm up, and report the median of the next ones in
    seconds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="Hydra overrides; none: the paper's model")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    cfg = compose(options.overrides)
    where = numerics.choose_device(options.device)
    numerics.configure(options.threads, cfg.run.matmul_precision)
    torch.manual_seed(0)
    agent, batch = example(cfg, where)
    wall, processor = [], []
    for _ in range(options.steps + 2):
        started, used = time.perf_counter(), time.process_time()
        agent.update(batch, progress=0.5)["model_loss"].item()
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    wall, processor = wall[2:], processor[2:]
    print(
        json.dumps(
            {
                "median_s": round(statistics.median(wall), 4),
                "min_s": round(min(wall), 4),
                "median_cpu_s": round(statistics.median(processor), 4),
                "parameters": agent.parameter_counts()["total"],
                "batch": [cfg.recipe.batch_size, cfg.recipe.length],
                "horizon": cfg.recipe.horizon,
                "threads": options.threads,
                "device": str(where),
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            }
        )
    )


def compose(overrides: Sequence[str]) -> DictConfig:
    """The configuration of overrides upon the paper's model and batch 16 x 50."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", [*PAPER, *overrides])


def example(cfg: DictConfig, where: torch.device) -> tuple[Dreamer, dict[str, torch.Tensor]]:
    """An agent and a random batch for it: of Atari's spaces, or of CartPole's for other suites."""
    images = cfg.suite.name.startswith("atari")
    observations = (
        Box(0, 255, (64, 64, 1), np.uint8) if images else Box(-np.inf, np.inf, (4,), np.float32)
    )
    actions = Discrete(18 if images else 2)
    agent = build(cfg, observations, actions, where)
    recipe = cfg.recipe
    return agent, random_batch(recipe.batch_size, recipe.length, observations, actions, where)


def random_batch(
    size: int, length: int, observations: Box, actions: Discrete, where: torch.device
) -> dict:
    """Replay of the right shapes and types, without terminal steps."""
    shape = (size, length)
    images = torch.randint(0, 256, (*shape, *observations.shape), dtype=torch.uint8)
    obs = images if observations.dtype == np.uint8 else torch.randn(*shape, *observations.shape)
    action = torch.eye(int(actions.n))[torch.randint(int(actions.n), shape)]
    no = torch.zeros(shape, dtype=torch.bool)
    batch = {
        "obs": obs,
        "action": action,
        "reward": torch.randn(shape).tanh(),
        "is_first": no,
        "is_terminal": no,
    }
    return {name: tensor.to(where) for name, tensor in batch.items()}


if __name__ == "__main__":
    main()
