"""See the agent of a run play: a video of one greedy episode from the run's last checkpoint.

It shows what there was, what the model imagined between its looks, the return and the value.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from gymnasium.spaces import Box
from pydantic import NonNegativeInt, PositiveInt

from agent import build
from agent.config import check_value
from agent.errors import UserError
from agent.run import checkpoint, numerics, video
from agent.run.numerics import Stream
from agent.run.record import identity, read_run


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the video; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m agent.watch", description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder: the one with run.json")
    parser.add_argument("--out", type=Path, help="a .gif file; default: RUN/watch.gif")
    parser.add_argument("--seed", type=int, default=0, help="of the episode (0)")
    parser.add_argument("--steps", type=int, default=1000, help="at most (1000)")
    try:
        print(watch(**vars(parser.parse_args(arguments))))
    except (UserError, OSError) as error:
        print(f"error: {error}".splitlines()[0], file=sys.stderr)
        return 2
    return 0


def watch(run: Path, out: Path | None, seed: int, steps: int) -> Path:
    """Film an episode of at most `steps` steps with the agent in a run's folder; returns the file.

    UserError for a folder that is no run's or has no checkpoint.
    """
    check_value("--seed", seed, NonNegativeInt)
    check_value("--steps", steps, PositiveInt)
    file, cpu = out or run / "watch.gif", torch.device("cpu")
    if file.suffix != ".gif" or not file.parent.is_dir():
        raise UserError(f"{file}: allowed: a name that ends in .gif, in a folder that is there")
    if (fields := read_run(run)) is None:
        raise UserError(f"{run} is no run's folder: it has no run.json")
    if "config" not in fields:
        raise UserError(f"{run / 'run.json'} has no config: a run of this program writes one")
    if (state := checkpoint.load(run, identity(fields), read_only=True)) is None:
        raise UserError(f"{run} has no checkpoint yet")
    cfg = build.recorded(fields["config"])
    env = build.environment(cfg)
    assert isinstance(env.observation_space, Box)
    agent = build.build(cfg, env.observation_space, env.action_space, cpu)
    agent.load_state_dict(state["agent"])
    latents = numerics.torch_generator(seed, Stream.WATCH, 0, cpu)
    film = video.play(agent, env, numerics.derive(seed, Stream.WATCH), latents, steps)
    env.close()
    video.save(file, film)
    return file


if __name__ == "__main__":
    sys.exit(main())
