"""Atari 2600 games under the paper's protocol (Machado et al. 2018, the paper's section 3)."""

import difflib

import gymnasium
from gymnasium.wrappers import AtariPreprocessing
from pydantic import PositiveInt

from agent.config import Fraction, check_value
from agent.envs.wrappers import load
from agent.errors import UserError


def make(
    game: str,
    size: int,
    frame_skip: int,
    repeat_action_probability: float,
    full_action_space: bool,
    noop_max: int,
    max_frames: int,
    grayscale: bool,
    terminal_on_life_loss: bool,
) -> gymnasium.Env:
    """Build a game of the Arcade Learning Environment with uint8 images (size, size, 1 or 3).

    The emulator shows every frame; the wrapper repeats the action `frame_skip` times, keeps the
    maximum of the last two frames and resizes by area. `max_frames` (emulator frames, no-ops
    included) truncates. UserError for an unknown game or a missing package.
    """
    check_value("task.env.repeat_action_probability", repeat_action_probability, Fraction)
    check_value("task.env.max_frames", max_frames, PositiveInt)
    ale_py = load(f"game {game}", "ale_py", "ale-py")
    known = sorted(ale_py.roms.get_all_rom_ids())
    if game not in known:
        close = difflib.get_close_matches(game, known, n=5) or [known[0], "...", known[-1]]
        raise UserError(f"game {game} has no ROM in ale-py; close to it: {', '.join(close)}")
    env = ale_py.AtariEnv(
        game=game,
        obs_type="grayscale" if grayscale else "rgb",
        frameskip=1,
        repeat_action_probability=repeat_action_probability,
        full_action_space=full_action_space,
        max_num_frames_per_episode=max_frames,
    )
    return AtariPreprocessing(
        env,
        noop_max=noop_max,
        frame_skip=frame_skip,
        screen_size=size,
        terminal_on_life_loss=terminal_on_life_loss,
        grayscale_obs=grayscale,
        grayscale_newaxis=True,
    )
