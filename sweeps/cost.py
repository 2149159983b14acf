"""What a sweep will cost: hours from finished runs or a short measured probe, and the disk of the
runs under way."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from agent.errors import UserError
from agent.run.status import Status
from sweeps import parallel
from sweeps.job import PROGRAM
from sweeps.state import Planned

PROBED_UPDATES = 12
WARM_UP_LINES = 3


def finished_rates(runs: Sequence[Planned]) -> dict[tuple[str, ...], float]:
    """Median seconds per agent step of the done runs, by (suite, size, arm) and by (suite,
    size)."""
    seconds: dict[tuple[str, ...], list[float]] = {}
    for run in runs:
        if run.state == Status.DONE and run.fields.get("steps"):
            rate = run.fields["wall_seconds"] / run.fields["steps"]
            for key in ((*_kind(run), run.identity.arm), _kind(run)):
                seconds.setdefault(key, []).append(rate)
    return {key: median(rates) for key, rates in seconds.items()}


def probe(run: Planned, threads: int) -> float:
    """Seconds per agent step of a run, evaluations left out, measured on a dozen gradient steps in
    another folder.

    Raises UserError with what the probe said when it fails.
    """
    recipe, every = run.cfg.recipe, max(1, int(run.cfg.run.train_every))
    prefill = recipe.length + 1
    short = [
        f"recipe.prefill={prefill}",
        f"run.steps={prefill + PROBED_UPDATES * every}",
        f"run.log_every={every}",
    ]
    short += ["run.eval_episodes=1", "run.predict_every=0", "run.keep_replay=false", "tracker=none"]
    environment = {**os.environ, **parallel.thread_environment(threads)}
    with tempfile.TemporaryDirectory(prefix="probe-") as root:
        command = [sys.executable, str(PROGRAM), *run.overrides, *short, f"run.root={root}"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().split("\n")[-1]
            raise UserError(f"the probe of {run.identity} failed: {said.removeprefix('error: ')}")
        lines = [
            json.loads(line)
            for line in next(Path(root).rglob("metrics.jsonl")).read_text().splitlines()
        ]
    learning = [line for line in lines if line["step"] > prefill][WARM_UP_LINES:]
    pairs = zip(learning, learning[1:], strict=False)
    return median(
        (b["wall_seconds"] - a["wall_seconds"]) / (b["step"] - a["step"]) for a, b in pairs
    )


def hours(runs: Sequence[Planned], rates: dict[tuple[str, ...], float]) -> float | None:
    """Hours of one machine's place for the runs that are not done; None where a rate is missing."""
    total = 0.0
    for run in runs:
        if run.state == Status.DONE:
            continue
        rate = rates.get((*_kind(run), run.identity.arm), rates.get(_kind(run)))
        if rate is None:
            return None
        total += rate * (run.cfg.run.steps - (run.fields or {}).get("steps", 0))
    return total / 3600


def replay_bytes(run: Planned) -> int:
    """Most bytes that the replay of a run takes on disk."""
    from gymnasium.spaces import flatdim

    from agent import build
    from agent.run.replay import Replay

    env = build.environment(run.cfg)
    try:
        with tempfile.TemporaryDirectory(prefix="replay-") as folder:
            replay = Replay(
                Path(folder),
                env.observation_space,
                flatdim(env.action_space),
                run.cfg.recipe.capacity,
            )
            size = replay.disk_bytes(run.cfg.run.steps, run.cfg.run.checkpoint_every)
            replay.close()
            return size
    finally:
        env.close()


def kinds(runs: Sequence[Planned]) -> dict[tuple[str, str], Planned]:
    """The first run of each (suite, size), of those given."""
    first: dict[tuple[str, str], Planned] = {}
    for run in runs:
        first.setdefault(_kind(run), run)
    return first


def _kind(run: Planned) -> tuple[str, str]:
    return run.identity.suite, run.cfg.size.name
