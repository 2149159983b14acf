"""Count what one gradient step asks of the device; print one JSON line.

python benchmarks/kernels.py                            # the paper's model
python benchmarks/kernels.py suite=mini recipe=mini     # the embedded default's
"""

import argparse
import json
from collections import Counter

import torch
from gradient_step import compose, example
from torch.utils._python_dispatch import TorchDispatchMode

from agent.run.progress import Meter

NO_KERNEL = ("aten.empty", "aten.new_empty", "profiler.")  # of operators that only allocate or mark


class Count(TorchDispatchMode):
    """Counts the operators that reach PyTorch's dispatcher, forward and backward.

    A view changes no memory; an operator of a list of tensors counts as one, as it is on CUDA.
    """

    def __init__(self):
        super().__init__()
        self.operators: Counter[str] = Counter()
        self.kernels = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        self.operators[name] += 1
        views = any(r.alias_info and not r.alias_info.is_write for r in func._schema.returns)
        self.kernels += not views and not name.startswith(NO_KERNEL)
        return func(*args, **(kwargs or {}))


def count(agent, batch: dict[str, torch.Tensor]) -> Count:
    """The operators of one update and of its metrics, after another update that fills Adam's
    state."""
    meter = Meter()
    meter.add(agent.update(batch, progress=0.5))
    with Count() as counted:
        meter.add(agent.update(batch, progress=0.5))
    return counted


def main() -> None:
    """Count for an agent of the overrides, on the CPU."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", help="Hydra overrides; none: the paper's model")
    parser.add_argument("--top", type=int, default=0, help="name the most frequent operators")
    options = parser.parse_args()
    # no count depends on the number of sequences
    cfg = compose([*options.overrides, "recipe.batch_size=2"])
    counted = count(*example(cfg, torch.device("cpu")))
    found = {"dispatches": counted.operators.total(), "kernels": counted.kernels}
    print(json.dumps(found | dict(counted.operators.most_common(options.top))))


if __name__ == "__main__":
    main()
