"""What a card gives and what the agent takes of it; one JSON object a line.

python benchmarks/gpu.py                       # everything, on the first card
python benchmarks/gpu.py --only update act     # ceilings | update | act | loop
python benchmarks/gpu.py --device cpu          # the same with tiny numbers: does the script run?
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from gradient_step import compose, example
from kernels import count
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from agent.errors import UserError
from agent.run import numerics

MODELS = {
    "22m 50x50": ["recipe.batch_size=50"],
    "22m 16x50": ["recipe.batch_size=16"],
    "small": ["suite=mini"],
}
MODES = {
    "highest": ["run.matmul_precision=highest"],
    "tf32": ["run.matmul_precision=high"],
    "bf16": ["run.matmul_precision=high", "run.precision=bf16"],
}
TINY = ["size.deter=16", "size.hidden=12", "size.units=12", "size.depth=2", "size.latents=4"]
TINY += ["size.classes=4", "recipe.batch_size=3", "recipe.length=5", "recipe.horizon=4"]
RUNS = (1, 2, 3, 4)
ROOT = Path(__file__).resolve().parents[1]


class Bench:
    """Times on one device, with tiny numbers on a CPU."""

    def __init__(self, where: torch.device):
        self.device = where
        self.gpu = where.type == "cuda"
        self.repeats = 50 if self.gpu else 3
        self.shrink = [] if self.gpu else TINY

    def milliseconds(self, call: Callable[[], object]) -> float:
        """Median duration of a call after three to warm up: by CUDA's events, on a CPU by its
        clock."""
        for _ in range(3):
            call()
        return statistics.median(self._once(call) for _ in range(self.repeats))

    def ceilings(self) -> Iterator[dict]:
        """Matrix products in TF32 and bf16, a copy in memory, and one small operator after
        another."""
        size = 8192 if self.gpu else 64
        for mode, dtype in (("tf32", torch.float32), ("bf16", torch.bfloat16)):
            numerics.configure(None, "high")
            left, right = torch.randn(2, size, size, device=self.device, dtype=dtype)
            took = self.milliseconds(lambda left=left, right=right: left @ right)
            yield {"what": f"matmul {mode}", "tflops": 2e-9 * size**3 / took}
        source = torch.empty(size, size, device=self.device)
        target = torch.empty_like(source)
        took = self.milliseconds(lambda: target.copy_(source))
        yield {"what": "copy", "gb_per_s": 2e-6 * source.nbytes / took}
        one, many = torch.zeros(16, device=self.device), 1000
        took = self.milliseconds(lambda: [one.add_(1) for _ in range(many)])
        yield {"what": "eager operator", "microseconds": 1e3 * took / many}

    def update(self) -> Iterator[dict]:
        """Every model in every mode: time, memory, operators, kernels and the card's busy share."""
        for model, size in MODELS.items():
            for mode, numbers in MODES.items():
                cfg = compose([*size, *numbers, *self.shrink])
                numerics.configure(None, cfg.run.matmul_precision)
                agent, batch = example(cfg, self.device)
                if self.gpu:
                    torch.cuda.reset_peak_memory_stats(self.device)
                took = self.milliseconds(lambda agent=agent, batch=batch: agent.update(batch, 0.5))
                row = {"what": "update", "model": model, "mode": mode, "path": "eager"}
                row |= {"milliseconds": took, "per_second": 1e3 / took}
                row["operators"] = count(agent, batch).kernels
                yield row | (self._card(agent, batch, took) if self.gpu else {})

    def act(self) -> Iterator[dict]:
        """An action of the 22m model at batch 1, with the observation's way in and the action's
        way out."""
        for mode, numbers in MODES.items():
            cfg = compose([*numbers, *self.shrink])
            numerics.configure(None, cfg.run.matmul_precision)
            agent, batch = example(cfg, self.device)
            obs = batch["obs"][0, :1].cpu().numpy()
            state, first = agent.initial(1), np.zeros(1, bool)
            call = lambda agent=agent, obs=obs, state=state, first=first: agent.act(  # noqa: E731
                obs, state, first, evaluate=False
            )
            yield {"what": "act", "mode": mode, "milliseconds": self.milliseconds(call)}

    def loop(self) -> Iterator[dict]:
        """The paper's agent on Pong from collection to update, with several runs sharing the
        device."""
        for runs in RUNS if self.gpu else RUNS[:2]:
            with tempfile.TemporaryDirectory() as root:
                started = [
                    subprocess.Popen(self._command(root, seed), stdout=sys.stderr)
                    for seed in range(runs)
                ]
                failed = [child.wait() for child in started]
                if any(failed):
                    raise RuntimeError(f"runs ended with the statuses {failed}")
                rates = [_rate(file) for file in Path(root).rglob("metrics.jsonl")]
            yield {"what": "loop", "runs": runs, "updates_per_second": rates, "sum": sum(rates)}

    def _once(self, call: Callable[[], object]) -> float:
        if not self.gpu:
            started = time.perf_counter()
            call()
            return 1e3 * (time.perf_counter() - started)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    def _card(self, agent, batch: dict[str, torch.Tensor], took: float) -> dict:
        """Peak memory, and of one more update under the profiler the kernels and their share of
        the time that an update takes without it."""
        peak = torch.cuda.max_memory_allocated(self.device)
        with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
            agent.update(batch, 0.5)
            torch.cuda.synchronize(self.device)
        kernels = on_card(profiled.events())
        busy = 1e-3 * sum(event.time_range.elapsed_us() for event in kernels)
        return {"peak_gb": 1e-9 * peak, "kernels": len(kernels), "busy": busy / took}

    def _command(self, root: str, seed: int) -> list[str]:
        prefill, updates = (2500, 400) if self.gpu else (60, 8)
        settings = [f"run.steps={prefill + 16 * updates}", f"recipe.prefill={prefill}"]
        settings += [f"run.log_every={160 if self.gpu else 32}", "run.predict_every=0"]
        settings += [f"run.device={self.device}", f"run.root={root}", f"run.seed={seed}"]
        settings += ["suite=atari", "task=pong", "run.matmul_precision=high", *self.shrink]
        return [sys.executable, str(ROOT / "run.py"), *settings]


def on_card(events: Sequence[FunctionEvent]) -> list[FunctionEvent]:
    """What ran on the card; the names that a program gives to parts of itself did not."""
    cuda = torch.autograd.DeviceType.CUDA
    return [event for event in events if event.device_type == cuda and not event.is_user_annotation]


def _rate(metrics: Path) -> float:
    """Updates a second between the first and the last line with updates."""
    rows = [json.loads(line) for line in metrics.read_text().splitlines()]
    rows = [row for row in rows if row["gradient_steps"]]
    first, last = rows[0], rows[-1]
    updates = last["gradient_steps"] - first["gradient_steps"]
    return updates / (last["wall_seconds"] - first["wall_seconds"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the chosen parts' lines, each as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("ceilings", "update", "act", "loop")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts)
    options = parser.parse_args(arguments)
    try:
        bench = Bench(numerics.choose_device(options.device))
    except UserError as error:
        print(f"error: {str(error).replace('run.device=', '--device ')}", file=sys.stderr)
        return 2
    name = torch.cuda.get_device_name(bench.device) if bench.gpu else "cpu"
    for part in options.only:
        for row in getattr(bench, part)():
            print(json.dumps({"device": name, "torch": torch.__version__} | row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
