"""Slurm's commands as far as a sweep uses them, with the jobs in a JSON file: the test moves them.

Run under the name of a command; FAKE_SLURM names the file.
"""

import json
import os
import re
import sys
from pathlib import Path

FILE = Path(os.environ["FAKE_SLURM"])


def sbatch(state, script):
    text = Path(script).read_text()
    array = re.search(r"--array=0-(\d+)%(\d+)", text)
    tasks = int(array[1]) + 1 if array else 1
    if state["refuse"] or tasks > state["max_array"]:
        sys.exit("sbatch: error: Batch job submission failed: " + (state["refuse"] or "too many"))
    state["arrays"].append([tasks, int(array[2]) if array else 1])
    state["environment"] = dict(os.environ)
    number = len(state["arrays"])
    for task in range(tasks):
        state["jobs"][f"{number}_{task}" if array else f"{number}"] = "PENDING"
    print(f"Submitted batch job {number}")


def squeue(state, *_):
    for number, status in state["jobs"].items():
        print(f"{number}|{status}")


def scancel(state, *numbers):
    if state["refuse"]:
        sys.exit(f"scancel: error: {state['refuse']}")
    for number in state["jobs"]:
        if number in numbers or number.partition("_")[0] in numbers:
            state["jobs"][number] = "CANCELLED"


def scontrol(state, *_):
    print(f"MaxArraySize            = {state['max_array']}")


if __name__ == "__main__":
    state = json.loads(FILE.read_text())
    globals()[Path(sys.argv[0]).name](state, *sys.argv[1:])
    FILE.write_text(json.dumps(state))
