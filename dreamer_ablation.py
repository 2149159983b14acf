"""Every program of the project as one command, in any folder: `dreamer-ablation run`."""

import pkgutil
import sys
from importlib import import_module

from agent.config import unknown

PROGRAMS = {
    "run": ("run:start", "Train one run, or with -m all runs of a sweep"),
    "plan": ("sweeps.plan:main", "Say what a sweep will do and cost"),
    "measure": ("measure:main", "Measure random play, write the YAML of a new task"),
    "watch": ("agent.watch:main", "Film the agent of a run"),
    "publish": ("sweeps.publish:main", "Send finished runs to W&B or TensorBoard"),
    "sweep-files": (
        "sweeps.wandb_sweeps:main",
        "Write W&B's sweep files, run one without a server",
    ),
    "dashboard": ("sweeps.dashboard:main", "Make W&B's workspace"),
}


def main() -> int | None:
    """Run the program that the first argument names; returns its exit status."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in PROGRAMS:
        sys.argv = [f"{sys.argv[0]} {name}", *rest]
        return pkgutil.resolve_name(PROGRAMS[name][0])()
    analysis = import_module("analysis.__main__")  # pandas: only where runs are judged
    if name in ("-h", "--help"):
        print("usage: dreamer-ablation COMMAND ...\n\nCOMMAND, beside those of the analysis below:")
        print(*(f"    {program:12}{what}" for program, (_, what) in PROGRAMS.items()), "", sep="\n")
    elif name not in analysis.COMMANDS:
        print(f"error: {unknown(name, [*PROGRAMS, *analysis.COMMANDS])}", file=sys.stderr)
        return 2
    return analysis.main([name, *rest])


if __name__ == "__main__":
    sys.exit(main())
