"""See the agent of a run play: a video of one greedy episode from the run's last checkpoint.

python -m agent.watch runs/minatar/minatar_breakout/baseline/0-1a2b3c4d
python -m agent.watch RUN_FOLDER --seed 3 --out episode.gif

It shows what there was, what the model imagined between its looks, the return and the value.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gymnasium.spaces import Box
from pydantic import NonNegativeInt, PositiveInt

from agent import build
from agent.config import check_value
from agent.errors import UserError
from agent.run import checkpoint, device, seeding, video
from agent.run.record import IDENTITY, read_run
from agent.run.seeding import Stream


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the video; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m agent.watch",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", type=Path, help="a run's folder: the one with run.json")
    parser.add_argument("--out", type=Path, help="a .gif file; default: RUN/watch.gif")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (0)")
    parser.add_argument("--steps", type=int, default=1000, help="at most (1000)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda, cuda:N (cpu)")
    given = parser.parse_args(arguments)
    try:
        print(watch(given.run, given.out, given.seed, given.steps, given.device))
    except (UserError, OSError) as error:
        print(f"error: {error}".splitlines()[0], file=sys.stderr)
        return 2
    return 0


def watch(run: Path, out: Path | None, seed: int, steps: int, on: str) -> Path:
    """Play an episode of at most `steps` steps with the agent in a run's folder; the file.

    Raises UserError for a folder that is no run's or has no checkpoint.
    """
    check_value("--seed", seed, NonNegativeInt)
    check_value("--steps", steps, PositiveInt)
    file = out or run / "watch.gif"
    if file.suffix != ".gif":
        raise UserError(f"{file}: allowed: a name that ends in .gif")
    if not file.parent.is_dir():
        raise UserError(f"{file}: no folder {file.parent}")
    fields = read_run(run)
    if fields is None:
        raise UserError(f"{run} is no run's folder: it has no run.json")
    identity = {name: str(fields.get(name)) for name in IDENTITY}
    state = checkpoint.load(run, identity, read_only=True)
    if state is None:
        raise UserError(f"{run} has no checkpoint yet")
    if "config" not in fields:
        raise UserError(f"{run}/run.json holds no configuration")
    cfg = build.recorded(fields["config"])
    env = build.environment(cfg)
    where = device.choose(on)
    assert isinstance(env.observation_space, Box)
    agent = build.build(cfg, env.observation_space, env.action_space, where)
    agent.load_state_dict(state["agent"])
    latents = seeding.torch_generator(seed, Stream.WATCH, 0, where)
    start = seeding.derive(seed, Stream.WATCH)
    video.save(file, video.play(agent, env, start, latents, steps))
    env.close()
    return file


if __name__ == "__main__":
    sys.exit(main())
