"""Every program of the project as one command, in any folder: `dreamer-ablation run`."""

import pkgutil
import sys

from agent.config import unknown

PROGRAMS = {
    "run": ("run:start", "train one run, or with -m all runs of a sweep"),
    "plan": ("sweeps.plan:main", "say what a sweep will do and cost"),
    "measure": ("measure:main", "measure random play, write the YAML of a new task"),
    "watch": ("agent.watch:main", "film the agent of a run"),
    "publish": ("sweeps.publish:main", "send finished runs to W&B or TensorBoard"),
    "sweep-files": ("sweeps.wandb_sweeps:main", "write W&B's sweep files, or start its agents"),
    "dashboard": ("sweeps.dashboard:main", "make W&B's dashboard"),
}
ANALYSIS = {
    "table": "judge the claims, print and write the verdicts",
    "plot": "draw the map and all other figures",
    "report": "write one HTML page a suite",
    "recommend": "say which options to take on each kind of task",
    "repeat": "compare claims that were run again with their study",
    "published": "reproduce the paper's tables",
    "export": "write runs as one csv",
    "calibrate": "simulate how often the verdicts hold",
}


def main() -> int | None:
    """Run the program that the first argument names; returns its exit status."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        said = {program: line for program, (_, line) in PROGRAMS.items()} | ANALYSIS
        lines = [f"  {program:12}{line}" for program, line in said.items()]
        print("usage: dreamer-ablation COMMAND ...   (COMMAND --help says more)", *lines, sep="\n")
        return 0
    if name in ANALYSIS:
        return pkgutil.resolve_name("analysis.__main__:main")()
    if name not in PROGRAMS:
        print(f"error: {unknown(name, [*PROGRAMS, *ANALYSIS])}", file=sys.stderr)
        return 2
    sys.argv = [f"{sys.argv[0]} {name}", *rest]
    return pkgutil.resolve_name(PROGRAMS[name][0])()


if __name__ == "__main__":
    sys.exit(main())
