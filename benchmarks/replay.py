"""Time and memory of the replay on disk: `python benchmarks/replay.py --rows 200000` (64x64 gray,
batch 16 x 50)."""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from gymnasium.spaces import Box

from agent.run import numerics
from agent.run.replay import Replay


def main() -> None:
    """Print the cost of storing a step and of sampling a batch, and the growth of the process's
    memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="steps to store")
    parser.add_argument("--episode", type=int, default=1_000, help="steps of an episode")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=50)
    parser.add_argument("--samples", type=int, default=200, help="batches to draw")
    parser.add_argument(
        "--folder", type=Path, help="where to put the rows; default: a temporary folder"
    )
    args = parser.parse_args()
    numerics.configure(1, "highest")  # as a run does
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measure(Replay(Path(folder), Box(0, 255, (64, 64, 1), np.uint8), 18, args.rows), args)


def measure(replay: Replay, args: argparse.Namespace) -> None:
    """Fill `replay`, sample from it, and print what that took."""
    process, rng = psutil.Process(), np.random.default_rng(0)
    images, action = (
        rng.integers(0, 256, (100, 64, 64, 1), dtype=np.uint8),
        np.eye(18, dtype=np.float32)[0],
    )
    before = process.memory_info().rss
    started = time.perf_counter()
    for row in range(args.rows):
        replay.add(images[row % 100], action, 0.0, row % args.episode == 0, False)
    stored = time.perf_counter() - started
    times = []
    for _ in range(args.samples):
        started = time.perf_counter()
        replay.sample(args.batch, args.length, rng)
        times.append(time.perf_counter() - started)
    growth = process.memory_info().rss - before
    used = sum(path.stat().st_blocks * 512 for path in replay.folder.glob("*.npy"))
    print(f"{args.rows} rows, {used / 1e9:.2f} GB on disk")
    print(f"store a step: {1e6 * stored / args.rows:.0f} us")
    print(
        f"sample {args.batch} x {args.length}: {1e3 * np.median(times):.1f} ms median, "
        f"{1e3 * max(times):.1f} ms most"
    )
    print(f"memory of the process grew by {growth / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
