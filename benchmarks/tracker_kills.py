"""Kill a run with tracker=wandb again and again, restart it, and compare what the server has with
the run's own files.

python -m benchmarks.tracker_kills --standin ../shared/tools/wandb_standin.py --kills 8
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from agent.run.record import PICTURES, Record
from benchmarks.sweep_kills import ROOT, TINY

OVERRIDES = (
    *("task=catch", "tracker=wandb", "run.watch=true", "run.steps=6000"),
    *("run.log_every=50", "run.eval_every=500", "run.predict_every=400"),
    "run.checkpoint_every=200",
)


def killed_run(command: list[str], environment: dict[str, str], times: list[float]) -> int:
    """Start the run, kill -9 it and W&B's own process after each of `times`, then let it end."""
    for seconds in (*times, None):
        run = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def compare(record: Record, state: dict) -> dict[str, tuple[int, bool]]:
    """How many records of each kind the files hold, and whether the server has the same, once."""
    rows = [json.loads(row) for run in state["runs"] for row in run["history"]]
    scores = list(record.scores())
    evaluations = sorted({row["step"] for row in scores if row["kind"] == "eval"})
    kinds = {
        "wall_seconds": [row["step"] for row in record.metrics()],
        "train/return": [row["step"] for row in scores if row["kind"] == "train"],
        "eval/score": evaluations,
    }
    for name in PICTURES:
        kinds[f"pictures/{name}"] = [step for kind, step, _ in record.pictures() if kind == name]
    found = {
        kind: (len(steps), [row["step"] for row in rows if kind in row] == steps)
        for kind, steps in kinds.items()
    }
    return found


def lost_files(state: dict) -> int:
    """How many pictures the server has the record of and not the file: W&B's client sends the two
    apart, and a kill may come between."""
    rows = [json.loads(row) for run in state["runs"] for row in run["history"]]
    pictures = [row[key] for row in rows for key in row if key.startswith("pictures/")]
    there = {file.split("/", 3)[3] for file in state["files"]}
    return len({picture["path"] for picture in pictures} - there)


def main() -> int:
    """Print what happened; exit status 1 where a record is missing or there twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--standin", required=True, help="of W&B's server")
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--longest", type=float, default=45.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    times = [rng.uniform(given.longest / 2, given.longest) for _ in range(given.kills)]
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        free.close()
        server = subprocess.Popen([sys.executable, given.standin, url.rpartition(":")[2]])
        environment = {**os.environ, "WANDB_BASE_URL": url, "WANDB_API_KEY": "0" * 40}
        environment |= {f"WANDB_{name}_DIR": folder for name in ("CONFIG", "CACHE", "DATA")}
        command = [sys.executable, str(ROOT / "run.py"), *TINY, *OVERRIDES, f"run.root={folder}"]
        started = time.monotonic()
        try:
            code = killed_run(command, environment, times)
            with urllib.request.urlopen(f"{url}/state") as answer:
                state = json.load(answer)
        finally:
            server.terminate()
            server.wait()
        print(f"{given.kills} kills, exit status {code}, {time.monotonic() - started:.0f} s")
        found = compare(Record(next(Path(folder).rglob("run.json")).parent), state)
    print(f"{lost_files(state)} files of pictures are missing at the server")
    for kind, (number, same) in found.items():
        print(f"{number} {kind}: {'the same' if same else 'DIFFERENT'} at the server")
    return 0 if code == 0 and all(same for _, same in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
